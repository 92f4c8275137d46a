//! Many calls at once: guests that loop beside those that don't, and calls that wait for a place.

use http::StatusCode;
use serde_json::json;
use tokio::task::JoinSet;

use crate::harness::{Log, Setup, Upstream, json_answer, start_hostile};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_two_loops_are_stopped_in_time_while_the_host_answers_everybody_else() {
    const LOOPS: usize = 32;
    // A limit that is nowhere else, so that its lines in the log are this test's.
    const LIMIT: u64 = 217;
    let log = Log::listen();
    let users = json!({"data": []});
    let answer = users.clone();
    let upstream = Upstream::answering(move |_| json_answer(StatusCode::OK, &answer)).await;
    let limits = format!("cpu_ms = {LIMIT}, wall_ms = 600000");
    let host = Setup::hostile(&upstream.url(), "no-secret-of-this-test", &limits).m3ter(&upstream).start().await;
    let mut loops = JoinSet::new();
    for _ in 0..LOOPS {
        let rest = host.rest();
        loops.spawn(async move { rest.get("/hostile/loop").await });
    }
    // The plugin's own call takes turns with its loops; a neighbour's don't.
    assert_eq!(host.get("/hostile/count").await.ok(), json!(1));
    for _ in 0..10 {
        assert_eq!(host.control("/health/live").await.status, 200);
        assert_eq!(host.get("/v1/organizations/org/users").await.ok(), users);
        assert_eq!(*host.mcp().call("list-orgusers", json!({"orgId": "org"})).await.ok(), users);
    }
    let mut stopped = Vec::new();
    while let Some(answer) = loops.try_join_next() {
        stopped.push(answer.expect("no panic"));
    }
    assert!(stopped.len() < LOOPS, "all loops were stopped before the others were answered");
    stopped.extend(loops.join_all().await);
    for answer in &stopped {
        answer.problem(500, "cpu-deadline");
    }
    // The time of the processor, not of the clock on the wall: it doesn't depend on what else the machine does.
    let marker = format!("used {LIMIT}ms of processor time, its limit for one call; used when it was stopped: ");
    let lines = log.lines();
    let used: Vec<u64> =
        lines.iter().filter_map(|line| line.split_once(&marker)?.1.split_once(' ')?.0.parse().ok()).collect();
    assert_eq!(used.len(), LOOPS, "{used:?}");
    assert!(used.iter().all(|used| (LIMIT..=LIMIT + 100).contains(used)), "{used:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guests_that_loop_are_stopped_at_the_wall_too() {
    let upstream = Upstream::echo().await;
    let host = start_hostile(&upstream, "cpu_ms = 60000, wall_ms = 6000").await;
    let mut loops = JoinSet::new();
    for _ in 0..8 {
        let (rest, mcp) = (host.rest(), host.mcp());
        loops.spawn(async move {
            rest.get("/hostile/loop").await.problem(504, "wall-deadline");
            assert!(mcp.call("loop", json!({})).await.error().contains("stopped after 6s"));
        });
    }
    loops.join_all().await;
    assert_eq!(host.get("/hostile/count").await.ok(), json!(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_finds_no_place_waits_for_one() {
    let (upstream, gate) = Upstream::gated().await;
    let host = start_hostile(&upstream, "concurrency = 1").await;
    let (rest, waiting) = (host.rest(), host.rest());
    let running = tokio::spawn(async move { rest.get("/hostile/sleepy").await });
    upstream.has_seen(1).await;
    let waits = tokio::spawn(async move { waiting.get("/hostile/count").await });
    gate.open();
    assert_eq!(running.await.expect("no panic").ok()["target"], "/never");
    assert_eq!(waits.await.expect("no panic").ok(), json!(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_may_wait_the_next_call_is_told_at_once() {
    let (upstream, gate) = Upstream::gated().await;
    let host = start_hostile(&upstream, "concurrency = 1, queue = 0").await;
    let rest = host.rest();
    let running = tokio::spawn(async move { rest.get("/hostile/sleepy").await });
    upstream.has_seen(1).await;
    let refused = host.get("/hostile/count").await;
    assert_eq!(refused.header("retry-after"), "1");
    refused.problem(503, "busy");
    let result = host.mcp().call("count", json!({})).await;
    assert!(result.error().contains("1 calls are running"), "{result:?}");
    gate.open();
    running.await.expect("no panic").ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_a_call_is_as_long_as_the_grant_allows() {
    let log = Log::listen();
    let upstream = Upstream::echo().await;
    let host = start_hostile(&upstream, "log_kb = 1").await;
    let mark = crate::harness::random_text();
    host.post("/hostile/print", &json!({"out": format!("{mark}{}", "x".repeat(5000)), "err": ""})).await.ok();
    let dropped = 5000 + mark.len() - 1024;
    log.line(|line| line.contains(&format!("{dropped} more bytes dropped"))).await;
    let line = log.line(|line| line.contains(&mark) && line.contains("stream=stdout")).await;
    assert_eq!(
        line.matches('x').count() - line.split_once(&mark).expect("the mark").0.matches('x').count(),
        1024 - mark.len()
    );
}
