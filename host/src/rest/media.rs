//! Which media types are JSON, and who takes it; and who takes an encoding.

use http::{HeaderMap, header};

use crate::contract;

/// Whether the headers say that the body is JSON.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.is_some_and(contract::is_json)
}

/// Whether the caller takes JSON: its `Accept` names it, by itself or by a range, and doesn't exclude it. No `Accept` takes anything.
pub(super) fn admits_json(headers: &HeaderMap) -> bool {
    let fields: Vec<&str> = headers.get_all(header::ACCEPT).iter().filter_map(|it| it.to_str().ok()).collect();
    let ranges: Vec<Range> = fields.iter().flat_map(|it| it.split(',')).filter_map(Range::read).collect();
    // The most specific range that is there decides.
    let closest = ranges.iter().map(|it| it.closeness).max();
    ranges.is_empty() || ranges.iter().any(|it| Some(it.closeness) == closest && it.closeness > 0 && it.is_wanted)
}

/// Whether the caller takes one of the encodings that there are, or doesn't say.
pub(super) fn admits_encoding(headers: &HeaderMap) -> bool {
    !headers.contains_key(header::ACCEPT_ENCODING)
        || names_encoding(headers, &["*", "br", "gzip", "x-gzip", "identity"])
}

/// Whether the caller names one of these encodings, and doesn't exclude it.
pub(super) fn names_encoding(headers: &HeaderMap, encodings: &[&str]) -> bool {
    let fields = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|it| it.to_str().ok());
    fields.flat_map(|it| it.split(',')).any(|text| {
        let mut parts = text.split(';').map(|it| it.trim().to_ascii_lowercase());
        parts.next().is_some_and(|it| encodings.contains(&it.as_str())) && !parts.any(is_zero)
    })
}

fn is_zero(parameter: String) -> bool {
    parameter.strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()) == Some(0.0)
}

/// One range of an `Accept`, as far as it is about JSON.
struct Range {
    /// 0: not about JSON at all; more: the nearer, the more.
    closeness: u8,
    is_wanted: bool,
}

impl Range {
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(';').map(|it| it.trim().to_ascii_lowercase());
        let essence = parts.next().filter(|it| !it.is_empty())?;
        let closeness = match essence.as_str() {
            "*/*" => 1,
            "application/*" => 2,
            "application/json" => 3,
            other if other.ends_with("+json") => 3,
            _ => 0,
        };
        Some(Self { closeness, is_wanted: !parts.any(is_zero) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn who_takes_json() {
        for (accept, expected) in [
            (&[][..], true),
            (&[""], true),
            (&["*/*"], true),
            (&["application/*"], true),
            (&["application/json"], true),
            (&["Application/JSON; charset=utf-8"], true),
            (&["text/html, application/xhtml+xml, */*;q=0.8"], true),
            (&["application/vnd.api+json"], true),
            (&["text/html", "application/json;q=0.1"], true),
            (&["text/html"], false),
            (&["text/html, image/*"], false),
            (&["application/xml"], false),
            (&["*/*;q=0"], false),
            (&["*/*, application/json;q=0"], false),
            (&["application/json; q=0.000, application/*"], false),
        ] {
            let values = accept.iter().map(|it| (header::ACCEPT, HeaderValue::from_static(it)));
            let headers = values.collect::<HeaderMap>();
            assert_eq!(admits_json(&headers), expected, "{accept:?}");
        }
    }

    #[test]
    fn who_takes_an_encoding() {
        for (accept, expected) in [
            (&[][..], true),
            (&["gzip"], true),
            (&["zstd, BR;q=0.5"], true),
            (&["zstd", "*"], true),
            (&["identity"], true),
            (&["identity;q=0"], false),
            (&["*; q=0.0"], false),
            (&["zstd, identity;q=0", "gzip;q=0"], false),
        ] {
            let values = accept.iter().map(|it| (header::ACCEPT_ENCODING, HeaderValue::from_static(it)));
            assert_eq!(admits_encoding(&values.collect()), expected, "{accept:?}");
        }
    }

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
