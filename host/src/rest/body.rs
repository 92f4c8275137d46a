//! Receives a request's body, within a limit, for the operations that take one.
//!
//! It looks at the media type and at how many values there are, not at the content: `input` reads that.

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body::Body as _;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::{
    input::{is_in_body, parameters, takes_header},
    media,
    problem::{Fault, Problem},
    upload::{self, Watch},
};
use crate::{
    contract::{Location, Operation},
    grant::Limits,
    invoke::Upload,
    json::{self, Room},
};

/// The largest body that is received. 4 MiB: it is held as text, as JSON values and once more in the guest's memory, of which a
/// grant allows 64 MiB by default; and no request of the known providers has a thousandth of it.
pub(super) const MAX_BODY: usize = 4 << 20;

/// A request's body.
#[derive(Clone, Debug)]
pub(super) enum Received {
    /// Empty, or JSON according to the headers.
    Json(Bytes),
    /// Not empty, for an operation that takes no body.
    Unwanted,
    /// Not read: it goes into the call as it comes.
    Unread(Upload, Watch),
}

impl Received {
    /// What goes into the call beside its input.
    pub(super) fn upload(&self) -> Upload {
        match self {
            Self::Unread(upload, _) => upload.clone(),
            Self::Json(_) | Self::Unwanted => Upload::default(),
        }
    }

    /// What was wrong with a body that wasn't read here, if anything was.
    pub(super) fn fault(&self) -> Option<Fault<'static>> {
        match self {
            Self::Unread(_, watch) => watch.fault(),
            Self::Json(_) | Self::Unwanted => None,
        }
    }
}

/// Receives the body, or begins to.
pub(super) async fn read(
    operation: &Operation,
    headers: &HeaderMap,
    body: Body,
    limits: &Limits,
) -> Result<Received, Problem> {
    if parameters(operation).iter().any(|it| it.location == Location::RawBody) {
        // What is handed on as it is needn't be understood, if the upstream is told about it.
        if !takes_header(operation, &header::CONTENT_ENCODING) {
            check_encoding(headers)?;
        }
        let (upload, watch) = upload::begin(headers, body, limits.request)?;
        return Ok(Received::Unread(upload, watch));
    }
    if !parameters(operation).iter().any(is_in_body) {
        return Ok(match Limited::new(body, 0).collect().await {
            Ok(_) => Received::Json(Bytes::new()),
            Err(_) => Received::Unwanted,
        });
    }
    check_encoding(headers)?;
    let is_json = media::is_json(headers);
    if headers.contains_key(header::CONTENT_TYPE) && !is_json {
        return Err(Fault::MediaType.into());
    }
    let bytes = receive(body).await?;
    if !bytes.is_empty() && !is_json {
        return Err(Fault::MediaType.into());
    }
    Room::of(json::MAX_MESSAGE).take(&bytes).map_err(|_surfeit| Fault::TooManyValues)?;
    Ok(Received::Json(bytes))
}

fn check_encoding(headers: &HeaderMap) -> Result<(), Problem> {
    let is_plain = |value: &http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    match headers.get_all(header::CONTENT_ENCODING).iter().all(is_plain) {
        true => Ok(()),
        false => Err(Fault::ContentEncoding.into()),
    }
}

async fn receive(body: Body) -> Result<Bytes, Problem> {
    // A length that is announced needn't be waited for.
    let too_large = || Fault::BodyTooLarge { limit: MAX_BODY }.into();
    if body.size_hint().lower() > MAX_BODY as u64 {
        return Err(too_large());
    }
    match Limited::new(body, MAX_BODY).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(e) if e.is::<LengthLimitError>() => Err(too_large()),
        Err(_) => Err(Fault::BodyBrokeOff.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Audience, Effects, Location, Parameter, Route};
    use http::HeaderValue;

    fn operation(location: Location) -> Operation {
        let parameter = Parameter { input: "x".to_owned(), location, name: "x".to_owned() };
        Operation {
            name: "op".to_owned(),
            title: None,
            description: String::new(),
            input_schema: serde_json::json!({"type": "object", "properties": {"x": {}}}),
            output_schema: None,
            effects: Effects { read_only: false, destructive: false, idempotent: true, open_world: true },
            audience: Audience::Anyone,
            route: Some(Route { method: "PUT".to_owned(), path: "/".to_owned(), parameters: vec![parameter] }),
            tool: None,
        }
    }

    async fn status(location: Location, headers: &[(header::HeaderName, &'static str)], body: Body) -> u16 {
        let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        match read(&operation(location), &headers.collect(), body, &Limits::default()).await {
            Ok(Received::Json(_) | Received::Unread(..)) => 200,
            // `input` tells it together with everything else that is wrong.
            Ok(Received::Unwanted) => 400,
            Err(problem) => problem.status().as_u16(),
        }
    }

    /// A body whose length isn't announced.
    fn streamed(length: usize) -> Body {
        let chunks = vec![Ok::<_, std::io::Error>(Bytes::from(vec![b' '; length]))];
        Body::from_stream(futures::stream::iter(chunks))
    }

    #[tokio::test]
    async fn which_bodies_are_received() {
        const JSON: (header::HeaderName, &str) = (header::CONTENT_TYPE, "application/merge-patch+json");
        const TEXT: (header::HeaderName, &str) = (header::CONTENT_TYPE, "text/plain");
        const GZIP: (header::HeaderName, &str) = (header::CONTENT_ENCODING, "gzip");
        const PLAIN: (header::HeaderName, &str) = (header::CONTENT_ENCODING, "identity");
        for (location, headers, body, expected) in [
            (Location::Body, &[JSON][..], Body::from("{}"), 200),
            (Location::BodyMember, &[JSON], Body::from("{}"), 200),
            (Location::Body, &[JSON], Body::empty(), 200),
            (Location::Body, &[], Body::empty(), 200),
            (Location::Body, &[JSON, PLAIN], Body::from("{}"), 200),
            (Location::Body, &[], Body::from("{}"), 415),
            (Location::Body, &[TEXT], Body::from("{}"), 415),
            (Location::Body, &[TEXT], Body::empty(), 415),
            (Location::Body, &[JSON, GZIP], Body::from("{}"), 415),
            (Location::Body, &[JSON], streamed(MAX_BODY), 200),
            (Location::Body, &[JSON], streamed(MAX_BODY + 1), 413),
            (Location::Body, &[JSON], Body::from(vec![b' '; MAX_BODY + 1]), 413),
            (Location::Body, &[JSON], Body::from("[".to_owned() + &"0,".repeat(200_000) + "0]"), 200),
            (Location::Body, &[JSON], Body::from("[".to_owned() + &"0,".repeat(300_000) + "0]"), 413),
            (Location::RawBody, &[TEXT], Body::from("{"), 200),
            (Location::RawBody, &[], streamed(MAX_BODY + 1), 200),
            (Location::RawBody, &[TEXT, GZIP], Body::from("{"), 415),
            (Location::RawBody, &[], Body::from(vec![b' '; (16 << 20) + 1]), 413),
            (Location::Query, &[], Body::empty(), 200),
            (Location::Query, &[TEXT], Body::empty(), 200),
            (Location::Query, &[], streamed(0), 200),
            (Location::Query, &[JSON], Body::from("{}"), 400),
            (Location::Query, &[JSON], streamed(1), 400),
        ] {
            let case = format!("{location:?} {headers:?} {body:?}");
            assert_eq!(status(location, headers, body).await, expected, "{case}");
        }
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_the_callers_fault() {
        let chunks = vec![Ok(Bytes::from_static(b"{")), Err(std::io::Error::other("gone"))];
        let body = Body::from_stream(futures::stream::iter(chunks));
        let headers = [(header::CONTENT_TYPE, "application/json")];
        assert_eq!(status(Location::Body, &headers, body).await, 400);
    }
}
