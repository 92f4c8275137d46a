//! The body of a guest's request: collected where it is small, so that it can be sent again; streamed once where it isn't.
//!
//! It is held to its limit and to the length that the guest announces. What is in it isn't looked at.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};

use super::{
    headers,
    refusal::{Excess, Refusal},
    transport::{BoxError, RequestBody},
};

/// The largest body that is kept to be sent again. 64 KB: requests to APIs are smaller, and 64 calls with one each hold 4 MB.
const REPLAYABLE: usize = 64 << 10;

/// A request's body, at whatever stage of being sent.
pub(super) struct Payload {
    stage: Stage,
    limit: usize,
    /// The length as far as it is known before the end: the body's own, or what the guest announces.
    length: Option<u64>,
    fault: Arc<OnceLock<Refusal>>,
    /// Set once there is an answer.
    answered: Arc<OnceLock<()>>,
    /// Of a body that is streamed.
    reading: Option<Reading>,
}

/// That an answer is being read, until it is dropped. A client takes a body that breaks off for the end of the connection, on which the
/// rest of an answer may still come: an upstream may refuse a body before it has all of it.
pub(super) type Reading = oneshot::Sender<Infallible>;

enum Stage {
    Unread(RequestBody),
    /// Can be sent any number of times.
    Whole(Bytes),
    /// Too large to be kept: what has been read of it, and the rest.
    Streaming(Bytes, RequestBody),
    Gone,
}

impl Payload {
    pub(super) fn new<B>(body: B, headers: &HeaderMap, limit: usize) -> Self
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let length = body.size_hint().exact().or_else(|| announced(headers));
        let stage = Stage::Unread(body.map_err(Into::into).boxed_unsync());
        Self { stage, limit, length, fault: Arc::default(), answered: Arc::default(), reading: None }
    }

    pub(super) fn empty() -> Self {
        Self {
            stage: Stage::Whole(Bytes::new()),
            length: Some(0),
            ..Self::new(Full::<Bytes>::default(), &HeaderMap::new(), 0)
        }
    }

    /// Before the first attempt: reads the body as far as it is kept. A body whose announced length has come is whole, so that
    /// nothing behind it can be read as another request.
    pub(super) async fn collect(&mut self, deadline: Instant) -> Result<(), Refusal> {
        let too_large = Refusal::RequestTooLarge { excess: Excess::Body(self.limit) };
        if self.length.is_some_and(|length| length > self.limit as u64) {
            return Err(too_large);
        }
        let mut rest = match std::mem::replace(&mut self.stage, Stage::Gone) {
            Stage::Unread(body) => body,
            collected => {
                self.stage = collected;
                return Ok(());
            }
        };
        let mut read = BytesMut::new();
        if self.length.is_none_or(|length| length <= REPLAYABLE as u64) {
            let wanted = self.length.map_or(usize::MAX, |length| length as usize);
            while read.len() < wanted && read.len() <= REPLAYABLE {
                let next = timeout_at(deadline, rest.frame()).await.map_err(|_| Refusal::RequestBroken)?;
                match next {
                    Some(frame) => {
                        read.extend_from_slice(&data(frame.map_err(|_| Refusal::RequestBroken)?));
                    }
                    None if self.length.is_some() => return Err(Refusal::RequestBroken),
                    None => self.length = Some(read.len() as u64),
                }
                if self.length.is_some_and(|length| read.len() as u64 >= length) {
                    break;
                }
            }
        }
        if read.len() > self.limit {
            return Err(too_large);
        }
        self.stage = match self.length {
            Some(length) if length <= read.len() as u64 => Stage::Whole(read.freeze().slice(..length as usize)),
            _ => Stage::Streaming(read.freeze(), rest),
        };
        Ok(())
    }

    /// Whether it can be sent once more.
    pub(super) fn is_replayable(&self) -> bool {
        matches!(self.stage, Stage::Whole(_))
    }

    /// The body for the next attempt.
    pub(super) fn take(&mut self) -> RequestBody {
        match std::mem::replace(&mut self.stage, Stage::Gone) {
            Stage::Whole(bytes) => {
                self.stage = Stage::Whole(bytes.clone());
                Full::new(bytes).map_err(Into::into).boxed_unsync()
            }
            Stage::Streaming(first, rest) => {
                let (reading, over) = oneshot::channel();
                self.reading = Some(reading);
                let (limit, length, fault) = (self.limit, self.length, Arc::clone(&self.fault));
                let (first, answered) = (Some(first), Arc::clone(&self.answered));
                let broken = false;
                UnsyncBoxBody::new(Metered { first, rest, sent: 0, limit, length, fault, broken, answered, over })
            }
            Stage::Unread(_) | Stage::Gone => Full::default().map_err(Into::into).boxed_unsync(),
        }
    }

    /// Says that there is an answer. If the body is still being streamed, that ends when the answer does, at the latest.
    pub(super) fn answered(&mut self) -> Option<Reading> {
        self.answered.get_or_init(|| ());
        self.reading.take()
    }

    /// What was wrong with the body while it was streamed: the reason why there is no answer, whatever the client says.
    pub(super) fn fault(&self) -> Option<Refusal> {
        self.fault.get().cloned()
    }
}

/// A body that is streamed, held to its limit and to its length.
struct Metered {
    first: Option<Bytes>,
    rest: RequestBody,
    sent: u64,
    limit: usize,
    length: Option<u64>,
    fault: Arc<OnceLock<Refusal>>,
    /// The guest has given it up before its end.
    broken: bool,
    answered: Arc<OnceLock<()>>,
    over: oneshot::Receiver<Infallible>,
}

impl Metered {
    fn count(&mut self, mut chunk: Bytes) -> Result<Bytes, Refusal> {
        if let Some(length) = self.length {
            // Never more than was announced: the rest would be read as the next request.
            chunk.truncate(usize::try_from(length - self.sent).unwrap_or(usize::MAX));
        }
        self.sent += chunk.len() as u64;
        if self.sent > self.limit as u64 {
            return Err(Refusal::RequestTooLarge { excess: Excess::Body(self.limit) });
        }
        Ok(chunk)
    }

    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Refusal>>> {
        if let Some(first) = self.first.take().filter(|first| !first.is_empty()) {
            return Poll::Ready(Some(self.count(first)));
        }
        if self.is_end_stream() {
            return Poll::Ready(None);
        }
        if !self.broken {
            match ready!(Pin::new(&mut self.rest).poll_frame(context)) {
                Some(Ok(frame)) => return Poll::Ready(Some(self.count(data(frame)))),
                None if self.length.is_none() => return Poll::Ready(None),
                Some(Err(_)) | None => self.broken = true,
            }
        }
        if self.answered.get().is_some() {
            let Err(_over) = ready!(Pin::new(&mut self.over).poll(context));
        }
        Poll::Ready(Some(Err(Refusal::RequestBroken)))
    }
}

impl Body for Metered {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        Poll::Ready(match ready!(this.poll_chunk(context)) {
            None => None,
            Some(Ok(chunk)) => Some(Ok(Frame::data(chunk))),
            Some(Err(refusal)) => {
                let error = refusal.to_string().into();
                drop(this.fault.set(refusal));
                Some(Err(error))
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.length == Some(self.sent)
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, |length| SizeHint::with_exact(length - self.sent))
    }
}

/// Trailers are dropped: nothing reads them.
fn data(frame: Frame<Bytes>) -> Bytes {
    frame.into_data().unwrap_or_default()
}

/// A body that streams out of a guest doesn't know its length, but the guest may have announced it. It spares upstreams the
/// chunked encoding that some can't read.
fn announced(headers: &HeaderMap) -> Option<u64> {
    let value = headers::single(headers, &header::CONTENT_LENGTH)?;
    value.bytes().all(|byte| byte.is_ascii_digit()).then(|| value.parse().ok())?
}

#[cfg(test)]
mod tests {
    use std::io;

    use futures::stream;
    use http::HeaderValue;
    use http_body_util::StreamBody;

    use super::*;

    const LIMIT: usize = 200_000;

    /// A guest's body in chunks of a size, each `Err` a failure.
    fn chunks(chunks: Vec<Result<usize, ()>>) -> impl Body<Data = Bytes, Error = io::Error> + Send + 'static {
        let frames = chunks.into_iter().map(|chunk| match chunk {
            Ok(size) => Ok(Frame::data(Bytes::from(vec![b'x'; size]))),
            Err(()) => Err(io::Error::other("gone")),
        });
        StreamBody::new(stream::iter(frames))
    }

    fn announcing(lengths: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for length in lengths {
            headers.append(header::CONTENT_LENGTH, HeaderValue::from_static(length));
        }
        headers
    }

    fn soon() -> Instant {
        Instant::now() + std::time::Duration::from_secs(60)
    }

    /// Sends it and says how long it was and whether it can be sent again.
    async fn sent(mut payload: Payload) -> Result<(usize, bool), Refusal> {
        payload.collect(soon()).await?;
        let replayable = payload.is_replayable();
        let first = payload.take();
        let hint = first.size_hint().exact();
        match first.collect().await {
            Ok(whole) => {
                let length = whole.to_bytes().len();
                assert!(hint.is_none_or(|hint| hint == length as u64), "{hint:?}");
                if replayable {
                    assert_eq!(payload.take().collect().await.unwrap().to_bytes().len(), length);
                }
                Ok((length, replayable))
            }
            Err(_) => Err(payload.fault().unwrap()),
        }
    }

    #[tokio::test]
    async fn what_is_kept_and_what_is_streamed() {
        let too_large = Err(Refusal::RequestTooLarge { excess: Excess::Body(LIMIT) });
        let broken = Err(Refusal::RequestBroken);
        for (body, length, expected) in [
            (vec![], &[][..], Ok((0, true))),
            (vec![Ok(3), Ok(4)], &[], Ok((7, true))),
            (vec![Ok(3), Ok(4)], &["7"], Ok((7, true))),
            (vec![Ok(REPLAYABLE)], &[], Ok((REPLAYABLE, true))),
            (vec![Ok(REPLAYABLE), Ok(1)], &[], Ok((REPLAYABLE + 1, false))),
            (vec![Ok(100_000), Ok(1)], &["100001"], Ok((100_001, false))),
            (vec![Ok(LIMIT)], &[], Ok((LIMIT, false))),
            // More than was announced is cut, less is broken.
            (vec![Ok(3), Ok(4)], &["5"], Ok((5, true))),
            (vec![Ok(5), Err(())], &["5"], Ok((5, true))),
            (vec![Ok(100_000), Ok(100)], &["100001"], Ok((100_001, false))),
            (vec![Ok(3)], &["5"], broken.clone()),
            (vec![Ok(100_000)], &["100001"], broken.clone()),
            (vec![Ok(3), Err(())], &[], broken.clone()),
            (vec![Ok(100_000), Err(())], &[], broken),
            (vec![Ok(LIMIT), Ok(1)], &[], too_large.clone()),
            (vec![Ok(100_000), Ok(100_001)], &[], too_large.clone()),
            (vec![], &["200001"], too_large),
            // No length at all.
            (vec![Ok(3)], &["+5"], Ok((3, true))),
            (vec![Ok(3)], &["5, 5"], Ok((3, true))),
            (vec![Ok(3)], &["5", "6"], Ok((3, true))),
            (vec![Ok(3)], &["99999999999999999999999"], Ok((3, true))),
        ] {
            let shown = format!("{body:?} {length:?}");
            assert_eq!(sent(Payload::new(chunks(body), &announcing(length), LIMIT)).await, expected, "{shown}");
        }
        // A body that knows its length isn't asked twice.
        let known = Payload::new(Full::<Bytes>::from("hello"), &announcing(&["99"]), LIMIT);
        assert_eq!(sent(known).await, Ok((5, true)));
        assert_eq!(sent(Payload::empty()).await, Ok((0, true)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_guest_that_never_ends_its_body() {
        let silent = StreamBody::new(stream::pending::<Result<Frame<Bytes>, Infallible>>());
        let mut payload = Payload::new(silent, &HeaderMap::new(), LIMIT);
        assert_eq!(payload.collect(soon()).await, Err(Refusal::RequestBroken));
    }
}
