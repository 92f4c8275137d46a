//! Keeps answers to callers that are known out of caches that others are answered from.
//!
//! What an upstream says of caches it says of its own callers, of which the host is one.

use http::{HeaderMap, HeaderValue, header};

/// Marks an answer as one caller's.
pub(super) fn mark(headers: &mut HeaderMap) {
    let private = private(headers);
    headers.insert(header::CACHE_CONTROL, private);
    // For caches that know no other way.
    headers.remove(header::EXPIRES);
    headers.append(header::VARY, HeaderValue::from_static("authorization, x-api-key"));
}

/// The directives as they are, but for those that open an answer to all.
fn private(headers: &HeaderMap) -> HeaderValue {
    let given: Option<Vec<&str>> = headers.get_all(header::CACHE_CONTROL).iter().map(|it| it.to_str().ok()).collect();
    // In quotes are lists of fields, in which a comma means something else.
    let Some(given) = given.filter(|it| !it.iter().any(|it| it.contains('"'))) else {
        return HeaderValue::from_static("private, no-store");
    };
    let given = given.into_iter().flat_map(|it| it.split(',')).map(str::trim);
    let opens = |it: &str| {
        let name = it.split('=').next().unwrap_or_default().trim();
        ["public", "private", "s-maxage"].iter().any(|known| name.eq_ignore_ascii_case(known))
    };
    let mut kept: Vec<&str> = given.filter(|it| !it.is_empty() && !opens(it)).collect();
    kept.push("private");
    HeaderValue::try_from(kept.join(", ")).expect("it was a field's value before")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_directive_opens_an_answer_to_all() {
        for (given, expected) in [
            (&[][..], "private"),
            (&["max-age=60"][..], "max-age=60, private"),
            (&["public, max-age=60, s-maxage=600"], "max-age=60, private"),
            (&["Public", "S-MaxAge = 5,no-cache"], "no-cache, private"),
            (&["private"], "private"),
            (&["no-store"], "no-store, private"),
            (&["private=\"a, public\", max-age=60"], "private, no-store"),
            (&[",,"], "private"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::EXPIRES, HeaderValue::from_static("Thu, 01 Dec 2094 16:00:00 GMT"));
            headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
            for it in given {
                headers.append(header::CACHE_CONTROL, HeaderValue::from_static(it));
            }
            mark(&mut headers);
            assert_eq!(headers[header::CACHE_CONTROL], expected, "{given:?}");
            assert_eq!(headers.get_all(header::VARY).iter().count(), 2);
            assert!(!headers.contains_key(header::EXPIRES));
        }
    }
}
