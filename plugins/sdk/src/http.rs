//! HTTP by way of the host's mediator: one request after the other by [`Request::send`], or several at once by [`Request::start`].
//!
//! No credentials here: the host adds them when the request is finished. No retries and no redirects either.

use std::cell::Cell;

use serde_json::Value;

use crate::{
    Failure, Reply, UpstreamError,
    bindings::airlock::capability::fetch,
    bindings::wasi::{
        http::{
            outgoing_handler,
            types::{
                ErrorCode, Fields, FutureIncomingResponse, IncomingBody, IncomingResponse, Method, OutgoingBody,
                OutgoingRequest, Scheme,
            },
        },
        io::{
            poll::{self, Pollable},
            streams::StreamError,
        },
    },
    internal,
};
#[cfg(feature = "streams")]
use crate::{bindings::wasi::io::streams::InputStream, body::Incoming};

/// How much one read or write takes: a few TCP segments, so that a usual body takes one or two.
const CHUNK: u64 = 64 * 1024;

thread_local! {
    /// How many requests this instance has started: the host counts with it.
    static STARTED: Cell<u32> = const { Cell::new(0) };
}

/// A request that isn't sent yet.
#[derive(Debug)]
pub struct Request {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: Body,
}

#[derive(Debug)]
enum Body {
    Bytes(Vec<u8>),
    /// What the caller sends along, and how long it says that is.
    #[cfg(feature = "streams")]
    Streamed(InputStream, Option<u64>),
}

impl Request {
    /// A request of any method. `url` is absolute and already encoded.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self { method: method.into(), url: url.into(), headers: Vec::new(), body: Body::Bytes(Vec::new()) }
    }

    /// A GET request.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// Adds a header field.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the body and its `content-type`.
    #[must_use]
    pub fn body(self, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let mut with_type = self.header("content-type", media_type);
        with_type.body = Body::Bytes(body.into());
        with_type
    }

    /// Sets what the caller sends along as the body, which the host passes on as it comes. Its type is a header's to say. The host
    /// keeps up to 64 KB of it, to send them again where the grant has requests repeated or redirects followed; more is sent once.
    #[cfg(feature = "streams")]
    #[must_use]
    pub fn streamed(mut self, body: Incoming) -> Self {
        self.body = Body::Streamed(body.contents, body.length);
        self
    }

    /// Sends the request and waits for the answer's head.
    ///
    /// # Errors
    /// [`Failure::Denied`], [`Failure::TimedOut`] or [`Failure::Unavailable`], ready to be returned; [`Failure::Internal`] for
    /// a request that can't be written as HTTP.
    pub fn send(self) -> Result<Response, Failure> {
        let Self { method, url, headers, body } = self;
        match body {
            Body::Bytes(mut bytes) => {
                // What fits into one part goes along with the request, as it is.
                let rest = bytes.len().saturating_sub(1) / CHUNK as usize * CHUNK as usize;
                bytes[..rest].chunks(CHUNK as usize).for_each(fetch::add);
                bytes.drain(..rest);
                let body = (!bytes.is_empty()).then_some(bytes);
                let sent = fetch::send(&fetch::Request { method, url, headers, body });
                // The host doesn't count what isn't HTTP either.
                if !matches!(sent, Err(Failure::Internal(_))) {
                    count();
                }
                sent.map(Response)
            }
            #[cfg(feature = "streams")]
            streamed => Self { method, url, headers, body: streamed }.start()?.wait(),
        }
    }

    /// Sends the request without waiting for the answer. Its body is taken in before this returns, or not wanted any more: an
    /// upstream may refuse it before it has come.
    ///
    /// # Errors
    /// As [`Request::send`], for what is known at once.
    pub fn start(self) -> Result<Pending, Failure> {
        let request = self.head()?;
        // A body that is taken and stays empty would go out as one of unknown length.
        let body = match self.body.is_empty() {
            true => None,
            false => Some(request.body().map_err(|()| internal("the request's body was taken twice"))?),
        };
        let answer = outgoing_handler::handle(request, None).map_err(failed)?;
        let number = count();
        let mut pending = Pending { ready: answer.subscribe(), answer, early: None, number };
        match (body, &self.body) {
            (None, _) => {}
            (Some(body), Body::Bytes(bytes)) => pending.write(body, bytes)?,
            #[cfg(feature = "streams")]
            (Some(body), Body::Streamed(contents, _)) => pending.pass_on(body, contents)?,
        }
        Ok(pending)
    }

    fn head(&self) -> Result<OutgoingRequest, Failure> {
        let (scheme, authority, path) = split_url(&self.url)?;
        let mut fields = Vec::with_capacity(self.headers.len() + 1);
        for (name, value) in &self.headers {
            fields.push((name.clone(), value.clone().into_bytes()));
        }
        if let Some(length) = self.body.length() {
            fields.push(("content-length".to_owned(), length.to_string().into_bytes()));
        }
        let headers = Fields::from_list(&fields).map_err(|e| internal(format_args!("header can't be sent: {e:?}")))?;
        let request = OutgoingRequest::new(headers);
        request
            .set_method(&method(&self.method))
            .and_then(|()| request.set_scheme(Some(&scheme)))
            .and_then(|()| request.set_authority(Some(authority)))
            .and_then(|()| request.set_path_with_query(Some(path)))
            .map_err(|()| internal(format_args!("not a URL: {}", self.url)))?;
        Ok(request)
    }
}

/// Counts a request that is started, and gives its number.
fn count() -> u32 {
    STARTED.replace(STARTED.get() + 1)
}

/// A request that is under way. Dropping it takes it back, as far as that is possible.
#[derive(Debug)]
pub struct Pending {
    // Dropped before what it is about: fields are dropped in their order.
    ready: Pollable,
    answer: FutureIncomingResponse,
    /// The answer, if it came while the body was being sent.
    early: Option<Result<IncomingResponse, ErrorCode>>,
    number: u32,
}

impl Pending {
    /// Its number among the requests of this call, from 0.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Waits for the answer's head.
    ///
    /// # Errors
    /// As [`Request::send`].
    pub fn wait(mut self) -> Result<Response, Failure> {
        let answer = match self.early.take() {
            Some(answer) => answer,
            None => {
                self.ready.block();
                self.take()?
            }
        };
        answer.map(Response).map_err(failed)
    }

    fn take(&self) -> Result<Result<IncomingResponse, ErrorCode>, Failure> {
        let answer = self.answer.get().ok_or_else(|| internal("the response was not ready after its pollable"))?;
        answer.map_err(|()| internal("the response was taken twice"))
    }

    /// Whether the rest of the body is to be sent. An answer that comes before it and says that nothing was done isn't kept waiting
    /// for it: the upstream may never take it. One of success is about the whole body, so that is sent to its end.
    fn wants_body(&mut self) -> Result<bool, Failure> {
        if self.early.is_none() && self.ready.ready() {
            self.early = Some(self.take()?);
        }
        Ok(match &self.early {
            None => true,
            Some(Ok(answer)) => answer.status() < 300,
            Some(Err(_)) => false,
        })
    }

    /// Waits until something can go on, or the answer is there.
    fn wait_for(&self, next: &Pollable) {
        match self.early {
            None => drop(poll::poll(&[next, &self.ready])),
            Some(_) => next.block(),
        }
    }

    /// Sends what the guest has.
    fn write(&mut self, body: OutgoingBody, mut bytes: &[u8]) -> Result<(), Failure> {
        let stream = body.write().map_err(|()| internal("the request's stream was taken twice"))?;
        while !bytes.is_empty() && self.wants_body()? {
            // The upstream may answer and close before it has read everything: then the answer counts, not this error.
            let Ok(room) = stream.check_write() else { break };
            let (chunk, rest) = bytes.split_at(bytes.len().min(room.min(CHUNK) as usize));
            match chunk.is_empty() {
                true => self.wait_for(&stream.subscribe()),
                false if stream.write(chunk).is_err() => break,
                false => bytes = rest,
            }
        }
        drop(stream);
        // Refused only when the lengths don't agree, which means that the connection broke or that it was enough: the response says more.
        let _ = OutgoingBody::finish(body, None);
        Ok(())
    }

    /// Lets the host pass on what comes, in pieces that it has anyway.
    #[cfg(feature = "streams")]
    fn pass_on(&mut self, body: OutgoingBody, contents: &InputStream) -> Result<(), Failure> {
        let stream = body.write().map_err(|()| internal("the request's stream was taken twice"))?;
        let mut ended = None;
        while ended.is_none() && self.wants_body()? {
            match stream.splice(contents, CHUNK) {
                Ok(0) => {
                    self.wait_for(&stream.subscribe());
                    self.wait_for(&contents.subscribe());
                }
                Ok(_) => {}
                Err(end) => ended = Some(end),
            }
        }
        drop(stream);
        match ended {
            // At the end of what comes, or when the upstream takes no more: then its answer counts.
            Some(StreamError::Closed) => drop(OutgoingBody::finish(body, None)),
            // Dropped, it isn't whole, and the upstream notices.
            Some(StreamError::LastOperationFailed(_)) | None => drop(body),
        }
        Ok(())
    }
}

/// Waits until one of the requests, of which there must be at least one, has an answer or has failed. Gives its place among them.
pub fn first<'p>(pending: impl IntoIterator<Item = &'p Pending>) -> usize {
    let ready: Vec<&Pollable> = pending.into_iter().map(|pending| &pending.ready).collect();
    // The host never answers with an empty list.
    poll::poll(&ready).first().map_or(0, |place| *place as usize)
}

impl Body {
    fn is_empty(&self) -> bool {
        match self {
            Self::Bytes(bytes) => bytes.is_empty(),
            #[cfg(feature = "streams")]
            Self::Streamed(..) => false,
        }
    }

    /// How long it is, if there is one and that is known.
    fn length(&self) -> Option<u64> {
        match self {
            Self::Bytes(bytes) => (!bytes.is_empty()).then_some(bytes.len() as u64),
            #[cfg(feature = "streams")]
            Self::Streamed(_, length) => *length,
        }
    }
}

/// An answer whose body isn't read yet.
#[derive(Debug)]
pub struct Response(IncomingResponse);

impl Response {
    /// The status code.
    pub fn status(&self) -> u16 {
        self.0.status()
    }

    /// The first value of a header field, if it is text.
    pub fn header(&self, name: &str) -> Option<String> {
        let value = self.0.headers().get(name).into_iter().next()?;
        String::from_utf8(value).ok()
    }

    /// All values of a header field that are text, in their order.
    pub fn headers(&self, name: &str) -> Vec<String> {
        let values = self.0.headers().get(name).into_iter();
        values.filter_map(|value| String::from_utf8(value).ok()).collect()
    }

    /// Hands the answer on as it is: the host streams the body to the caller.
    pub fn hand_on(self) -> Reply {
        Reply::Upstream(self.0)
    }

    /// Turns a status from 400 on into a failure for the caller.
    ///
    /// # Errors
    /// [`Failure::Upstream`] with the status and the start of the body.
    pub fn success(self) -> Result<Self, Failure> {
        /// Enough for an API's error message; the caller reads it, perhaps as a part of a prompt.
        const MESSAGE_LIMIT: usize = 2048;
        let status = self.status();
        if status < 400 {
            return Ok(self);
        }
        let mut message = String::from_utf8_lossy(&self.bytes()?).into_owned();
        if message.len() > MESSAGE_LIMIT {
            message.truncate(message.floor_char_boundary(MESSAGE_LIMIT));
        }
        Err(Failure::Upstream(UpstreamError { status, message }))
    }

    /// Reads the whole body.
    ///
    /// # Errors
    /// [`Failure::Unavailable`] when the answer breaks off or is larger than the grant allows.
    pub fn bytes(self) -> Result<Vec<u8>, Failure> {
        let body = self.0.consume().map_err(|()| internal("the response's body was taken twice"))?;
        read_body(&body)
    }

    /// Reads the whole body as JSON.
    ///
    /// # Errors
    /// As [`Response::bytes`]; [`Failure::Unavailable`] when the body isn't JSON.
    pub fn json(self) -> Result<Value, Failure> {
        serde_json::from_slice(&self.bytes()?)
            .map_err(|e| Failure::Unavailable(format!("the upstream's answer is not JSON: {e}")))
    }
}

fn split_url(url: &str) -> Result<(Scheme, &str, &str), Failure> {
    let not_a_url = || internal(format_args!("not an absolute http(s) URL: {url}"));
    let (scheme, rest) = url.split_once("://").ok_or_else(not_a_url)?;
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        _ => return Err(not_a_url()),
    };
    let start_of_path = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(start_of_path);
    Ok((scheme, authority, if path.is_empty() { "/" } else { path }))
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "OPTIONS" => Method::Options,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
    }
}

fn read_body(body: &IncomingBody) -> Result<Vec<u8>, Failure> {
    let stream = body.stream().map_err(|()| internal("the response's stream was taken twice"))?;
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(CHUNK) {
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(StreamError::Closed) => return Ok(bytes),
            Err(StreamError::LastOperationFailed(e)) => {
                return Err(Failure::Unavailable(format!("the upstream's answer broke off: {}", e.to_debug_string())));
            }
        }
    }
}

/// What the provider reports when a request got no answer. The host knows the details and tells the caller.
fn failed(code: ErrorCode) -> Failure {
    let message = format!("{code:?}");
    match code {
        ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited => Failure::Denied(message),
        ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::DnsTimeout
        | ErrorCode::HttpResponseTimeout => Failure::TimedOut(message),
        _ => Failure::Unavailable(message),
    }
}
