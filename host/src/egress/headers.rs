//! Which header fields pass from a guest to an upstream and back.
//!
//! Credentials are added later, in `credentials`. Values aren't looked at; how many fields and bytes there are, is.

use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};

use super::refusal::Excess;
use crate::contract::{CONNECTION_HEADERS, UPSTREAM_HEADER};

/// Sent where a guest sets none: upstreams ask for one, and their operators see whom to ask.
pub(super) const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("airlock/", env!("CARGO_PKG_VERSION")));

/// Fields that a guest can't set, beside `proxy-…` and those of the connection: where a request goes is what the policy has looked at, and two
/// opinions about how it is framed are request smuggling.
const DROPPED: &[&str] = &[
    // Credentials come from the host.
    "authorization",
    // It is for the host.
    UPSTREAM_HEADER,
    // Set below.
    "accept-encoding",
    // With these some servers carry out another method or path than the policy has looked at.
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-rewrite-url",
    "x-original-uri",
    // With these some take another client, host or scheme for the caller's.
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-real-ip",
];

/// Fields of an answer that belong to the connection, beside `proxy-…`.
const HOP_BY_HOP: &[&str] = &["connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"];

/// Makes the header of the request that is sent from the guest's. The length is the body's business.
pub(super) fn outgoing(mut headers: HeaderMap) -> HeaderMap {
    let named = named_by_connection(&headers);
    remove_where(&mut headers, |name| named.contains(name) || is_dropped(name));
    // A secret can't be found in a compressed answer, nor its true size seen.
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.entry(header::USER_AGENT).or_insert(USER_AGENT);
    headers
}

/// Takes out which of its upstreams a request means. One that says several means none of them.
pub(super) fn take_upstream(headers: &mut HeaderMap) -> Option<String> {
    let name = HeaderName::from_static(UPSTREAM_HEADER);
    let meant = single(headers, &name).map(str::to_owned);
    headers.remove(&name);
    meant
}

/// What one header section may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) fields: usize,
    pub(super) bytes: usize,
}

impl Bounds {
    /// Holds a guest's request to them, its address included: upstreams read both into one buffer.
    pub(super) fn check(self, uri: &Uri, headers: &HeaderMap) -> Result<(), Excess> {
        if headers.len() > self.fields {
            return Err(Excess::Fields(self.fields));
        }
        let address = uri.path_and_query().map_or(0, |text| text.as_str().len());
        if address + size(headers) > self.bytes { Err(Excess::Header(self.bytes)) } else { Ok(()) }
    }
}

/// How long header fields are as they are sent by HTTP/1, each with a colon, a space and a line break.
pub(super) fn size(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

/// Takes out of an answer what was meant for this connection only, which is also what its `Connection` says (RFC 9110, 7.6.1).
pub(super) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named = named_by_connection(headers);
    remove_where(headers, |name| named.contains(name) || is_listed(name, HOP_BY_HOP));
}

/// The fields that `Connection` names. A word that can't be a field's name names none.
fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(header::CONNECTION).iter().map(HeaderValue::as_bytes);
    let words = values.flat_map(|value| value.split(|byte| *byte == b','));
    words.filter_map(|word| HeaderName::from_bytes(word.trim_ascii()).ok()).collect()
}

/// Whether a plugin may have a credential put into this field. Not into those with which it could redirect or reframe a request.
pub(super) fn may_hold_credential(name: &HeaderName) -> bool {
    name == header::AUTHORIZATION || !is_dropped(name)
}

/// Takes out the fields of these names.
pub(super) fn remove_where(headers: &mut HeaderMap, is_meant: impl Fn(&HeaderName) -> bool) {
    let meant: Vec<HeaderName> = headers.keys().filter(|name| is_meant(name)).cloned().collect();
    for name in meant {
        headers.remove(name);
    }
}

/// The value of a field that stands there once; `None` where it is missing, repeated or no text.
pub(super) fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let (value, None) = (values.next()?, values.next()) else {
        return None;
    };
    value.to_str().ok()
}

/// Gateways to programs (CGI, WSGI, Rack) give them `x_a` and `x-a` under one name.
pub(super) fn is_taken_for(name: &HeaderName, other: &str) -> bool {
    with_hyphens(name.as_str()).eq(with_hyphens(other))
}

fn is_dropped(name: &HeaderName) -> bool {
    is_listed(name, DROPPED) || is_listed(name, &CONNECTION_HEADERS)
}

fn is_listed(name: &HeaderName, list: &[&str]) -> bool {
    list.iter().any(|listed| is_taken_for(name, listed)) || with_hyphens(name.as_str()).take(6).eq(*b"proxy-")
}

fn with_hyphens(name: &str) -> impl Iterator<Item = u8> {
    name.bytes().map(|byte| if byte == b'_' { b'-' } else { byte })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> HeaderMap {
        let pair =
            |(name, value): &(&str, &str)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap());
        pairs.iter().map(pair).collect()
    }

    fn check(guests: &[(&str, &str)], sent: &[(&str, &str)]) {
        let mut expected = map(&[("accept-encoding", "identity"), ("user-agent", "airlock")]);
        expected.insert("user-agent", USER_AGENT);
        expected.extend(map(sent));
        assert_eq!(outgoing(map(guests)), expected, "{guests:?}");
    }

    #[test]
    fn what_passes_and_what_does_not() {
        let others =
            ["proxy-authorization", "proxy-connection", "proxy_x", "x_http_method_override", "x_forwarded-for"];
        for name in DROPPED.iter().chain(&others) {
            check(&[(name, "x")], &[]);
        }
        for name in ["accept", "content-type", "cookie", "if-none-match", "range", "user-agent", "x-api-key"] {
            check(&[(name, "x")], &[(name, "x")]);
        }
    }

    #[test]
    fn what_connection_names_stays_on_its_connection() {
        for (fields, left) in [
            (&[("connection", "X-Hop, close"), ("x-hop", "1"), ("x-end", "2")][..], &[("x-end", "2")][..]),
            (
                &[("connection", "x-a"), ("connection", " ,\tX-B,"), ("x-a", "1"), ("x-b", "2"), ("x-ab", "3")],
                &[("x-ab", "3")],
            ),
            (&[("connection", "x y, \u{e9}, "), ("x", "1"), ("y", "2")], &[("x", "1"), ("y", "2")]),
            (&[("x-hop", "connection")], &[("x-hop", "connection")]),
        ] {
            let mut answer = HeaderMap::new();
            for (name, value) in fields {
                let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
                answer.append(name.parse::<HeaderName>().unwrap(), value);
            }
            let guests = answer.clone();
            remove_hop_by_hop(&mut answer);
            assert_eq!(answer, map(left), "{fields:?}");
            let mut sent = outgoing(guests);
            sent.remove("accept-encoding");
            sent.remove("user-agent");
            assert_eq!(sent, map(left), "{fields:?}");
        }
        // What the host itself adds isn't the guest's to take away.
        check(&[("connection", "accept-encoding, user-agent"), ("user-agent", "guest")], &[]);
    }

    #[test]
    fn a_header_section_has_bounds() {
        let bounds = Bounds { fields: 2, bytes: 20 };
        for (path, headers, expected) in [
            ("/", &[][..], Ok(())),
            ("/", &[("a", "1"), ("b", "2")], Ok(())),
            ("/", &[("a", "1"), ("a", "2"), ("a", "3")], Err(Excess::Fields(2))),
            ("/", &[("name", "12345678901")], Ok(())),
            ("/", &[("name", "123456789012")], Err(Excess::Header(20))),
            ("/234567890?234567890", &[], Ok(())),
            ("/234567890?2345678901", &[], Err(Excess::Header(20))),
        ] {
            let uri = format!("http://host{path}").parse().unwrap();
            let mut fields = HeaderMap::new();
            for (name, value) in headers {
                fields.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
            }
            assert_eq!(bounds.check(&uri, &fields), expected, "{path} {headers:?}");
        }
    }
}
