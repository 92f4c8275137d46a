//! `scheme://*.host[:port][/prefix]` or the same without a star: the destinations that plugins declare and operators grant.
//!
//! A request has a [`Destination`], which never holds a star: the types keep what is allowed and what is asked for apart. No list of
//! public suffixes is consulted: `*.co.uk` is what it says.

use std::{fmt, net::IpAddr};

use super::destination::{BadDestination, Destination, Scheme};

/// Destinations that are allowed together: the paths below a prefix, at one host or at all hosts one level below a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// `http` or `https`.
    pub scheme: Scheme,
    /// The host, or hosts.
    pub hosts: Hosts,
    /// The port, the scheme's default where none was written.
    pub port: u16,
    /// A path prefix as in [`Destination`].
    pub prefix: String,
}

/// The hosts of a pattern, in the canonical form of a destination's host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hosts {
    /// This one.
    One(String),
    /// Every name that has exactly one label more than this one: `*.example.com` has `a.example.com`, and neither `example.com`
    /// nor `a.b.example.com`. As with certificates, whoever holds a name deeper down may be somebody else.
    Below(String),
}

impl Pattern {
    /// Reads `scheme://host[:port][/prefix]`, where `host` may begin with `*.`.
    pub fn parse(text: &str) -> Result<Self, BadDestination> {
        let starred = text.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.strip_prefix("*.")?)));
        let Some((scheme, base)) = starred else {
            return Destination::parse(text).map(Self::from);
        };
        let base = Destination::parse(&format!("{scheme}://{base}"))?;
        // Addresses have no levels of names, and a star over a whole top-level domain grants half the world.
        if base.host.parse::<IpAddr>().is_ok() || !base.host.contains('.') {
            return Err(BadDestination::Wildcard(base.host));
        }
        Ok(Self { hosts: Hosts::Below(base.host.clone()), ..Self::from(base) })
    }

    /// The destination that this is, where it is a single one.
    pub fn single(&self) -> Option<Destination> {
        match &self.hosts {
            Hosts::One(host) => Some(self.at(host)),
            Hosts::Below(_) => None,
        }
    }

    /// The same at one host.
    pub fn at(&self, host: &str) -> Destination {
        Destination { scheme: self.scheme, host: host.to_owned(), port: self.port, prefix: self.prefix.clone() }
    }
}

impl Hosts {
    /// Whether a destination's host is among them. Text is compared with text; nothing is resolved.
    pub fn contains(&self, host: &str) -> bool {
        match self {
            Self::One(only) => only == host,
            Self::Below(base) => parent(host) == Some(base),
        }
    }

    /// Whether there is a host that is among both.
    pub fn overlap(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::One(host), hosts) | (hosts, Self::One(host)) => hosts.contains(host),
            (Self::Below(one), Self::Below(other)) => one == other,
        }
    }
}

/// A name without its first label.
fn parent(name: &str) -> Option<&str> {
    name.split_once('.').map(|(_, parent)| parent)
}

impl From<Destination> for Pattern {
    fn from(it: Destination) -> Self {
        Self { scheme: it.scheme, hosts: Hosts::One(it.host), port: it.port, prefix: it.prefix }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.hosts {
            Hosts::One(host) => self.at(host).fmt(f),
            Hosts::Below(base) => self.at(&format!("*.{base}")).fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_pattern_are_one_value() {
        for (written, canonical) in [
            ("https://*.example.com", "https://*.example.com"),
            ("HTTPS://*.EXAMPLE.com:443/", "https://*.example.com"),
            ("http://*.bücher.example:8080/v1/", "http://*.xn--bcher-kva.example:8080/v1"),
            ("https://*.eu.example.com", "https://*.eu.example.com"),
            ("https://Example.com/v1", "https://example.com/v1"),
            ("http://0x7f.1", "http://127.0.0.1"),
        ] {
            let parsed = Pattern::parse(written).unwrap_or_else(|e| panic!("{written}: {e}"));
            assert_eq!(parsed.to_string(), canonical, "{written}");
            assert_eq!(Pattern::parse(canonical), Ok(parsed), "{written}");
        }
    }

    #[test]
    fn a_star_is_the_whole_first_label_of_a_longer_name() {
        use BadDestination as Bad;
        let host = |text: &str| Err(Bad::Host(text.to_owned()));
        let wildcard = |text: &str| Err(Bad::Wildcard(text.to_owned()));
        for (written, expected) in [
            ("https://*", host("*")),
            ("https://*:8080", host("*")),
            ("https://*.", host("")),
            ("https://*.com", wildcard("com")),
            ("https://*.localhost", wildcard("localhost")),
            ("https://*.*.example.com", host("*.example.com")),
            ("https://a.*.example.com", host("a.*.example.com")),
            ("https://a*.example.com", host("a*.example.com")),
            ("https://*a.example.com", host("*a.example.com")),
            ("https://**.example.com", host("**.example.com")),
            ("https://%2a.example.com", host("%2a.example.com")),
            ("https://＊.example.com", host("＊.example.com")),
            ("https://*。example.com", host("*。example.com")),
            ("https://*..example.com", host(".example.com")),
            ("https://*.example.com.", Err(Bad::FinalDot("example.com.".into()))),
            ("https://*.127.0.0.1", wildcard("127.0.0.1")),
            ("https://*.0.0.1", wildcard("0.0.0.1")),
            ("https://*.0x7f.1", wildcard("127.0.0.1")),
            ("https://*.[::1]", wildcard("::1")),
            ("https://x@*.example.com", Err(Bad::Userinfo)),
            ("*.example.com", Err(Bad::NoScheme)),
        ] {
            assert_eq!(Pattern::parse(written), expected, "{written}");
            assert!(Destination::parse(written).is_err(), "a request's destination has no star: {written}");
        }
    }

    #[test]
    fn one_level_and_no_other() {
        let hosts = Pattern::parse("https://*.example.com").unwrap().hosts;
        for (host, expected) in [
            ("a.example.com", true),
            ("xn--bcher-kva.example.com", true),
            ("example.com", false),
            ("a.b.example.com", false),
            ("aexample.com", false),
            ("a.example.com.evil.test", false),
            ("a.example.comx", false),
            ("com", false),
            ("127.0.0.1", false),
            ("::1", false),
        ] {
            assert_eq!(hosts.contains(host), expected, "{host}");
        }
    }

    #[test]
    fn hosts_that_overlap() {
        let hosts = |host: &str| Pattern::parse(&format!("https://{host}")).unwrap().hosts;
        for (one, other, expected) in [
            ("a.example", "a.example", true),
            ("a.example", "b.example", false),
            ("*.x.example", "a.x.example", true),
            ("*.x.example", "a.b.x.example", false),
            ("*.x.example", "x.example", false),
            ("*.x.example", "*.x.example", true),
            ("*.x.example", "*.a.x.example", false),
        ] {
            assert_eq!(hosts(one).overlap(&hosts(other)), expected, "{one} {other}");
            assert_eq!(hosts(other).overlap(&hosts(one)), expected, "{other} {one}");
        }
    }
}
