//! A successful call as an HTTP response. An upstream's response is one, whatever its status.
//!
//! Bodies of upstreams are streamed untouched; only those of errors that aren't JSON are read, and made a problem.

mod broken_off;
#[cfg(test)]
mod tests;

use std::convert::Infallible;

use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, response};
use http_body::Frame;
use http_body_util::{BodyExt, BodyStream, StreamBody};

use self::broken_off::BreaksOffLate;
use super::{media, problem::Problem};
use crate::{
    contract::{Content, Contents, Resource},
    failure::Failure,
    invoke::{self, Reply},
};

/// How much of an upstream's error is repeated if it isn't JSON. 2 KiB: a message and its surroundings, not a whole error page.
const MAX_EXCERPT: usize = 2 << 10;

/// The header fields of an upstream's answer that pass, beside `ratelimit…` and `x-ratelimit-…`. What isn't listed doesn't: it
/// belongs to the connection (`connection`), to the upstream's own origin (`set-cookie`, `strict-transport-security`), or to the
/// host (`x-request-id`).
const PASSES: &[HeaderName] = &[
    header::ACCEPT_RANGES,
    header::AGE,
    header::CACHE_CONTROL,
    header::CONTENT_DISPOSITION,
    // Without it a compressed body can't be read.
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_LENGTH,
    // Without it nobody knows which part a 206 is.
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    // The age of an answer is counted from it.
    header::DATE,
    header::ETAG,
    header::EXPIRES,
    header::LAST_MODIFIED,
    header::LINK,
    header::LOCATION,
    header::RETRY_AFTER,
    header::VARY,
];

/// The fields among them that describe the upstream's body, and are wrong for any other one.
const ABOUT_THE_BODY: &[HeaderName] = &[
    header::ACCEPT_RANGES,
    header::CONTENT_DISPOSITION,
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::ETAG,
    header::LAST_MODIFIED,
];

/// Renders a reply.
pub(super) async fn reply(reply: Reply) -> Result<Response, Problem> {
    match reply {
        Reply::Structured(json) => Ok(structured(json.text)),
        Reply::Content(blocks) => Ok(content(blocks)),
        Reply::Upstream(response) => upstream(response).await,
    }
}

fn structured(json: String) -> Response {
    with_type(HeaderValue::from_static("application/json"), json.into())
}

/// The first block is the body: HTTP has room for one.
fn content(blocks: Vec<Content>) -> Response {
    match blocks.into_iter().next() {
        None => {
            let mut response = Response::new(no_body());
            *response.status_mut() = StatusCode::NO_CONTENT;
            response
        }
        Some(Content::Text(text)) => with_type(plain_text(), text.into()),
        Some(Content::Image(blob) | Content::Audio(blob)) => {
            with_type(media_type(Some(&blob.media_type), octets()), blob.data)
        }
        Some(Content::Resource(Resource { media_type: given, contents, .. })) => match contents {
            Contents::Text(text) => with_type(media_type(given.as_deref(), plain_text()), text.into()),
            Contents::Binary(data) => with_type(media_type(given.as_deref(), octets()), data),
        },
        Some(Content::Link(link)) => with_type(uri_list(), format!("{}\r\n", link.uri).into()),
    }
}

fn with_type(media_type: HeaderValue, body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, media_type);
    response
}

/// The type that a plugin gives, if it is fit for a header.
fn media_type(given: Option<&str>, otherwise: HeaderValue) -> HeaderValue {
    given.and_then(|it| HeaderValue::from_str(it).ok()).unwrap_or(otherwise)
}

fn plain_text() -> HeaderValue {
    HeaderValue::from_static("text/plain; charset=utf-8")
}

/// RFC 2483: each line a URI.
fn uri_list() -> HeaderValue {
    HeaderValue::from_static("text/uri-list")
}

fn octets() -> HeaderValue {
    HeaderValue::from_static("application/octet-stream")
}

async fn upstream(response: http::Response<invoke::Body>) -> Result<Response, Problem> {
    let (parts, body) = response.into_parts();
    let body = BreaksOffLate::new(body).boxed_unsync();
    let headers = passing(&parts.headers);
    match parts.status.as_u16() {
        204 | 205 | 304 => Ok(bodiless(parts.status, headers)),
        200..400 => Ok(streamed(parts.status, headers, Body::new(body))),
        400..600 => error(parts, headers, body).await,
        // Neither a success nor an error: HTTP doesn't say what to do with it.
        other => Err(Failure::Unavailable(format!("its answer has status {other}, which has no meaning")).into()),
    }
}

fn bodiless(status: StatusCode, mut headers: HeaderMap) -> Response {
    headers.remove(header::CONTENT_LENGTH);
    streamed(status, headers, no_body())
}

fn streamed(status: StatusCode, headers: HeaderMap, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// No body, and no `content-length: 0` either, which would be set if the length were known: a 204 must not have it (RFC 9110, 8.6).
pub(super) fn no_body() -> Body {
    Body::from_stream(stream::empty::<Result<Bytes, Infallible>>())
}

/// An error that an upstream puts in JSON is passed on as it is, any other one becomes a problem. An empty body isn't JSON,
/// whatever the headers call it, so that the first part of the body is waited for.
async fn error(parts: response::Parts, headers: HeaderMap, mut body: invoke::Body) -> Result<Response, Problem> {
    if media::is_json(&headers) {
        let first = next_chunk(&mut body).await?;
        if !first.is_empty() {
            let whole = Body::new(preceded_by(first, body));
            return Ok(streamed(parts.status, headers, whole));
        }
    }
    let detail = match excerpt(body).await {
        Some(text) => text,
        None => format!("the upstream answered with status {} and no text", parts.status.as_u16()),
    };
    Err(Problem::of_upstream(parts.status, detail, without_body(headers)))
}

/// The next bytes of a body, empty at its end.
async fn next_chunk(body: &mut invoke::Body) -> Result<Bytes, Failure> {
    while let Some(frame) = body.frame().await {
        let data = frame?.into_data().unwrap_or_default();
        if !data.is_empty() {
            return Ok(data);
        }
    }
    Ok(Bytes::new())
}

fn preceded_by(first: Bytes, rest: invoke::Body) -> invoke::Body {
    let first = stream::iter([Ok(Frame::data(first))]);
    StreamBody::new(first.chain(BodyStream::new(rest))).boxed_unsync()
}

/// The beginning of a body, if it is text. One that breaks off is good enough up to there: the upstream's status tells more than
/// the reason for that.
async fn excerpt(mut body: invoke::Body) -> Option<String> {
    let mut bytes = Vec::new();
    while let Ok(chunk) = next_chunk(&mut body).await
        && !chunk.is_empty()
        && bytes.len() < MAX_EXCERPT
    {
        bytes.extend_from_slice(&chunk[..chunk.len().min(MAX_EXCERPT - bytes.len())]);
    }
    text(&bytes)
}

/// Bytes as text. The last character may be cut off; anything else that isn't readable makes it no text.
fn text(bytes: &[u8]) -> Option<String> {
    let valid = match str::from_utf8(bytes) {
        Ok(text) => text,
        Err(e) if e.error_len().is_none() => str::from_utf8(&bytes[..e.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    let is_readable = |c: char| !c.is_control() || c.is_ascii_whitespace();
    let text = valid.trim();
    (!text.is_empty() && text.chars().all(is_readable)).then(|| text.to_owned())
}

/// The header fields that pass from an upstream's answer to the caller.
fn passing(headers: &HeaderMap) -> HeaderMap {
    let listed = headers.iter().filter(|(name, _)| passes(name));
    listed.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn passes(name: &HeaderName) -> bool {
    PASSES.contains(name) || name.as_str().starts_with("ratelimit") || name.as_str().starts_with("x-ratelimit-")
}

fn without_body(mut headers: HeaderMap) -> HeaderMap {
    for name in ABOUT_THE_BODY {
        headers.remove(name);
    }
    headers
}
