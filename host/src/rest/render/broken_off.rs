//! What becomes of an answer whose body breaks off: it is logged, and the caller gets what was there before.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tracing::Span;

use crate::{failure::Failure, invoke};

/// A body on its way to the caller. Once the status is sent, all that is left when it fails is to cut the connection, so that the caller
/// doesn't take the part for the whole: the library does that. But it drops what it hasn't written yet, and who gets no head can't tell an
/// answer that broke off from one that never began. So the failure is told a turn later.
pub(super) struct BreaksOffLate {
    body: invoke::Body,
    failure: Option<Failure>,
    span: Span,
}

impl BreaksOffLate {
    /// In the span of now, which its failure is logged in.
    pub(super) fn new(body: invoke::Body) -> Self {
        Self { body, failure: None, span: Span::current() }
    }
}

impl Body for BreaksOffLate {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        if let Some(failure) = self.failure.take() {
            return Poll::Ready(Some(Err(failure)));
        }
        match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            Some(Err(failure)) => {
                self.span.in_scope(|| tracing::warn!("the answer broke off: {}", failure.log()));
                self.failure = Some(failure);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            frame => Poll::Ready(frame),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.failure.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
