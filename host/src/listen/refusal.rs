//! Why a request doesn't get in. Each door renders it in its own form.

use std::time::Duration;

use http::StatusCode;

/// Why a request is refused before its door has looked at it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// It isn't clear for which host the request is.
    #[error(
        "expected one host, in a Host header or over HTTP/2 in :authority, or the same in both: a name or an address, and perhaps a port"
    )]
    BadHost,
    /// The request is for another host: a proxy's mistake, or a page whose name was pointed at this address (DNS rebinding).
    #[error(
        "nothing is served under the name {name}; if this host is meant by it, add it in airlock.toml: [listen] hosts = [\"{name}\"]"
    )]
    OtherHost {
        /// The name that was asked for.
        name: String,
    },
    /// A page may not call from where it comes from.
    #[error(
        "pages of the origin {origin} may not call; those of localhost may if they call localhost, and on the REST and MCP listeners \
         those that airlock.toml names: [listen] origins = [\"https://app.example.com\"]"
    )]
    ForeignOrigin {
        /// What the browser says.
        origin: String,
    },
    /// The head has more fields than it may have.
    #[error("the request has more than {fields} header fields, the limit")]
    HeadTooLarge {
        /// How many it may have.
        fields: usize,
    },
    /// The body hasn't come within its time.
    #[error("the body was not received within {limit:?}, the limit")]
    SlowBody {
        /// The time.
        limit: Duration,
    },
    /// The body has stopped coming.
    #[error("nothing of the body was received for {limit:?}, the limit")]
    StalledBody {
        /// The time.
        limit: Duration,
    },
    /// The host is doing as much as it can, for this client or at all.
    #[error(
        "there is no place for the request: an address has {of_each} connections and requests at a time, all together have {of_all}; \
         try again when others are answered"
    )]
    NoPlace {
        /// How many places an address has.
        of_each: usize,
        /// How many there are.
        of_all: usize,
    },
}

impl Refusal {
    /// The status of the answer.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::BadHost => StatusCode::BAD_REQUEST,
            Self::OtherHost { .. } => StatusCode::MISDIRECTED_REQUEST,
            Self::ForeignOrigin { .. } => StatusCode::FORBIDDEN,
            Self::HeadTooLarge { .. } => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::SlowBody { .. } | Self::StalledBody { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::NoPlace { .. } => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}
