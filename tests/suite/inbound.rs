//! Callers that attack: by way of somebody's browser, by requests that two readers read differently, by slowness; and callers that
//! trust us with credentials that aren't meant for upstreams.

use std::time::Duration;

use airlock::listen::Limits;
use axum::{body::Body, response::Response};
use http::StatusCode;
use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::harness::{Seen, Setup, TestHost, Upstream, json_answer, random_text, within_patience};

const USER: &str = "/v1/organizations/o/users/u";

async fn start(listen: &str) -> (TestHost, Upstream) {
    let upstream = Upstream::echo().await;
    let host = Setup::providers(&upstream, &upstream).listen(listen).start().await;
    (host, upstream)
}

/// The statuses of all answers in what was heard on a connection.
fn statuses(heard: &str) -> Vec<u16> {
    heard.split("HTTP/1.1 ").skip(1).map(|it| it[..3].parse().expect("a status")).collect()
}

/// A request in the same words to each listener, and the three statuses. The path is one that each of them would answer.
async fn ask_all(host: &TestHost, method: &str, headers: &str) -> Vec<u16> {
    let mut answered = Vec::new();
    for (listener, path) in host.listeners().iter().zip(["/v1/user", "/mcp", "/health/live"]) {
        let heard = listener.talk(&format!("{method} {path} HTTP/1.1\r\n{headers}connection: close\r\n\r\n")).await;
        answered.extend(statuses(&heard));
    }
    answered
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_origins_cannot_call_any_listener() {
    let (host, upstream) = start("origins = [\"https://app.example.com\"]\n").await;
    let evil = ["http://evil.example", "null", "http://localhost.evil.example", "file://", "http://10.0.0.1:9090"];
    for origin in evil {
        for method in ["POST", "GET", "DELETE", "OPTIONS"] {
            let headers = format!("host: 127.0.0.1\r\norigin: {origin}\r\n");
            assert_eq!(ask_all(&host, method, &headers).await, [403; 3], "{method} {origin}");
        }
    }
    let twice = "host: localhost\r\norigin: http://localhost\r\norigin: http://localhost\r\n";
    assert_eq!(ask_all(&host, "GET", twice).await, [403; 3]);
    assert_eq!(upstream.texts(), [""; 0]);
    for origin in ["http://localhost", "https://localhost:8443", "http://127.0.0.1:3000", "http://[::1]:1"] {
        let answered = ask_all(&host, "GET", &format!("host: 127.0.0.1\r\norigin: {origin}\r\n")).await;
        assert_eq!((answered[0], answered[2]), (200, 200), "{origin}");
        assert_ne!(answered[1], 403, "{origin}");
    }
    let answered = ask_all(&host, "GET", "host: localhost\r\norigin: https://app.example.com\r\n").await;
    assert_eq!((answered[0], answered[2]), (200, 403), "management is for no page but the machine's own");
    assert_ne!(answered[1], 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_not_ours_is_misdirected_at_every_listener() {
    let (host, upstream) = start("hosts = [\"airlock.example.com\"]\n").await;
    for (headers, status) in [
        ("host: evil.example\r\n", 421),
        ("host: localhost.evil.example:8080\r\n", 421),
        ("host: evil.example\r\norigin: http://evil.example\r\n", 421),
        ("", 400),
        ("host:\r\n", 400),
        ("host: localhost\r\nhost: evil.example\r\n", 400),
        ("host: evil.example@localhost\r\n", 400),
    ] {
        assert_eq!(ask_all(&host, "GET", headers).await, [status; 3], "{headers}");
    }
    assert_eq!(upstream.texts(), [""; 0]);
    for name in ["airlock.example.com", "localhost:1", "127.0.0.1", "[::1]:80"] {
        let answered = ask_all(&host, "GET", &format!("host: {name}\r\n")).await;
        assert_eq!((answered[0], answered[2]), (200, 200), "{name}");
        assert!(![400, 421].contains(&answered[1]), "{name}");
    }
    let problem =
        host.rest().raw("GET", "/v1/user", &[("host", "Lab.example:80")], "").await.problem(421, "other-host");
    assert!(problem["detail"].as_str().unwrap_or_default().contains("[listen] hosts = [\"lab.example\"]"), "{problem}");
}

/// What must not become a request of its own.
const SMUGGLED: &str = "GET /v1/users/smuggled HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// A JSON request with these fields of its own about its framing, and all that comes behind its head.
fn framed(fields: &str, behind: &str) -> String {
    format!("PUT {USER} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{fields}\r\n\r\n{behind}")
}

/// The same with a chunked body: `{}` would be right.
fn chunked(body: &str) -> String {
    framed("transfer-encoding: chunked\r\nconnection: close", body)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_can_be_read_in_two_ways_is_refused() {
    let (host, upstream) = start("").await;
    let get = |fields: &str| format!("GET /v1/user HTTP/1.1\r\nhost: localhost\r\n{fields}\r\n\r\n{SMUGGLED}");
    for said in [
        framed("content-length: 2\r\ncontent-length: 30", "{}"),
        framed("content-length: 2, 30", "{}"),
        framed("content-length: +2", "{}"),
        framed("content-length: -2", "{}"),
        framed("content-length: 0x2", "{}"),
        framed("content-length: 2 0", "{}"),
        framed("content-length:", "{}"),
        framed("content-length : 2", "{}"),
        framed("content length: 2", "{}"),
        framed(" content-length: 2", "{}"),
        framed("x: y\r\n content-length: 2", "{}"),
        framed("x: y\r\n\tcontent-length: 2", "{}"),
        framed("x: y\rcontent-length: 2", "{}"),
        framed("x: y\0content-length: 2", "{}"),
        framed("content-length\0: 2", "{}"),
        framed("transfer-encoding: identity", "{}"),
        framed("transfer-encoding: xchunked", "2\r\n{}\r\n0\r\n\r\n"),
        framed("transfer-encoding: chunked, identity", "2\r\n{}\r\n0\r\n\r\n"),
        framed("transfer-encoding: chunked\r\ntransfer-encoding: identity", "2\r\n{}\r\n0\r\n\r\n"),
        framed("transfer-encoding : chunked", "2\r\n{}\r\n0\r\n\r\n"),
        framed("transfer-encoding: chunked", "2\r\n{}\r\n0\r\n\r\n").replace("HTTP/1.1", "HTTP/1.0"),
        framed("content-length: 2", "{}").replace("HTTP/1.1", "HTTP/1.1 "),
        framed("content-length: 2", "{}").replace(USER, "/v1/user HTTP/1.1 /x"),
        chunked("zz\r\n{}\r\n0\r\n\r\n"),
        chunked("-2\r\n{}\r\n0\r\n\r\n"),
        chunked("0x2\r\n{}\r\n0\r\n\r\n"),
        chunked("fffffffffffffffff2\r\n{}\r\n0\r\n\r\n"),
        chunked("2\n{}\r\n0\r\n\r\n"),
        chunked("2;a\nb\r\n{}\r\n0\r\n\r\n"),
        chunked("2\r\n{}x0\r\n\r\n"),
        chunked("2\r\n{}\r\nxx\r\n\r\n"),
        get("x: y\r\n content-length: 57"),
        get("x y"),
        // A line may end without its carriage return: then this is a body, which the operation doesn't take.
        get(&format!("x: y\ncontent-length: {}\r\nconnection: close", SMUGGLED.len())),
    ] {
        let heard = host.rest().talk(&said).await;
        assert_eq!(statuses(&heard), [400], "{said:?}: {heard}");
        assert_eq!(upstream.texts(), [""; 0], "{said:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_behind_a_request_is_never_part_of_it_nor_the_other_way_round() {
    let (host, upstream) = start("").await;
    let last = "GET /last HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let long = SMUGGLED.len();
    let chunks = "2\r\n{}\r\n0\r\n\r\n";
    for (said, answered, reaches) in [
        // The chunks count (RFC 9112), and the connection is closed: what is behind them is nobody's.
        (framed("content-length: 2\r\ntransfer-encoding: chunked", &format!("{chunks}{SMUGGLED}")), &[200][..], 1),
        (framed("transfer-encoding: chunked\r\ncontent-length: 90", &format!("{chunks}{SMUGGLED}")), &[200], 1),
        (chunked("2;name=value\r\n{}\r\n0\r\nx-trailer: 1\r\n\r\n"), &[200], 1),
        (framed("content-length: 2\r\ncontent-length: 2", &format!("{{}}{last}")), &[200, 404], 1),
        // Bodies that look like requests.
        (framed(&format!("content-length: {long}"), &format!("{SMUGGLED}{last}")), &[400, 404], 0),
        (
            format!("GET /v1/user HTTP/1.1\r\nhost: localhost\r\ncontent-length: {long}\r\n\r\n{SMUGGLED}{last}"),
            &[400, 404],
            0,
        ),
        (
            format!(
                "GET /v1/user HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n{long:x}\r\n{SMUGGLED}\r\n0\r\n\r\n{last}"
            ),
            &[400, 404],
            0,
        ),
        // Targets and protocols of proxies.
        (last.replace("/last", "http://evil.example/v1/user"), &[421], 0),
        (last.replace("/last", "http://localhost/v1/user"), &[200], 1),
        (last.replace("GET /last", "CONNECT 127.0.0.1:80"), &[404], 0),
        (
            last.replace("/last", "/v1/user")
                .replace("connection: close", "connection: close, upgrade\r\nupgrade: websocket"),
            &[200],
            1,
        ),
        ("PRI * HTTP/2.0\r\n\r\nSN\r\n\r\n".to_owned(), &[400], 0),
    ] {
        let heard = host.rest().talk(&said).await;
        assert_eq!(statuses(&heard), answered, "{said:?}: {heard}");
        let seen = upstream.texts();
        assert_eq!(seen.len(), reaches, "{said:?}: {seen:?}");
        assert!(!seen.iter().any(|it| it.contains("smuggled") || it.contains("upgrade")), "{said:?}: {seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_beyond_the_limits_is_told_so() {
    let (host, _upstream) = start("").await;
    for listener in host.listeners() {
        for fields in ["x: y\r\n".repeat(200), format!("x: {}\r\n", "y".repeat(40 << 10))] {
            let heard = listener.talk(&format!("GET / HTTP/1.1\r\nhost: localhost\r\n{fields}\r\n")).await;
            assert_eq!(statuses(&heard), [431], "{heard}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_credential_of_a_caller_reaches_an_upstream() {
    let (host, upstream) = start("").await;
    let secret = random_text();
    let bearer = format!("Bearer {secret}");
    let cookie = format!("session={secret}");
    let credentials = [("authorization", &bearer), ("proxy-authorization", &bearer), ("cookie", &cookie)];
    let keys = ["x-api-key", "api-key", "x-auth-token", "x-amz-security-token", "x-forwarded-for", "forwarded"];
    let headers = credentials.into_iter().chain(keys.map(|name| (name, &secret)));
    let headers: Vec<(&str, &str)> = headers.map(|(name, value)| (name, value.as_str())).collect();
    host.rest().raw("GET", "/v1/user", &headers, "").await.ok();
    host.rest().raw("GET", USER, &headers, "").await.ok();
    host.mcp().with(&headers).call("retrieve-orguser", json!({"orgId": "o", "id": "u"})).await.ok();
    let session = host.mcp().with(&headers).session().await;
    session.call("retrieve-orguser", json!({"orgId": "o", "id": "u"})).await.ok();
    let seen = upstream.requests();
    assert_eq!(seen.len(), 4, "{seen:?}");
    for seen in seen {
        assert!(!format!("{seen:?}").contains(&secret), "{seen}");
        let own = ["authorization", "x-auth-token"].iter().filter_map(|name| seen.headers.get(*name));
        assert_eq!(own.count(), 1, "its own credential is there: {seen}");
    }
}

/// More than all buffers on the way can hold, or a short answer.
fn huge(seen: Seen) -> Response {
    match seen.target.as_str() {
        "/huge" => Response::new(Body::from(vec![b'x'; 100 << 20])),
        _ => json_answer(StatusCode::OK, &json!({})),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_stops_reading_gives_its_place_to_the_next() {
    let upstream = Upstream::answering(huge).await;
    let host = Setup::hostile(&upstream.url(), "no-secret-of-this-test", "concurrency = 1, response_mb = 1000")
        .inbound(Limits { stall: Duration::from_millis(200), ..Limits::default() })
        .start()
        .await;
    let mut caller = host.rest().connect().await;
    let body = json!({"url": "http://upstream.test/huge"}).to_string();
    let head = "POST /hostile/fetch HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    caller.write_all(request.as_bytes()).await.expect("the host listens");
    upstream.has_seen(1).await;
    let next = json!({"url": "http://upstream.test/"});
    // Nothing announces that the place is free: until then the plugin is busy.
    within_patience("a place", async {
        while host.post("/hostile/fetch", &next).await.status != 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    drop(caller);
}
