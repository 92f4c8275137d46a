//! Guests that do too much of what they may do: each is stopped, both doors say why, and the host goes on.

use serde_json::{Value, json};

use crate::harness::{Log, Setup, TestHost, Upstream, random_text};

async fn start(upstream: &Upstream, limits: &str) -> TestHost {
    Setup::hostile(&upstream.url(), "no-secret-of-this-test", limits).start().await
}

/// Both doors refuse, and the next call is served.
async fn check(host: &TestHost, operation: &str, input: Option<Value>, status: u16, kind: &str, said: &str) {
    let path = format!("/hostile/{operation}");
    let answer = match &input {
        Some(input) => host.post(&path, input).await,
        None => host.get(&path).await,
    };
    let problem = answer.problem(status, kind);
    assert!(problem["detail"].as_str().unwrap_or_default().contains(said), "{operation}: {problem}");
    let result = host.mcp().call(operation, input.unwrap_or_else(|| json!({}))).await;
    assert!(result.error().contains(said), "{operation}: {result:?}");
    assert_eq!(host.get("/hostile/count").await.ok(), json!(1));
}

/// The lines of the audit log about this path, as soon as there are any.
async fn audited(log: &Log, path: &str) -> Vec<String> {
    let is_audit = |line: &str| line.contains("airlock::audit") && line.contains(path);
    log.line(is_audit).await;
    log.lines().into_iter().filter(|line| is_audit(line)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn time_spent_in_the_host_counts_too() {
    let upstream = Upstream::echo().await;
    let host = start(&upstream, "cpu_ms = 300").await;
    for operation in ["call-host-forever", "burn-in-host"] {
        check(&host, operation, None, 500, "cpu-deadline", "300ms of processor time").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_that_is_used_up_by_calls_of_the_host_ends_the_call_alone() {
    let upstream = Upstream::echo().await;
    let host = start(&upstream, "").await;
    for _ in 0..10 {
        check(&host, "recurse-through-host", None, 500, "trapped", "the plugin failed").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_beyond_the_limit_of_a_call_are_refused() {
    let log = Log::listen();
    let upstream = Upstream::echo().await;
    let host = start(&upstream, "requests = 3, cpu_ms = 5000").await;
    let path = format!("/{}", random_text());
    let url = format!("http://upstream.test{path}");
    let input = json!({"times": 10_000, "url": url});
    let problem = host.post("/hostile/ask-until-refused", &input).await.problem(403, "denied");
    assert_eq!(problem["rule"], "too-many-requests");
    assert!(
        problem["hint"].as_str().unwrap_or_default().contains("[grants.hostile]\nlimits.requests = 6"),
        "{problem}"
    );
    assert_eq!(upstream.requests().len(), 3);
    let result = host.mcp().call("ask-until-refused", input.clone()).await;
    assert!(result.error().contains("denied by rule too-many-requests"), "{result:?}");
    // One that doesn't care gets no further.
    assert_eq!(host.post("/hostile/ask-on", &input).await.ok(), json!(3));
    assert_eq!(upstream.requests().len(), 6);
    // Each request has its line, and each call one for all that it was refused.
    let lines = audited(&log, &path).await;
    assert_eq!(lines.iter().filter(|line| line.contains("decision=permitted")).count(), 9, "{lines:?}");
    assert_eq!(
        lines.iter().filter(|line| line.contains("decision=too-many-requests outcome=denied")).count(),
        3,
        "{lines:?}"
    );
    let by_mcp = |line: &&String| line.contains("operation=ask-until-refused caller=mcp from 127.0.0.1 ");
    assert_eq!(lines.iter().filter(by_mcp).count(), 4, "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_never_read_are_let_go_with_the_call() {
    const OPEN: usize = 16;
    let upstream = Upstream::beginning(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nabc").await;
    let host = start(&upstream, "wall_ms = 500, concurrency = 1, queue = 0, requests = 1000").await;
    check(&host, "never-read", Some(json!({})), 504, "wall-deadline", "stopped after 500ms").await;
    upstream.has_lost(2 * OPEN).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_lets_go_of_the_answer_that_the_guest_held() {
    let log = Log::listen();
    let upstream = Upstream::beginning(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nabc").await;
    let host = start(&upstream, "concurrency = 1, queue = 0").await;
    let path = format!("/{}", random_text());
    let input = json!({"url": format!("http://upstream.test{path}")});
    check(&host, "trap-holding", Some(input), 500, "trapped", "the plugin failed").await;
    upstream.has_lost(2).await;
    let lines = audited(&log, &path).await;
    assert!(lines.iter().all(|it| it.contains("decision=permitted outcome=abandoned status=200")), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn giant_headers_go_nowhere() {
    let upstream = Upstream::echo().await;
    let host = start(&upstream, "").await;
    let answer = host.post("/hostile/giant-headers", &json!({})).await;
    assert!(answer.status >= 400, "{answer:?}");
    host.mcp().call("giant-headers", json!({})).await.error();
    assert_eq!(upstream.texts(), [""; 0]);
    assert_eq!(host.get("/hostile/count").await.ok(), json!(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_is_no_larger_than_the_grant_allows_however_it_is_built() {
    let upstream = Upstream::echo().await;
    let host = start(&upstream, "response_mb = 2, cpu_ms = 5000").await;
    let limit = "more than 2097152 bytes at once";
    check(&host, "giant-reply", Some(json!({"times": 50})), 500, "data-limit", limit).await;
    check(&host, "alias", None, 500, "data-limit", limit).await;
    assert_eq!(host.post("/hostile/giant-reply", &json!({"times": 1})).await.text().len(), 1 << 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_that_are_no_json_or_too_much_of_it_are_refused() {
    let log = Log::listen();
    let upstream = Upstream::echo().await;
    let host = start(&upstream, "cpu_ms = 5000").await;
    let bad = "the plugin's reply can't be used";
    let reply = |head: &str, repeat: &str, times: u32, tail: &str| {
        Some(json!({"head": head, "repeat": repeat, "times": times, "tail": tail}))
    };
    for (input, reason) in [
        (reply("", "[", 100_000, ""), "recursion limit exceeded"),
        (reply("{\"half\": ", "", 0, ""), "EOF while parsing"),
        // 4 MB as text, and far more than the guest's 64 MB once it is read.
        (reply("[", "0,", 2_000_000, "0]"), "too many values for 67108864 bytes"),
    ] {
        check(&host, "reply", input, 500, "bad-reply", bad).await;
        log.line(|line| line.contains(reason)).await;
    }
    check(&host, "bad-utf8", None, 500, "trapped", "the plugin failed").await;
    let answer = host.post("/hostile/reply", &json!({"head": "[", "repeat": "0,", "times": 1000, "tail": "0]"})).await;
    assert_eq!(answer.ok().as_array().map(Vec::len), Some(1001));
}

#[tokio::test(flavor = "multi_thread")]
async fn content_has_real_media_types_and_addresses() {
    let log = Log::listen();
    let upstream = Upstream::echo().await;
    let host = start(&upstream, "").await;
    for (media_type, uri, reason) in [
        ("text/html\r\nset-cookie: a=b", "users://7", "not a media type"),
        ("nonsense", "users://7", "not a media type"),
        ("image/png", "../../etc/passwd", "not an absolute URI"),
        ("image/png", "users://7\nx", "not an absolute URI"),
    ] {
        let input = json!({"media_type": media_type, "uri": uri});
        check(&host, "content", Some(input), 500, "bad-reply", "the plugin's reply can't be used").await;
        log.line(|line| line.contains(reason)).await;
    }
    let answer = host.post("/hostile/content", &json!({"media_type": "image/png", "uri": "users://7"})).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "image/png"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_spelling_of_an_address_leads_to_this_machine() {
    let upstream = Upstream::echo().await;
    let host = start(&upstream, "").await;
    let port = upstream.url().rsplit_once(':').expect("a port").1.to_owned();
    for spelling in [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "0177.0.0.1",
        "0x7f.0.0.1",
        "0x7f000001",
        "2130706433",
        "017700000001",
        "127.0.0.1.",
        "0.0.0.0",
        "0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[0:0:0:0:0:0:0:1]",
        "[fe80::1%25lo]",
        "[::1%25lo]",
        "[64:ff9b::127.0.0.1]",
        "[2002:7f00:1::]",
        "localhost",
        "LOCALHOST.",
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
        "%31%32%37.0.0.1",
        "upstream.test@127.0.0.1",
        "upstream.test%40127.0.0.1",
        "upstream.test#@127.0.0.1",
        "upstream.test\\@127.0.0.1",
        "127.0.0.1\\.upstream.test",
        "upstream.test\t.127.0.0.1",
        "upstream.test\r\nhost: 127.0.0.1",
        "169.254.169.254",
        "[fd00:ec2::254]",
        "metadata.google.internal",
        "upstream.test.",
        "upstream.test\0.example",
    ] {
        let input = json!({"url": format!("http://{spelling}:{port}/")});
        let answer = host.post("/hostile/fetch", &input).await;
        assert!(answer.status >= 400, "{spelling:?}: {answer:?}");
        host.mcp().call("fetch", input).await.error();
        assert_eq!(upstream.texts(), [""; 0], "{spelling:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_forbidden_header_arrives() {
    let upstream = Upstream::echo().await;
    let host = start(&upstream, "").await;
    for name in [
        "authorization",
        "Proxy-Authorization",
        "proxy-connection",
        "host",
        "connection",
        "keep-alive",
        "content-length",
        "transfer-encoding",
        "te",
        "trailer",
        "upgrade",
        "expect",
        "accept-encoding",
        "x-secret",
        "x-http-method",
        "x-http-method-override",
        "x-method-override",
        "x-original-url",
        "x-rewrite-url",
    ] {
        let input = json!({"url": "http://upstream.test/", "headers": {name: "smuggled"}});
        host.post("/hostile/fetch", &input).await;
        for request in upstream.requests() {
            let arrived = request.headers.values().any(|value| value.as_bytes().windows(8).any(|it| it == b"smuggled"));
            assert!(!arrived, "{name}: {request:?}");
        }
    }
    let both = json!({"url": "http://upstream.test/", "headers": {"x-fine": "a", "connection": "x-fine, close"}});
    assert_eq!(host.post("/hostile/fetch", &both).await.ok()["headers"]["x-fine"], "a");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_knows_the_time_and_gets_chance_and_nothing_repeats() {
    let upstream = Upstream::echo().await;
    let host = start(&upstream, "").await;
    let first = host.get("/hostile/clocks").await.ok();
    assert_eq!((&first["monotonic"], &first["random"]), (&json!(true), &json!(true)));
    assert!(first["wall"].as_u64().is_some_and(|seconds| seconds > 1_700_000_000), "{first}");
    let second = host.get("/hostile/clocks").await.ok();
    assert_ne!(first["seed"], second["seed"]);
}
