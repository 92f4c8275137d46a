//! Whether the host gives back the memory that calls and attacks have taken: `make soak`; with two numbers, fewer calls
//! and attacks.
//!
//! It fails if the resident memory after all of them is more than a tenth above what it was after the first tenth of them, the
//! warm-up, or if it takes longer than a quarter of an hour. Clients and upstreams are in the same process: it is their memory too.

use std::{
    fs,
    process::ExitCode,
    time::{Duration, Instant},
};

use axum::{body::Body, response::Response};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    attackers,
    harness::{self, Rest, Setup, TestHost, Upstream, json_answer},
};

const CALLS: usize = 100_000;
const ATTACKS: usize = 10_000;

/// It ends in time, done or not.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// How long nothing happens before memory is looked at: the last guests are cleared away, connections closed, and what the
/// allocator keeps at hand for a second is given back.
const REST: Duration = Duration::from_secs(3);

/// Connections.
const CLIENTS: usize = 8;

/// How much more memory there may be afterwards.
const TOLERANCE: f64 = 1.10;

/// What is done in turn for an attack.
fn attacks() -> Vec<(&'static str, Value)> {
    vec![
        ("loop", Value::Null),
        ("burn-in-host", Value::Null),
        ("eat-memory", Value::Null),
        ("recurse", Value::Null),
        ("recurse-through-host", Value::Null),
        ("trap", Value::Null),
        ("bad-json", Value::Null),
        ("bad-utf8", Value::Null),
        ("alias", Value::Null),
        ("giant-reply", json!({"times": 8})),
        ("giant-headers", json!({})),
        ("reply", json!({"head": "[", "repeat": "0,", "times": 100_000, "tail": "0]"})),
        ("ask-on", json!({"times": 150, "url": "http://upstream.test/small"})),
        ("trap-holding", json!({"url": "http://upstream.test/flood"})),
        ("never-read", json!({"url": "http://upstream.test/flood"})),
        ("print", json!({"out": "x".repeat(30_000), "err": "\n".repeat(1000)})),
        ("fetch", json!({"url": "http://169.254.169.254/latest/"})),
    ]
}

/// Prints both levels of memory, and fails if the second is too high.
#[tokio::main]
pub async fn run(numbers: &[usize]) -> ExitCode {
    let (calls, attacks) = match numbers {
        [] => (CALLS, ATTACKS),
        [calls, rest @ ..] => (*calls, rest.first().copied().unwrap_or(calls / 10)),
    };
    let upstream = Upstream::answering(answer).await;
    let limits = "cpu_ms = 100, wall_ms = 5000, memory_mb = 16, response_mb = 4";
    let host = Setup::hostile(&upstream.url(), "no-secret", limits).start().await;
    let worked = tokio::time::timeout(PATIENCE, async {
        work(&host, &upstream, calls / 10, attacks / 10).await;
        let before = at_rest().await;
        println!("before: {before} kB, after a warm-up of {} calls and {} attacks", calls / 10, attacks / 10);
        let started = Instant::now();
        // The levels in between tell a leak, which goes on, from what a busy moment leaves behind.
        for tenth in 1..=10 {
            work(&host, &upstream, calls / 10, attacks / 10).await;
            println!("after {tenth} tenths: {} kB", at_rest().await);
        }
        println!("{calls} calls and {attacks} attacks in {:.0} s", started.elapsed().as_secs_f64());
        (before, at_rest().await)
    });
    let Ok((before, after)) = worked.await else {
        eprintln!("not done within {PATIENCE:?}");
        return ExitCode::FAILURE;
    };
    let ratio = after as f64 / before as f64;
    println!("after:  {after} kB, {ratio:.3} of what it was; allowed: {TOLERANCE}");
    match ratio <= TOLERANCE {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn answer(seen: harness::Seen) -> Response {
    match seen.target.as_str() {
        "/flood" => Response::new(Body::from(vec![b'x'; 1 << 20])),
        _ => json_answer(StatusCode::OK, &json!({})),
    }
}

/// Calls and attacks side by side, on all connections.
async fn work(host: &TestHost, upstream: &Upstream, calls: usize, attacks: usize) {
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(client(host.rest(), calls / CLIENTS, attacks / CLIENTS));
    }
    // What the upstream has recorded is let go meanwhile: it isn't the host's memory.
    let mut every = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            done = clients.join_next() => match done {
                Some(done) => done.expect("no panic"),
                None => return,
            },
            _ = every.tick() => drop(upstream.requests()),
        }
    }
}

async fn client(rest: Rest, calls: usize, attacks: usize) {
    let every = (calls / attacks.max(1)).max(1);
    let mut attacks = self::attacks().into_iter().cycle().take(attacks);
    for number in 0..calls {
        let alive = json!({"url": "http://upstream.test/alive"});
        rest.send("POST", "/hostile/fetch", Some(&alive)).await.ok();
        if number % every == 0
            && let Some((operation, input)) = attacks.next()
        {
            attackers::send(&rest, operation, &input).await;
        }
    }
}

/// The level that is left when nothing happens any more.
async fn at_rest() -> u64 {
    tokio::time::sleep(REST).await;
    resident()
}

/// The resident memory of this process, in kilobytes.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a process has memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
