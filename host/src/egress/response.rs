//! What comes back: header and body of an answer, held to the limits and free of secrets.
//!
//! Status and content aren't judged: a 302 and a 500 are answers like any other.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Response, StatusCode, header, response};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use super::{
    audit::Audit,
    headers,
    refusal::{Fault, Refusal, Wait},
    scrub::{Patterns, Scrubber},
    transport,
};

/// How long to wait for the next part of a body. 30 s: event streams send something at least every 15 s to keep proxies from
/// cutting them, and an upstream that has been silent for twice as long has gone.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// What an answer is held to.
pub(super) struct Terms {
    pub(super) deadline: Instant,
    /// The grant's limit in bytes, counted before secrets are removed.
    pub(super) limit: usize,
    pub(super) patterns: Option<Arc<Patterns>>,
}

/// The body of an upstream's answer. It ends with a `Refusal` when a limit is reached. Trailers are dropped: nothing reads them.
pub struct Body {
    /// `None` once the body has ended; dropping it earlier closes the connection.
    source: Option<Incoming>,
    scrubber: Option<Scrubber>,
    deadline: Instant,
    limit: usize,
    /// Runs while the next part is awaited.
    timer: Option<Pin<Box<Sleep>>>,
    received: usize,
    audit: Audit,
}

/// Takes an answer's header and gives it with the body to be read. The audit goes along with the body: its line is written when
/// the body has been read or dropped.
pub(super) fn receive(answer: Response<Incoming>, terms: Terms, mut audit: Audit) -> Result<Response<Body>, Refusal> {
    audit.answered(answer.status().as_u16());
    let (mut parts, source) = answer.into_parts();
    let has_body = !source.is_end_stream();
    if let Err(refusal) = check(&mut parts, &source, &terms, audit.host()) {
        audit.refused(&refusal);
        return Err(refusal);
    }
    if has_body && terms.patterns.is_some() {
        // Removing a secret changes the length.
        parts.headers.remove(header::CONTENT_LENGTH);
    }
    if !has_body {
        audit.complete();
    }
    let body = Body {
        source: has_body.then_some(source),
        scrubber: terms.patterns.map(Scrubber::new),
        deadline: terms.deadline,
        limit: terms.limit,
        timer: None,
        received: 0,
        audit,
    };
    // Made anew, without the client's extensions: they hold the connection's addresses and the reason phrase.
    let mut response = Response::new(body);
    *response.status_mut() = parts.status;
    *response.headers_mut() = parts.headers;
    Ok(response)
}

/// Holds the header to the terms and cleans it.
fn check(parts: &mut response::Parts, source: &Incoming, terms: &Terms, host: &str) -> Result<(), Refusal> {
    if parts.status == StatusCode::SWITCHING_PROTOCOLS {
        // Never asked for: what follows isn't HTTP.
        return Err(Refusal::Unavailable { host: host.to_owned(), fault: Fault::Malformed });
    }
    if source.size_hint().lower() > terms.limit as u64 {
        return Err(Refusal::ResponseTooLarge { host: host.to_owned(), limit: terms.limit });
    }
    if let Some(patterns) = &terms.patterns {
        let is_plain = only_holds(&parts.headers, header::CONTENT_ENCODING, "identity")
            && only_holds(&parts.headers, header::TRANSFER_ENCODING, "chunked");
        if !is_plain && !source.is_end_stream() {
            return Err(Refusal::ResponseEncoded { host: host.to_owned() });
        }
        patterns.scrub_headers(&mut parts.headers);
    }
    headers::remove_hop_by_hop(&mut parts.headers);
    Ok(())
}

fn only_holds(headers: &HeaderMap, name: HeaderName, expected: &str) -> bool {
    headers.get_all(name).iter().all(|value| value.as_bytes().trim_ascii().eq_ignore_ascii_case(expected.as_bytes()))
}

impl Body {
    /// Takes one chunk from the upstream and gives what can go on.
    fn take(&mut self, chunk: Bytes) -> Result<Bytes, Refusal> {
        self.timer = None;
        self.received += chunk.len();
        self.audit.received(chunk.len());
        if self.received > self.limit {
            return Err(Refusal::ResponseTooLarge { host: self.audit.host().to_owned(), limit: self.limit });
        }
        if Instant::now() >= self.deadline {
            return Err(self.timed_out(Wait::Call));
        }
        let data = match &mut self.scrubber {
            Some(scrubber) => scrubber.push(chunk),
            None => chunk,
        };
        // A reader that knows the length doesn't ask again after the last byte.
        if self.source.as_ref().is_some_and(Incoming::is_end_stream) {
            let rest = self.finish();
            return Ok(if rest.is_empty() { data } else { [data, rest].concat().into() });
        }
        Ok(data)
    }

    /// The upstream's body has ended: what was held back can go.
    fn finish(&mut self) -> Bytes {
        self.source = None;
        self.timer = None;
        self.audit.complete();
        self.scrubber.take().map(Scrubber::finish).unwrap_or_default()
    }

    fn fail(&mut self, refusal: Refusal) -> Poll<Option<Result<Frame<Bytes>, Refusal>>> {
        self.source = None;
        self.scrubber = None;
        self.timer = None;
        self.audit.refused(&refusal);
        Poll::Ready(Some(Err(refusal)))
    }

    fn timed_out(&self, wait: Wait) -> Refusal {
        Refusal::TimedOut { host: self.audit.host().to_owned(), wait }
    }

    /// Ready when the upstream has been silent for too long or the call's time is over.
    fn poll_timer(&mut self, context: &mut Context<'_>) -> Poll<Wait> {
        let deadline = self.deadline;
        let end = || Box::pin(sleep_until(deadline.min(Instant::now() + IDLE_TIMEOUT)));
        ready!(self.timer.get_or_insert_with(end).as_mut().poll(context));
        Poll::Ready(if Instant::now() >= self.deadline { Wait::Call } else { Wait::Idle })
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Refusal;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Refusal>>> {
        let this = self.get_mut();
        loop {
            let Some(source) = &mut this.source else {
                return Poll::Ready(None);
            };
            let Poll::Ready(frame) = Pin::new(source).poll_frame(context) else {
                let wait = ready!(this.poll_timer(context));
                let refusal = this.timed_out(wait);
                return this.fail(refusal);
            };
            let data = match frame {
                None => this.finish(),
                Some(Ok(frame)) => match frame.into_data().map(|chunk| this.take(chunk)) {
                    Ok(Ok(data)) => data,
                    Ok(Err(refusal)) => return this.fail(refusal),
                    Err(_trailers) => continue,
                },
                Some(Err(error)) => {
                    let refusal = Refusal::Unavailable {
                        host: this.audit.host().to_owned(),
                        fault: transport::body_fault(&error),
                    };
                    return this.fail(refusal);
                }
            };
            if !data.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.source.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.source, &self.scrubber) {
            (None, _) => SizeHint::with_exact(0),
            (Some(source), None) => source.size_hint(),
            (Some(_), Some(_)) => SizeHint::default(),
        }
    }
}
