//! A request's body that tells when it takes too long.
//!
//! It doesn't count bytes: that is for those who collect them.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Sleep, sleep};
use tokio_util::sync::CancellationToken;

/// A body with a time limit. Once that is over and somebody still waits, it says so by its token and never ends: whoever holds the
/// token drops who waits.
pub(super) struct Timed {
    body: Incoming,
    limit: Pin<Box<Sleep>>,
    late: CancellationToken,
}

impl Timed {
    /// The time begins now.
    pub(super) fn new(body: Incoming, limit: Duration, late: CancellationToken) -> Self {
        Self { body, limit: Box::pin(sleep(limit)), late }
    }
}

impl Body for Timed {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if frame.is_pending() && self.limit.as_mut().poll(cx).is_ready() {
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
