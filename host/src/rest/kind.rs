//! The types of problems: name, status and title of each. To change an error's status, type or title, change it here.
//!
//! What a problem says besides is `problem`'s.

use http::StatusCode;

use crate::failure::Cause;

/// What goes wrong, as callers are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A call fails.
    Call(Cause),
    /// Nothing is served at the path.
    NoSuchRoute,
    /// The path has other methods.
    MethodNotAllowed,
    /// The caller takes no JSON.
    NotAcceptable,
    /// The plugin can't check what the caller makes the change depend on.
    ConditionUnsupported,
    /// The body isn't JSON.
    UnsupportedMediaType,
    /// The body is compressed.
    UnsupportedContentEncoding,
    /// The body is over the limit.
    BodyTooLarge,
    /// The body ended too early.
    BodyBrokeOff,
    /// The body took too long.
    SlowBody,
    /// The head is over the limit.
    HeadTooLarge,
    /// The host is doing as much as it can.
    NoPlace,
    /// It isn't clear for which host the request is.
    BadHost,
    /// The request is for another host.
    OtherHost,
    /// A page of another origin asks.
    ForeignOrigin,
    /// No key or token of a known caller.
    Unauthenticated,
    /// More than one key or token.
    AmbiguousCredentials,
    /// The token gives no role.
    InsufficientScope,
    /// Whether the token is good can't be said now.
    IssuerUnavailable,
}

/// What every type of problem begins with.
pub(super) const URN: &str = "urn:airlock:problem:";

impl Kind {
    /// All of them: those of calls, then those of requests that no call is made of.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let calls = Cause::ALL.into_iter().map(Self::Call);
        calls.chain([
            Self::NoSuchRoute,
            Self::MethodNotAllowed,
            Self::NotAcceptable,
            Self::ConditionUnsupported,
            Self::UnsupportedMediaType,
            Self::UnsupportedContentEncoding,
            Self::BodyTooLarge,
            Self::BodyBrokeOff,
            Self::SlowBody,
            Self::HeadTooLarge,
            Self::NoPlace,
            Self::BadHost,
            Self::OtherHost,
            Self::ForeignOrigin,
            Self::Unauthenticated,
            Self::AmbiguousCredentials,
            Self::InsufficientScope,
            Self::IssuerUnavailable,
        ])
    }

    /// The last part of the type's URN: stable, callers may compare it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Call(cause) => cause.name(),
            Self::NoSuchRoute => "no-such-route",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::NotAcceptable => "not-acceptable",
            Self::ConditionUnsupported => "condition-unsupported",
            Self::UnsupportedMediaType => "unsupported-media-type",
            Self::UnsupportedContentEncoding => "unsupported-content-encoding",
            Self::BodyTooLarge => "body-too-large",
            Self::BodyBrokeOff => "body-broke-off",
            Self::SlowBody => "slow-body",
            Self::HeadTooLarge => "head-too-large",
            Self::NoPlace => "no-place",
            Self::BadHost => "bad-host",
            Self::OtherHost => "other-host",
            Self::ForeignOrigin => "foreign-origin",
            Self::Unauthenticated => "unauthenticated",
            Self::AmbiguousCredentials => "ambiguous-credentials",
            Self::InsufficientScope => "insufficient-scope",
            Self::IssuerUnavailable => "issuer-unavailable",
        }
    }

    /// The status of the answer; `None` where it is the upstream's.
    pub(super) fn status(self) -> Option<StatusCode> {
        Some(match self {
            Self::Call(cause) => return of_call(cause),
            Self::BodyBrokeOff | Self::BadHost | Self::AmbiguousCredentials => StatusCode::BAD_REQUEST,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::ForeignOrigin | Self::InsufficientScope => StatusCode::FORBIDDEN,
            Self::NoSuchRoute => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::SlowBody => StatusCode::REQUEST_TIMEOUT,
            Self::ConditionUnsupported => StatusCode::PRECONDITION_FAILED,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType | Self::UnsupportedContentEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::OtherHost => StatusCode::MISDIRECTED_REQUEST,
            Self::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::NoPlace | Self::IssuerUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        })
    }

    /// The same for each problem of the type.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Call(cause) => title_of_call(cause),
            Self::NoSuchRoute => "Nothing is served here",
            Self::MethodNotAllowed => "The path has other methods",
            Self::NotAcceptable => "The answer would be JSON",
            Self::ConditionUnsupported => "The condition can't be checked",
            Self::UnsupportedMediaType => "The body is not JSON",
            Self::UnsupportedContentEncoding => "The body is compressed",
            Self::BodyTooLarge => "The body is too large",
            Self::BodyBrokeOff => "The body is incomplete",
            Self::SlowBody => "The body took too long",
            Self::HeadTooLarge => "The head of the request is too large",
            Self::NoPlace => "There is no place for the request",
            Self::BadHost => "It is not clear which host is asked",
            Self::OtherHost => "Another host is asked",
            Self::ForeignOrigin => "The page may not call",
            Self::Unauthenticated => "It is not known who asks",
            Self::AmbiguousCredentials => "It is not clear who asks",
            Self::InsufficientScope => "The token is not enough",
            Self::IssuerUnavailable => "Tokens can't be checked at the moment",
        }
    }
}

fn of_call(cause: Cause) -> Option<StatusCode> {
    Some(match cause {
        Cause::UpstreamError => return None,
        Cause::InvalidInput => StatusCode::BAD_REQUEST,
        Cause::InputRequired => StatusCode::UNPROCESSABLE_ENTITY,
        Cause::Forbidden | Cause::NotConfirmed | Cause::Denied => StatusCode::FORBIDDEN,
        Cause::TooManyCalls => StatusCode::TOO_MANY_REQUESTS,
        Cause::CpuDeadline
        | Cause::MemoryLimit
        | Cause::DataLimit
        | Cause::Trapped
        | Cause::ProviderFault
        | Cause::BadReply => StatusCode::INTERNAL_SERVER_ERROR,
        Cause::UpstreamUnavailable
        | Cause::UpstreamAnswerTooLarge
        | Cause::UpstreamAnswerEncoded
        | Cause::UpstreamRequestBroken
        | Cause::UpstreamRequestTooLarge
        | Cause::NoToken => StatusCode::BAD_GATEWAY,
        Cause::UpstreamCircuitOpen | Cause::RateLimited | Cause::Busy => StatusCode::SERVICE_UNAVAILABLE,
        Cause::UpstreamTimedOut | Cause::WallDeadline => StatusCode::GATEWAY_TIMEOUT,
    })
}

fn title_of_call(cause: Cause) -> &'static str {
    match cause {
        Cause::Forbidden => "The caller may not call the operation",
        Cause::TooManyCalls => "The caller calls too often",
        Cause::InvalidInput => "The input can't be used",
        Cause::InputRequired => "The operation has questions",
        Cause::NotConfirmed => "Nobody has agreed to the call",
        Cause::Denied => "A request of the plugin is not allowed",
        Cause::UpstreamError => "The upstream answered with an error",
        Cause::UpstreamUnavailable => "The upstream is unavailable",
        Cause::UpstreamTimedOut => "The upstream took too long",
        Cause::UpstreamAnswerTooLarge => "The upstream's answer is too large",
        Cause::UpstreamAnswerEncoded => "The upstream's answer is compressed",
        Cause::UpstreamRequestBroken => "The plugin's request is incomplete",
        Cause::UpstreamRequestTooLarge => "The plugin's request is too large",
        Cause::UpstreamCircuitOpen => "The upstream has failed too often",
        Cause::NoToken => "There is no access token for the upstream",
        Cause::RateLimited => "The plugin sends too many requests",
        Cause::Busy => "The plugin is busy",
        Cause::WallDeadline => "The call took too long",
        Cause::CpuDeadline => "The plugin computed for too long",
        Cause::MemoryLimit => "The plugin asked for too much memory",
        Cause::DataLimit => "The plugin handed over too much at once",
        Cause::Trapped => "The plugin crashed",
        Cause::ProviderFault => "The plugin reports a fault of its own",
        Cause::BadReply => "The plugin's reply breaks the contract",
    }
}
