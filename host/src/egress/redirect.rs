//! Where a redirect leads and what is asked for there (RFC 9110, section 15.4). Pure.
//!
//! Whether the plugin may go there isn't decided here: the next hop passes `policy` like every request.

use http::{HeaderMap, HeaderName, Method, Response, StatusCode, Uri, header};
use url::Url;

use super::headers;

/// What stays when a redirect leads to another origin: what describes the request. All else may say who sends it (cookies, keys of
/// the guest's own), and the other origin isn't the one that it was meant for.
const KEPT_ACROSS_ORIGINS: &[HeaderName] = &[
    header::ACCEPT,
    header::ACCEPT_LANGUAGE,
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_TYPE,
    // Without its condition a change would be made that the caller doesn't want.
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_UNMODIFIED_SINCE,
    header::RANGE,
    header::USER_AGENT,
];

/// What a redirect asks for instead.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Redirect {
    pub(super) method: Method,
    pub(super) uri: Uri,
    /// The body isn't sent to the new address.
    pub(super) without_body: bool,
}

/// Reads a redirect; `None` = the answer is no redirect, or says nowhere to go. The address is relative to the one that the guest
/// asked for, not to where a rewrite has sent it.
pub(super) fn read<B>(method: &Method, uri: &Uri, answer: &Response<B>) -> Option<Redirect> {
    let (method, without_body) = match answer.status() {
        StatusCode::SEE_OTHER if method != Method::HEAD => (Method::GET, true),
        StatusCode::SEE_OTHER => (Method::HEAD, true),
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND if method == Method::POST => (Method::GET, true),
        StatusCode::MOVED_PERMANENTLY
        | StatusCode::FOUND
        | StatusCode::TEMPORARY_REDIRECT
        | StatusCode::PERMANENT_REDIRECT => (method.clone(), false),
        _ => return None,
    };
    let location = headers::single(answer.headers(), &header::LOCATION)?;
    let mut target = Url::parse(&uri.to_string()).ok()?.join(location).ok()?;
    // A fragment is for whoever reads the answer. User information stays: there is a rule that refuses it.
    target.set_fragment(None);
    Some(Redirect { method, uri: target.as_str().parse().ok()?, without_body })
}

/// Takes out of the guest's header what isn't for the next hop.
pub(super) fn clean(headers: &mut HeaderMap, from: &Uri, redirect: &Redirect) {
    let crosses = origin(from) != origin(&redirect.uri);
    let drops = |name: &HeaderName| {
        (redirect.without_body && is_of_the_change(name)) || (crosses && !KEPT_ACROSS_ORIGINS.contains(name))
    };
    headers::remove_where(headers, drops);
}

/// What goes with the body: its description, and what the change depended on. It is done, and what is read now has another version.
fn is_of_the_change(name: &HeaderName) -> bool {
    let describes = |prefix| name.as_str().starts_with(prefix);
    describes("content-") || describes("if-") || matches!(name.as_str(), "digest" | "repr-digest" | "last-modified")
}

fn origin(uri: &Uri) -> Option<url::Origin> {
    Url::parse(&uri.to_string()).ok().map(|url| url.origin())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: &str = "https://api.example/v1/users?page=1";

    fn redirect(method: Method, status: u16, locations: &[&[u8]]) -> Option<Redirect> {
        let mut answer = Response::builder().status(status);
        for location in locations {
            answer = answer.header("location", *location);
        }
        read(&method, &FROM.parse().unwrap(), &answer.body(()).unwrap())
    }

    #[test]
    fn methods_and_bodies() {
        for (status, method, expected) in [
            (301, "GET", Some(("GET", false))),
            (301, "HEAD", Some(("HEAD", false))),
            (301, "POST", Some(("GET", true))),
            (301, "PUT", Some(("PUT", false))),
            (302, "POST", Some(("GET", true))),
            (302, "DELETE", Some(("DELETE", false))),
            (303, "GET", Some(("GET", true))),
            (303, "HEAD", Some(("HEAD", true))),
            (303, "POST", Some(("GET", true))),
            (303, "PUT", Some(("GET", true))),
            (307, "POST", Some(("POST", false))),
            (308, "POST", Some(("POST", false))),
            (308, "PUT", Some(("PUT", false))),
            (200, "GET", None),
            (201, "POST", None),
            (300, "GET", None),
            (304, "GET", None),
            (305, "GET", None),
            (306, "GET", None),
            (404, "GET", None),
        ] {
            let found = redirect(method.parse().unwrap(), status, &[b"/next"]);
            let found = found.as_ref().map(|redirect| (redirect.method.as_str(), redirect.without_body));
            assert_eq!(found, expected, "{status} {method}");
        }
    }

    #[test]
    fn addresses() {
        for (location, expected) in [
            ("https://other.example/x", Some("https://other.example/x")),
            ("//other.example:8443/x?y#z", Some("https://other.example:8443/x?y")),
            ("/v2/users?a=b", Some("https://api.example/v2/users?a=b")),
            ("me", Some("https://api.example/v1/me")),
            ("../v2/me", Some("https://api.example/v2/me")),
            ("%2e%2e/me", Some("https://api.example/me")),
            ("?page=2", Some("https://api.example/v1/users?page=2")),
            ("#top", Some("https://api.example/v1/users?page=1")),
            ("", Some("https://api.example/v1/users?page=1")),
            ("\\\\169.254.169.254\\latest", Some("https://169.254.169.254/latest")),
            ("http://0xa9fea9fe/latest", Some("http://169.254.169.254/latest")),
            ("https://user:key@api.example/", Some("https://user:key@api.example/")),
            ("ftp://api.example/x", Some("ftp://api.example/x")),
            // There is a rule that refuses them for having no scheme: what they have isn't read as one.
            ("javascript:alert(1)", Some("javascript:alert(1)")),
            ("data:,x", Some("data:,x")),
            // None of these is an address.
            ("https://", None),
            ("https://a b/", None),
            ("http://[::1", None),
        ] {
            let found = redirect(Method::GET, 302, &[location.as_bytes()]).map(|redirect| redirect.uri.to_string());
            assert_eq!(found.as_deref(), expected, "{location}");
        }
        assert_eq!(redirect(Method::GET, 302, &[]), None);
        assert_eq!(redirect(Method::GET, 302, &[b"/a", b"/b"]), None);
        assert_eq!(redirect(Method::GET, 302, &[b"/\xff"]), None);
    }

    #[test]
    fn what_goes_along() {
        let sent = ["accept", "content-md5", "content-type", "cookie", "digest", "user-agent", "x-key"];
        for (to, without_body, expected) in [
            ("https://api.example/x", false, &sent[..]),
            ("https://api.example:443/x", true, &["accept", "cookie", "user-agent", "x-key"]),
            ("https://other.example/x", false, &["accept", "content-type", "user-agent"]),
            ("https://api.example:444/x", true, &["accept", "user-agent"]),
            ("http://api.example/x", true, &["accept", "user-agent"]),
        ] {
            let mut headers: HeaderMap =
                sent.iter().map(|name| (name.parse::<HeaderName>().unwrap(), "1".parse().unwrap())).collect();
            let redirect = Redirect { method: Method::GET, uri: to.parse().unwrap(), without_body };
            clean(&mut headers, &FROM.parse().unwrap(), &redirect);
            let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
            names.sort_unstable();
            assert_eq!(names, expected, "{to}");
        }
    }

    #[test]
    fn a_condition_goes_where_the_change_goes() {
        let sent = ["if-match", "if-modified-since", "if-none-match", "if-unmodified-since"];
        for (to, without_body, expected) in [
            ("https://api.example/x", false, &sent[..]),
            ("https://other.example/x", false, &["if-match", "if-none-match", "if-unmodified-since"]),
            // The change is made: what is read then has another version, and would be withheld or refused.
            ("https://api.example/x", true, &[]),
            ("https://other.example/x", true, &[]),
        ] {
            let headers = sent.iter().map(|name| (HeaderName::from_static(name), "\"1\"".parse().unwrap()));
            let mut headers: HeaderMap = headers.collect();
            let redirect = Redirect { method: Method::GET, uri: to.parse().unwrap(), without_body };
            clean(&mut headers, &FROM.parse().unwrap(), &redirect);
            let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
            names.sort_unstable();
            assert_eq!(names, expected, "{to}");
        }
    }
}
