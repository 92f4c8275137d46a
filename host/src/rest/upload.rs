//! A request's body that isn't read here: it goes into the call as it comes, as far as the grant's limit.
//!
//! It notes why it ended too early. The call then fails by something that the plugin or the upstream says; the caller is told this
//! instead.

use std::{
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
};

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;

use super::problem::{Fault, Problem};
use crate::invoke::{BrokeOff, Incoming, Upload};

/// What became of a body that was handed on.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch(Arc<OnceLock<Ended>>);

/// Why a body ended too early.
#[derive(Clone, Copy, Debug)]
enum Ended {
    BrokenOff,
    AtLimit(usize),
}

impl Watch {
    /// What was wrong with the body, if anything was.
    pub(super) fn fault(&self) -> Option<Fault<'static>> {
        self.0.get().map(|ended| match *ended {
            Ended::BrokenOff => Fault::BodyBrokeOff,
            Ended::AtLimit(limit) => Fault::BodyTooLarge { limit },
        })
    }
}

/// Makes the body ready to be taken, up to `limit` bytes. One that announces more is refused at once.
pub(super) fn begin(headers: &HeaderMap, body: Body, limit: usize) -> Result<(Upload, Watch), Problem> {
    let watch = Watch::default();
    if body.is_end_stream() {
        return Ok((Upload::default(), watch));
    }
    let hint = body.size_hint();
    if hint.lower() > limit as u64 {
        return Err(Fault::BodyTooLarge { limit }.into());
    }
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let contents = UnsyncBoxBody::new(Watched { body, left: limit, limit, watch: watch.clone() });
    Ok((Upload::new(Incoming { media_type, length: hint.exact(), contents }), watch))
}

struct Watched {
    body: Body,
    left: usize,
    limit: usize,
    watch: Watch,
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = BrokeOff;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokeOff>>> {
        let ended = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
            None => return Poll::Ready(None),
            Some(Err(_)) => Ended::BrokenOff,
            Some(Ok(frame)) => {
                let length = frame.data_ref().map_or(0, Bytes::len);
                match self.left.checked_sub(length) {
                    Some(left) => {
                        self.left = left;
                        return Poll::Ready(Some(Ok(frame)));
                    }
                    None => Ended::AtLimit(self.limit),
                }
            }
        };
        // The first reason is the reason.
        let _ = self.watch.0.set(ended);
        Poll::Ready(Some(Err("the body ended too early".into())))
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
    use http_body_util::BodyExt;

    fn streamed(chunks: Vec<Result<usize, ()>>) -> Body {
        let chunks = chunks.into_iter().map(|chunk| match chunk {
            Ok(length) => Ok(Bytes::from(vec![b'x'; length])),
            Err(()) => Err(std::io::Error::other("gone")),
        });
        Body::from_stream(futures::stream::iter(chunks))
    }

    #[tokio::test]
    async fn a_body_passes_up_to_its_limit_and_tells_why_it_ended() {
        for (body, expected, told) in [
            (streamed(vec![Ok(6), Ok(4)]), Some(10), None),
            (streamed(vec![Ok(6), Ok(5)]), None, Some(413)),
            (streamed(vec![Ok(6), Err(())]), None, Some(400)),
            (Body::from("0123456789"), Some(10), None),
        ] {
            let (upload, watch) = begin(&HeaderMap::new(), body, 10).expect("not too large from the start");
            let incoming = upload.take().expect("a body");
            assert!(upload.take().is_none(), "it can be taken once");
            let length = incoming.contents.collect().await.ok().map(|it| it.to_bytes().len());
            assert_eq!(length, expected);
            assert_eq!(watch.fault().map(|fault| Problem::from(fault).status().as_u16()), told);
        }
    }

    #[test]
    fn what_announces_too_much_is_refused_and_what_is_empty_is_not_there() {
        let refused = begin(&HeaderMap::new(), Body::from("01234567890"), 10).map(drop).unwrap_err();
        assert_eq!(refused.status().as_u16(), 413);
        let (upload, _) = begin(&HeaderMap::new(), Body::empty(), 10).expect("nothing is too large");
        assert!(upload.take().is_none());
    }
}
