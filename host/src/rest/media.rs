//! Which media types are JSON.

use http::{HeaderMap, header};

/// Whether the headers say that the body is JSON: `application/json`, or any type that ends in `+json` (RFC 6839). Parameters,
/// such as a charset, don't matter: JSON is UTF-8.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.is_some_and(|value| {
        let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        essence == "application/json" || (essence.contains('/') && essence.ends_with("+json"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn json_media_types() {
        for (media_type, expected) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/problem+json", true),
            ("application/vnd.api+json ; v=1", true),
            ("application/jsonp", false),
            ("application/x-ndjson", false),
            ("text/plain", false),
            ("+json", false),
            ("text/plain; a=application/json", false),
            ("", false),
        ] {
            let value = HeaderValue::from_static(media_type);
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, value)]);
            assert_eq!(is_json(&headers), expected, "{media_type}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }
}
