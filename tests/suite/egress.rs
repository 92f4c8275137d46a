//! What a plugin asks for and doesn't get, what becomes of upstreams that fail, and how both are told over REST and MCP.

use std::fs;

use axum::{body::Body, response::Response};
use serde_json::{Value, json};

use crate::{
    harness::{Answer, Setup, TestHost, Upstream, fixture, say_skipped, start_hostile},
    hot_load::document,
};

async fn fetch(host: &TestHost, method: &str, url: &str) -> Answer {
    host.post("/hostile/fetch", &json!({"method": method, "url": url})).await
}

/// Both doors tell the rule, and nothing is sent.
async fn check_denied(host: &TestHost, upstream: &Upstream, method: &str, url: &str, rule: &str) -> Value {
    let problem = fetch(host, method, url).await.problem(403, "denied");
    assert_eq!(problem["rule"], rule, "{method} {url}: {problem}");
    let result = host.mcp().call("fetch", json!({"method": method, "url": url})).await;
    assert!(result.error().contains(&format!("denied by rule {rule}")), "{result:?}");
    assert_eq!(upstream.texts(), [""; 0], "{method} {url}");
    problem
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_declared_is_denied_though_the_guest_asks() {
    let upstream = Upstream::echo().await;
    let host = start_hostile(&upstream, "").await;
    for (method, url, rule) in [
        ("GET", "http://elsewhere.test/", "host-not-declared"),
        ("GET", "http://upstream.test.elsewhere.test/", "host-not-declared"),
        ("GET", "http://169.254.169.254/latest/meta-data/", "host-not-declared"),
        ("GET", "http://[::1]/", "host-not-declared"),
        ("GET", "https://upstream.test/", "scheme-not-declared"),
        ("GET", "http://upstream.test:8080/", "port-not-declared"),
        ("DELETE", "http://upstream.test/", "method-not-declared"),
        ("TRACE", "http://upstream.test/", "method-forbidden"),
        ("GET", "http://upstream.test/a/../b", "path-forbidden"),
        ("GET", "http://upstream.test/a/%2e%2e/b", "path-forbidden"),
    ] {
        check_denied(&host, &upstream, method, url, rule).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_declared_and_not_granted_is_denied_with_the_lines_that_would_grant_it() {
    let upstream = Upstream::echo().await;
    let to = upstream.url();
    let host = Setup::default()
        .file("hostile.wasm", fixture::HOSTILE)
        .secret("SECRET", "no-secret-of-this-test")
        .config(&format!(
            r#"
            [grants.hostile]
            hosts = ["http://upstream.test/public"]
            methods = ["GET"]
            secrets.SECRET = {{ file = "secrets/SECRET" }}
            upstreams."http://upstream.test" = "{to}"
            "#
        ))
        .start()
        .await;
    assert_eq!(fetch(&host, "GET", "http://upstream.test/public/x").await.ok()["target"], "/public/x");
    upstream.requests();
    for (method, url, rule, line) in [
        ("GET", "http://upstream.test/private", "path-not-granted", "\"http://upstream.test\""),
        ("GET", "http://upstream.test/publicity", "path-not-granted", "\"http://upstream.test\""),
        ("POST", "http://upstream.test/public", "method-not-granted", "methods = [\"GET\", \"POST\"]"),
        ("GET", "http://query.test/public", "host-not-granted", "\"http://query.test\""),
        // The machine itself, declared by the plugin: without the operator's word it stays out of reach.
        ("GET", "http://127.0.0.1:9/", "host-not-granted", "\"http://127.0.0.1:9\""),
    ] {
        let problem = check_denied(&host, &upstream, method, url, rule).await;
        let hint = problem["hint"].as_str().unwrap_or_default();
        assert!(hint.contains("airlock.toml") && hint.contains("[grants.hostile]") && hint.contains(line), "{hint}");
    }
}

/// The names for this machine in its own list of hosts, besides `localhost`, whose word counts as the address itself.
fn names_of_this_machine() -> Vec<String> {
    let hosts = fs::read_to_string("/etc/hosts").unwrap_or_default();
    let lines = hosts.lines().map(|line| line.split('#').next().unwrap_or_default());
    let local = lines.filter(|line| line.starts_with("127.") || line.starts_with("::1") || line.starts_with("172."));
    let names = local.flat_map(|line| line.split_whitespace().skip(1)).filter(|name| *name != "localhost");
    names.map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_with_a_private_address_behind_it_is_denied_though_the_name_is_granted() {
    let Some(name) = names_of_this_machine().into_iter().next() else {
        return say_skipped("/etc/hosts has no name for this machine but localhost");
    };
    let upstream = Upstream::echo().await;
    let port = upstream.url().rsplit(':').next().expect("a port").to_owned();
    let origin = format!("http://{name}:{port}");
    let document = document(&origin, "1");
    let grant = |rewrite: &str| format!("[grants.named]\nhosts = [\"{origin}\"]\n{rewrite}\n");
    let host = Setup::default().file("named.yaml", &document).config(&grant("")).start().await;
    let problem = host.get("/v1/thing").await.problem(403, "denied");
    assert_eq!(problem["rule"], "private-address", "{problem}");
    assert_eq!(upstream.texts(), [""; 0]);

    // The hint is what the operator has to say.
    let hint = problem["hint"].as_str().expect("a hint");
    let line = hint.lines().find(|line| line.contains("upstreams")).unwrap_or_else(|| panic!("{hint}"));
    let line = line.split_once("  #").map_or(line, |(line, _)| line);
    let host = Setup::default().file("named.yaml", &document).config(&grant(line)).start().await;
    let answer = host.get("/v1/thing").await;
    assert_ne!(answer.status, 403, "{line}: {answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_handed_on_and_not_followed() {
    let upstream = Upstream::answering(|seen| {
        let mut response = Response::new(Body::from("over there"));
        if seen.target == "/old" {
            *response.status_mut() = http::StatusCode::FOUND;
            let location = http::HeaderValue::from_static("http://169.254.169.254/new");
            response.headers_mut().insert(http::header::LOCATION, location);
        }
        response
    })
    .await;
    let host = start_hostile(&upstream, "").await;
    let answer = fetch(&host, "GET", "http://upstream.test/old").await;
    assert_eq!((answer.status, answer.header("location")), (302, "http://169.254.169.254/new"));
    let result = host.mcp().call("fetch-and-keep", json!({"url": "http://upstream.test/old"})).await;
    assert_eq!(result.ok()["status"], 302);
    let seen = upstream.texts();
    assert_eq!(seen.len(), 2, "once for each call: {seen:?}");
}

/// What becomes of a call whose answer's head never comes, or makes no sense.
async fn check_failed(host: &TestHost, status: u16, kinds: &[&str], said: &str) {
    for operation in ["fetch", "fetch-and-keep"] {
        let input = json!({"url": "http://upstream.test/x"});
        let answer = host.post(&format!("/hostile/{operation}"), &input).await;
        assert_eq!(answer.status, status, "{answer:?}");
        let problem = answer.json();
        let kind = problem["type"].as_str().unwrap_or_default().trim_start_matches("urn:airlock:problem:").to_owned();
        assert!(kinds.contains(&kind.as_str()), "{problem}");
        assert!(problem["detail"].as_str().unwrap_or_default().contains(said), "{problem}");
        let result = host.mcp().call(operation, input).await;
        assert!(result.error().contains(said), "{result:?}");
    }
    assert_eq!(host.get("/hostile/count").await.ok(), json!(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_is_down_is_a_bad_gateway() {
    let nowhere = Upstream::nowhere();
    let host = start_hostile(&nowhere, "").await;
    check_failed(&host, 502, &["upstream-unavailable"], "upstream.test: connection refused").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_says_nothing_is_a_gateway_timeout() {
    let upstream = Upstream::silent().await;
    let host = start_hostile(&upstream, "wall_ms = 6000, cpu_ms = 60000").await;
    // The call would end just after.
    let said = "upstream timed out: upstream.test: no complete answer within the time of the call";
    check_failed(&host, 504, &["upstream-timed-out"], said).await;
    // Nor has the guest the blame that doesn't come to say so.
    assert_eq!(host.get("/hostile/ask-and-loop").await.problem(504, "upstream-timed-out")["detail"], said);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_may_be_less_patient_than_its_grant() {
    let silent = Upstream::silent().await;
    let stopping = Upstream::beginning(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this").await;
    for (upstream, what, said) in
        [(&silent, "first-byte", "no answer in time"), (&stopping, "between-bytes", "no more data")]
    {
        let host = start_hostile(upstream, "").await;
        let problem = host.post("/hostile/impatient", &json!({"what": what})).await.problem(504, "upstream-timed-out");
        assert_eq!(problem["detail"], format!("upstream timed out: upstream.test: {said}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_talks_garbage_is_a_bad_gateway() {
    let upstream = Upstream::saying(b"SSH-2.0-OpenSSH_9.9\r\nno HTTP here\r\n").await;
    let host = start_hostile(&upstream, "").await;
    check_failed(&host, 502, &["upstream-unavailable"], "answer is not valid HTTP").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_closes_before_it_answers_is_a_bad_gateway() {
    let upstream = Upstream::saying(b"").await;
    let host = start_hostile(&upstream, "").await;
    check_failed(&host, 502, &["upstream-unavailable"], "closed before the end of the answer").await;
}

/// What becomes of a call whose answer begins well: the head has been passed on when the body breaks off.
async fn check_broken_off(host: &TestHost, status: u16, said: &str) {
    let input = json!({"url": "http://upstream.test/x"});
    let answer = host.post("/hostile/fetch", &input).await;
    assert_eq!(answer.status, 200);
    answer.body.expect_err("the caller notices that the body is not whole");
    // A guest that reads it itself has passed on nothing yet.
    let answer = host.post("/hostile/fetch-and-keep", &input).await;
    assert_eq!(answer.status, status, "{answer:?}");
    for operation in ["fetch", "fetch-and-keep"] {
        let result = host.mcp().call(operation, input.clone()).await;
        assert!(result.error().contains(said), "{operation}: {result:?}");
    }
    assert_eq!(host.get("/hostile/count").await.ok(), json!(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_closes_midway_is_noticed_at_every_door() {
    let upstream = Upstream::saying(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this").await;
    let host = start_hostile(&upstream, "").await;
    check_broken_off(&host, 502, "closed before the end of the answer").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_stops_midway_is_noticed_at_every_door() {
    let upstream = Upstream::beginning(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this").await;
    let host = start_hostile(&upstream, "wall_ms = 6000").await;
    check_broken_off(&host, 504, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_fields_that_mean_something_to_the_caller_pass() {
    let upstream = Upstream::saying(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\netag: \"7\"\r\nlink: </2>; rel=next\r\nlast-modified: Mon, 05 Jan 2026 00:00:00 GMT\r\n\
          retry-after: 3\r\nx-ratelimit-remaining: 41\r\nset-cookie: a=b\r\nx-powered-by: steam\r\nstrict-transport-security: max-age=1\r\n\
          x-request-id: theirs\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi",
    )
    .await;
    let host = start_hostile(&upstream, "").await;
    let answer = fetch(&host, "GET", "http://upstream.test/x").await;
    assert_eq!((answer.status, answer.text()), (200, "hi"));
    for (name, expected) in [
        ("content-type", "text/plain"),
        ("etag", "\"7\""),
        ("link", "</2>; rel=next"),
        ("last-modified", "Mon, 05 Jan 2026 00:00:00 GMT"),
        ("retry-after", "3"),
        ("x-ratelimit-remaining", "41"),
        ("set-cookie", ""),
        ("x-powered-by", ""),
        ("strict-transport-security", ""),
    ] {
        assert_eq!(answer.header(name), expected, "{name}");
    }
    assert_ne!(answer.header("x-request-id"), "theirs");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_page_becomes_a_problem_with_the_upstreams_status() {
    let upstream = Upstream::saying(
        b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/html\r\nretry-after: 7\r\ncontent-length: 23\r\n\r\n<h1>Under repair</h1>\r\n",
    )
    .await;
    let host = start_hostile(&upstream, "").await;
    let answer = fetch(&host, "GET", "http://upstream.test/x").await;
    assert_eq!(answer.header("retry-after"), "7");
    let problem = answer.problem(503, "upstream-error");
    assert_eq!(problem["upstream_status"], 503);
    assert!(problem["detail"].as_str().unwrap_or_default().contains("Under repair"), "{problem}");
    let result = host.mcp().call("fetch", json!({"url": "http://upstream.test/x"})).await;
    assert!(result.error().contains("503") && result.error().contains("Under repair"), "{result:?}");
}
