//! Base URIs and paths: from text to the parts of a request, or the reason why not.

use std::net::Ipv6Addr;

use super::template::{Piece, split_path};
use crate::grant::Destination;

/// Where an upstream is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUri {
    /// `http` or `https`.
    pub scheme: String,
    /// `host[:port]`, in small letters, without the scheme's own port.
    pub authority: String,
    /// What comes before each path: empty, or with a slash in front and none at the end.
    pub prefix: String,
}

/// A path whose text is encoded and whose variables are named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathTemplate {
    /// Text and variables in turn; the first begins with a slash.
    pub pieces: Vec<Piece>,
}

impl BaseUri {
    /// Reads a base URI; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").ok_or("it has no scheme")?;
        let scheme = scheme.to_ascii_lowercase();
        let default_port = match scheme.as_str() {
            "https" => "443",
            "http" => "80",
            _ => return Err(format!("its scheme is {scheme:?}")),
        };
        if let Some(c) = rest.chars().find(|c| "?#@\\".contains(*c) || c.is_whitespace()) {
            return Err(format!("it has {c:?} in it"));
        }
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, ""),
        };
        let base = Self { authority: parse_authority(authority, default_port)?, prefix: parse_prefix(path)?, scheme };
        check_with_mediator(&base.to_url())?;
        Ok(base)
    }

    /// `scheme://host[:port][/prefix]`.
    pub fn to_url(&self) -> String {
        format!("{}://{}{}", self.scheme, self.authority, self.prefix)
    }
}

/// What the mediator would refuse at every request is refused here, where its place in the document is known.
fn check_with_mediator(url: &str) -> Result<(), String> {
    Destination::parse(url).map(drop).map_err(|e| format!("the mediator would refuse it: {e}"))
}

fn parse_authority(text: &str, default_port: &str) -> Result<String, String> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    if !is_host(host) {
        return Err(format!("its host is {host:?}"));
    }
    let host = host.to_ascii_lowercase();
    match port {
        None => Ok(host),
        Some(port) if port == default_port => Ok(host),
        Some(port) => match port.parse::<u16>() {
            Ok(number) if number > 0 && port.bytes().all(|b| b.is_ascii_digit()) => Ok(format!("{host}:{number}")),
            _ => Err(format!("its port is {port:?}")),
        },
    }
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let is_label =
        |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let host = host.strip_suffix('.').unwrap_or(host);
    host.len() <= 253 && host.split('.').all(is_label)
}

fn parse_prefix(path: &str) -> Result<String, String> {
    let path = path.trim_end_matches('/');
    if path.is_empty() {
        return Ok(String::new());
    }
    let template = PathTemplate::parse(path)?;
    match template.pieces.as_slice() {
        [Piece::Text(prefix)] => Ok(prefix.clone()),
        _ => Err("it has a variable in it".to_owned()),
    }
}

impl PathTemplate {
    /// Reads a path; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if !text.starts_with('/') {
            return Err("it doesn't begin with a slash".to_owned());
        }
        let mut pieces = split_path(text).map_err(|error| error.to_string())?;
        for piece in &mut pieces {
            if let Piece::Text(text) = piece {
                *text = encode(text)?;
            }
        }
        let template = Self { pieces };
        template.check_segments()?;
        Ok(template)
    }

    /// The names of the variables, in their order.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Variable(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// The path with its variables in single braces.
    pub fn to_text(&self) -> String {
        self.write(|name| format!("{{{name}}}"))
    }

    /// The path without the names of its variables: equal for paths that match the same requests.
    pub fn shape(&self) -> String {
        self.write(|_| "{}".to_owned())
    }

    fn write(&self, variable: impl Fn(&str) -> String) -> String {
        let pieces = self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Variable(name) => variable(name),
        });
        pieces.collect()
    }

    fn check_segments(&self) -> Result<(), String> {
        let shape = self.shape().to_ascii_lowercase().replace("%2e", ".");
        match shape.split('/').find(|segment| matches!(*segment, "." | "..")) {
            Some(segment) => Err(format!("it has a segment {segment:?}")),
            None => check_with_mediator(&format!("https://host{}", self.shape().replace("{}", "x"))),
        }
    }
}

/// Encodes what can't be in a path; what is encoded already stays.
fn encode(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    for (index, c) in text.char_indices() {
        match c {
            '?' | '#' | '\\' => return Err(format!("it has {c:?} in it")),
            '%' if !is_encoded(&text.as_bytes()[index + 1..]) => out.push_str("%25"),
            c if c.is_ascii_alphanumeric() || "/-._~!$&'()*+,;=:@%".contains(c) => out.push(c),
            c => {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    out.push_str(&format!("%{byte:02X}"));
                }
            }
        }
    }
    Ok(out)
}

fn is_encoded(after_percent: &[u8]) -> bool {
    matches!(after_percent, [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_uris() {
        for (text, url) in [
            ("https://api.m3ter.com", "https://api.m3ter.com"),
            ("https://api.equinix.com/metal/v1", "https://api.equinix.com/metal/v1"),
            ("HTTPS://API.Example.com:443/", "https://api.example.com"),
            ("http://127.0.0.1:4010//", "http://127.0.0.1:4010"),
        ] {
            assert_eq!(BaseUri::parse(text).unwrap().to_url(), url);
        }
        assert_eq!(BaseUri::parse("http://[::1]:8080/x").unwrap().authority, "[::1]:8080");
    }

    #[test]
    fn refused_base_uris() {
        for text in [
            "api.example.com",
            "ftp://a",
            "https://",
            "https:///x",
            "https://u:p@a",
            "https://a?x",
            "https://a#x",
            "https://a b",
            "https://a:0",
            "https://a:99999",
            "https://a:+1",
            "https://a:",
            "https://é.com",
            "https://a/../b",
            "https://a/%2e%2E",
            "https://a/{x}",
            "https://a\\@b",
            "https://[::z]",
            "https://a..b",
            "https://a.example.",
            "https://1.2.3.4.5",
            "https://xn--a.example",
            "https://a/..;x",
        ] {
            assert!(BaseUri::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn paths_are_encoded_once() {
        for (text, expected) in [
            ("/a b/{id}", "/a%20b/{id}"),
            ("/a%20b/{{id}}", "/a%20b/{id}"),
            ("/100%/é", "/100%25/%C3%A9"),
            ("/users/{id}.json", "/users/{id}.json"),
            ("/", "/"),
        ] {
            assert_eq!(PathTemplate::parse(text).unwrap().to_text(), expected);
        }
    }

    #[test]
    fn refused_paths() {
        for text in [
            "",
            "users",
            "/a?b=c",
            "/a#b",
            "/a/../b",
            "/./a",
            "/%2e%2e/a",
            "/%252e%252e/a",
            "/..;x/a",
            "/a%00",
            "/%c0%ae",
            "/{a",
            "/a\\b",
        ] {
            assert!(PathTemplate::parse(text).is_err(), "{text}");
        }
    }
}
