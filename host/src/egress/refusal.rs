//! Why a request got no answer, in words that the caller may read.
//!
//! No address, no secret and no text of a library gets in here: those belong in the log, at the place where they are known.

use std::{fmt, time::Duration};

use http::{Method, Uri};

use crate::failure::seconds;

/// Why a request got no answer, or why the answer broke off. Every text is fit for the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A rule forbids the request. Nothing has been sent.
    #[error(transparent)]
    Denied(Denial),
    /// The upstream couldn't be reached or didn't speak HTTP to the end.
    #[error("upstream is unavailable: {host}: {fault}")]
    Unavailable {
        /// The host as the plugin asked for it.
        host: String,
        /// What went wrong.
        fault: Fault,
    },
    /// The upstream took too long.
    #[error("upstream timed out: {host}: {wait}")]
    TimedOut {
        /// The host as the plugin asked for it.
        host: String,
        /// What took too long.
        wait: Wait,
    },
    /// The answer is larger than the grant allows.
    #[error("upstream answer is too large: {host}: more than {limit} bytes")]
    ResponseTooLarge {
        /// The host as the plugin asked for it.
        host: String,
        /// The grant's limit in bytes.
        limit: usize,
    },
    /// The answer is compressed though `identity` was asked for: secrets couldn't be found in it.
    #[error("upstream answer is compressed, secrets can't be removed from it: {host}")]
    ResponseEncoded {
        /// The host as the plugin asked for it.
        host: String,
    },
    /// The request needs an access token, and none can be had now. Nothing has been sent.
    #[error("no access token for the upstream: {host}: {fault}")]
    Token {
        /// The host of the token endpoint that the operator names.
        host: String,
        /// What went wrong there.
        fault: TokenFault,
    },
    /// The plugin's own request body failed or didn't match its length.
    #[error("request body broke off")]
    RequestBroken,
    /// The plugin's own request is larger than the grant allows.
    #[error("request is too large: {excess}")]
    RequestTooLarge {
        /// What there is too much of.
        excess: Excess,
    },
    /// The plugin sends more requests per second than the grant allows. Nothing has been sent.
    #[error("the plugin is over its rate of requests; try again in {} s", seconds(*.retry_after))]
    RateLimited {
        /// When the next request may be sent.
        retry_after: Duration,
    },
    /// The upstream has failed too often lately to be asked now. Nothing has been sent.
    #[error("upstream has failed too often lately: {host}; it will be tried again in {} s", seconds(*.retry_after))]
    CircuitOpen {
        /// The host as the plugin asked for it.
        host: String,
        /// When the next request may be sent.
        retry_after: Duration,
    },
}

impl Refusal {
    /// A stable name for logs and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Denied(denial) => denial.rule.name(),
            Self::Unavailable { .. } => "unavailable",
            Self::TimedOut { .. } => "timed-out",
            Self::ResponseTooLarge { .. } => "response-too-large",
            Self::ResponseEncoded { .. } => "response-encoded",
            Self::Token { .. } => "no-token",
            Self::RequestBroken => "request-broken",
            Self::RequestTooLarge { .. } => "request-too-large",
            Self::RateLimited { .. } => "rate-limited",
            Self::CircuitOpen { .. } => "circuit-open",
        }
    }

    /// When to come back, in whole seconds, where that is known.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::RateLimited { retry_after } | Self::CircuitOpen { retry_after, .. } => Some(seconds(*retry_after)),
            _ => None,
        }
    }
}

/// What a request has too much of, with the grant's limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Excess {
    /// Header fields.
    #[error("more than {0} header fields")]
    Fields(usize),
    /// Bytes of the address and the header.
    #[error("address and header have more than {0} bytes")]
    Header(usize),
    /// Bytes of the body.
    #[error("its body has more than {0} bytes")]
    Body(usize),
}

/// What went wrong with an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The host's name doesn't resolve.
    #[error("host name does not resolve")]
    Resolve,
    /// No connection to any of its addresses.
    #[error("connection refused or not possible")]
    Connect,
    /// The TLS handshake failed: an untrusted certificate, or no TLS there at all.
    #[error("TLS handshake failed")]
    Tls,
    /// The connection was lost before the end of the answer.
    #[error("connection closed before the end of the answer")]
    Closed,
    /// The answer isn't HTTP, or its header section is over the limits.
    #[error("answer is not valid HTTP")]
    Malformed,
    /// The answer is compressed, and that is broken or has no end.
    #[error("compressed answer can't be read")]
    Corrupt,
    /// More redirects, one after the other, than the grant lets follow.
    #[error("too many redirects")]
    TooManyRedirects,
}

/// What went wrong with a token endpoint. Nothing of what it says is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// It couldn't be reached or didn't speak HTTP to the end.
    #[error("{0}")]
    Unavailable(Fault),
    /// It took too long, or longer than the call had time.
    #[error("no token in time")]
    TimedOut,
    /// Its public name has a private address behind it.
    #[error("its name resolves to a private address")]
    PrivateAddress,
    /// It answered with an error; a redirect is one too.
    #[error("answered with status {0}")]
    Status(u16),
    /// Its answer isn't JSON with a bearer token that can stand in a header.
    #[error("answered without a usable bearer token")]
    Malformed,
}

impl TokenFault {
    /// A stable name for the audit. An answer without a token is one and the same there: its status stands beside it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::TimedOut => "timed-out",
            Self::PrivateAddress => Rule::PrivateAddress.name(),
            Self::Status(_) | Self::Malformed => "no-token",
        }
    }
}

/// What took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wait {
    /// Resolving, connecting and the TLS handshake.
    #[error("no connection in time")]
    Connect,
    /// The header of the answer.
    #[error("no answer in time")]
    FirstByte,
    /// The call as a whole.
    #[error("no complete answer within the time of the call")]
    Call,
    /// The next part of the answer.
    #[error("no more data")]
    Idle,
}

/// A request that a rule forbids: which rule, and what would allow it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    rule: Rule,
    request: String,
    hint: String,
    /// What is denied: the plugin's own request, or where a redirect has led it.
    subject: &'static str,
}

impl Denial {
    /// `hint` says what would allow the request; for a missing grant that's the section of `airlock.toml`, ready to paste.
    pub(super) fn new(rule: Rule, method: &Method, uri: &Uri, hint: String) -> Self {
        // Enough to recognise a request. Neither user information nor query: callers' data don't belong in messages.
        let text = format!(
            "{method} {}://{}{}",
            uri.scheme_str().unwrap_or_default(),
            uri.host().unwrap_or_default(),
            uri.path()
        );
        // `Uri` lets everything outside ASCII through, C1 controls too, which rewrite a terminal. No URL that is sent has any of it.
        let visible = |c: char| if c.is_ascii_graphic() || c == ' ' { c } else { '\u{fffd}' };
        let request = text.chars().take(200).map(visible).collect();
        Self { rule, request, hint, subject: "request" }
    }

    /// The same for a request that the plugin didn't ask for: a redirect did.
    pub(super) fn of_redirect(self) -> Self {
        Self { subject: "redirect", ..self }
    }

    /// The rule that forbids it.
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// What would allow it, in one or more lines.
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} denied by rule {}: {}\n{}", self.subject, self.rule.name(), self.request, self.hint)
    }
}

impl std::error::Error for Denial {}

/// The rules of the mediator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// Only `http` and `https`.
    Scheme,
    /// A host and a port that can't be misread.
    Authority,
    /// No `user:password@host`.
    Userinfo,
    /// A path that can't be misread as another one.
    Path,
    /// No `CONNECT`, no `TRACE`.
    Method,
    /// Only what the plugin declares.
    Declared(Aspect),
    /// Only what the operator grants.
    Granted(Aspect),
    /// No private address behind a public name.
    PrivateAddress,
    /// No more requests in one call than its limit.
    Requests,
    /// No request while the plugin describes itself: nothing is granted yet.
    Describing,
    /// No address that the operator denies.
    DeniedAddress,
}

/// The part of a request that no declaration, or no grant, covers. The order is that of closeness: a request that fails for its
/// path alone is closer to being allowed than one to another host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Aspect {
    /// The host.
    Host,
    /// The scheme on that host.
    Scheme,
    /// The port of that host.
    Port,
    /// The path at that origin.
    Path,
    /// The method on that path.
    Method,
}

impl Rule {
    /// The stable name, as it stands in answers, logs and documentation.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scheme => "scheme-not-supported",
            Self::Authority => "authority-forbidden",
            Self::Userinfo => "userinfo-forbidden",
            Self::Path => "path-forbidden",
            Self::Method => "method-forbidden",
            Self::Declared(Aspect::Host) => "host-not-declared",
            Self::Declared(Aspect::Scheme) => "scheme-not-declared",
            Self::Declared(Aspect::Port) => "port-not-declared",
            Self::Declared(Aspect::Path) => "path-not-declared",
            Self::Declared(Aspect::Method) => "method-not-declared",
            Self::Granted(Aspect::Host) => "host-not-granted",
            Self::Granted(Aspect::Scheme) => "scheme-not-granted",
            Self::Granted(Aspect::Port) => "port-not-granted",
            Self::Granted(Aspect::Path) => "path-not-granted",
            Self::Granted(Aspect::Method) => "method-not-granted",
            Self::PrivateAddress => "private-address",
            Self::Requests => "too-many-requests",
            Self::Describing => "request-in-describe",
            Self::DeniedAddress => "denied-address",
        }
    }
}
