//! Requests that are handed on as they come: path, query, body and trusted headers, and nothing of what the caller is known by.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use airlock::{callers::KeyHash, listen::Limits};
use axum::{Router, body::Body, response::Response};
use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::Notify,
    task::JoinSet,
};

use crate::callers::ask;
use crate::harness::{Setup, TestHost, Upstream, json_answer, most_between, path, random_text, within_patience};

fn setup(upstream: &str, grant: &str) -> Setup {
    let document = fs::read_to_string(path("cases/forward.yaml")).expect("a document");
    Setup::default().file("files.yaml", document).secret("KEY", "key-of-the-files").config(&format!(
        "[grants.files]\nhosts = [\"https://files.test/api\"]\nsecrets.FILES_KEY = {{ file = \"secrets/KEY\" }}\n\
         upstreams.\"https://files.test\" = \"{upstream}\"\n{grant}\n"
    ))
}

async fn start() -> (TestHost, Upstream) {
    let upstream = Upstream::echo().await;
    (setup(&upstream.url(), "").start().await, upstream)
}

const ALWAYS: &str = "authorization: Bearer key-of-the-files";

#[tokio::test(flavor = "multi_thread")]
async fn path_query_and_body_are_handed_on_as_they_come() {
    let (host, upstream) = start().await;
    let version = "x-version: 2";
    for (method, target, body, expected) in [
        (
            "GET",
            "/files/a/b%2Fc?x=1&x=%2C&y",
            "",
            format!("GET /api/a/b%2Fc?x=1&x=%2C&y&mode=fast\n{ALWAYS}\n{version}"),
        ),
        ("GET", "/files/a//b/", "", format!("GET /api/a//b/?mode=fast\n{ALWAYS}\n{version}")),
        ("GET", "/root?a=b", "", format!("GET /api?a=b&mode=fast\n{ALWAYS}\n{version}")),
        // What the API is always sent is no caller's to say.
        ("GET", "/files/a/b?mode=slow&m%6Fde=x", "", format!("GET /api/a/b?mode=fast\n{ALWAYS}\n{version}")),
        ("DELETE", "/files/a", "", format!("DELETE /api/a?mode=fast\n{ALWAYS}\n{version}")),
        (
            "PATCH",
            "/files/a",
            "\u{0}\u{1}not JSON",
            format!("PATCH /api/a?mode=fast\n{ALWAYS}\ncontent-type: x/y; z=1\n{version}\n\n\u{0}\u{1}not JSON"),
        ),
        // A route that says more about the path comes first.
        ("GET", "/files/a", "", format!("GET /api/info/a?mode=fast\n{ALWAYS}\n{version}")),
    ] {
        let headers: &[(&str, &str)] = if body.is_empty() { &[] } else { &[("content-type", "x/y; z=1")] };
        let answer = host.rest().raw(method, target, headers, body).await;
        assert_eq!(answer.status, 200, "{method} {target}: {answer:?}");
        assert_eq!(upstream.texts(), [expected], "{method} {target}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_trusted_headers_pass_and_no_credential_of_the_caller() {
    let (host, upstream) = start().await;
    let secret = random_text();
    let bearer = format!("Bearer {secret}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("cookie", &secret),
        ("proxy-authorization", &secret),
        ("x-api-key", &secret),
        ("x-other", &secret),
        ("x-forwarded-for", &secret),
        ("x-trace", "t-1"),
        ("x-version", "9"),
        ("accept", "image/png"),
    ];
    host.rest().raw("POST", "/files/a/b", &headers, "body").await.ok();
    let seen = upstream.requests().remove(0);
    assert!(!format!("{seen:?}").contains(&secret), "{seen:?}");
    let sent = |name: &str| seen.headers.get_all(name).iter().map(|it| it.to_str().expect("text")).collect::<Vec<_>>();
    assert_eq!(sent("authorization"), ["Bearer key-of-the-files"]);
    assert_eq!(sent("x-trace"), ["t-1"]);
    assert_eq!(sent("x-version"), ["2"]);
    assert_eq!(sent("accept"), ["image/png"]);
    assert_eq!(sent("content-type"), [""; 0], "the caller hasn't said what it is");
}

const EVERY_EFFECT: &str = "effects = [\"read-only\", \"write\", \"destructive\"]";

/// The statuses of all answers in what was heard on a connection.
fn statuses(heard: &str) -> Vec<u16> {
    heard.split("HTTP/1.1 ").skip(1).map(|it| it[..3].parse().expect("a status")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_path_leads_out_of_the_api() {
    let (host, upstream) = start().await;
    for path in [
        "/files/../admin",
        "/files/a/../../admin",
        "/files/..",
        "/files/./a/b",
        "/files/%2e%2e/admin",
        "/files/%2E./admin",
        "/files/a%2f..%2f..%2fadmin",
        "/files/..%5cadmin/x",
        "/files/%252e%252e/admin",
        "/files/a/%0d%0ax:y",
        "/files/a/%00",
    ] {
        for method in ["GET", "PUT"] {
            let said = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
            let heard = host.rest().talk(&said).await;
            assert!(matches!(statuses(&heard)[..], [400..=404]), "{method} {path}: {heard}");
        }
    }
    // The operation beside it takes a value, not a path: it is encoded.
    for seen in upstream.texts() {
        assert!(seen.starts_with("GET /api/info/"), "{seen}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_what_its_framing_says_and_no_more() {
    let (host, upstream) = start().await;
    let smuggled = "GET /files/smuggled/x HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let put = |fields: &str, body: &str| format!("PUT /files/a HTTP/1.1\r\nhost: localhost\r\n{fields}\r\n\r\n{body}");
    // What is longer than its length is the next request of this caller, and nothing else.
    let heard = host.rest().talk(&put("content-length: 5", &format!("hello{smuggled}"))).await;
    assert_eq!(statuses(&heard), [200, 200], "{heard}");
    let seen = upstream.requests();
    assert_eq!(seen.len(), 2);
    assert_eq!((seen[0].body.as_ref(), seen[0].target.as_str()), (&b"hello"[..], "/api/a?mode=fast"));
    assert_eq!(seen[0].headers["content-length"], "5");
    assert_eq!(seen[1].target, "/api/smuggled/x?mode=fast");
    // A body that looks like a request is a body.
    let framed = format!("content-length: {}\r\nconnection: close", smuggled.len());
    assert_eq!(statuses(&host.rest().talk(&put(&framed, smuggled)).await), [200]);
    assert_eq!(upstream.requests().remove(0).body, smuggled);
    // Chunks arrive whole, their trailers don't.
    let chunks = "2\r\nhe\r\n3\r\nllo\r\n0\r\nx-evil: 1\r\n\r\n";
    let heard = host.rest().talk(&put("transfer-encoding: chunked\r\nconnection: close", chunks)).await;
    assert_eq!(statuses(&heard), [200], "{heard}");
    let seen = upstream.requests().remove(0);
    assert_eq!(seen.body, "hello");
    assert!(!format!("{seen:?}").contains("evil"), "{seen:?}");
    for (fields, body) in [
        ("content-length: 5\r\ncontent-length: 6", "hello"),
        ("content-length: +5", "hello"),
        ("transfer-encoding: identity", "hello"),
        ("transfer-encoding: chunked", "zz\r\nhello\r\n0\r\n\r\n"),
        ("transfer-encoding: chunked", "5\r\nhello\r\nxx\r\n"),
    ] {
        let heard = host.rest().talk(&put(fields, body)).await;
        assert_eq!(statuses(&heard), [400], "{fields:?} {body:?}: {heard}");
        assert_eq!(upstream.texts(), [""; 0], "{fields:?} {body:?}");
    }
}

/// How large the upload is: many times what a guest may hold.
const SIZE: usize = 192 << 20;

const CHUNK: Bytes = Bytes::from_static(&[b'x'; 64 << 10]);

/// Takes bodies at its leisure, and looks how far the client is ahead.
async fn sink(made: Arc<AtomicUsize>) -> (String, JoinSet<()>) {
    let most = most_between(SIZE);
    let take = move |request: Request<Body>| {
        let made = made.clone();
        async move {
            let (mut body, mut taken) = (request.into_body(), 0);
            while let Some(frame) = body.frame().await {
                let before = taken;
                taken += frame.expect("a whole body").into_data().map_or(0, |data| data.len());
                // Eight times it has something else to do; what isn't held back fills memory meanwhile.
                if before / (SIZE / 8) != taken / (SIZE / 8) {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                let between = made.load(SeqCst) - taken;
                assert!(between <= most, "{between} bytes after {taken}");
            }
            json_answer(StatusCode::OK, &json!(taken))
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("a bound socket has an address"));
    let mut serving = JoinSet::new();
    let router = Router::new().fallback(take);
    serving.spawn(async move { axum::serve(listener, router).await.expect("an upstream serves") });
    (url, serving)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_passes_in_constant_memory_no_faster_than_it_is_taken() {
    let made = Arc::<AtomicUsize>::default();
    let (upstream, _serving) = sink(made.clone()).await;
    // The guest has a twelfth of the body's size, and its calls all the time that a slow machine takes.
    let limits = "limits = { memory_mb = 16, request_mb = 200, wall_ms = 600000, cpu_ms = 600000 }";
    let host = setup(&upstream, limits).start().await;
    let [rest, ..] = host.listeners();
    for is_http2 in [false, true] {
        made.store(0, SeqCst);
        let counted = made.clone();
        let chunks = stream::repeat(CHUNK).take(SIZE / CHUNK.len()).map(move |chunk| {
            counted.fetch_add(chunk.len(), SeqCst);
            Ok::<_, std::io::Error>(chunk)
        });
        let request = Request::post(rest.url("/files/large/upload")).body(Body::from_stream(chunks));
        let client = Client::builder(TokioExecutor::new()).http2_only(is_http2).build_http();
        let answer =
            within_patience("an upload", client.request(request.expect("a request"))).await.expect("an answer");
        assert_eq!(answer.status(), 200);
        let body = answer.into_body().collect().await.expect("a whole answer").to_bytes();
        assert_eq!(body, SIZE.to_string(), "all of it has arrived");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_beyond_its_limit_is_refused() {
    let upstream = Upstream::silent().await;
    let host = setup(&upstream.url(), "limits = { request_mb = 1 }").start().await;
    let large = vec![b'x'; (1 << 20) + 1];
    let problem = host.rest().raw("PUT", "/files/a", &[], large.clone()).await.problem(413, "body-too-large");
    assert!(problem["detail"].as_str().unwrap_or_default().contains("1048576"), "{problem}");
    // The same without a length, of which most has been passed on by then.
    let mut caller = host.rest().connect().await;
    let head =
        format!("PUT /files/a HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n", large.len());
    let mut answered = vec![0; 12];
    within_patience("an answer", async {
        caller.write_all(head.as_bytes()).await?;
        caller.write_all(&large).await?;
        caller.read_exact(&mut answered).await
    })
    .await
    .expect("the host answers");
    assert_eq!(answered, b"HTTP/1.1 413");
    // Cut off, so that it doesn't take a part for the whole.
    upstream.has_lost(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_may_take_its_time_but_not_stop() {
    let upstream = Upstream::silent().await;
    let limits = Limits { pause: Duration::from_secs(3), body: Duration::from_secs(600), ..Limits::default() };
    let host = setup(&upstream.url(), "").inbound(limits).start().await;
    let mut caller = host.rest().connect().await;
    let head = "PUT /files/a HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000\r\n\r\nbeginning";
    let mut answered = vec![0; 12];
    within_patience("an answer", async {
        caller.write_all(head.as_bytes()).await?;
        caller.read_exact(&mut answered).await
    })
    .await
    .expect("the host answers");
    assert_eq!(answered, b"HTTP/1.1 408");
    upstream.has_lost(1).await;
    host.when_running(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_whose_caller_goes_away_is_ended() {
    let upstream = Upstream::silent().await;
    let host = setup(&upstream.url(), "limits = { wall_ms = 600000 }").start().await;
    let mut caller = host.rest().connect().await;
    let head = "PUT /files/a HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000\r\n\r\nbeginning";
    caller.write_all(head.as_bytes()).await.expect("the host listens");
    upstream.has_seen(1).await;
    drop(caller);
    upstream.has_lost(1).await;
    host.when_running(0).await;
}

/// An upstream that answers each request at once, reads nothing more of it, and ends its answer when the gate is opened.
async fn answering_early(head: &'static str, rest: &'static str, gate: Arc<Notify>) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("a bound socket has an address"));
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        // What is dropped with something unread in it is reset, maybe before its last words are heard.
        let mut kept = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut seen = Vec::new();
            while !seen.ends_with(b"\r\n\r\n") {
                seen.push(stream.read_u8().await.expect("a whole head"));
            }
            stream.write_all(head.as_bytes()).await.expect("the host listens");
            gate.notified().await;
            stream.write_all(rest.as_bytes()).await.expect("the host still listens");
            kept.push(stream);
        }
    });
    (url, serving)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_refused_before_it_has_come_is_not_sent_any_further() {
    let gate = Arc::<Notify>::default();
    // No error: of those the host wants to know the whole body before it says anything.
    let head = "HTTP/1.1 308 Permanent Redirect\r\nlocation: /there\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n";
    let (upstream, _serving) = answering_early(head, "\"not me!\"", gate.clone()).await;
    let limits = "limits = { request_mb = 200, wall_ms = 600000 }";
    let host = setup(&upstream, limits).start().await;
    // A caller that has stopped sending, and one that goes on for longer than anybody takes it in.
    for sent in [4 * CHUNK.len(), SIZE] {
        let mut caller = host.rest().connect().await;
        let head = format!("PUT /files/a HTTP/1.1\r\nhost: localhost\r\ncontent-length: {SIZE}\r\n\r\n");
        caller.write_all(head.as_bytes()).await.expect("the host listens");
        let (mut from_host, mut to_host) = caller.into_split();
        let sending = tokio::spawn(async move {
            for _ in 0..sent / CHUNK.len() {
                // The host has the right not to read on.
                if to_host.write_all(&CHUNK).await.is_err() {
                    break;
                }
            }
            to_host
        });
        let mut answer = Vec::new();
        let heard = within_patience("the head of the answer", async {
            while !answer.ends_with(b"\r\n\r\n") {
                answer.push(from_host.read_u8().await?);
            }
            Ok::<_, std::io::Error>(())
        });
        heard.await.expect("the host answers");
        // By now the call has let go of the upload, and the rest of the answer still arrives.
        gate.notify_one();
        // In one chunk: what is scrubbed may become shorter than its upstream says.
        let mut rest = [0; 12];
        within_patience("the rest of the answer", from_host.read_exact(&mut rest)).await.expect("a whole answer");
        assert!(answer.starts_with(b"HTTP/1.1 308"), "{}", String::from_utf8_lossy(&answer));
        assert_eq!(&rest, b"9\r\n\"not me!\"");
        sending.abort();
    }
}

/// Says that all is well before it has taken anything, and how much it was at the end.
async fn trusting(request: Request<Body>) -> Response {
    let counted = stream::once(async move {
        let body = request.into_body().collect().await.expect("a whole body").to_bytes();
        Ok::<_, std::convert::Infallible>(body.len().to_string())
    });
    Response::new(Body::from_stream(counted))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_of_which_all_is_well_before_its_end_is_sent_to_its_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let upstream = format!("http://{}", listener.local_addr().expect("a bound socket has an address"));
    let mut serving = JoinSet::new();
    serving.spawn(async move { axum::serve(listener, Router::new().fallback(trusting)).await.expect("it serves") });
    let host = setup(&upstream, "limits = { request_mb = 100 }").start().await;
    let size = 8 << 20;
    let answer = host.rest().raw("PUT", "/files/a", &[], vec![b'x'; size]).await;
    assert_eq!((answer.status, answer.text()), (200, size.to_string().as_str()));
}

/// Isn't able to serve right now, or says that it is elsewhere.
fn elsewhere(seen: crate::harness::Seen) -> Response {
    let status =
        if seen.target.contains("moved") { StatusCode::TEMPORARY_REDIRECT } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut response = json_answer(status, &json!({}));
    response.headers_mut().insert("location", http::HeaderValue::from_static("/api/there"));
    response
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_streamed_is_neither_repeated_nor_redirected() {
    let upstream = Upstream::answering(elsewhere).await;
    let grant = "redirects = 3\nretries = { most = 3, methods = [\"PUT\"] }";
    let host = setup(&upstream.url(), grant).start().await;
    for (path, status) in [("/files/busy/x", 503), ("/files/moved/x", 307)] {
        let answer = host.rest().raw("PUT", path, &[], vec![b'x'; 200_000]).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(upstream.requests().len(), 1, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_handed_on_is_described_and_is_no_tool() {
    let (host, _upstream) = start().await;
    let document = host.get("/openapi.json").await.ok();
    let put = &document["paths"]["/files/{id}"]["put"];
    assert_eq!(put["operationId"], "files.forward-put");
    assert_eq!(put["requestBody"]["content"], json!({"*/*": {"schema": {}}}));
    let names: Vec<&str> =
        put["parameters"].as_array().expect("a list").iter().filter_map(|it| it["name"].as_str()).collect();
    assert_eq!(names, ["id", "query", "x-trace", "x-version", "accept"]);
    assert_eq!(host.mcp().tools().await, [json!(null); 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_hidden_from_a_caller_is_not_done_by_a_wider_forward() {
    let upstream = Upstream::echo().await;
    let [all, forwards] = [random_text(), random_text()];
    let caller = |name: &str, key: &str, operations: &str| {
        let hash = KeyHash::of(key);
        format!(
            "[callers.{name}]\nkey.hash = \"{hash}\"\nplugins = [\"*\"]\noperations = [\"{operations}\"]\n{EVERY_EFFECT}\n"
        )
    };
    let callers = caller("all", &all, "*") + &caller("forwards", &forwards, "*forward*");
    // Another plugin hands on all that the first one says nothing of.
    let document = fs::read_to_string(path("cases/forward.yaml")).expect("a document");
    let wider = document.replace("path: /files/{{path}}", "path: /{{path}}").replace("/files/{id}", "/info/{id}");
    let grant = format!(
        "[grants.wider]\nhosts = [\"https://files.test/api\"]\nsecrets.FILES_KEY = {{ file = \"secrets/KEY\" }}\n\
         upstreams.\"https://files.test\" = \"{}\"\n",
        upstream.url()
    );
    let wider = wider.replace("path: /root", "path: /wider-root");
    let host = setup(&upstream.url(), "").file("wider.yaml", wider).config(&grant).config(&callers).start().await;
    for (key, method, path, status) in [
        (&all, "GET", "/files/a", 200),
        (&forwards, "GET", "/files/a", 404),
        (&forwards, "HEAD", "/files/a", 404),
        (&forwards, "GET", "/info/a", 404),
        // Nor where it is spelled otherwise.
        (&forwards, "GET", "/%66iles/a", 404),
        (&forwards, "GET", "/files//a", 404),
        (&forwards, "GET", "/files/a/", 404),
        (&forwards, "PUT", "/files/a", 200),
        (&forwards, "GET", "/files/a/b", 200),
        (&forwards, "GET", "/elsewhere", 200),
    ] {
        let answer = ask(&host.rest(), method, path, key).await;
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        assert_eq!(upstream.requests().len(), usize::from(status == 200), "{method} {path}");
    }
    let allowed = ask(&host.rest(), "OPTIONS", "/files/a", &forwards).await;
    assert_eq!(allowed.header("allow"), "DELETE, OPTIONS, PATCH, POST, PUT");
}
