//! A failure as a tool result that a model can act upon.
//!
//! The caller's text only, never the log's; protocol errors are for calls that reach no operation, and for resources and prompts,
//! which have no other way to fail.

use rmcp::{
    ErrorData,
    model::{CallToolResult, ContentBlock},
};

use super::Asked;
use crate::{
    contract::Effects,
    egress::Refusal,
    failure::{Failure, InputProblem},
};

/// The failure as an error result: what happened, then what to do about it.
pub(super) fn render(failure: &Failure, asked: Asked<'_>) -> CallToolResult {
    let effects = asked.operation.effects;
    let text = match failure {
        Failure::InvalidInput(problems) => invalid_input(problems),
        // Nothing has been done, and they say what to do.
        Failure::Forbidden(_) | Failure::OverRate { .. } | Failure::NotConfirmed(_) => failure.to_string(),
        Failure::Upstream { .. } => failure.to_string(),
        Failure::Egress(refusal) => refused(refusal, effects),
        Failure::Request { purpose, refusal } => format!("{purpose}: {}", refused(refusal, effects)),
        Failure::Unavailable(_) | Failure::WallDeadline { .. } => {
            format!("{failure}; {}", again(effects))
        }
        Failure::Busy { .. } | Failure::InputRequired(_) | Failure::CannotAsk { .. } => failure.to_string(),
        Failure::CpuDeadline { .. } | Failure::MemoryLimit { .. } | Failure::DataLimit { .. } => {
            format!("{failure}; ask for less at once, or ask the operator for a higher limit")
        }
        Failure::Trapped { .. } | Failure::Provider { .. } | Failure::BadReply { .. } => {
            format!("{failure}; the operator finds the reason in the log")
        }
    };
    error(text)
}

/// The failure of what isn't a tool.
pub(super) fn refuse(failure: &Failure) -> ErrorData {
    match failure {
        Failure::InvalidInput(problems) => ErrorData::invalid_params(invalid_input(problems), None),
        _ => ErrorData::internal_error(failure.to_string(), None),
    }
}

/// An error result.
pub(super) fn error(text: impl Into<String>) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(text)])
}

/// A tool of the host's own was called wrongly.
pub(super) fn misused(problem: String) -> CallToolResult {
    error(invalid_input(&[InputProblem { parameter: None, message: problem }]))
}

fn invalid_input(problems: &[InputProblem]) -> String {
    let mut text = "invalid input; correct these arguments and call again:".to_owned();
    for InputProblem { parameter, message } in problems {
        match parameter {
            Some(parameter) => text.push_str(&format!("\n- {parameter}: {message}")),
            None => text.push_str(&format!("\n- {message}")),
        }
    }
    text
}

fn refused(refusal: &Refusal, effects: Effects) -> String {
    match refusal {
        Refusal::Denied(_) => format!("{refusal}\nonly the operator can change this, not another call"),
        Refusal::Unavailable { .. } | Refusal::TimedOut { .. } => {
            format!("{refusal}; {}", again(effects))
        }
        Refusal::ResponseTooLarge { .. } => {
            format!("{refusal}; ask for less at once: a filter, a smaller page")
        }
        Refusal::RequestTooLarge { .. } => {
            format!("{refusal}; send less at once, or ask the operator for a higher limit")
        }
        // Nothing has been sent, and they say when to come back.
        Refusal::RateLimited { .. } | Refusal::CircuitOpen { .. } => refusal.to_string(),
        Refusal::Token { .. } => format!("{refusal}; nothing has been sent, try again later"),
        Refusal::ResponseEncoded { .. } | Refusal::RequestBroken => refusal.to_string(),
    }
}

/// What to do when nobody knows how far the upstream got.
fn again(effects: Effects) -> &'static str {
    match effects.read_only || effects.idempotent {
        true => "try again later",
        false => "the operation may have been carried out: check that before calling again",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        contract::{Effect, Unconfirmed},
        egress::{Excess, Fault, TokenFault, Wait},
        failure::Forbidden,
        mcp::{Era, reply::tests::operation},
    };

    fn text(failure: &Failure, idempotent: bool) -> String {
        let mut operation = operation(None);
        operation.effects.idempotent = idempotent;
        let asked =
            Asked { plugin: "users", operation: &operation, conforms: &|_| true, era: Era::Modern, keeper: None };
        let result = render(failure, asked);
        assert_eq!(result.is_error, Some(true));
        assert_eq!(result.structured_content, None);
        result.content[0].as_text().expect("one text").text.clone()
    }

    #[test]
    fn every_failure_says_what_to_do() {
        let host = || "api.example".to_owned();
        let problem = |parameter: Option<&str>, message: &str| InputProblem {
            parameter: parameter.map(str::to_owned),
            message: message.to_owned(),
        };
        for (failure, expected) in [
            (
                Failure::InvalidInput(vec![
                    problem(Some("orgId"), "is required"),
                    problem(None, "unknown member \"x\""),
                ]),
                "invalid input; correct these arguments and call again:\n- orgId: is required\n- unknown member \"x\"",
            ),
            (
                Failure::Forbidden(Forbidden { effect: Effect::Destructive, scopes: Vec::new() }),
                "not allowed: this is a destructive operation, and you may not call those; only the operator can change this",
            ),
            (
                Failure::Forbidden(Forbidden { effect: Effect::Write, scopes: vec!["a".to_owned(), "b".to_owned()] }),
                "not allowed: this is a write operation, and you may not call those; a token with these scopes could: a b",
            ),
            (
                Failure::OverRate { retry_after: Duration::from_millis(300) },
                "you are over your rate of calls; try again in 1 s",
            ),
            (
                Failure::NotConfirmed(Unconfirmed::Declined),
                "not carried out: the person who was asked said no; don't call again unless they ask for it",
            ),
            (
                Failure::Upstream { status: 409, message: "exists".to_owned() },
                "the upstream answered with status 409: exists",
            ),
            (
                Failure::Egress(Refusal::Unavailable { host: host(), fault: Fault::Connect }),
                "upstream is unavailable: api.example: connection refused or not possible; try again later",
            ),
            (
                Failure::Egress(Refusal::TimedOut { host: host(), wait: Wait::Idle }),
                "upstream timed out: api.example: no more data; try again later",
            ),
            (
                Failure::Egress(Refusal::ResponseTooLarge { host: host(), limit: 10 }),
                "upstream answer is too large: api.example: more than 10 bytes; ask for less at once: a filter, a smaller page",
            ),
            (
                Failure::Egress(Refusal::ResponseEncoded { host: host() }),
                "upstream answer is compressed, secrets can't be removed from it: api.example",
            ),
            (
                Failure::Egress(Refusal::Token { host: host(), fault: TokenFault::Status(401) }),
                "no access token for the upstream: api.example: answered with status 401; nothing has been sent, try again later",
            ),
            (Failure::Egress(Refusal::RequestBroken), "request body broke off"),
            (
                Failure::Egress(Refusal::RequestTooLarge { excess: Excess::Body(10) }),
                "request is too large: its body has more than 10 bytes; send less at once, or ask the operator for a higher limit",
            ),
            (
                Failure::Egress(Refusal::RateLimited { retry_after: Duration::from_millis(300) }),
                "the plugin is over its rate of requests; try again in 1 s",
            ),
            (
                Failure::Egress(Refusal::CircuitOpen { host: host(), retry_after: Duration::from_secs(5) }),
                "upstream has failed too often lately: api.example; it will be tried again in 5 s",
            ),
            (Failure::Unavailable("no sense".to_owned()), "the upstream is unavailable: no sense; try again later"),
            (Failure::Busy { running: 4 }, "the plugin is busy: 4 calls are running, which is its limit; try again"),
            (
                Failure::WallDeadline { limit: Duration::from_secs(30) },
                "the call was stopped after 30s, the limit for one call; try again later",
            ),
            (
                Failure::CpuDeadline { limit: Duration::from_millis(200), used: Duration::from_millis(203) },
                "the plugin was stopped: it used 200ms of processor time, its limit for one call; \
                 ask for less at once, or ask the operator for a higher limit",
            ),
            (
                Failure::MemoryLimit { limit: 64 },
                "the plugin was stopped: it asked for more than 64 bytes of memory, its limit; \
                 ask for less at once, or ask the operator for a higher limit",
            ),
            (
                Failure::DataLimit { limit: 16 },
                "the plugin was stopped: it handed over more than 16 bytes at once, its limit; \
                 ask for less at once, or ask the operator for a higher limit",
            ),
            (
                Failure::Trapped { trap: "secret".to_owned() },
                "the plugin failed; the operator finds the reason in the log",
            ),
            (
                Failure::Provider { message: "secret".to_owned() },
                "the plugin failed; the operator finds the reason in the log",
            ),
            (
                Failure::BadReply { reason: "secret".to_owned() },
                "the plugin's reply can't be used; the operator finds the reason in the log",
            ),
        ] {
            assert_eq!(text(&failure, true), expected);
        }
    }

    #[test]
    fn what_may_have_been_carried_out_is_not_just_tried_again() {
        let failure = Failure::WallDeadline { limit: Duration::from_secs(1) };
        assert_eq!(
            text(&failure, false),
            "the call was stopped after 1s, the limit for one call; \
             the operation may have been carried out: check that before calling again"
        );
    }
}
