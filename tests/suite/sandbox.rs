//! Hostile guests: each hurts itself only, and finds nothing to look at.

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{Log, Setup, TestHost, Upstream, fixture, random_text, start_hostile};

/// The plugin serves, and so does the host.
async fn check_alive(host: &TestHost) {
    let answer = host.post("/hostile/fetch", &json!({"url": "http://upstream.test/alive"})).await;
    assert_eq!(answer.ok()["target"], "/alive");
}

/// More loops than threads, so that a loop that doesn't give way starves everybody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guests_that_loop_are_stopped_at_their_limit_while_sixteen_other_calls_finish() {
    const LOOPS: usize = 4;
    const CALLS: usize = 16;
    let upstream = Upstream::echo().await;
    let host = start_hostile(&upstream, "cpu_ms = 2000, wall_ms = 600000").await;
    let mut loops = JoinSet::new();
    for _ in 0..LOOPS {
        let rest = host.rest();
        loops.spawn(async move { rest.get("/hostile/loop").await });
    }
    let mut calls = JoinSet::new();
    for number in 0..CALLS {
        let rest = host.rest();
        calls.spawn(async move {
            let url = format!("http://upstream.test/{number}");
            rest.send("POST", "/hostile/fetch", Some(&json!({"url": url}))).await.ok()
        });
    }
    let answers = calls.join_all().await;
    assert_eq!(answers.len(), CALLS);
    // In less time, each of them, than the limit of the guests beside them.
    assert!(loops.try_join_next().is_none(), "the loops were stopped before the other calls were answered");
    for stopped in loops.join_all().await {
        let problem = stopped.problem(500, "cpu-deadline");
        assert_eq!(problem["detail"], "the plugin was stopped: it used 2s of processor time, its limit for one call");
    }
    check_alive(&host).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_to_go_wrong_has_its_own_problem_and_the_host_goes_on() {
    let upstream = Upstream::echo().await;
    let host = start_hostile(&upstream, "cpu_ms = 1000, memory_mb = 16, wall_ms = 600000").await;
    for (operation, status, kind, said) in [
        ("loop", 500, "cpu-deadline", "1s of processor time"),
        ("eat-memory", 500, "memory-limit", "more than 16777216 bytes of memory"),
        ("recurse", 500, "trapped", "the plugin failed"),
        ("trap", 500, "trapped", "the plugin failed"),
        ("bad-json", 500, "bad-reply", "the plugin's reply can't be used"),
        ("invalid-input", 400, "invalid-input", "colour: is out of fashion, expected blue"),
    ] {
        let problem = host.get(&format!("/hostile/{operation}")).await.problem(status, kind);
        assert!(problem["detail"].as_str().unwrap_or_default().contains(said), "{problem}");
        assert_eq!((&problem["plugin"], &problem["operation"]), (&json!("hostile"), &json!(operation)));
        let result = host.mcp().call(operation, json!({})).await;
        assert!(result.error().contains(said), "{result:?}");
        check_alive(&host).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_the_operator_may_know_is_in_the_log_and_in_no_answer() {
    let log = Log::listen();
    let upstream = Upstream::echo().await;
    let host = start_hostile(&upstream, "").await;
    let detail = random_text();
    let answer = host.post("/hostile/internal", &json!({"detail": detail})).await;
    assert!(!answer.text().contains(&detail), "{answer:?}");
    answer.problem(500, "provider-fault");
    let result = host.mcp().call("internal", json!({"detail": detail})).await;
    assert!(!result.error().contains(&detail), "{result:?}");
    let line = log.line(|line| line.contains(&detail)).await;
    assert!(line.starts_with("WARN") && line.contains("only for the operator"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_sees_no_variables_no_arguments_and_no_files() {
    let upstream = Upstream::echo().await;
    let host = start_hostile(&upstream, "").await;
    let seen = host.get("/hostile/environment").await.ok();
    let nothing = json!({
        "variables": [], "arguments": [], "root": null, "here": null, "opened": [], "written": false,
    });
    assert_eq!(seen, nothing);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_guest_prints_is_in_the_log_line_by_line_and_harmless() {
    let log = Log::listen();
    let upstream = Upstream::echo().await;
    let host = start_hostile(&upstream, "").await;
    let mark = random_text();
    let out = format!("{mark} one\n{mark} \u{1b}[31mred\u{7}\n");
    let err = format!("{mark} careless\r\n{mark} ERROR forged=true");
    host.post("/hostile/print", &json!({"out": out, "err": err})).await.ok();
    let last = format!("{mark} ERROR forged=true");
    log.line(|line| line.contains(&last) && line.contains("stream=")).await;
    let lines: Vec<String> =
        log.lines().into_iter().filter(|line| line.contains(&mark) && line.contains("stream=")).collect();
    let line = |stream: &str, text: &str| {
        let found =
            lines.iter().find(|it| it.contains(&format!("stream={stream}")) && it.contains(&format!("{mark} {text}")));
        found.unwrap_or_else(|| panic!("{stream} {text} in {lines:?}")).clone()
    };
    assert!(line("stdout", "one").starts_with("INFO airlock::guest"));
    line("stdout", r"\u{1b}[31mred\u{7}");
    line("stderr", "careless");
    assert!(line("stderr", "ERROR forged=true").starts_with("INFO airlock::guest"));
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert!(lines.iter().all(|line| !line.contains(char::is_control)), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_finds_anything_of_the_one_before() {
    let upstream = Upstream::echo().await;
    let host = start_hostile(&upstream, "").await;
    for _ in 0..5 {
        assert_eq!(host.get("/hostile/count").await.ok(), json!(1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_calls_run_as_the_grant_allows_and_the_next_is_told_to_come_back() {
    let (upstream, gate) = Upstream::gated().await;
    let host = start_hostile(&upstream, "concurrency = 2").await;
    let mut running = JoinSet::new();
    for _ in 0..2 {
        let rest = host.rest();
        running.spawn(async move { rest.get("/hostile/sleepy").await });
    }
    upstream.has_seen(2).await;
    let refused = host.get("/hostile/count").await;
    assert_eq!(refused.header("retry-after"), "1");
    refused.problem(503, "busy");
    let result = host.mcp().call("count", json!({})).await;
    assert!(result.error().contains("2 calls are running"), "{result:?}");
    gate.open();
    for answer in running.join_all().await {
        assert_eq!(answer.ok()["target"], "/never");
    }
    check_alive(&host).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_waits_too_long_is_stopped() {
    let upstream = Upstream::silent().await;
    let host = start_hostile(&upstream, "wall_ms = 6000").await;
    let answer = host.get("/hostile/sleepy").await;
    assert_eq!(answer.status, 504, "{answer:?}");
    host.mcp().call("sleepy", json!({})).await.error();
    assert_eq!(host.get("/hostile/count").await.ok(), json!(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_description_that_never_ends_keeps_one_plugin_out_and_no_other() {
    let upstream = Upstream::echo().await;
    let host = Setup::hostile(&upstream.url(), "no-secret-of-this-test", "")
        .file("describe-loops.wasm", fixture::DESCRIBE_LOOPS)
        .config("[grants.describe-loops]\n")
        .start()
        .await;
    let status = host.file("describe-loops.wasm").await.expect("a file");
    assert_eq!(status.state, "failed");
    assert!(status.error.contains("doesn't describe itself"), "{status:?}");
    assert!(status.error.contains("processor time"), "{status:?}");
    assert_eq!(host.serving().await, ["hostile"]);
    check_alive(&host).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_while_it_describes_itself_is_refused_and_audited() {
    let log = Log::listen();
    let upstream = Upstream::echo().await;
    let host = Setup::hostile(&upstream.url(), "no-secret-of-this-test", "")
        .file("describe-asks.wasm", fixture::DESCRIBE_ASKS)
        .config("[grants.describe-asks]\nhosts = [\"http://upstream.test\"]\n")
        .start()
        .await;
    let status = host.file("describe-asks.wasm").await.expect("a file");
    assert_eq!(status.state, "failed");
    let denied = "denied by rule request-in-describe: GET http://upstream.test/asked-in-describe";
    assert!(status.error.contains(denied), "{status:?}");
    assert_eq!(upstream.texts(), [""; 0]);
    // Ten requests each time that the file is tried, and one line.
    let lines = log.at_least(1, |line| line.contains("airlock::audit") && line.contains("/asked-in-describe")).await;
    assert!(lines.len() < 10, "{lines:?}");
    for line in lines {
        assert!(line.contains("plugin=describe-asks operation=describe caller=host "), "{line}");
        assert!(line.contains("decision=request-in-describe outcome=denied bytes=0"), "{line}");
    }
    assert_eq!(host.serving().await, ["hostile"]);
    check_alive(&host).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_larger_than_the_grant_allows_does_not_pass() {
    let upstream = Upstream::saying(b"HTTP/1.1 200 OK\r\ncontent-length: 5000000\r\n\r\n").await;
    let host = start_hostile(&upstream, "response_mb = 1").await;
    let large = json!({"url": "http://upstream.test/large"});
    for operation in ["fetch", "fetch-and-keep"] {
        let answer = host.post(&format!("/hostile/{operation}"), &large).await;
        let problem = answer.problem(502, "upstream-answer-too-large");
        assert_eq!(problem["detail"], "upstream answer is too large: upstream.test: more than 1048576 bytes");
    }
    let result = host.mcp().call("fetch", large).await;
    assert!(result.error().contains("too large"), "{result:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_that_does_not_say_how_long_it_is_is_cut() {
    // Chunked, so that only counting helps: two chunks of 1 MiB each, as zeros.
    static FLOOD: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| {
        let chunk = [b"100000\r\n".as_slice(), &vec![b'0'; 1 << 20], b"\r\n"].concat();
        [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".as_slice(), &chunk, &chunk, b"0\r\n\r\n"].concat()
    });
    let upstream = Upstream::saying(&FLOOD).await;
    let host = start_hostile(&upstream, "response_mb = 1").await;
    let flood = json!({"url": "http://upstream.test/flood"});
    // The head was good, and has been passed on: the caller sees the body break off.
    let answer = host.post("/hostile/fetch", &flood).await;
    assert_eq!(answer.status, 200);
    answer.body.expect_err("the flood is cut");
    host.post("/hostile/fetch-and-keep", &flood).await.problem(502, "upstream-answer-too-large");
    let result = host.mcp().call("fetch-and-keep", flood).await;
    assert!(result.error().contains("too large"), "{result:?}");
    assert_eq!(host.get("/hostile/count").await.ok(), Value::from(1));
}
