//! The table of all errors for people, `table.md`, is what the doors do.

use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::Empty;

use super::{Cause, Failure, Forbidden};
use crate::{
    callers::Rejection,
    cli::CliError,
    contract::{Abilities, Effect, Unconfirmed},
    egress::{Context, Egress, Excess, Fault, Patience, Refusal, TokenFault, Wait},
    grant::Grant,
    listen, mcp, rest,
};

/// A failure of each cause.
async fn failures() -> Vec<Failure> {
    let host = || "api.example.com".to_owned();
    let text = || "detail".to_owned();
    let time = Duration::from_secs(1);
    let refusals = [
        denial().await,
        Refusal::Unavailable { host: host(), fault: Fault::Connect },
        Refusal::TimedOut { host: host(), wait: Wait::Idle },
        Refusal::ResponseTooLarge { host: host(), limit: 1 },
        Refusal::ResponseEncoded { host: host() },
        Refusal::RequestBroken,
        Refusal::RequestTooLarge { excess: Excess::Body(1) },
        Refusal::CircuitOpen { host: host(), retry_after: time },
        Refusal::Token { host: host(), fault: TokenFault::TimedOut },
        Refusal::RateLimited { retry_after: time },
    ];
    let others = [
        Failure::Forbidden(Forbidden { effect: Effect::Write, scopes: Vec::new() }),
        Failure::OverRate { retry_after: time },
        Failure::invalid_input(None, "no"),
        Failure::CannotAsk { lacking: Abilities::NONE },
        Failure::NotConfirmed(Unconfirmed::Declined),
        Failure::Upstream { status: 404, message: text() },
        Failure::Busy { running: 1 },
        Failure::WallDeadline { limit: time },
        Failure::CpuDeadline { limit: time, used: time },
        Failure::MemoryLimit { limit: 1 },
        Failure::DataLimit { limit: 1 },
        Failure::Trapped { trap: text() },
        Failure::Provider { message: text() },
        Failure::BadReply { reason: text() },
    ];
    refusals.into_iter().map(Failure::Egress).chain(others).collect()
}

async fn denial() -> Refusal {
    let egress = Egress::new("p", &Grant::default(), &[]).unwrap();
    let request = http::Request::get("https://api.example.com/").body(Empty::<Bytes>::new()).unwrap();
    let context = Context::begin("op".into(), "test".into(), Duration::from_secs(1));
    egress.send(request, Patience::default(), context).await.err().expect("nothing is granted")
}

fn row(failure: Failure) -> String {
    let cause = failure.cause().name();
    let (status, kind) = rest::told(&failure);
    let status = status.map_or("as the upstream's".to_owned(), |it| it.to_string());
    assert!(mcp::tells_in_a_result(&failure), "{failure}");
    let exit = format!("{:?}", CliError::Call(failure).exit_code());
    let exit: String = exit.chars().filter(char::is_ascii_digit).collect();
    format!("| `{cause}` | {status} `{kind}` | tool result, `isError: true` | {exit} | `{cause}` |")
}

/// Requests that no call is made of. Over MCP those of the listener and of unknown callers have the same status and a text; the rest is
/// REST's own.
fn rows_of_faults() -> Vec<String> {
    const SHARED: [&str; 10] = [
        "bad-host",
        "other-host",
        "foreign-origin",
        "slow-body",
        "head-too-large",
        "no-place",
        "unauthenticated",
        "ambiguous-credentials",
        "insufficient-scope",
        "issuer-unavailable",
    ];
    let deadline = Duration::from_secs(1);
    let refusals = [
        listen::Refusal::BadHost,
        listen::Refusal::OtherHost { name: String::new() },
        listen::Refusal::ForeignOrigin { origin: String::new() },
        listen::Refusal::SlowBody { limit: deadline },
        listen::Refusal::HeadTooLarge { fields: 1 },
        listen::Refusal::NoPlace { of_each: 1, of_all: 2 },
    ];
    let rejections =
        [Rejection::Missing, Rejection::Ambiguous, Rejection::NoRole { scopes: Vec::new() }, Rejection::NoKeys];
    let refused = refusals.iter().map(|it| mcp::refuse(&HeaderMap::new(), it));
    let rejected = rejections.iter().map(mcp::rejected);
    let over_mcp: BTreeSet<u16> = refused.chain(rejected).map(|it| it.status().as_u16()).collect();
    let rest = rest::faults().map(|(status, name)| {
        let is_shared = SHARED.contains(&name);
        assert!(!is_shared || over_mcp.contains(&status), "{name}");
        let mcp = if is_shared { format!("{status}") } else { "—".to_owned() };
        format!("| `{name}` | {status} `{name}` | {mcp} | — | — |")
    });
    rest.collect()
}

#[tokio::test]
async fn the_table_says_what_becomes_of_each_cause() {
    let mut failures = failures().await;
    let order = |failure: &Failure| Cause::ALL.iter().position(|it| *it == failure.cause());
    failures.sort_by_key(order);
    let found: Vec<Cause> = failures.iter().map(Failure::cause).collect();
    assert_eq!(found, Cause::ALL, "there is one failure of each");
    let mut lines =
        vec!["| cause | REST | MCP | exit code | metric label |".to_owned(), "|---|---|---|---|---|".to_owned()];
    lines.extend(failures.into_iter().map(row));
    lines.extend(rows_of_faults());
    let table = lines.join("\n");
    assert!(include_str!("table.md").contains(&table), "host/src/failure/table.md should have:\n{table}");
}
