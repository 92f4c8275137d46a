//! The causes of failures by name alone: what an error is called in a problem's type, in the log and in a metric's label.
//!
//! The names are stable, callers compare them. What becomes of a cause is up to each door.

use super::Failure;
use crate::egress::Refusal;

/// Why a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cause {
    /// The caller may know of the operation, but not call it.
    Forbidden,
    /// The caller is over its rate of calls.
    TooManyCalls,
    /// The input doesn't conform to the schema, or the plugin can't use it.
    InvalidInput,
    /// The operation has questions, and the caller can't be asked them.
    InputRequired,
    /// Somebody had to agree to the call, and hasn't.
    NotConfirmed,
    /// The mediator refused a request of the plugin.
    Denied,
    /// The upstream answered with an error.
    UpstreamError,
    /// The upstream can't be reached, or its answer makes no sense.
    UpstreamUnavailable,
    /// The upstream took too long.
    UpstreamTimedOut,
    /// The upstream's answer is over the limit.
    UpstreamAnswerTooLarge,
    /// The upstream's answer is compressed in a way that isn't read.
    UpstreamAnswerEncoded,
    /// The plugin's own request was incomplete.
    UpstreamRequestBroken,
    /// The plugin's own request is over the limit.
    UpstreamRequestTooLarge,
    /// The upstream has failed too often to be asked now.
    UpstreamCircuitOpen,
    /// There is no access token for the upstream.
    NoToken,
    /// The plugin is over its rate of requests.
    RateLimited,
    /// As many calls as may are running.
    Busy,
    /// The whole call took too long.
    WallDeadline,
    /// The plugin computed for too long.
    CpuDeadline,
    /// The plugin asked for too much memory.
    MemoryLimit,
    /// The plugin handed over too much.
    DataLimit,
    /// The plugin crashed.
    Trapped,
    /// The plugin reports a fault of its own.
    ProviderFault,
    /// The plugin's reply breaks the contract.
    BadReply,
}

impl Cause {
    /// All of them, in the order of every listing.
    pub const ALL: [Self; 24] = [
        Self::Forbidden,
        Self::TooManyCalls,
        Self::InvalidInput,
        Self::InputRequired,
        Self::NotConfirmed,
        Self::Denied,
        Self::UpstreamError,
        Self::UpstreamUnavailable,
        Self::UpstreamTimedOut,
        Self::UpstreamAnswerTooLarge,
        Self::UpstreamAnswerEncoded,
        Self::UpstreamRequestBroken,
        Self::UpstreamRequestTooLarge,
        Self::UpstreamCircuitOpen,
        Self::NoToken,
        Self::RateLimited,
        Self::Busy,
        Self::WallDeadline,
        Self::CpuDeadline,
        Self::MemoryLimit,
        Self::DataLimit,
        Self::Trapped,
        Self::ProviderFault,
        Self::BadReply,
    ];

    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Forbidden => "forbidden",
            Self::TooManyCalls => "too-many-calls",
            Self::InvalidInput => "invalid-input",
            Self::InputRequired => "input-required",
            Self::NotConfirmed => "not-confirmed",
            Self::Denied => "denied",
            Self::UpstreamError => "upstream-error",
            Self::UpstreamUnavailable => "upstream-unavailable",
            Self::UpstreamTimedOut => "upstream-timed-out",
            Self::UpstreamAnswerTooLarge => "upstream-answer-too-large",
            Self::UpstreamAnswerEncoded => "upstream-answer-encoded",
            Self::UpstreamRequestBroken => "upstream-request-broken",
            Self::UpstreamRequestTooLarge => "upstream-request-too-large",
            Self::UpstreamCircuitOpen => "upstream-circuit-open",
            Self::NoToken => "no-token",
            Self::RateLimited => "rate-limited",
            Self::Busy => "busy",
            Self::WallDeadline => "wall-deadline",
            Self::CpuDeadline => "cpu-deadline",
            Self::MemoryLimit => "memory-limit",
            Self::DataLimit => "data-limit",
            Self::Trapped => "trapped",
            Self::ProviderFault => "provider-fault",
            Self::BadReply => "bad-reply",
        }
    }
}

impl From<&Failure> for Cause {
    fn from(failure: &Failure) -> Self {
        match failure {
            Failure::Forbidden(_) => Self::Forbidden,
            Failure::OverRate { .. } => Self::TooManyCalls,
            Failure::InvalidInput(_) => Self::InvalidInput,
            Failure::InputRequired(_) | Failure::CannotAsk { .. } => Self::InputRequired,
            Failure::NotConfirmed(_) => Self::NotConfirmed,
            Failure::Upstream { .. } => Self::UpstreamError,
            Failure::Egress(refusal) | Failure::Request { refusal, .. } => Self::from(refusal),
            Failure::Unavailable(_) => Self::UpstreamUnavailable,
            Failure::Busy { .. } => Self::Busy,
            Failure::WallDeadline { .. } => Self::WallDeadline,
            Failure::CpuDeadline { .. } => Self::CpuDeadline,
            Failure::MemoryLimit { .. } => Self::MemoryLimit,
            Failure::DataLimit { .. } => Self::DataLimit,
            Failure::Trapped { .. } => Self::Trapped,
            Failure::Provider { .. } => Self::ProviderFault,
            Failure::BadReply { .. } => Self::BadReply,
        }
    }
}

impl From<&Refusal> for Cause {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Denied(_) => Self::Denied,
            Refusal::Unavailable { .. } => Self::UpstreamUnavailable,
            Refusal::TimedOut { .. } => Self::UpstreamTimedOut,
            Refusal::ResponseTooLarge { .. } => Self::UpstreamAnswerTooLarge,
            Refusal::ResponseEncoded { .. } => Self::UpstreamAnswerEncoded,
            Refusal::Token { .. } => Self::NoToken,
            Refusal::RequestBroken => Self::UpstreamRequestBroken,
            Refusal::RequestTooLarge { .. } => Self::UpstreamRequestTooLarge,
            Refusal::RateLimited { .. } => Self::RateLimited,
            Refusal::CircuitOpen { .. } => Self::UpstreamCircuitOpen,
        }
    }
}
