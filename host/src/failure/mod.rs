//! Why a call gave no reply: one closed enum, which REST, MCP and the command line each render in one exhaustive match.
//!
//! Nothing here knows HTTP statuses, MCP codes or exit codes.

mod cause;
mod forbidden;
#[cfg(test)]
mod table;

use std::time::Duration;

pub use self::{cause::Cause, forbidden::Forbidden};
use crate::{
    contract::{Abilities, Questions, Unconfirmed},
    egress::Refusal,
};

/// Why a call gave no reply. The `Display` text is for the caller; [`Failure::log`] is for the operator.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    /// The caller may know of the operation, but not call it.
    #[error("{0}")]
    Forbidden(Forbidden),
    /// The caller calls more often than it may.
    #[error("you are over your rate of calls; try again in {} s", seconds(*.retry_after))]
    OverRate {
        /// When the next call may be made.
        retry_after: Duration,
    },
    /// The input doesn't conform to the operation's schema, or the plugin says that it can't be used.
    #[error("invalid input: {}", join(.0))]
    InvalidInput(Vec<InputProblem>),
    /// The plugin has questions, or the host has one. The same call again, with the answers, may go on.
    #[error("the operation asks something back first, and goes on when it has an answer")]
    InputRequired(Box<Questions>),
    /// There are questions that the caller can't be asked: `lacking` says what its client would have to be able to.
    #[error(
        "the operation asks something back, which can't be asked here: call it over MCP, by a client that declares {lacking}"
    )]
    CannotAsk {
        /// What the client would have to be able to.
        lacking: Abilities,
    },
    /// Somebody had to agree to the call, and hasn't. The plugin didn't run.
    #[error("{0}")]
    NotConfirmed(Unconfirmed),
    /// The plugin read an upstream's error and passes on what it said.
    #[error("the upstream answered with status {status}: {message}")]
    Upstream {
        /// The upstream's HTTP status, 400 to 599.
        status: u16,
        /// What the upstream said.
        message: String,
    },
    /// The mediator refused a request of the plugin, or couldn't carry it out. A denial, an unreachable upstream and one that was
    /// too slow are different cases of the refusal.
    #[error("{0}")]
    Egress(Refusal),
    /// The same for one of several requests: what it was for says the plugin, why it has failed the mediator.
    #[error("{purpose}: {refusal}")]
    Request {
        /// What the request was for, such as a step of a flow.
        purpose: String,
        /// Why it has failed.
        refusal: Refusal,
    },
    /// The plugin reports that an upstream is unavailable, for a reason that the mediator doesn't know, such as an answer that
    /// makes no sense.
    #[error("the upstream is unavailable: {0}")]
    Unavailable(String),
    /// As many calls of the plugin as its grant allows are running.
    #[error("the plugin is busy: {running} calls are running, which is its limit; try again")]
    Busy {
        /// The limit.
        running: usize,
    },
    /// The whole call took too long.
    #[error("the call was stopped after {limit:?}, the limit for one call")]
    WallDeadline {
        /// The limit.
        limit: Duration,
    },
    /// The plugin computed for too long.
    #[error("the plugin was stopped: it used {limit:?} of processor time, its limit for one call")]
    CpuDeadline {
        /// The limit.
        limit: Duration,
        /// What it had used when it was stopped, for the log.
        used: Duration,
    },
    /// The plugin asked for more memory than its grant allows.
    #[error("the plugin was stopped: it asked for more than {limit} bytes of memory, its limit")]
    MemoryLimit {
        /// The limit in bytes.
        limit: usize,
    },
    /// The plugin handed over more than its grant allows, such as a giant reply.
    #[error("the plugin was stopped: it handed over more than {limit} bytes at once, its limit")]
    DataLimit {
        /// The limit in bytes.
        limit: usize,
    },
    /// The plugin trapped.
    #[error("the plugin failed")]
    Trapped {
        /// The trap and where it happened, for the log.
        trap: String,
    },
    /// The plugin says that it is at fault itself.
    #[error("the plugin failed")]
    Provider {
        /// What it said, for the log.
        message: String,
    },
    /// The plugin's reply breaks the contract.
    #[error("the plugin's reply can't be used")]
    BadReply {
        /// What is wrong with it, for the log.
        reason: String,
    },
}

/// One thing that is wrong with an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputProblem {
    /// Where: the name of the input, with the path inside it if the fault is deeper (`body/permissionPolicy/0`). `None` when no
    /// single input is at fault.
    pub parameter: Option<String>,
    /// What is wrong and what was expected.
    pub message: String,
}

impl Failure {
    /// One problem with one input.
    pub fn invalid_input(parameter: Option<&str>, message: impl Into<String>) -> Self {
        Self::InvalidInput(vec![InputProblem { parameter: parameter.map(str::to_owned), message: message.into() }])
    }

    /// What it is called everywhere.
    pub fn cause(&self) -> Cause {
        self.into()
    }

    /// What the operator reads in the log: all that the caller reads, and what only the operator may know.
    pub fn log(&self) -> String {
        match self {
            Self::Trapped { trap: detail } | Self::Provider { message: detail } | Self::BadReply { reason: detail } => {
                format!("{self}: {detail}")
            }
            Self::CpuDeadline { used, .. } => format!("{self}; used when it was stopped: {} ms", used.as_millis()),
            other => other.to_string(),
        }
    }
}

/// A time to wait as `Retry-After` has it: whole seconds, and not too early.
pub(crate) fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

fn join(problems: &[InputProblem]) -> String {
    let texts: Vec<String> = problems
        .iter()
        .map(|problem| match &problem.parameter {
            Some(parameter) => format!("{parameter}: {}", problem.message),
            None => problem.message.clone(),
        })
        .collect();
    texts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_in_whole_seconds_and_never_too_short() {
        for (milliseconds, expected) in [(0, 0), (1, 1), (999, 1), (1000, 1), (1001, 2)] {
            assert_eq!(seconds(Duration::from_millis(milliseconds)), expected);
        }
    }
}
