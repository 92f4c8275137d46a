//! A request's body that tells when it takes too long: in all, or, for one that is handed on as it comes, between two pieces.
//!
//! It doesn't count bytes: that is for those who collect them.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::Extensions;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};
use tokio_util::sync::CancellationToken;

use super::Limits;

/// Which limit a body's time has. Shared by the body and, in the extensions of its request, by whoever knows what becomes of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Clock(Arc<AtomicBool>);

impl Clock {
    /// Whether it may take any time as long as it goes on.
    pub(super) fn is_by_progress(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Lets a request's body take any time as long as it goes on: it is handed on as it comes, and nobody holds what has come of it.
pub(crate) fn take_time(extensions: &Extensions) {
    if let Some(Clock(by_progress)) = extensions.get() {
        by_progress.store(true, Ordering::Relaxed);
    }
}

/// A body with a time limit. Once that is over and somebody still waits, it says so by its token and never ends: whoever holds the
/// token drops who waits.
pub(super) struct Timed<B> {
    body: B,
    limit: Pin<Box<Sleep>>,
    clock: Clock,
    /// How long a pause may take.
    pause: Duration,
    /// Since the last piece somebody waits for the next one.
    is_waiting: bool,
    late: CancellationToken,
}

impl<B> Timed<B> {
    /// The time begins now.
    pub(super) fn new(body: B, limits: &Limits, clock: Clock, late: CancellationToken) -> Self {
        let limit = Box::pin(sleep(limits.body));
        Self { body, limit, clock, pause: limits.pause, is_waiting: false, late }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Timed<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if frame.is_ready() {
            self.is_waiting = false;
            return frame;
        }
        if self.clock.is_by_progress() && !self.is_waiting {
            self.is_waiting = true;
            let end = Instant::now() + self.pause;
            self.limit.as_mut().reset(end);
        }
        if self.limit.as_mut().poll(cx).is_ready() {
            self.late.cancel();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{StreamExt, stream};
    use http_body_util::{BodyExt, StreamBody};
    use tokio::time::timeout;

    /// Whether a body is late that comes in pieces, each after so many seconds, within limits of 60 s in all and 30 s of pause.
    async fn is_late(by_progress: bool, seconds: &'static [u64]) -> bool {
        let (clock, late) = (Clock::default(), CancellationToken::new());
        let mut extensions = Extensions::new();
        extensions.insert(clock.clone());
        if by_progress {
            take_time(&extensions);
        }
        let pieces = stream::iter(seconds).then(|seconds| async {
            sleep(Duration::from_secs(*seconds)).await;
            Ok::<_, std::convert::Infallible>(Frame::data(Bytes::from_static(b"x")))
        });
        let body = StreamBody::new(Box::pin(pieces));
        let timed = Timed::new(body, &Limits::default(), clock, late.clone());
        let read = timeout(Duration::from_secs(3600), timed.collect()).await;
        assert!(read.is_ok(), "it ends");
        late.is_cancelled()
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_is_late_in_all_or_between_two_pieces() {
        for (by_progress, seconds, expected) in [
            (false, &[29, 29][..], false),
            (false, &[40, 19], false),
            (false, &[29, 29, 29], true),
            (true, &[29, 29, 29, 29, 29], false),
            (true, &[29, 31, 1], true),
            (true, &[31], true),
        ] {
            assert_eq!(is_late(by_progress, seconds).await, expected, "{by_progress} {seconds:?}");
        }
    }
}
