//! What an operator names: hosts under which the listeners are reached, and origins of pages that may call them.
//!
//! Who may get in with them is `guard`'s to say.

use std::{
    fmt::{self, Display, Formatter},
    str::FromStr,
};

use url::{Host, Url};

/// A name of the host, such as `airlock.example.com`; in small letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName(String);

/// A text is no name.
#[derive(Debug, thiserror::Error)]
#[error(
    "expected a name such as airlock.example.com, without scheme, port and wildcard; localhost and IP addresses get in \
     without being named"
)]
pub struct BadHostName;

impl FromStr for HostName {
    type Err = BadHostName;

    fn from_str(text: &str) -> Result<Self, BadHostName> {
        match Host::parse(text) {
            Ok(Host::Domain(name)) if !name.contains('*') => Ok(Self(name)),
            _ => Err(BadHostName),
        }
    }
}

impl HostName {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The origin of pages, such as `https://app.example.com`: exactly as browsers send it, so that bytes can be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    text: String,
    is_local: bool,
}

/// A text is no origin.
#[derive(Debug, thiserror::Error)]
#[error(
    "expected scheme://host[:port] as browsers send it, such as https://app.example.com: without path and default port"
)]
pub struct BadOrigin;

impl FromStr for Origin {
    type Err = BadOrigin;

    fn from_str(text: &str) -> Result<Self, BadOrigin> {
        let url = Url::parse(text).map_err(|_| BadOrigin)?;
        let is_written_so = url.origin().ascii_serialization() == text;
        match url.host() {
            Some(host) if is_written_so && matches!(url.scheme(), "http" | "https") => {
                Ok(Self { text: text.to_owned(), is_local: is_local(&host) })
            }
            _ => Err(BadOrigin),
        }
    }
}

impl Origin {
    /// Whether the page was served by the machine that the browser runs on.
    pub(super) fn is_local(&self) -> bool {
        self.is_local
    }
}

impl Display for Origin {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether a host is always the machine itself.
pub(super) fn is_local<S: AsRef<str>>(host: &Host<S>) -> bool {
    match host {
        Host::Domain(name) => name.as_ref() == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_texts_are_names() {
        for (text, name) in [
            ("airlock.example.com", Some("airlock.example.com")),
            ("Airlock.Example.COM", Some("airlock.example.com")),
            ("bücher.example", Some("xn--bcher-kva.example")),
            ("airlock", Some("airlock")),
            ("", None),
            ("*.example.com", None),
            ("https://airlock.example.com", None),
            ("airlock.example.com:8080", None),
            ("airlock.example.com/path", None),
            ("10.0.0.1", None),
            ("[::1]", None),
        ] {
            assert_eq!(text.parse::<HostName>().ok().as_ref().map(HostName::as_str), name, "{text}");
        }
    }

    #[test]
    fn which_texts_are_origins() {
        for (text, is_local) in [
            ("https://app.example.com", Some(false)),
            ("http://app.example.com:8443", Some(false)),
            ("http://10.0.0.1", Some(false)),
            ("http://localhost:3000", Some(true)),
            ("https://127.0.0.1:1", Some(true)),
            ("http://127.1.2.3", Some(true)),
            ("http://[::1]:1", Some(true)),
            ("http://localhost.evil.example", Some(false)),
            ("http://localhost.", Some(false)),
            ("", None),
            ("*", None),
            ("null", None),
            ("app.example.com", None),
            ("https://app.example.com/", None),
            ("https://app.example.com:443", None),
            ("https://App.example.com", None),
            ("https://user@app.example.com", None),
            ("https://app.example.com?", None),
            ("http://0x7f.1", None),
            ("file://", None),
            ("ftp://localhost", None),
            ("chrome-extension://abc", None),
            ("http://localhost http://evil.example", None),
        ] {
            assert_eq!(text.parse::<Origin>().ok().as_ref().map(Origin::is_local), is_local, "{text}");
        }
    }
}
