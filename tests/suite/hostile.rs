//! Guests that do too much of what they may do: each is stopped, both doors say why, and the host goes on.

use http::StatusCode;
use serde_json::{Value, json};

use crate::harness::{Log, Setup, TestHost, Upstream, fixture, json_answer, random_text, start_hostile};

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

/// The lines of the audit log about this path, as soon as there are so many. There are never more.
async fn audited(log: &Log, path: &str, count: usize) -> Vec<String> {
    let is_about_it = |line: &str| line.contains("airlock::audit") && line.contains(&format!(" path={path} "));
    let lines = log.at_least(count, is_about_it).await;
    assert_eq!(lines.len(), count, "{lines:?}");
    lines
}

/// Each request about this path ended so, as the audit tells.
async fn check_audited(log: &Log, path: &str, count: usize, ended: &str) {
    for line in audited(log, path, count).await {
        assert!(line.contains(ended), "{ended} in {line}");
    }
}

fn random_path() -> String {
    format!("/{}", random_text())
}

#[tokio::test(flavor = "multi_thread")]
async fn time_spent_in_the_host_counts_too() {
    let upstream = Upstream::echo().await;
    let host = start_hostile(&upstream, "cpu_ms = 300").await;
    for operation in ["call-host-forever", "burn-in-host"] {
        check(&host, operation, None, 500, "cpu-deadline", "300ms of processor time").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_that_is_used_up_by_calls_of_the_host_ends_the_call_alone() {
    let upstream = Upstream::echo().await;
    let host = start_hostile(&upstream, "").await;
    for _ in 0..10 {
        check(&host, "recurse-through-host", None, 500, "trapped", "the plugin failed").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_beyond_the_limit_of_a_call_are_refused() {
    let log = Log::listen();
    let upstream = Upstream::echo().await;
    let host = start_hostile(&upstream, "requests = 3, cpu_ms = 5000").await;
    let path = random_path();
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
    let lines = audited(&log, &path, 12).await;
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
    let log = Log::listen();
    let upstream = Upstream::beginning(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nabc").await;
    let host = start_hostile(&upstream, "wall_ms = 10000, concurrency = 1, queue = 0, requests = 1000").await;
    let path = random_path();
    let input = json!({"url": format!("http://upstream.test{path}")});
    check(&host, "never-read", Some(input), 504, "wall-deadline", "stopped after 10s").await;
    upstream.has_lost(2 * OPEN).await;
    check_audited(&log, &path, 2 * OPEN, "decision=permitted outcome=abandoned status=200 bytes=0").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_lets_go_of_the_answer_that_the_guest_held() {
    let log = Log::listen();
    let upstream = Upstream::beginning(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nabc").await;
    let host = start_hostile(&upstream, "concurrency = 1, queue = 0").await;
    let path = random_path();
    let input = json!({"url": format!("http://upstream.test{path}")});
    check(&host, "trap-holding", Some(input), 500, "trapped", "the plugin failed").await;
    upstream.has_lost(2).await;
    check_audited(&log, &path, 2, "decision=permitted outcome=abandoned status=200").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn giant_headers_go_nowhere() {
    let log = Log::listen();
    let upstream = Upstream::echo().await;
    let host = start_hostile(&upstream, "header_kb = 8").await;
    // More than a guest can hold: there is no request at all.
    check(&host, "giant-headers", Some(json!({})), 500, "trapped", "the plugin failed").await;
    // More than its grant lets out.
    let path = random_path();
    let url = format!("http://upstream.test{path}");
    let input = json!({"url": url, "headers": {"x-giant": "a".repeat(9 << 10)}});
    let said = "request is too large: address and header have more than 8192 bytes";
    check(&host, "fetch", Some(input), 502, "upstream-request-too-large", said).await;
    check_audited(&log, &path, 2, "decision=permitted outcome=request-too-large bytes=0").await;
    assert_eq!(upstream.texts(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ways_to_send_a_request_lead_to_the_same_checks() {
    let log = Log::listen();
    let upstream = Upstream::answering(|_| json_answer(StatusCode::OK, &json!({}))).await;
    let host = start_hostile(&upstream, "header_kb = 8, request_mb = 2, response_mb = 1, cpu_ms = 5000").await;
    let (too_large, kind) = ("outcome=request-too-large", "upstream-request-too-large");
    for door in ["fetch", "wasi:http"] {
        for (origin, rest, status, kind, ended) in [
            ("http://169.254.169.254", json!({}), 403, "denied", "decision=host-not-declared outcome=denied"),
            ("http://upstream.test:81", json!({}), 403, "denied", "decision=port-not-declared outcome=denied"),
            ("http://upstream.test", json!({"method": "TRACE"}), 403, "denied", "outcome=denied"),
            ("http://upstream.test", json!({"headers": {"x": "a".repeat(9 << 10)}}), 502, kind, too_large),
            ("http://upstream.test", json!({"body": "a".repeat(3 << 20)}), 502, kind, too_large),
        ] {
            let (path, mut input) = (random_path(), rest);
            input["url"] = format!("{origin}{path}").into();
            input["door"] = door.into();
            check(&host, "fetch", Some(input), status, kind, "").await;
            check_audited(&log, &path, 2, ended).await;
        }
        // It never becomes a request.
        let many = json!({"door": door, "fields": 5_000});
        check(&host, "fetch", Some(many), 500, "trapped", "the plugin failed").await;
        assert_eq!(upstream.texts(), [""; 0], "{door}");
        // More than may be handed over at once, and no more than may be sent.
        let body = "a".repeat(3 << 19);
        let sent = json!({"door": door, "method": "PUT", "url": "http://upstream.test/", "body": body});
        assert_eq!(host.post("/hostile/fetch", &sent).await.ok(), json!({}), "{door}");
        let received = upstream.requests();
        assert_eq!((received.len(), received[0].body.len()), (1, body.len()), "{door}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_is_no_larger_than_the_grant_allows_however_it_is_built() {
    let upstream = Upstream::echo().await;
    let host = start_hostile(&upstream, "response_mb = 2, cpu_ms = 5000").await;
    let limit = "more than 2097152 bytes at once";
    check(&host, "giant-reply", Some(json!({"times": 50})), 500, "data-limit", limit).await;
    check(&host, "alias", None, 500, "data-limit", limit).await;
    assert_eq!(host.post("/hostile/giant-reply", &json!({"times": 1})).await.text().len(), 1 << 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_that_are_no_json_or_too_much_of_it_are_refused() {
    let log = Log::listen();
    let upstream = Upstream::echo().await;
    let host = start_hostile(&upstream, "cpu_ms = 5000").await;
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
    let host = start_hostile(&upstream, "").await;
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

/// The hostile fixture, whose declared `http://127.0.0.1:9` the operator grants and sends to this upstream.
fn granting_this_machine(upstream: &Upstream, addresses: &str) -> Setup {
    let to = upstream.url();
    Setup::default().file("hostile.wasm", fixture::HOSTILE).config(&format!(
        r#"
        [grants.hostile]
        hosts = ["http://127.0.0.1:9"]
        upstreams."http://127.0.0.1:9" = "{to}"
        {addresses}
        "#
    ))
}

/// Names of 127.0.0.1 that are read as what they are.
const LOOPBACK: [&str; 10] = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "0177.0.0.1",
    "0x7f.0.0.1",
    "0x7f000001",
    "0X7F.1",
    "2130706433",
    "017700000001",
    "127.0.0.1.",
];

#[tokio::test(flavor = "multi_thread")]
async fn no_spelling_of_a_granted_address_gets_round_the_addresses_that_are_denied() {
    let log = Log::listen();
    let upstream = Upstream::echo().await;
    let open = granting_this_machine(&upstream, "").start().await;
    let closed = granting_this_machine(&upstream, "addresses.deny = [\"127.0.0.0/8\"]").start().await;
    for spelling in LOOPBACK {
        let path = random_path();
        let input = json!({"url": format!("http://{spelling}:9{path}")});
        let problem = closed.post("/hostile/fetch", &input).await.problem(403, "denied");
        assert_eq!(problem["rule"], "denied-address", "{spelling}: {problem}");
        let result = closed.mcp().call("fetch", input.clone()).await;
        assert!(result.error().contains("denied by rule denied-address"), "{spelling}: {result:?}");
        check_audited(&log, &path, 2, "address=127.0.0.1 decision=denied-address outcome=denied bytes=0").await;
        assert_eq!(upstream.texts(), [""; 0], "{spelling}");
        // It is this rule that has kept it from there.
        assert_eq!(open.post("/hostile/fetch", &input).await.ok()["target"], path, "{spelling}");
        assert_eq!(upstream.requests().len(), 1, "{spelling}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_spelling_of_another_address_is_taken_for_a_granted_one() {
    let log = Log::listen();
    let upstream = Upstream::echo().await;
    let host = granting_this_machine(&upstream, "").start().await;
    for (spelling, rule) in [
        ("0.0.0.0", "host-not-declared"),
        ("0", "host-not-declared"),
        ("127.0.0.2", "host-not-declared"),
        ("[::1]", "host-not-declared"),
        ("[::]", "host-not-declared"),
        ("[::ffff:127.0.0.1]", "host-not-declared"),
        ("[::ffff:7f00:1]", "host-not-declared"),
        ("[::127.0.0.1]", "host-not-declared"),
        ("[0:0:0:0:0:0:0:1]", "host-not-declared"),
        ("[fe80::1%25lo]", "authority-forbidden"),
        ("[::1%25lo]", "authority-forbidden"),
        ("[64:ff9b::127.0.0.1]", "host-not-declared"),
        ("[2002:7f00:1::]", "host-not-declared"),
        ("localhost", "host-not-declared"),
        ("LOCALHOST.", "authority-forbidden"),
        ("upstream.test@127.0.0.1", "userinfo-forbidden"),
        ("169.254.169.254", "host-not-declared"),
        ("[fd00:ec2::254]", "host-not-declared"),
        ("metadata.google.internal", "host-not-declared"),
        ("upstream.test.", "authority-forbidden"),
    ] {
        let path = random_path();
        let input = json!({"url": format!("http://{spelling}:9{path}")});
        let problem = host.post("/hostile/fetch", &input).await.problem(403, "denied");
        assert_eq!(problem["rule"], rule, "{spelling}: {problem}");
        let result = host.mcp().call("fetch", input).await;
        assert!(result.error().contains(&format!("denied by rule {rule}")), "{spelling}: {result:?}");
        check_audited(&log, &path, 2, &format!("decision={rule} outcome=denied bytes=0")).await;
        assert_eq!(upstream.texts(), [""; 0], "{spelling}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_authority_never_becomes_a_request() {
    let log = Log::listen();
    let upstream = Upstream::echo().await;
    let host = granting_this_machine(&upstream, "").start().await;
    for spelling in [
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
        "%31%32%37.0.0.1",
        "upstream.test%40127.0.0.1",
        "upstream.test#@127.0.0.1",
        "upstream.test\\@127.0.0.1",
        "127.0.0.1\\.upstream.test",
        "upstream.test\t.127.0.0.1",
        "upstream.test\r\nhost: 127.0.0.1",
        "upstream.test\0.example",
    ] {
        let path = random_path();
        let input = json!({"url": format!("http://{spelling}:9{path}")});
        check(&host, "fetch", Some(input), 500, "provider-fault", "the plugin failed").await;
        let is_audit = |line: &String| line.contains("airlock::audit") && line.contains(&path);
        assert!(!log.lines().iter().any(is_audit), "{spelling:?}");
        assert_eq!(upstream.texts(), [""; 0], "{spelling:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_forbidden_header_arrives() {
    let log = Log::listen();
    let upstream = Upstream::echo().await;
    let host = start_hostile(&upstream, "").await;
    for name in [
        "authorization",
        "Proxy-Authorization",
        "proxy-connection",
        "host",
        "connection",
        "keep-alive",
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
        let path = random_path();
        let input = json!({"url": format!("http://upstream.test{path}"), "headers": {name: "smuggled"}});
        host.post("/hostile/fetch", &input).await.ok();
        let requests = upstream.requests();
        let [request] = &requests[..] else { panic!("{name}: {requests:?}") };
        let arrived = request.headers.values().any(|value| value.as_bytes().windows(8).any(|it| it == b"smuggled"));
        assert!(!arrived, "{name}: {request:?}");
        check_audited(&log, &path, 1, "decision=permitted outcome=complete status=200").await;
    }
    // Its length isn't a number: there is no such request.
    let input = json!({"url": "http://upstream.test/", "headers": {"content-length": "smuggled"}});
    check(&host, "fetch", Some(input), 500, "provider-fault", "the plugin failed").await;
    assert_eq!(upstream.texts(), [""; 0]);
    let both =
        json!({"url": "http://upstream.test/", "headers": {"x-fine": "a", "x-hop": "b", "connection": "x-hop, close"}});
    let headers = host.post("/hostile/fetch", &both).await.ok()["headers"].take();
    assert_eq!((&headers["x-fine"], &headers["x-hop"]), (&json!("a"), &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_knows_the_time_and_gets_chance_and_nothing_repeats() {
    let upstream = Upstream::echo().await;
    let host = start_hostile(&upstream, "").await;
    let first = host.get("/hostile/clocks").await.ok();
    assert_eq!((&first["monotonic"], &first["random"]), (&json!(true), &json!(true)));
    assert!(first["wall"].as_u64().is_some_and(|seconds| seconds > 1_700_000_000), "{first}");
    let second = host.get("/hostile/clocks").await.ok();
    assert_ne!(first["seed"], second["seed"]);
}
