//! A secret goes to the upstream and nowhere else: not to the caller, not to the guest, not into the log.

use axum::{body::Body, response::Response};
use serde_json::{Value, json};

use crate::harness::{Log, Seen, Setup, TestHost, Upstream, json_answer, random_text};

/// A secret with characters that encodings change; it is nowhere else.
fn secret() -> String {
    format!("{}/+\"&= {}", random_text(), random_text())
}

/// The parts of it that every encoding leaves as they are, and that would give it away.
fn traces(secret: &str) -> Vec<String> {
    secret.split("/+\"&= ").map(str::to_owned).collect()
}

/// Repeats what it was asked in its body and in fields that pass to the caller; its status is in the path: `/500`.
fn gossip(seen: Seen) -> Response {
    let text = |name: &str| seen.headers.get(name).map(|it| it.to_str().expect("text").to_owned()).unwrap_or_default();
    let secret = text("x-secret");
    let query = seen.target.split_once('?').map_or("", |(_, query)| query).to_owned();
    let status: u16 = seen.target[1..4].parse().expect("a status as the path");
    let body = json!({"request": seen.to_string(), "secret": secret, "query": query});
    let mut response = match status {
        200 => json_answer(http::StatusCode::OK, &body),
        other => {
            let mut response = Response::new(Body::from(format!("you sent {secret} and {query}: {body}")));
            *response.status_mut() = http::StatusCode::from_u16(other).expect("a status");
            response
        }
    };
    for name in ["etag", "link", "location", "x-echo"] {
        let value = http::HeaderValue::from_str(&format!("<{secret}?{query}>")).expect("visible characters");
        response.headers_mut().insert(http::HeaderName::from_static(name), value);
    }
    response
}

struct Gossiping {
    host: TestHost,
    upstream: Upstream,
    secret: String,
}

impl Gossiping {
    async fn start() -> Self {
        let secret = secret();
        let upstream = Upstream::answering(gossip).await;
        let host = Setup::hostile(&upstream.url(), &secret, "memory_mb = 32").start().await;
        Self { host, upstream, secret }
    }

    fn is_in(&self, text: &str) -> bool {
        traces(&self.secret).iter().any(|trace| text.contains(trace))
    }

    /// The upstream has got the secret, or else nothing is proved.
    fn check_sent(&self) {
        for seen in self.upstream.requests() {
            let in_header = seen.headers.get("x-secret").is_some_and(|it| it.to_str().expect("text") == self.secret);
            let in_query = seen.target.contains("key=") && self.is_in(&seen.target);
            assert!(in_header || in_query, "{seen}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_in_no_answer_of_an_upstream_that_repeats_it() {
    let it = Gossiping::start().await;
    let mut told = Vec::new();
    for host in ["upstream.test", "query.test"] {
        for status in [200, 302, 404, 500] {
            let input = json!({"url": format!("http://{host}/{status}?mine=1")});
            for operation in ["fetch", "fetch-and-keep"] {
                let answer = it.host.post(&format!("/hostile/{operation}"), &input).await;
                told.push(format!("{answer:?}"));
                let result = it.host.mcp().call(operation, input.clone()).await;
                told.push(format!("{result:?}"));
                let result = it.host.mcp().session().await.call(operation, input.clone()).await;
                told.push(format!("{result:?}"));
            }
        }
    }
    it.check_sent();
    assert_eq!(told.len(), 48);
    for answer in &told {
        assert!(!it.is_in(answer), "{answer}");
    }
    // What stood around it is there: the answers have been read, not dropped.
    assert!(told.iter().filter(|it| it.contains("[redacted]")).count() >= 40, "{told:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_in_no_error_and_in_nothing_that_the_control_listener_tells() {
    let it = Gossiping::start().await;
    let mut told = Vec::new();
    for url in
        ["http://upstream.test/%2e%2e/x", "http://upstream.test:81/", "https://query.test/", "http://127.0.0.1:9/"]
    {
        let answer = it.host.post("/hostile/fetch", &json!({"url": url})).await;
        assert_eq!(answer.status, 403, "{answer:?}");
        told.push(answer.text().to_owned());
        told.push(format!("{:?}", it.host.mcp().call("fetch", json!({"url": url})).await));
    }
    for path in ["/plugins", "/metrics", "/health/ready"] {
        told.push(it.host.control(path).await.text().to_owned());
    }
    told.push(json!(it.host.mcp().tools().await).to_string());
    for answer in &told {
        assert!(!it.is_in(answer), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_in_no_line_of_the_log_at_any_level() {
    let log = Log::listen();
    let it = Gossiping::start().await;
    for host in ["upstream.test", "query.test"] {
        for status in [200, 500] {
            let input = json!({"url": format!("http://{host}/{status}")});
            it.host.post("/hostile/fetch", &input).await;
            it.host.mcp().call("fetch-and-keep", input).await;
        }
    }
    it.host.post("/hostile/fetch", &json!({"url": "http://upstream.test/%2e%2e/x"})).await;
    it.host.get("/hostile/trap").await;
    it.check_sent();
    let secret = it.secret.clone();
    it.host.stop().await;
    let lines = log.lines();
    assert!(lines.iter().any(|line| line.contains("upstream.test")), "the calls are in the log");
    assert!(lines.iter().any(|line| line.starts_with("TRACE")), "the log is at its most talkative");
    for line in &lines {
        assert!(!traces(&secret).iter().any(|trace| line.contains(trace)), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_nowhere_in_the_memory_of_the_guest_whose_request_carried_it() {
    let it = Gossiping::start().await;
    let control = random_text();
    // In halves, so that asking for it doesn't put it there.
    let needle = |text: &str| {
        let (head, tail) = text.split_at(text.len() / 2);
        json!({"head": head, "tail": tail})
    };
    let [first, last] = <[String; 2]>::try_from(traces(&it.secret)).expect("two parts");
    let base64_of_first = base64(first.as_bytes());
    for url in ["http://upstream.test/200", "http://query.test/200"] {
        let needles = [&control, &first, &last, &base64_of_first].map(|it| needle(it));
        let input = json!({"url": url, "method": "POST", "headers": {"x-mine": control}, "needles": needles});
        let answer = it.host.post("/hostile/scan-memory", &input).await.ok();
        assert_eq!(answer["status"], 200, "{answer}");
        assert!(answer["scanned"].as_u64().is_some_and(|bytes| bytes > 1 << 20), "{answer}");
        // The control is a part of the answer and of the request: a scan that finds nothing would prove nothing.
        assert_eq!(answer["found"], json!([true, false, false, false]), "{url}");
    }
    it.check_sent();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_guest_puts_where_credentials_go_is_dropped() {
    let upstream = Upstream::echo().await;
    let host = Setup::hostile(&upstream.url(), "the-operators-own", "").start().await;
    let headers = json!({
        "authorization": "Bearer stolen", "x-secret": "forged", "proxy-authorization": "Basic stolen", "host": "elsewhere.test",
        "x-http-method-override": "DELETE", "x-mine": "passes",
    });
    let input = json!({"url": "http://upstream.test/x", "headers": headers});
    let seen: Value = host.post("/hostile/fetch", &input).await.json();
    assert_eq!(seen["headers"]["x-secret"], "[redacted]");
    assert_eq!(
        upstream.texts(),
        ["GET /x\nx-mine: passes\nx-secret: the-operators-own"],
        "what the upstream has got is this and no more"
    );
    let input = json!({"url": "http://query.test/x?key=forged&mine=1"});
    host.post("/hostile/fetch", &input).await.ok();
    let seen = upstream.texts();
    assert!(seen[0].contains("mine=1") && seen[0].contains("key=the-operators-own"), "{seen:?}");
    assert!(!seen[0].contains("forged"), "{seen:?}");
}

/// Base64 without a dependency for it. The length is a multiple of three or the rest is left out: it is a needle.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let groups = bytes.chunks_exact(3).map(|it| u32::from_be_bytes([0, it[0], it[1], it[2]]));
    groups.flat_map(|group| [18, 12, 6, 0].map(|shift| char::from(ALPHABET[(group >> shift) as usize & 63]))).collect()
}
