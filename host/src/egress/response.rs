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
    decode::{Corrupt, Decoder},
    headers,
    payload::Reading,
    refusal::{Fault, Refusal, Wait},
    scrub::{Patterns, Scrubber},
    transport,
};

/// What an answer is held to.
pub(super) struct Terms {
    pub(super) deadline: Instant,
    /// How long to wait for the next part of a body.
    pub(super) idle: Duration,
    /// Header fields.
    pub(super) headers: usize,
    /// The grant's limit in bytes, counted as they come and again when they are decompressed.
    pub(super) limit: usize,
    pub(super) patterns: Option<Arc<Patterns>>,
}

/// The body of an upstream's answer. It ends with a `Refusal` when a limit is reached. Trailers are dropped: nothing reads them.
pub struct Body {
    /// `None` once the body has ended; dropping it earlier closes the connection.
    source: Option<Incoming>,
    decoder: Option<Decoder>,
    scrubber: Option<Scrubber>,
    terms: Terms,
    /// Runs while the next part is awaited.
    timer: Option<Pin<Box<Sleep>>>,
    received: usize,
    decoded: usize,
    audit: Audit,
    /// The request may still be on its way.
    _reading: Option<Reading>,
}

/// Takes an answer's header and gives it with the body to be read. The audit goes along with the body: its line is written when
/// the body has been read or dropped.
pub(super) fn receive(
    answer: Response<Incoming>,
    terms: Terms,
    mut audit: Audit,
    reading: Option<Reading>,
) -> Result<Response<Body>, Refusal> {
    audit.answered(answer.status().as_u16());
    let (mut parts, source) = answer.into_parts();
    let has_body = !source.is_end_stream();
    let decoder = decoder(&mut parts, has_body);
    if let Err(refusal) = check(&mut parts, &source, &terms, audit.host()) {
        audit.refused(&refusal);
        return Err(refusal);
    }
    if has_body && terms.patterns.is_some() {
        // Removing a secret changes the length.
        parts.headers.remove(header::CONTENT_LENGTH);
    }
    if !has_body {
        audit.ended("complete");
    }
    let body = Body {
        source: has_body.then_some(source),
        decoder,
        scrubber: terms.patterns.clone().map(Scrubber::new),
        terms,
        timer: None,
        received: 0,
        decoded: 0,
        audit,
        _reading: reading,
    };
    // Made anew, without the client's extensions: they hold the connection's addresses and the reason phrase.
    let mut response = Response::new(body);
    *response.status_mut() = parts.status;
    *response.headers_mut() = parts.headers;
    Ok(response)
}

/// For a body that is compressed although that wasn't asked for. A part of a compressed body can't be decompressed.
fn decoder(parts: &mut response::Parts, has_body: bool) -> Option<Decoder> {
    if !has_body || parts.status == StatusCode::PARTIAL_CONTENT {
        return None;
    }
    let decoder = Decoder::of(&parts.headers)?;
    parts.headers.remove(header::CONTENT_ENCODING);
    parts.headers.remove(header::CONTENT_LENGTH);
    Some(decoder)
}

/// Holds the header to the terms and cleans it.
fn check(parts: &mut response::Parts, source: &Incoming, terms: &Terms, host: &str) -> Result<(), Refusal> {
    // A change of protocol was never asked for: what follows isn't HTTP.
    if parts.status == StatusCode::SWITCHING_PROTOCOLS || parts.headers.len() > terms.headers {
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
    /// Lets go of an answer that isn't the last one, and says why in its line of the audit.
    pub(super) fn set_aside(mut self, outcome: &'static str) {
        self.audit.ended(outcome);
    }

    /// The next step; it may give no data.
    fn poll_data(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Refusal>>> {
        if let Some(piece) = self.decoder.as_mut().and_then(Decoder::pull) {
            return Poll::Ready(Some(self.decompressed(piece)));
        }
        let Some(source) = &mut self.source else {
            return Poll::Ready(None);
        };
        let Poll::Ready(frame) = Pin::new(source).poll_frame(context) else {
            let wait = ready!(self.poll_timer(context));
            return Poll::Ready(Some(Err(self.timed_out(wait))));
        };
        Poll::Ready(Some(match frame {
            None => self.finish(),
            Some(Ok(frame)) => frame.into_data().map_or(Ok(Bytes::new()), |chunk| self.take(chunk)),
            Some(Err(error)) => Err(self.unavailable(transport::body_fault(&error))),
        }))
    }

    /// Takes one chunk from the upstream and gives what can go on.
    fn take(&mut self, chunk: Bytes) -> Result<Bytes, Refusal> {
        self.timer = None;
        self.audit.received(chunk.len());
        self.received = self.within_limit(self.received, &chunk)?;
        if Instant::now() >= self.terms.deadline {
            return Err(self.timed_out(Wait::Call));
        }
        if let Some(decoder) = &mut self.decoder {
            decoder.push(chunk);
            return Ok(Bytes::new());
        }
        let data = self.scrub(chunk);
        // A reader that knows the length doesn't ask again after the last byte.
        if self.source.as_ref().is_some_and(Incoming::is_end_stream) {
            let rest = self.finish()?;
            return Ok(if rest.is_empty() { data } else { [data, rest].concat().into() });
        }
        Ok(data)
    }

    /// Takes what has been decompressed and gives what can go on.
    fn decompressed(&mut self, piece: Result<Bytes, Corrupt>) -> Result<Bytes, Refusal> {
        let data = piece.map_err(|Corrupt| self.unavailable(Fault::Corrupt))?;
        self.decoded = self.within_limit(self.decoded, &data)?;
        Ok(self.scrub(data))
    }

    /// The upstream's body has ended: what was held back can go.
    fn finish(&mut self) -> Result<Bytes, Refusal> {
        self.source = None;
        self.timer = None;
        let last = match self.decoder.take() {
            Some(decoder) => self.decompressed(decoder.finish())?,
            None => Bytes::new(),
        };
        let held = self.scrubber.take().map(Scrubber::finish).unwrap_or_default();
        self.audit.ended("complete");
        Ok(if held.is_empty() { last } else { [last, held].concat().into() })
    }

    fn scrub(&mut self, data: Bytes) -> Bytes {
        match &mut self.scrubber {
            Some(scrubber) => scrubber.push(data),
            None => data,
        }
    }

    fn within_limit(&self, so_far: usize, more: &Bytes) -> Result<usize, Refusal> {
        let (size, limit) = (so_far + more.len(), self.terms.limit);
        if size > limit {
            return Err(Refusal::ResponseTooLarge { host: self.audit.host().to_owned(), limit });
        }
        Ok(size)
    }

    fn fail(&mut self, refusal: &Refusal) {
        self.source = None;
        self.decoder = None;
        self.scrubber = None;
        self.timer = None;
        self.audit.refused(refusal);
    }

    fn unavailable(&self, fault: Fault) -> Refusal {
        Refusal::Unavailable { host: self.audit.host().to_owned(), fault }
    }

    fn timed_out(&self, wait: Wait) -> Refusal {
        Refusal::TimedOut { host: self.audit.host().to_owned(), wait }
    }

    /// Ready when the upstream has been silent for too long or the call's time is over.
    fn poll_timer(&mut self, context: &mut Context<'_>) -> Poll<Wait> {
        let Terms { deadline, idle, .. } = self.terms;
        let end = || Box::pin(sleep_until(deadline.min(Instant::now() + idle)));
        ready!(self.timer.get_or_insert_with(end).as_mut().poll(context));
        Poll::Ready(if Instant::now() >= deadline { Wait::Call } else { Wait::Idle })
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Refusal;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Refusal>>> {
        let this = self.get_mut();
        loop {
            match ready!(this.poll_data(context)) {
                None => return Poll::Ready(None),
                Some(Ok(data)) if data.is_empty() => {}
                Some(Ok(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Some(Err(refusal)) => {
                    this.fail(&refusal);
                    return Poll::Ready(Some(Err(refusal)));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.source.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            None => SizeHint::with_exact(0),
            Some(source) if self.decoder.is_none() && self.scrubber.is_none() => source.size_hint(),
            Some(_) => SizeHint::default(),
        }
    }
}
