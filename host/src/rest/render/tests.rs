//! Replies of all kinds, and what becomes of them.

use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::{
    contract::{Blob, Link},
    invoke::Structured,
    rest::request_id::RequestId,
};

type Chunk = Result<&'static str, ()>;

const GONE: Chunk = Err(());

fn answer(status: u16, headers: &[(&'static str, &'static str)], body: Vec<Chunk>) -> Reply {
    let frames = body.into_iter().map(|chunk| match chunk {
        Ok(text) => Ok(Frame::data(Bytes::from(text))),
        Err(()) => Err(Failure::Unavailable("gone".to_owned())),
    });
    let body = StreamBody::new(stream::iter(frames.collect::<Vec<_>>())).boxed_unsync();
    let mut response = http::Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    Reply::Upstream(response.body(body).unwrap())
}

/// The status, the headers as lines and the body; `None` = it broke off.
async fn rendered(it: Reply) -> (u16, String, Option<String>) {
    let (parts, body) = reply(it).await.unwrap().into_parts();
    let lines = parts.headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
    let body = body.collect().await.ok();
    let text = body.map(|body| String::from_utf8(body.to_bytes().into()).unwrap());
    (parts.status.as_u16(), lines.collect::<Vec<_>>().join("\n"), text)
}

async fn problem(it: Reply) -> Value {
    let id = RequestId::of(&HeaderMap::new());
    let response = reply(it).await.unwrap_err().into_response(&id);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&body).unwrap()
}

#[test]
fn which_header_fields_pass() {
    for (name, expected) in [
        ("content-type", true),
        ("etag", true),
        ("location", true),
        ("link", true),
        ("retry-after", true),
        ("last-modified", true),
        ("x-ratelimit-remaining", true),
        ("ratelimit-policy", true),
        ("ratelimit", true),
        ("set-cookie", false),
        ("connection", false),
        ("transfer-encoding", false),
        ("trailer", false),
        ("server", false),
        ("www-authenticate", false),
        ("x-request-id", false),
        ("access-control-allow-origin", false),
        ("strict-transport-security", false),
        ("x-rate", false),
    ] {
        assert_eq!(passes(&HeaderName::from_static(name)), expected, "{name}");
    }
}

#[tokio::test]
async fn an_upstreams_answer_passes_byte_for_byte() {
    let headers = &[
        ("content-type", "text/html"),
        ("link", "<a>; rel=next"),
        ("set-cookie", "a=b"),
        ("link", "<b>; rel=prev"),
        ("content-length", "7"),
    ];
    let lines = "content-type: text/html\nlink: <a>; rel=next\nlink: <b>; rel=prev\ncontent-length: 7";
    for status in [200, 201, 206, 302, 399] {
        let body = vec![Ok("{ \"a"), Ok(""), Ok(" \": ")];
        let expected = (status, lines.to_owned(), Some("{ \"a \": ".to_owned()));
        assert_eq!(rendered(answer(status, headers, body)).await, expected);
    }
}

#[tokio::test]
async fn some_statuses_have_no_body() {
    for status in [204, 205, 304] {
        let reply = answer(status, &[("etag", "x"), ("content-length", "1")], vec![Ok("a")]);
        assert_eq!(rendered(reply).await, (status, "etag: x".to_owned(), Some(String::new())));
    }
}

#[tokio::test]
async fn an_error_in_json_passes_as_it_came() {
    for media_type in ["application/json; charset=utf-8", "application/problem+json"] {
        let reply = answer(404, &[("content-type", media_type)], vec![Ok(""), Ok("{ \"a\""), Ok(":1 }")]);
        let expected = (404, format!("content-type: {media_type}"), Some("{ \"a\":1 }".to_owned()));
        assert_eq!(rendered(reply).await, expected);
    }
}

#[tokio::test]
async fn any_other_error_becomes_a_problem() {
    let long: &'static str = "ä".repeat(MAX_EXCERPT).leak();
    let cut = "ä".repeat(MAX_EXCERPT / 2 - 1);
    let cut: &'static str = cut.leak();
    const NOTHING: &str = "the upstream answered with status 503 and no text";
    for (media_type, body, detail) in [
        ("text/plain", vec![Ok(" over"), Ok("load\n")], "overload"),
        ("text/html", vec![Ok("<h1>x</h1>")], "<h1>x</h1>"),
        ("text/plain", vec![Ok("over"), GONE], "over"),
        ("text/plain", vec![Ok("a"), Ok(long)], &format!("a{cut}")),
        ("text/plain", vec![], NOTHING),
        ("application/json", vec![Ok("")], NOTHING),
        ("image/png", vec![Ok("\u{1}PNG")], NOTHING),
    ] {
        let body = problem(answer(503, &[("content-type", media_type)], body)).await;
        assert_eq!(body["type"], "urn:airlock:problem:upstream-error");
        assert_eq!(body["status"], 503);
        assert_eq!(body["upstream_status"], 503);
        assert_eq!(body["detail"], detail);
    }
}

#[tokio::test]
async fn a_problem_keeps_only_the_fields_that_are_not_about_the_upstreams_body() {
    let headers = &[("retry-after", "7"), ("etag", "x"), ("content-encoding", "br"), ("content-length", "3")];
    let problem = reply(answer(429, headers, vec![])).await.unwrap_err();
    let response = problem.into_response(&RequestId::of(&HeaderMap::new()));
    let names: Vec<_> = response.headers().keys().map(HeaderName::as_str).collect();
    assert_eq!(names, ["retry-after", "content-type"]);
}

#[tokio::test]
async fn an_answer_that_breaks_off() {
    let json = &[("content-type", "application/json")];
    for (status, body) in [(200, vec![Ok("a"), GONE]), (200, vec![GONE]), (404, vec![Ok("{"), GONE])] {
        assert_eq!(rendered(answer(status, json, body)).await.2, None);
    }
    // Nothing of it has been passed on yet: the caller can be told.
    assert_eq!(problem(answer(404, json, vec![GONE])).await["status"], 502);
}

#[tokio::test]
async fn a_status_without_a_meaning_is_the_upstreams_fault() {
    for status in [199, 600, 999] {
        assert_eq!(problem(answer(status, &[], vec![])).await["status"], 502);
    }
}

#[tokio::test]
async fn structured_results_and_content() {
    let resource = |media_type: Option<&str>, contents| {
        let (uri, media_type) = ("x:y".to_owned(), media_type.map(str::to_owned));
        Content::Resource(Resource { uri, media_type, contents })
    };
    let blob = |media_type: &str| Blob { media_type: media_type.to_owned(), data: "x".into() };
    let link = Link {
        uri: "users://7".to_owned(),
        name: "7".to_owned(),
        title: None,
        description: None,
        media_type: None,
        size: None,
    };
    let text = || Contents::Text("x".to_owned());
    let binary = || Contents::Binary("x".into());
    let structured = |json: &str| Reply::Structured(Structured { text: json.to_owned(), value: None });
    let first = |block| Reply::Content(vec![block, Content::Text("second".to_owned())]);
    for (reply, media_type, body) in [
        (structured(r#"{"b":[1.0],"a": null}"#), "application/json", r#"{"b":[1.0],"a": null}"#),
        (structured("null"), "application/json", "null"),
        // Digit by digit, whatever a number of the host could hold.
        (structured("18446744073709551617"), "application/json", "18446744073709551617"),
        (first(Content::Text("x".to_owned())), "text/plain; charset=utf-8", "x"),
        (first(Content::Image(blob("image/png"))), "image/png", "x"),
        (first(Content::Audio(blob("audio/ogg"))), "audio/ogg", "x"),
        (first(Content::Link(link)), "text/uri-list", "users://7\r\n"),
        (first(Content::Audio(blob("a\r\nset-cookie: b"))), "application/octet-stream", "x"),
        (first(resource(Some("text/csv"), text())), "text/csv", "x"),
        (first(resource(None, text())), "text/plain; charset=utf-8", "x"),
        (first(resource(Some("image/gif"), binary())), "image/gif", "x"),
        (first(resource(None, binary())), "application/octet-stream", "x"),
    ] {
        let expected = (200, format!("content-type: {media_type}"), Some(body.to_owned()));
        assert_eq!(rendered(reply).await, expected);
    }
    assert_eq!(rendered(Reply::Content(vec![])).await, (204, String::new(), Some(String::new())));
}

/// What was there before is sent, though all of it comes at once, with the failure.
#[tokio::test]
async fn an_answer_that_breaks_off_at_once_has_begun_all_the_same() {
    let (client, server) = tokio::io::duplex(1 << 16);
    let service = hyper::service::service_fn(async |_| {
        let broken = answer(200, &[("content-length", "100")], vec![Ok("only"), Ok(" this"), GONE]);
        Ok::<_, Infallible>(reply(broken).await.unwrap())
    });
    let serving = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(server), service);
    let asking = async {
        let (mut read, mut write) = tokio::io::split(client);
        write.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut all = String::new();
        read.read_to_string(&mut all).await.unwrap();
        all
    };
    let (served, all) = tokio::join!(serving, asking);
    assert!(all.starts_with("HTTP/1.1 200 OK\r\n") && all.ends_with("\r\n\r\nonly this"), "{all:?}");
    assert!(served.unwrap_err().is_user());
}
