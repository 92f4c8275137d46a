//! Which header fields pass from a guest to an upstream and back.
//!
//! Credentials are added later, in `credentials`. Values aren't looked at, except the length that a guest announces.

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Sent where a guest sets none: upstreams ask for one, and their operators see whom to ask.
const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("airlock/", env!("CARGO_PKG_VERSION")));

/// Fields that a guest can't set, beside `proxy-…`.
const DROPPED: &[&str] = &[
    // Credentials come from the host.
    "authorization",
    // The host is what the policy has looked at.
    "host",
    // How the message is framed on this connection is the client's business; two opinions about it are request smuggling.
    "connection",
    "content-length",
    "expect",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    // Set below.
    "accept-encoding",
    // With these some servers carry out another method or path than the policy has looked at.
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-rewrite-url",
];

/// Fields of an answer that belong to the connection, beside `proxy-…`.
const HOP_BY_HOP: &[&str] = &["connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"];

/// Makes the header of the request that is sent from the guest's. `exact_length` is the body's, where it is known.
pub(super) fn outgoing(mut headers: HeaderMap, exact_length: Option<u64>) -> HeaderMap {
    // A body that streams out of a guest doesn't know its length, but the guest may have announced it. Kept, it spares upstreams
    // the chunked encoding that some can't read; the client holds the body to it.
    let announced = match (exact_length, single_number(&headers, &header::CONTENT_LENGTH)) {
        (None, Some(length)) => Some(HeaderValue::from(length)),
        _ => None,
    };
    remove(&mut headers, DROPPED);
    if let Some(length) = announced {
        headers.insert(header::CONTENT_LENGTH, length);
    }
    // A secret can't be found in a compressed answer, nor its true size seen.
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.entry(header::USER_AGENT).or_insert(USER_AGENT);
    headers
}

/// Takes out of an answer what was meant for this connection only.
pub(super) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    remove(headers, HOP_BY_HOP);
}

/// Whether a plugin may have a credential put into this field. Not into those with which it could redirect or reframe a request.
pub(super) fn may_hold_credential(name: &HeaderName) -> bool {
    name == header::AUTHORIZATION || !is_listed(name, DROPPED)
}

fn remove(headers: &mut HeaderMap, list: &[&str]) {
    let listed: Vec<HeaderName> = headers.keys().filter(|name| is_listed(name, list)).cloned().collect();
    for name in listed {
        headers.remove(name);
    }
}

fn is_listed(name: &HeaderName, list: &[&str]) -> bool {
    list.contains(&name.as_str()) || name.as_str().starts_with("proxy-")
}

fn single_number(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    let mut values = headers.get_all(name).iter();
    let (value, None) = (values.next()?.to_str().ok()?, values.next()) else {
        return None;
    };
    value.bytes().all(|byte| byte.is_ascii_digit()).then(|| value.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> HeaderMap {
        let pair =
            |(name, value): &(&str, &str)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap());
        pairs.iter().map(pair).collect()
    }

    fn check(guests: &[(&str, &str)], exact_length: Option<u64>, sent: &[(&str, &str)]) {
        let mut expected = map(&[("accept-encoding", "identity"), ("user-agent", "airlock")]);
        expected.insert("user-agent", USER_AGENT);
        expected.extend(map(sent));
        assert_eq!(outgoing(map(guests), exact_length), expected, "{guests:?}");
    }

    #[test]
    fn what_passes_and_what_does_not() {
        for name in DROPPED.iter().chain(&["proxy-authorization", "proxy-connection", "proxy-x"]) {
            check(&[(name, "x")], Some(0), &[]);
        }
        for name in ["accept", "content-type", "cookie", "if-none-match", "range", "user-agent", "x-api-key"] {
            check(&[(name, "x")], Some(0), &[(name, "x")]);
        }
    }

    #[test]
    fn an_announced_length_is_kept_where_it_is_the_only_one_known() {
        check(&[("content-length", "5")], None, &[("content-length", "5")]);
        check(&[("content-length", "5")], Some(7), &[]);
        check(&[("content-length", "+5")], None, &[]);
        check(&[("content-length", "5, 5")], None, &[]);
        check(&[("content-length", "99999999999999999999999")], None, &[]);
        let mut twice = map(&[("content-length", "5")]);
        twice.append("content-length", HeaderValue::from_static("6"));
        assert!(!outgoing(twice, None).contains_key("content-length"));
    }
}
