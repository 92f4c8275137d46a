//! The head of an HTTP/2 request, as all that comes behind knows heads: the form that HTTP/1.1 has. Values in, values out.
//!
//! Whether the host is one of ours isn't asked here: that is `guard`'s, which reads the same field for both versions.

use http::{HeaderMap, HeaderValue, Uri, header, request::Parts};

use super::refusal::Refusal;

/// Puts `:authority` into `Host`, leaves the target without it, and makes one field of the cookies that a client has sent apart
/// (RFC 9113, 8.2.3). A head that names two hosts could be read in two ways, and is refused.
pub(super) fn unify(parts: &mut Parts) -> Result<(), Refusal> {
    join_cookies(&mut parts.headers);
    let Some(authority) = parts.uri.authority() else { return Ok(()) };
    let named: Vec<&HeaderValue> = parts.headers.get_all(header::HOST).iter().collect();
    match named[..] {
        [] => {}
        [host] if host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes()) => {}
        _ => return Err(Refusal::BadHost),
    }
    let host = HeaderValue::from_str(authority.as_str()).map_err(|_| Refusal::BadHost)?;
    parts.headers.insert(header::HOST, host);
    // A CONNECT has no path: it keeps its target, at which nothing is served.
    if let Some(path) = parts.uri.path_and_query() {
        parts.uri = Uri::from(path.clone());
    }
    Ok(())
}

fn join_cookies(headers: &mut HeaderMap) {
    let crumbs: Vec<&[u8]> = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if crumbs.len() > 1 {
        let joined = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])).expect("values with a separator are a value");
        headers.insert(header::COOKIE, joined);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, Request};

    fn unified(target: &str, fields: &[(HeaderName, &str)]) -> Result<(String, HeaderMap), u16> {
        let mut request = Request::builder().uri(target);
        for (name, value) in fields {
            request = request.header(name, *value);
        }
        let mut parts = request.body(()).unwrap().into_parts().0;
        unify(&mut parts).map_err(|refusal| refusal.status().as_u16())?;
        Ok((parts.uri.to_string(), parts.headers))
    }

    #[test]
    fn the_host_is_in_one_place() {
        const LOCAL: (HeaderName, &str) = (header::HOST, "localhost:1");
        const EVIL: (HeaderName, &str) = (header::HOST, "evil.example");
        for (target, fields, expected) in [
            ("http://localhost:1/a/b?c=d", &[][..], Ok(("/a/b?c=d", &["localhost:1"][..]))),
            ("http://localhost:1/", &[LOCAL], Ok(("/", &["localhost:1"]))),
            ("http://LOCALHOST:1/", &[LOCAL], Ok(("/", &["LOCALHOST:1"]))),
            ("http://localhost:1/", &[EVIL], Err(400)),
            ("http://evil.example/", &[LOCAL], Err(400)),
            ("http://localhost/", &[LOCAL], Err(400)),
            ("http://localhost:1/", &[LOCAL, LOCAL], Err(400)),
            ("http://localhost:1/", &[LOCAL, EVIL], Err(400)),
            // A proxy may have left Host as it was; then the guard asks for one, and for one only.
            ("/a", &[LOCAL], Ok(("/a", &["localhost:1"]))),
            ("/a", &[LOCAL, EVIL], Ok(("/a", &["localhost:1", "evil.example"]))),
            ("/a", &[], Ok(("/a", &[]))),
            ("localhost:1", &[], Ok(("localhost:1", &["localhost:1"]))),
            // What stands before an @ stays for the guard to see.
            ("http://evil.example@localhost/", &[], Ok(("/", &["evil.example@localhost"]))),
        ] {
            let got = unified(target, fields);
            let got = got.map(|(target, headers)| {
                (target, headers.get_all(header::HOST).iter().map(|it| it.to_str().unwrap().to_owned()).collect())
            });
            let expected = expected.map(|(target, hosts)| {
                (target.to_owned(), hosts.iter().map(|it| (*it).to_owned()).collect::<Vec<String>>())
            });
            assert_eq!(got, expected, "{target} {fields:?}");
        }
    }

    #[test]
    fn cookies_are_one_field() {
        for (fields, joined) in [(&["a=1"][..], "a=1"), (&["a=1", "b=2; c=3", "d"], "a=1; b=2; c=3; d")] {
            for target in ["/", "http://localhost/"] {
                let fields: Vec<_> = fields.iter().map(|value| (header::COOKIE, *value)).collect();
                let (_, headers) = unified(target, &fields).unwrap();
                assert_eq!(headers.get_all(header::COOKIE).iter().collect::<Vec<_>>(), [joined]);
            }
        }
    }
}
