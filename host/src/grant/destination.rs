//! `scheme://host[:port][/prefix]`: what a request asks for, in the one canonical form that `pattern` shares.
//!
//! Nothing is resolved or connected here, and nothing is decided: `egress::policy` compares destinations.

use std::fmt;

/// `scheme://host[:port][/prefix]`: an origin and the paths below a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// `http` or `https`.
    pub scheme: Scheme,
    /// A lower-case host name (ASCII form) or an address literal, without brackets.
    pub host: String,
    /// The port, the scheme's default where none was written.
    pub port: u16,
    /// A path prefix that ends at a segment's end, without the final slash; empty = every path.
    pub prefix: String,
}

/// The scheme of a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

/// Why a text is no destination.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadDestination {
    /// Not of the form `scheme://…`.
    #[error("no scheme, expected http:// or https://")]
    NoScheme,
    /// A scheme other than `http` and `https`.
    #[error("scheme is not http or https: {0}")]
    Scheme(String),
    /// `user@host`: it misleads the reader, and credentials don't belong there.
    #[error("user name or password before the host")]
    Userinfo,
    /// No host, or one that isn't a name or an address.
    #[error("host is not a name or an address: {0}")]
    Host(String),
    /// `*.com`, `*.127.0.0.1`: what follows the star is no name that has names below it.
    #[error("* stands for one label before a name of two labels or more, such as *.example.com; got: *.{0}")]
    Wildcard(String),
    /// `example.com.` means the same host as `example.com` to a resolver and another one to many servers.
    #[error("host ends with a dot: {0}")]
    FinalDot(String),
    /// Not a number from 1 to 65535.
    #[error("port is not a number from 1 to 65535: {0}")]
    Port(String),
    /// A path that a server could understand differently from how it is written.
    #[error("path {0}")]
    Path(BadPath),
    /// `?` or `#`: a destination is an origin and a path.
    #[error("query or fragment after the path")]
    Query,
}

/// Why a path can't be compared with a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPath {
    /// `*`, `a/b`.
    #[error("does not begin with a slash")]
    Relative,
    /// A backslash, a space, a byte outside ASCII: never legal in a URL, and servers repair them in different ways.
    #[error("has a character that must be percent-encoded")]
    IllegalCharacter,
    /// `%00`, `%0d%0a`: where some servers cut the path.
    #[error("has an encoded control character")]
    ControlCharacter,
    /// Overlong forms of `.` and `/` hide in such bytes.
    #[error("has encoded bytes that are not UTF-8")]
    NotUtf8,
    /// `.` or `..`, also as `%2e%2e`, `%252e`, `..%2f`, `..;x`: it could climb out of a prefix.
    #[error("has a segment that is . or ..")]
    DotSegment,
    /// Encoded again and again: nobody knows how often the server will decode it.
    #[error("is percent-encoded more than three times over")]
    Obscured,
}

impl Destination {
    /// Reads `scheme://host[:port][/prefix]`.
    pub fn parse(text: &str) -> Result<Self, BadDestination> {
        let (scheme, rest) = text.split_once("://").ok_or(BadDestination::NoScheme)?;
        if rest.contains(['?', '#']) {
            return Err(BadDestination::Query);
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        Self::from_parts(scheme, authority, path)
    }

    /// The same from the parts of a URL. What plugins declare, operators grant and requests ask for all comes through here, so
    /// that two spellings of one place are one value and can be compared as text: `http://0x7f.1` is `127.0.0.1`.
    ///
    /// It does NOT decode the path, it only refuses what could mean another path than it says: `/%61` isn't below `/a`.
    pub fn from_parts(scheme: &str, authority: &str, path: &str) -> Result<Self, BadDestination> {
        let scheme = if scheme.eq_ignore_ascii_case("https") {
            Scheme::Https
        } else if scheme.eq_ignore_ascii_case("http") {
            Scheme::Http
        } else {
            return Err(BadDestination::Scheme(scheme.to_owned()));
        };
        if authority.contains('@') {
            return Err(BadDestination::Userinfo);
        }
        let host_end = if authority.starts_with('[') {
            authority.find(']').map_or(authority.len(), |bracket| bracket + 1)
        } else {
            authority.find(':').unwrap_or(authority.len())
        };
        let (host, port) = authority.split_at(host_end);
        check_path(path).map_err(BadDestination::Path)?;
        Ok(Self {
            scheme,
            host: canonical_host(host)?,
            port: read_port(port, scheme)?,
            prefix: path.trim_end_matches('/').to_owned(),
        })
    }

    /// The same without the path.
    pub fn origin(&self) -> Self {
        Self { prefix: String::new(), ..self.clone() }
    }

    /// Whether it lies within another one: of the same origin, and below its prefix.
    pub fn is_within(&self, other: &Self) -> bool {
        self.origin() == other.origin() && is_below(&other.prefix, &self.prefix)
    }

    /// `host[:port]` as it stands in a URL and in the `Host` header: brackets around IPv6, no default port.
    pub fn authority(&self) -> String {
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        if self.port == self.scheme.default_port() {
            format!("{open}{}{close}", self.host)
        } else {
            format!("{open}{}{close}:{}", self.host, self.port)
        }
    }
}

/// A prefix ends at the end of a segment: `/v1` covers `/v1/users` and not `/v10`.
pub(crate) fn is_below(prefix: &str, path: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme.as_str(), self.authority(), self.prefix)
    }
}

impl Scheme {
    /// As it stands in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

fn canonical_host(text: &str) -> Result<String, BadDestination> {
    match url::Host::parse(text) {
        Ok(url::Host::Ipv4(address)) => Ok(address.to_string()),
        Ok(url::Host::Ipv6(address)) => Ok(address.to_string()),
        Ok(url::Host::Domain(name)) if name.ends_with('.') => Err(BadDestination::FinalDot(name)),
        // The URL standard lets more through than is in any host name.
        Ok(url::Host::Domain(name)) if name.len() <= MAX_NAME && name.split('.').all(is_label) => Ok(name),
        _ => Err(BadDestination::Host(text.to_owned())),
    }
}

/// The longest name that the DNS can hold, as text (RFC 1035, 2.3.4).
const MAX_NAME: usize = 253;

/// The longest label (RFC 1035, 2.3.4).
const MAX_LABEL: usize = 63;

fn is_label(text: &str) -> bool {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    (1..=MAX_LABEL).contains(&text.len()) && text.bytes().all(is_legal)
}

/// `text` is what follows the host: nothing, or a colon and a number.
fn read_port(text: &str, scheme: Scheme) -> Result<u16, BadDestination> {
    if text.is_empty() {
        return Ok(scheme.default_port());
    }
    text.strip_prefix(':')
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|digits| digits.parse().ok())
        .filter(|port| *port != 0)
        .ok_or_else(|| BadDestination::Port(text.to_owned()))
}

/// Refuses a path that a server, having decoded it as often and as generously as servers do, could take for a path elsewhere.
/// An encoded slash alone is allowed: `/projects/group%2Fname` can't leave `/projects`.
fn check_path(path: &str) -> Result<(), BadPath> {
    if !path.is_empty() && !path.starts_with('/') {
        return Err(BadPath::Relative);
    }
    if path.bytes().any(|byte| !byte.is_ascii_graphic() || byte == b'\\') {
        return Err(BadPath::IllegalCharacter);
    }
    let mut text = path.to_owned();
    for _ in 0..=3 {
        if text.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(BadPath::ControlCharacter);
        }
        if text.split(['/', '\\']).any(is_dot_segment) {
            return Err(BadPath::DotSegment);
        }
        let decoded = percent_encoding::percent_decode_str(&text).decode_utf8().map_err(|_| BadPath::NotUtf8)?;
        if decoded == text.as_str() {
            return Ok(());
        }
        text = decoded.into_owned();
    }
    Err(BadPath::Obscured)
}

/// Servlet containers cut a segment at its semicolon before they look at its dots, and Windows drops spaces behind them.
fn is_dot_segment(segment: &str) -> bool {
    let name = segment.split(';').next().unwrap_or_default().trim();
    name == "." || name == ".."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_destination_are_one_value() {
        for (written, canonical) in [
            ("https://api.m3ter.com", "https://api.m3ter.com"),
            ("HTTPS://API.M3TER.COM:443/", "https://api.m3ter.com"),
            ("http://api.m3ter.com:443", "http://api.m3ter.com:443"),
            ("https://api.m3ter.com:8443/v1//", "https://api.m3ter.com:8443/v1"),
            ("https://bücher.example/a;b=1", "https://xn--bcher-kva.example/a;b=1"),
            ("https://ａｐｉ.example", "https://api.example"),
            ("http://127.1", "http://127.0.0.1"),
            ("http://2130706433/", "http://127.0.0.1"),
            ("http://0x7f.1/", "http://127.0.0.1"),
            ("http://0177.0.0.1/", "http://127.0.0.1"),
            ("http://%6c%6fcalhost", "http://localhost"),
            ("http://１２７.0.0.1", "http://127.0.0.1"),
            ("http://①②⑦.0.0.1", "http://127.0.0.1"),
            ("http://017700000001", "http://127.0.0.1"),
            ("http://0x7f.0.0.01", "http://127.0.0.1"),
            ("http://127。0。0。1", "http://127.0.0.1"),
            ("http://127.0.0.1.", "http://127.0.0.1"),
            ("http://0xA9FEA9FE", "http://169.254.169.254"),
            ("https://exa\u{ad}mple.com", "https://example.com"),
            ("https://exa\u{200b}mple.com", "https://example.com"),
            ("https://faß.example", "https://xn--fa-hia.example"),
            // Letters of another script make another name, which nobody has granted: it isn't refused, it doesn't fit.
            ("https://ехample.com", "https://xn--ample-ywe6i.com"),
            ("http://[0:0::1]:8080", "http://[::1]:8080"),
            ("http://[::ffff:7f00:1]", "http://[::ffff:127.0.0.1]"),
            ("https://host/projects/group%2Fname", "https://host/projects/group%2Fname"),
            ("https://host/a/100%25", "https://host/a/100%25"),
            ("https://host/a/...", "https://host/a/..."),
        ] {
            let parsed = Destination::parse(written).unwrap_or_else(|e| panic!("{written}: {e}"));
            assert_eq!(parsed.to_string(), canonical, "{written}");
            assert_eq!(Destination::parse(canonical), Ok(parsed), "{written}");
        }
    }

    #[test]
    fn what_is_no_destination() {
        use BadDestination as Bad;
        let host = |text: &str| Bad::Host(text.to_owned());
        for (written, expected) in [
            ("api.m3ter.com", Bad::NoScheme),
            ("ftp://host", Bad::Scheme("ftp".into())),
            ("https://api.m3ter.com@evil.example", Bad::Userinfo),
            ("https://:@host", Bad::Userinfo),
            ("https://", host("")),
            ("https:///path", host("")),
            ("https://host name", host("host name")),
            ("https://{host}", host("{host}")),
            ("https://*.example", host("*.example")),
            ("https://api.m3ter.com.", Bad::FinalDot("api.m3ter.com.".into())),
            ("https://api.m3ter.com。", Bad::FinalDot("api.m3ter.com.".into())),
            ("https://a..example", host("a..example")),
            ("https://.example", host(".example")),
            ("https://example\u{2024}com@evil", Bad::Userinfo),
            ("https://api.m3ter.com\\@evil.example", Bad::Userinfo),
            ("https://api.m3ter.com\\.evil.example", host("api.m3ter.com\\.evil.example")),
            ("https://api.m3ter.com%2f.evil.example", host("api.m3ter.com%2f.evil.example")),
            ("https://api.m3ter.com%00.evil.example", host("api.m3ter.com%00.evil.example")),
            ("https://api.m3ter.com\r\nHost: x", host("api.m3ter.com\r\nHost")),
            ("https://api\t.m3ter.com", host("api\t.m3ter.com")),
            (" https://host", Bad::Scheme(" https".into())),
            ("http:///[::1]", host("")),
            ("http://[127.0.0.1]", host("[127.0.0.1]")),
            ("http://[::1%lo]", host("[::1%lo]")),
            ("http://0x100000000", host("0x100000000")),
            ("http://[::1", host("[::1")),
            ("http://[fe80::1%25eth0]", host("[fe80::1%25eth0]")),
            ("http://256.1.1.1.", host("256.1.1.1.")),
            ("http://1.2.3.4.5", host("1.2.3.4.5")),
            ("https://host:", Bad::Port(":".into())),
            ("https://host:0", Bad::Port(":0".into())),
            ("https://host:65536", Bad::Port(":65536".into())),
            ("https://host:+80", Bad::Port(":+80".into())),
            ("https://host:80:80", Bad::Port(":80:80".into())),
            ("http://[::1]x", Bad::Port("x".into())),
            ("https://host?x", Bad::Query),
            ("https://host/#x", Bad::Query),
        ] {
            assert_eq!(Destination::parse(written), Err(expected), "{written}");
        }
    }

    #[test]
    fn paths_that_could_mean_another_path() {
        for (path, expected) in [
            ("*", BadPath::Relative),
            ("v1", BadPath::Relative),
            ("/v1\\..\\admin", BadPath::IllegalCharacter),
            ("/v1/a b", BadPath::IllegalCharacter),
            ("/v1/é", BadPath::IllegalCharacter),
            ("/v1/..", BadPath::DotSegment),
            ("/v1/./x", BadPath::DotSegment),
            ("/v1/../admin", BadPath::DotSegment),
            ("/v1/%2e%2E/admin", BadPath::DotSegment),
            ("/v1/.%2e/admin", BadPath::DotSegment),
            ("/v1/x%2f..%2fadmin", BadPath::DotSegment),
            ("/v1/..%5cadmin", BadPath::DotSegment),
            ("/v1/%252e%252e/admin", BadPath::DotSegment),
            ("/v1/%25252e%25252e/admin", BadPath::DotSegment),
            ("/v1/..;/admin", BadPath::DotSegment),
            ("/v1/..%3bx/admin", BadPath::DotSegment),
            ("/v1/..%20/admin", BadPath::DotSegment),
            ("/v1/%00", BadPath::ControlCharacter),
            ("/v1/a%0d%0aHost:%20evil", BadPath::ControlCharacter),
            ("/v1/%c0%ae%c0%ae/admin", BadPath::NotUtf8),
            ("/v1/%252525252e%252525252e/admin", BadPath::Obscured),
        ] {
            let parsed = Destination::from_parts("https", "host", path);
            assert_eq!(parsed, Err(BadDestination::Path(expected)), "{path}");
        }
    }
}
