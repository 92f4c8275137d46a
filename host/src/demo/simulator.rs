//! What the simulated upstream APIs share: JSON answers, the check of the credential, query strings, and ids and times that are
//! the same in every run.
//!
//! Knows neither of the two APIs: routes, data, paging and the shape of errors belong to them.

use std::ops::RangeInclusive;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::Response;
use http::{StatusCode, header};
use serde_json::Value as Json;

/// An answer with a JSON body.
pub(super) fn answer(status: StatusCode, body: &Json) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}

/// Lets only those requests reach the router that carry the credential in this header field; the others get the refusal. The
/// comparison takes no care about timing: these credentials protect nothing.
pub(super) fn guard(router: Router, field: &'static str, credential: String, refusal: fn() -> Response) -> Router {
    router.layer(middleware::from_fn(move |request: Request, next: Next| {
        let known = request.headers().get(field).is_some_and(|value| value.as_bytes() == credential.as_bytes());
        async move { if known { next.run(request).await } else { refusal() } }
    }))
}

/// An id in the shape of a UUID that depends on the number only.
pub(super) fn uuid(number: u64) -> String {
    format!("{:08x}-7b41-4c3d-9e8a-d1b6e3f4a290", 0x5f0c_0000 + number)
}

/// A moment this many seconds after the day on which all simulated time begins; after a day it begins again.
pub(super) fn time(seconds: u64) -> String {
    let (hours, minutes) = (seconds / 3600 % 24, seconds / 60 % 60);
    format!("2026-01-05T{hours:02}:{minutes:02}:{:02}Z", seconds % 60)
}

/// A decoded query string. A parameter with an empty value counts as absent, as both APIs allow it.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(raw: Option<&str>) -> Self {
        let pairs = url::form_urlencoded::parse(raw.unwrap_or_default().as_bytes());
        Self(pairs.into_owned().filter(|(_, value)| !value.is_empty()).collect())
    }

    /// The first value of this name.
    pub(super) fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The values of a repeated name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The items of a comma list.
    pub(super) fn list<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.all(name).flat_map(|value| value.split(','))
    }

    /// A number within a range; the error is a sentence for the caller.
    pub(super) fn number(&self, name: &str, range: RangeInclusive<usize>, default: usize) -> Result<usize, String> {
        let Some(text) = self.first(name) else {
            return Ok(default);
        };
        match text.parse() {
            Ok(number) if range.contains(&number) => Ok(number),
            _ => Err(format!("{name} must be a number from {} to {}", range.start(), range.end())),
        }
    }

    /// A truth value; the error is a sentence for the caller.
    pub(super) fn flag(&self, name: &str) -> Result<bool, String> {
        match self.first(name).map(str::to_ascii_lowercase).as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(format!("{name} must be true or false")),
        }
    }
}

#[cfg(test)]
pub(super) mod testing {
    //! One call of a router, for the tests of both APIs.

    use axum::Router;
    use axum::body::{Body, to_bytes};
    use http::{Request, StatusCode};
    use serde_json::Value as Json;
    use tower::ServiceExt;

    /// Sends `METHOD /path` with a header field `name: value` and a body; gives the status and the JSON body, null if it is empty.
    pub(in super::super) async fn call(
        router: &Router,
        line: &str,
        field: (&str, &str),
        body: &str,
    ) -> (StatusCode, Json) {
        let (method, path) = line.split_once(' ').expect("METHOD /path");
        let request = Request::builder().method(method).uri(path).header(field.0, field.1);
        let request = request.body(Body::from(body.to_owned())).expect("a well-formed request");
        let response = router.clone().oneshot(request).await.expect("routers never fail");
        let status = response.status();
        let bytes = to_bytes(response.into_body(), usize::MAX).await.expect("a body in memory");
        match bytes.is_empty() {
            true => (status, Json::Null),
            false => (status, serde_json::from_slice(&bytes).expect("a JSON body")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded() {
        let query = Query::parse(Some("ids=a%2Cb&ids=c+d&include=x,y&pageSize=&inherited=TRUE"));
        assert_eq!(query.all("ids").collect::<Vec<_>>(), ["a,b", "c d"]);
        assert_eq!(query.list("include").collect::<Vec<_>>(), ["x", "y"]);
        assert_eq!(query.first("pageSize"), None);
        assert_eq!(query.flag("inherited"), Ok(true));
    }

    #[test]
    fn numbers_stay_in_their_range() {
        let cases = [
            ("", Ok(7)),
            ("n=", Ok(7)),
            ("n=1", Ok(1)),
            ("n=9", Ok(9)),
            ("n=0", Err(())),
            ("n=10", Err(())),
            ("n=x", Err(())),
        ];
        for (raw, expected) in cases {
            assert_eq!(Query::parse(Some(raw)).number("n", 1..=9, 7).map_err(drop), expected, "{raw}");
        }
    }

    #[test]
    fn times_are_formatted() {
        for (seconds, expected) in [(0, "00:00:00Z"), (61, "00:01:01Z"), (86_399, "23:59:59Z"), (86_400, "00:00:00Z")] {
            assert_eq!(time(seconds), format!("2026-01-05T{expected}"));
        }
    }
}
