//! What a well-behaved plugin notices of a hostile one beside it: `make neighbours` prints a table.
//!
//! A measurement, not a test: it asserts nothing. The host has a runtime of its own; clients and upstreams have another one, which
//! shares the machine's processors with it.

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::{runtime, task::JoinSet};

use crate::harness::{self, M3TER, Rest, Setup, TestHost, Upstream, json_answer};

/// More than the grant allows. Made once: the upstream shares the processors with those that are measured.
static FLOOD: LazyLock<Bytes> = LazyLock::new(|| vec![b'x'; 32 << 20].into());

/// How long the neighbour is measured, once without an attack and once with it.
const ALONE: Duration = Duration::from_secs(3);
const BESIDE: Duration = Duration::from_secs(5);

/// The neighbour's connections, and the attacker's.
const NEIGHBOURS: usize = 4;
const ATTACKERS: usize = 8;

/// The attacks: a name, the operation, its input.
fn attacks() -> Vec<(&'static str, &'static str, Value)> {
    let flood = json!({"url": "http://upstream.test/flood"});
    vec![
        ("processor", "loop", Value::Null),
        ("processor, in host functions", "burn-in-host", Value::Null),
        ("memory", "eat-memory", Value::Null),
        ("recursion", "recurse", Value::Null),
        ("trap", "trap", Value::Null),
        ("10 000 requests", "ask-on", json!({"times": 10_000, "url": "http://upstream.test/small"})),
        ("giant reply", "giant-reply", json!({"times": 50})),
        ("aliased reply", "alias", Value::Null),
        ("flood of answers", "fetch-and-keep", flood.clone()),
        ("never reading", "never-read", flood),
    ]
}

/// Prints the table.
pub fn run() {
    let host_runtime = airlock::app::runtime().expect("a runtime");
    let outside = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    outside.block_on(async {
        let good = Upstream::answering(|_| json_answer(StatusCode::OK, &json!({"data": []}))).await;
        let bad = Upstream::answering(answer).await;
        let host = host_runtime.spawn(setup(&good, &bad).start()).await.expect("a host");
        measure(&host, ALONE).await;
        println!(
            "{:30} {:>7} {:>9} {:>9}  {:>7} {:>9} {:>9}  {:>6}",
            "attack", "calls", "p50 ms", "p99 ms", "calls", "p50 ms", "p99 ms", "ratio"
        );
        for (name, operation, input) in attacks() {
            let alone = measure(&host, ALONE).await;
            let mut attackers = JoinSet::new();
            for _ in 0..ATTACKERS {
                attackers.spawn(attack(host.rest(), operation, input.clone()));
            }
            let beside = measure(&host, BESIDE).await;
            attackers.shutdown().await;
            let ratio = beside.p99 / alone.p99;
            println!("{name:30} {alone}  {beside}  {ratio:>6.2}");
        }
    });
    host_runtime.shutdown_background();
}

fn setup(good: &Upstream, bad: &Upstream) -> Setup {
    let limits = "cpu_ms = 200, wall_ms = 2000, requests = 10000";
    Setup::hostile(&bad.url(), "no-secret", limits)
        .file("m3ter-orgusers.yaml", M3TER)
        .secret("M3TER_API_KEY", "no-secret")
        .config(&format!(
            r#"
        [grants.m3ter-orgusers]
        hosts = ["https://api.m3ter.com"]
        secrets.M3TER_API_KEY = {{ file = "secrets/M3TER_API_KEY" }}
        upstreams."https://api.m3ter.com" = "{}"
        "#,
            good.url()
        ))
}

fn answer(seen: harness::Seen) -> Response {
    match seen.target.as_str() {
        "/flood" => Response::new(Body::from(FLOOD.clone())),
        _ => json_answer(StatusCode::OK, &json!({})),
    }
}

async fn attack(rest: Rest, operation: &'static str, input: Value) {
    let path = format!("/hostile/{operation}");
    loop {
        match &input {
            Value::Null => rest.get(&path).await,
            input => rest.send("POST", &path, Some(input)).await,
        };
    }
}

/// What the neighbour has seen.
struct Seen {
    calls: usize,
    p50: f64,
    p99: f64,
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:>7} {:>9.2} {:>9.2}", self.calls, self.p50, self.p99)
    }
}

/// Calls the neighbour on its connections for a while.
async fn measure(host: &TestHost, how_long: Duration) -> Seen {
    let end = Instant::now() + how_long;
    let mut connections = JoinSet::new();
    for _ in 0..NEIGHBOURS {
        let rest = host.rest();
        connections.spawn(async move {
            let mut times = Vec::new();
            while Instant::now() < end {
                let started = Instant::now();
                rest.get("/v1/organizations/org/users").await.ok();
                times.push(started.elapsed().as_secs_f64() * 1000.0);
            }
            times
        });
    }
    let mut times = connections.join_all().await.concat();
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    Seen { calls: times.len(), p50: at(0.50), p99: at(0.99) }
}
