//! Pages of other origins that the operator lists may read answers (the Fetch standard's CORS protocol). Nobody else's may: without
//! a list no answer has a word about it.
//!
//! Who may ask at all is `guard`'s. Cookies are never allowed along: nothing here is authenticated by them.

use axum::{body::Body, response::Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

/// The methods that doors serve. What a path has is told by its 405.
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");

/// The fields of answers that a page can read beside the few that it always can.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "etag, link, location, mcp-protocol-version, mcp-session-id, retry-after, www-authenticate, x-request-id",
);

/// How long a browser needn't ask again, in seconds. Ten minutes: a list that was changed counts soon after.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// The answer to a browser that asks whether a page of a listed origin may send a request; `None` if it doesn't ask that. The answer is
/// to be shared like any other.
pub(super) fn preflight(method: &Method, headers: &HeaderMap) -> Option<Response> {
    if method != Method::OPTIONS || !headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) {
        return None;
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let answer = response.headers_mut();
    answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    answer.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    // Any field: the doors drop what they don't know, and a page of a listed origin is trusted as any program is.
    if let Some(wanted) = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
    answer.append(header::VARY, HeaderValue::from_static("access-control-request-headers"));
    Some(response)
}

/// Lets pages of this origin read an answer.
pub(super) fn share(answer: &mut HeaderMap, origin: &HeaderValue) {
    answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    answer.append(header::VARY, HeaderValue::from_static("origin"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderName;

    #[test]
    fn only_a_question_for_leave_is_a_preflight() {
        const ASKS: (HeaderName, &str) = (header::ACCESS_CONTROL_REQUEST_METHOD, "PUT");
        const FIELDS: (HeaderName, &str) = (header::ACCESS_CONTROL_REQUEST_HEADERS, "content-type,if-match");
        for (method, fields, is_one) in [
            (Method::OPTIONS, &[ASKS][..], true),
            (Method::OPTIONS, &[ASKS, FIELDS], true),
            (Method::OPTIONS, &[FIELDS], false),
            (Method::OPTIONS, &[], false),
            (Method::GET, &[ASKS], false),
        ] {
            let headers = fields.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
            let answer = preflight(&method, &headers.collect());
            assert_eq!(answer.is_some(), is_one, "{method} {fields:?}");
            let Some(answer) = answer else { continue };
            assert_eq!(answer.status(), 204);
            assert_eq!(answer.headers()["access-control-max-age"], "600");
            let allowed = answer.headers().get("access-control-allow-headers");
            assert_eq!(allowed.is_some(), fields.contains(&FIELDS));
            assert!(!answer.headers().contains_key("access-control-allow-credentials"));
        }
    }
}
