//! What a well-behaved plugin notices of a hostile one beside it: `make neighbours` prints a table.
//!
//! A measurement, not a test: it asserts nothing. The host and the well-behaved clients with their upstream have a runtime each, the
//! attackers a process of low priority; all share the machine's processors.

use std::time::{Duration, Instant};

use http::StatusCode;
use serde_json::{Value, json};
use tokio::{runtime, task::JoinSet};

use crate::{
    attackers::Attackers,
    harness::{Setup, TestHost, Upstream, json_answer},
    percentile,
    stolen::Ticks,
};

/// How often the neighbour is measured, without an attack and with it in turn, and for how long each time: what a machine that isn't
/// quite idle does on the side falls on both alike.
const ROUNDS: usize = 3;
const MEASURED: Duration = Duration::from_secs(2);

/// The share of the processors' time that others may have had in a round that counts, and how often a round is repeated for an attack.
/// 2 %: the slowest hundredth of the calls is what is compared, and a call takes a few milliseconds.
const MAX_STOLEN: f64 = 0.02;
const REPEATED: usize = 6;

/// How long nothing happens after an attack: a plugin that has computed much takes turns for a second, and connections are closed.
const PAUSE: Duration = Duration::from_secs(2);

/// Loops at the same time, for the last line.
const LOOPS: usize = 32;

/// What a call of the hostile plugin may take, in milliseconds.
const CPU_MS: u64 = 200;
const WALL_MS: u64 = 2000;

/// The neighbour's connections.
const NEIGHBOURS: usize = 4;

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
        ("reply of many values", "reply", json!({"head": "[", "repeat": "0,", "times": 400_000, "tail": "0]"})),
        ("reply that is no JSON", "bad-json", Value::Null),
        ("giant header", "giant-headers", json!({})),
        ("trap with an answer in hand", "trap-holding", flood.clone()),
        ("flood of answers", "fetch-and-keep", flood.clone()),
        ("never reading", "never-read", flood),
    ]
}

/// Prints the table, of all attacks or of those with these operations.
pub fn run(only: &[&str]) {
    let host_runtime = airlock::app::runtime().expect("a runtime");
    let outside = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let mut attackers = Attackers::start();
    outside.block_on(async {
        let good = Upstream::answering(|_| json_answer(StatusCode::OK, &json!({"data": []}))).await;
        let host = host_runtime.spawn(setup(&good, attackers.upstream()).start()).await.expect("a host");
        let address = host.rest().connect().await.peer_addr().expect("the host's address").to_string();
        measure(&host).await;
        println!(
            "{:30} {:>7} {:>9} {:>9}  {:>7} {:>7} {:>9} {:>9}  {:>6}  {:>7}",
            "attack", "calls", "p50 ms", "p99 ms", "attacks", "calls", "p50 ms", "p99 ms", "ratio", "stolen"
        );
        for (name, operation, input) in attacks().into_iter().filter(|it| only.is_empty() || only.contains(&it.1)) {
            let (mut alone, mut beside, mut attacks, mut stolen) = (Vec::new(), Vec::new(), 0, 0.0_f64);
            let (mut rounds, mut repeated) = (0, 0);
            while rounds < ROUNDS {
                let began = Ticks::now();
                let without = measure(&host).await;
                attackers.attack(&address, operation, &input);
                let with = measure(&host).await;
                let attacked = attackers.stop();
                let share = began.stolen_since();
                tokio::time::sleep(PAUSE).await;
                if share > MAX_STOLEN && repeated < REPEATED {
                    repeated += 1;
                    continue;
                }
                alone.extend(without);
                beside.extend(with);
                attacks += attacked;
                stolen = stolen.max(share);
                rounds += 1;
            }
            let (alone, beside) = (Seen::of(alone), Seen::of(beside));
            let (ratio, stolen) = (beside.p99 / alone.p99, stolen * 100.0);
            println!("{name:30} {alone}  {attacks:>7} {beside}  {ratio:>6.2}  {stolen:>6.1}%");
        }
        let longest = loops(&host).await;
        println!("{LOOPS} loops at once, limits {CPU_MS} ms of processor and {WALL_MS} ms in all: the last ended after {longest:.0} ms");
    });
    host_runtime.shutdown_background();
}

fn setup(good: &Upstream, bad: &str) -> Setup {
    let limits = format!("cpu_ms = {CPU_MS}, wall_ms = {WALL_MS}, requests = 10000");
    Setup::hostile(bad, "no-secret", &limits).m3ter(good)
}

/// How long the last of many loops goes on, in milliseconds.
async fn loops(host: &TestHost) -> f64 {
    let mut loops = JoinSet::new();
    for _ in 0..LOOPS {
        let rest = host.rest();
        loops.spawn(async move {
            let started = Instant::now();
            rest.get("/hostile/loop").await;
            started.elapsed().as_secs_f64() * 1000.0
        });
    }
    loops.join_all().await.into_iter().fold(0.0, f64::max)
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

impl Seen {
    /// Of how long calls have taken.
    fn of(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        let at = |share| percentile::at(&times, share);
        Self { calls: times.len(), p50: at(0.50), p99: at(0.99) }
    }
}

/// Calls the neighbour on its connections for a while. Gives how long each call has taken, in milliseconds.
async fn measure(host: &TestHost) -> Vec<f64> {
    let end = Instant::now() + MEASURED;
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
    connections.join_all().await.concat()
}
