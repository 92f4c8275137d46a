//! What a request presents to say who asks: values in, decision out. Whether it is right is decided elsewhere.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::rejection::Rejection;

/// Where a key may stand besides `Authorization`, for clients that can't set that.
pub(super) const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The key or token of a request.
///
/// One, in one place: two readers that take different ones would see two callers.
pub(super) fn presented(headers: &HeaderMap) -> Result<&str, Rejection> {
    let mut found = headers.get_all(header::AUTHORIZATION).iter().map(bearer);
    let mut keys = headers.get_all(API_KEY).iter().map(text);
    let first = found.next().or_else(|| keys.next()).ok_or(Rejection::Missing)?;
    match found.next().or_else(|| keys.next()) {
        Some(_) => Err(Rejection::Ambiguous),
        None => first,
    }
}

/// Removes it: it is meant for this host alone.
pub(super) fn strip(headers: &mut HeaderMap) {
    headers.remove(header::AUTHORIZATION);
    headers.remove(API_KEY);
}

/// The token in `Bearer <token>`.
fn bearer(value: &HeaderValue) -> Result<&str, Rejection> {
    let (scheme, token) = text(value)?.split_once(' ').ok_or(Rejection::OtherScheme)?;
    match scheme.eq_ignore_ascii_case("bearer") {
        true => Ok(token.trim_matches(' ')),
        false => Err(Rejection::OtherScheme),
    }
}

fn text(value: &HeaderValue) -> Result<&str, Rejection> {
    value.to_str().map_err(|_| Rejection::Unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_keys_and_tokens_stand() {
        let missing = "no key or token";
        for (fields, expected) in [
            (&[][..], Err(missing)),
            (&[("cookie", "a=b")], Err(missing)),
            (&[("authorization", "Bearer abc")], Ok("abc")),
            (&[("authorization", "bearer   abc ")], Ok("abc")),
            (&[("x-api-key", "abc")], Ok("abc")),
            (&[("authorization", "abc")], Err("another scheme")),
            (&[("authorization", "Basic YTpi")], Err("another scheme")),
            (&[("authorization", "")], Err("another scheme")),
            (&[("authorization", "Bearer a"), ("x-api-key", "a")], Err("more than one")),
            (&[("authorization", "Bearer a"), ("authorization", "Bearer a")], Err("more than one")),
            (&[("x-api-key", "a"), ("x-api-key", "b")], Err("more than one")),
            (&[("x-api-key", "ä")], Err("not known")),
        ] {
            let pairs = fields.iter().map(|(name, value)| {
                (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap())
            });
            let mut headers = HeaderMap::new();
            pairs.for_each(|(name, value)| {
                headers.append(name, value);
            });
            match (presented(&headers), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected),
                (Err(rejection), Err(part)) => assert!(rejection.to_string().contains(part), "{rejection} {fields:?}"),
                (found, _) => panic!("{found:?} {fields:?}"),
            }
            strip(&mut headers);
            assert!(!headers.contains_key("authorization") && !headers.contains_key("x-api-key"));
        }
    }
}
