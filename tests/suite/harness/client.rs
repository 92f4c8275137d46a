//! An HTTP client, and what every answer of the REST door owes its caller.

use std::fmt::Write;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::within_patience;

/// A client. Its clones share their connections.
#[derive(Clone)]
pub struct Http(Client<HttpConnector, Full<Bytes>>);

impl Default for Http {
    fn default() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self(Client::builder(TokioExecutor::new()).build(connector))
    }
}

impl Http {
    /// A client that speaks HTTP/2 without being asked to.
    pub fn http2() -> Self {
        Self(Client::builder(TokioExecutor::new()).http2_only(true).build_http())
    }

    /// Sends a request and waits for the answer's head.
    pub async fn open(&self, request: Request<Full<Bytes>>) -> Response<Incoming> {
        let what = format!("{} {}", request.method(), request.uri());
        let sent = within_patience(&what, self.0.request(request)).await;
        sent.unwrap_or_else(|e| panic!("{what}: {e:?}"))
    }

    /// Sends a request and reads the whole answer.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        let what = format!("the body of {} {}", request.method(), request.uri());
        let (parts, body) = self.open(request).await.into_parts();
        let body = within_patience(&what, body.collect()).await;
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            // A body that breaks off is an answer too: the caller notices it by the error.
            body: body.map(|it| it.to_bytes()).map_err(|e| format!("{e:?}")),
        }
    }
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// The whole body, or why there is none.
    pub body: Result<Bytes, String>,
}

/// The header fields that a REST answer may have; the rate limits' come besides.
const ALLOWED: &[&str] = &[
    "accept-ranges",
    "age",
    "allow",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-range",
    "content-security-policy",
    "content-type",
    "date",
    "etag",
    "expires",
    "last-modified",
    "link",
    "location",
    "retry-after",
    "transfer-encoding",
    "vary",
    "x-content-type-options",
    "x-request-id",
];

impl Answer {
    pub fn text(&self) -> &str {
        let body = self.body.as_ref().unwrap_or_else(|e| panic!("no whole body: {e}"));
        std::str::from_utf8(body).expect("UTF-8")
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(self.text()).unwrap_or_else(|e| panic!("not JSON: {e}: {}", self.text()))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |it| it.to_str().expect("text"))
    }

    /// The JSON of a success.
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        self.json()
    }

    /// The problem of a failure that the host itself reports.
    pub fn problem(&self, status: u16, kind: &str) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        let problem = self.json();
        assert_eq!(problem["type"], format!("urn:airlock:problem:{kind}"), "{problem}");
        problem
    }

    /// The checks that every answer of the REST door has to pass.
    pub fn check_rest(self) -> Self {
        assert_ne!(self.header("x-request-id"), "", "{self:?}");
        assert_eq!(self.header("x-content-type-options"), "nosniff", "{self:?}");
        for (name, value) in &self.headers {
            let is_rate_limit = name.as_str().starts_with("ratelimit") || name.as_str().starts_with("x-ratelimit-");
            // A challenge is the host's own: an upstream's isn't passed on.
            let is_challenge = name == "www-authenticate" && self.header("content-type") == "application/problem+json";
            // What a host says that is about to stop.
            let is_close = name == "connection" && value == "close";
            assert!(
                ALLOWED.contains(&name.as_str()) || is_rate_limit || is_challenge || is_close,
                "{name} in {self:?}"
            );
        }
        if self.status >= 400 && self.body.as_ref().is_ok_and(|it| !it.is_empty()) {
            self.check_error();
        }
        self
    }

    /// An error is the host's own problem, or the upstream's JSON.
    fn check_error(&self) {
        let body = self.json();
        if self.header("content-type") != "application/problem+json" {
            assert!(self.header("content-type").contains("json"), "{self:?}");
            return;
        }
        let kind = body["type"].as_str().unwrap_or_default();
        assert!(kind.starts_with("urn:airlock:problem:"), "{body}");
        assert!(body["title"].is_string() && body["detail"].is_string(), "{body}");
        assert_eq!(body["status"], self.status, "{body}");
        assert_eq!(body["instance"], self.header("x-request-id"), "{body}");
    }
}

/// A query, encoded.
#[derive(Default)]
pub struct Query(String);

impl Query {
    /// Adds a pair.
    pub fn pair(mut self, name: &str, value: &str) -> Self {
        let separator = if self.0.is_empty() { '?' } else { '&' };
        write!(self.0, "{separator}{}={}", encode(name), encode(value)).expect("a string takes any text");
        self
    }

    /// The text, with its question mark if there is anything after it.
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// Everything encoded that could be.
fn encode(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
