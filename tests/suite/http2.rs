//! HTTP/2 at every listener: what works over HTTP/1.1 works there too, and so does what protects; floods of frames end the connection and
//! nothing else.
//!
//! Time limits are tested beside the code, where the clock can be held.

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::net::TcpStream;

use crate::harness::{
    Rest, Setup, TestHost, Upstream,
    frames::{self, Frames, kind},
    random_text, within_patience,
};

const USER: &str = "/v1/organizations/o/users/u";

/// A host of both providers, asked over HTTP/2.
async fn start(listen: &str) -> (TestHost, Upstream) {
    let upstream = Upstream::echo().await;
    let host = Setup::providers(&upstream, &upstream).listen(listen).start().await;
    (host.over_http2(), upstream)
}

/// A host of the hostile plugin, asked over HTTP/2. Nothing ends a call but its client.
async fn start_hostile(upstream: &Upstream) -> TestHost {
    let limits = "wall_ms = 600000, cpu_ms = 600000";
    Setup::hostile(&upstream.url(), "no-secret-of-this-test", limits).start().await.over_http2()
}

/// One connection.
async fn connect(listener: &Rest) -> SendRequest<Full<Bytes>> {
    let stream = TokioIo::new(listener.connect().await);
    let (requests, connection) = handshake(TokioExecutor::new(), stream).await.expect("the host speaks HTTP/2");
    tokio::spawn(connection);
    requests
}

/// Asks for a URI, with these fields besides; the status and the body.
async fn ask(
    requests: &mut SendRequest<Full<Bytes>>,
    method: &str,
    uri: &str,
    fields: &[(&str, &str)],
    body: &str,
) -> (u16, String) {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::from(body.to_owned())).expect("a request");
    within_patience("an answer", async {
        let answer = requests.send_request(request).await.expect("an answer");
        let status = answer.status().as_u16();
        let text = answer.into_body().collect().await.expect("a whole answer").to_bytes();
        (status, String::from_utf8_lossy(&text).into_owned())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn all_doors_answer_as_they_do_over_http_1() {
    let (host, upstream) = start("").await;
    let [rest, ..] = host.listeners();
    let own = |headers: &HeaderMap| {
        let mut headers = headers.clone();
        // Each answer's own, and those of one version.
        for name in ["date", "x-request-id", "transfer-encoding", "content-length"] {
            headers.remove(name);
        }
        headers
    };
    for (method, path, fields, body) in [
        ("GET", "/openapi.json", &[][..], ""),
        ("HEAD", "/openapi.json", &[], ""),
        ("HEAD", "/openapi.json", &[("origin", "https://evil.example")], ""),
        ("GET", "/v1/user?include=emails", &[("if-none-match", "\"1\""), ("accept-encoding", "gzip")], ""),
        ("PUT", USER, &[("content-type", "application/json")], r#"{"firstName": "Pia"}"#),
        ("PUT", USER, &[("content-type", "text/plain")], "{}"),
        ("OPTIONS", "/v1/user", &[], ""),
        ("DELETE", "/v1/user", &[], ""),
        ("GET", "/nowhere", &[], ""),
    ] {
        let old = rest.clone().over_http1().raw(method, path, fields, body).await;
        let new = rest.raw(method, path, fields, body).await;
        assert_eq!(new.status, old.status, "{method} {path}");
        assert_eq!(own(&new.headers), own(&old.headers), "{method} {path}");
        if old.status < 400 || method == "HEAD" {
            assert_eq!(new.body, old.body, "{method} {path}");
        }
        let seen = upstream.texts();
        assert!(seen.is_empty() || (seen.len() == 2 && seen[0] == seen[1]), "{seen:?}");
    }
    assert_eq!(host.control("/health/ready").await.status, 200);
    let result = host.mcp().call("retrieve-orguser", json!({"orgId": "o", "id": "u"})).await;
    assert_eq!(result.ok()["method"], "GET");
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_events_of_both_eras_come_over_one_connection() {
    let upstream = Upstream::echo().await;
    let host = start_hostile(&upstream).await;
    let session = host.mcp().session().await;
    let (mut modern, mut legacy) = (host.mcp().listen().await, session.stream().await);
    assert_eq!(session.call("count", json!({})).await.text, "1", "calls go on beside them");
    host.changed_by(|folder| std::fs::remove_file(folder.join("hostile.wasm")).expect("it is there")).await;
    for events in [&mut modern, &mut legacy] {
        events.until("notifications/tools/list_changed").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_reset_leaves_no_running_guest_and_no_upstream_request() {
    let silent = Upstream::silent().await;
    let host = start_hostile(&silent).await;
    let session = host.mcp().session().await;
    let mut rest = connect(&host.rest()).await;
    for (count, is_rest) in [(1, true), (2, false)] {
        let calling = match is_rest {
            true => {
                let request = Request::get("http://localhost/hostile/sleepy").body(Full::default()).expect("a request");
                let answer = rest.send_request(request);
                tokio::spawn(async move { drop(answer.await) })
            }
            false => {
                let session = session.clone();
                tokio::spawn(async move { drop(session.call("sleepy", json!({})).await) })
            }
        };
        silent.has_seen(count).await;
        host.when_running(1).await;
        calling.abort();
        silent.has_lost(count).await;
        host.when_running(0).await;
    }
    // A guest that only computes, and the connections are as they were.
    let looping = session.clone();
    let calling = tokio::spawn(async move { drop(looping.call("loop", json!({})).await) });
    host.when_running(1).await;
    calling.abort();
    host.when_running(0).await;
    assert_eq!(session.call("count", json!({})).await.text, "1");
    let (status, text) = ask(&mut rest, "GET", "http://localhost/hostile/count", &[], "").await;
    assert_eq!((status, text.as_str()), (200, "1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_authority_is_the_host_that_is_asked() {
    let (host, upstream) = start("hosts = [\"airlock.example.com\"]\norigins = [\"https://app.example.com\"]\n").await;
    const NAMED: (&str, &str) = ("host", "airlock.example.com");
    for (uri, fields, statuses) in [
        ("http://localhost", &[][..], [200, 405, 200]),
        ("https://airlock.example.com:8443", &[], [200, 405, 200]),
        ("http://airlock.example.com", &[NAMED], [200, 405, 200]),
        ("http://evil.example", &[], [421; 3]),
        ("http://localhost.evil.example", &[("origin", "http://localhost")], [421; 3]),
        // Two hosts are one too many, whichever is ours.
        ("http://evil.example", &[NAMED], [400; 3]),
        ("http://localhost", &[NAMED], [400; 3]),
        ("http://airlock.example.com", &[NAMED, NAMED], [400; 3]),
        ("http://localhost", &[("origin", "http://evil.example")], [403; 3]),
        ("http://localhost", &[("origin", "null")], [403; 3]),
        ("http://airlock.example.com", &[("origin", "http://localhost")], [403; 3]),
        ("http://localhost", &[("origin", "https://app.example.com")], [200, 405, 403]),
    ] {
        let mut answered = Vec::new();
        for (listener, path) in host.listeners().iter().zip(["/v1/user", "/mcp", "/health/live"]) {
            let mut requests = connect(listener).await;
            let (status, text) = ask(&mut requests, "GET", &format!("{uri}{path}"), fields, "").await;
            answered.push(status);
            assert!(status != 421 || text.contains("[listen] hosts = ["), "{text}");
        }
        let reaches = usize::from(statuses[0] == 200);
        // What MCP says to a GET that gets in isn't the matter here.
        if ![400, 403, 421].contains(&answered[1]) {
            answered[1] = 405;
        }
        assert_eq!(answered, statuses, "{uri} {fields:?}");
        assert_eq!(upstream.texts().len(), reaches, "{uri} {fields:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_credential_of_a_caller_reaches_an_upstream() {
    let (host, upstream) = start("").await;
    let secret = random_text();
    let bearer = format!("Bearer {secret}");
    let fields = [
        ("authorization", bearer.as_str()),
        ("cookie", secret.as_str()),
        ("x-api-key", secret.as_str()),
        ("te", "trailers"),
    ];
    host.rest().raw("GET", "/v1/user", &fields, "").await.ok();
    let seen = upstream.requests().pop().expect("a request");
    assert!(!format!("{seen:?}").contains(&secret) && !seen.headers.contains_key("te"), "{seen}");
}

/// A head for a request of REST, with these fields instead or besides.
fn fields<'a>(changed: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let usual = [(":method", "PUT"), (":scheme", "http"), (":path", USER), (":authority", "localhost")];
    let mut fields: Vec<_> =
        usual.into_iter().filter(|(name, _)| !changed.iter().any(|(changed, _)| changed == name)).collect();
    let (pseudo, others): (Vec<_>, Vec<_>) = changed.iter().copied().partition(|(name, _)| name.starts_with(':'));
    fields.extend(pseudo);
    fields.push(("content-type", "application/json"));
    fields.extend(others);
    fields
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_can_be_read_in_two_ways_is_refused() {
    let (host, upstream) = start("").await;
    let put = fields(&[]);
    let with = |changed: &[(&'static str, &'static str)]| fields(changed);
    let without = |name: &str| put.iter().copied().filter(|(it, _)| *it != name).collect::<Vec<_>>();
    let behind = |field| put.iter().copied().chain([field]).collect::<Vec<_>>();
    for (head, body) in [
        (with(&[("content-length", "5")]), "{}"),
        (with(&[("content-length", "1")]), "{}"),
        (with(&[("content-length", "+2")]), "{}"),
        (with(&[("content-length", "2, 2")]), "{}"),
        (with(&[("transfer-encoding", "chunked")]), "2\r\n{}\r\n0\r\n\r\n"),
        (with(&[("connection", "close")]), "{}"),
        (with(&[("keep-alive", "1")]), "{}"),
        (with(&[("proxy-connection", "close")]), "{}"),
        (with(&[("upgrade", "websocket")]), "{}"),
        (with(&[("te", "gzip")]), "{}"),
        (with(&[("X-Name", "1")]), "{}"),
        (with(&[("x name", "1")]), "{}"),
        (with(&[("x-name\r\ncontent-length", "1")]), "{}"),
        (with(&[("x-name", "1\r\ncontent-length: 1")]), "{}"),
        (with(&[("x-name", "1\ncontent-length: 1")]), "{}"),
        (with(&[("x-name", "1\0")]), "{}"),
        (with(&[("", "1")]), "{}"),
        (without(":method"), "{}"),
        (without(":scheme"), "{}"),
        (without(":path"), "{}"),
        (with(&[(":path", "")]), "{}"),
        (with(&[(":path", "/v1/user HTTP/1.1\r\nx: y")]), "{}"),
        (with(&[(":method", "PUT / HTTP/1.1\r\nx:")]), "{}"),
        (with(&[(":status", "200")]), "{}"),
        (with(&[(":name", "1")]), "{}"),
        (behind((":path", "/v1/user")), "{}"),
        (behind((":authority", "localhost")), "{}"),
        (with(&[(":authority", "localhost\r\nx: y")]), "{}"),
        // WebSockets and whatever else would take a stream for itself.
        (with(&[(":method", "CONNECT"), (":protocol", "websocket")]), "{}"),
        (with(&[(":protocol", "websocket")]), "{}"),
    ] {
        let mut said = frames::frame(kind::HEADERS, frames::END_HEADERS, 1, &frames::head(&head));
        said.extend(frames::frame(kind::DATA, frames::END_STREAM, 1, body.as_bytes()));
        let mut client = Frames::to(&host.rest()).await;
        client.say(&said).await;
        let verdict = client.verdict().await.expect("the host says what is wrong");
        assert!(
            [kind::RESET, kind::GOAWAY].contains(&verdict.kind) && verdict.error() == frames::PROTOCOL_ERROR
                || is_answer(&verdict, StatusCode::BAD_REQUEST),
            "{head:?}: {verdict:?}"
        );
        assert_eq!(upstream.texts(), [""; 0], "{head:?}");
    }
    // Right is what is left.
    let mut client = Frames::to(&host.rest()).await;
    let head = frames::head(&with(&[("content-length", "2"), ("te", "trailers")]));
    client.say(&frames::frame(kind::HEADERS, frames::END_HEADERS, 1, &head)).await;
    client.say(&frames::frame(kind::DATA, frames::END_STREAM, 1, b"{}")).await;
    assert!(is_answer(&client.verdict().await.expect("an answer"), StatusCode::OK));
}

/// Whether a head begins with this status, which is in HPACK's table.
fn is_answer(frame: &frames::Frame, status: StatusCode) -> bool {
    let index = match status {
        StatusCode::OK => 8,
        StatusCode::BAD_REQUEST => 12,
        StatusCode::NOT_FOUND => 13,
        other => panic!("{other} has no number here"),
    };
    frame.kind == kind::HEADERS && frame.payload[0] == 128 + index
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_no_host_or_for_a_tunnel_gets_none() {
    let (host, upstream) = start("").await;
    let get = fields(&[(":method", "GET")]);
    let nameless: Vec<(&str, &str)> = get.into_iter().filter(|(name, _)| *name != ":authority").collect();
    for (head, status) in [
        (nameless, 400),
        (fields(&[(":method", "GET"), (":authority", "evil.example@localhost")]), 400),
        (vec![(":method", "CONNECT"), (":authority", "127.0.0.1:80")], 404),
    ] {
        let mut client = Frames::to(&host.rest()).await;
        let all = frames::END_HEADERS | frames::END_STREAM;
        client.say(&frames::frame(kind::HEADERS, all, 1, &frames::head(&head))).await;
        let verdict = client.verdict().await.expect("an answer");
        assert!(is_answer(&verdict, StatusCode::from_u16(status).expect("a status")), "{head:?} {verdict:?}");
        assert_eq!(upstream.texts(), [""; 0], "{head:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_frames_ends_its_connection_and_nothing_else() {
    let silent = Upstream::silent().await;
    let host = start_hostile(&silent).await;
    let call = frames::head(&fields(&[(":method", "GET"), (":path", "/hostile/sleepy")]));
    let upload = frames::head(&fields(&[(":method", "POST"), (":path", "/hostile/fetch")]));
    let begin = |stream| frames::frame(kind::HEADERS, frames::END_HEADERS | frames::END_STREAM, stream, &call);
    let streams = (0..500).map(|it| 2 * it + 1);

    let rapid_reset: Vec<u8> = streams
        .clone()
        .flat_map(|stream| {
            [begin(stream), frames::frame(kind::RESET, 0, stream, &frames::CANCEL.to_be_bytes())].concat()
        })
        .collect();
    // Each stream gets a frame for which the host has to reset it.
    let made_to_reset: Vec<u8> = streams
        .clone()
        .flat_map(|stream| [begin(stream), frames::frame(8, 0, stream, &0_u32.to_be_bytes())].concat())
        .collect();
    let mut continued = frames::frame(kind::HEADERS, 0, 1, &call);
    for _ in 0..10_000 {
        continued.extend(frames::frame(kind::CONTINUATION, 0, 1, &frames::head(&[("x", "y")])));
    }
    let mut empty = frames::frame(kind::HEADERS, frames::END_HEADERS, 1, &upload);
    for _ in 0..10_000 {
        empty.extend(frames::frame(kind::DATA, 0, 1, b""));
    }
    // A field of 3 900 bytes goes into the table, and is then named by one byte each.
    let mut bomb = call.clone();
    bomb.extend([0x40, 1, b'x']);
    frames::push_length(&mut bomb, 3900);
    bomb.extend([b'y'; 3900]);
    bomb.extend([0x80 + 62; 10_000]);
    let bomb = frames::frame(kind::HEADERS, frames::END_HEADERS, 1, &bomb);
    let too_large = frames::frame(kind::HEADERS, frames::END_HEADERS, 1, &[0; 1 << 15]);

    for (name, flood) in [
        ("rapid reset", rapid_reset),
        ("made to reset", made_to_reset),
        ("continuation", continued),
        ("empty data", empty),
        ("bomb", bomb),
        ("too large", too_large),
    ] {
        let mut client = Frames::to(&host.rest()).await;
        client.say(&flood).await;
        let mut last = None;
        while let Some(frame) = client.next().await {
            last = Some(frame).filter(|it| it.kind == kind::GOAWAY).or(last);
        }
        // One that was reset by the host's kernel, because it hadn't read all of the flood, may have lost its goodbye.
        assert!(last.as_ref().is_none_or(|it| it.error() != 0), "{name}: {last:?}");
        host.when_running(0).await;
    }
    assert_eq!(host.control("/health/live").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_stops_answers_what_is_in_flight() {
    let (upstream, gate) = Upstream::gated().await;
    let host = Setup::providers(&upstream, &upstream).start().await.over_http2();
    let mut requests = connect(&host.rest()).await;
    let asking = tokio::spawn(async move { ask(&mut requests, "GET", "http://localhost/v1/user", &[], "").await });
    upstream.has_seen(1).await;
    let listener = host.mcp_url("").replace("http://", "");
    let stopping = tokio::spawn(host.stop());
    within_patience("a host that stops", async {
        while TcpStream::connect(&listener).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    gate.open();
    assert_eq!(asking.await.expect("no panic").0, 200);
    stopping.await.expect("no panic");
}
