//! What HTTP clients may rely on at the REST door: methods, media types, conditions, and errors in one form.

use std::io::Read;

use axum::{body::Body, response::Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use crate::harness::{Seen, Setup, TestHost, Upstream, fixture, json_answer, start_hostile};

const USER: &str = "/v1/organizations/o/users/u";

/// An upstream whose only resource has a version.
fn versioned(seen: Seen) -> Response {
    let has = |name: &str, value: &str| seen.headers.get(name).is_some_and(|it| it == value);
    let mut response = match seen.method.as_str() {
        _ if has("if-none-match", "\"v1\"") => Response::new(Body::empty()),
        "PUT" if !has("if-match", "\"v1\"") => {
            json_answer(StatusCode::PRECONDITION_FAILED, &json!({"message": "it has changed"}))
        }
        _ => json_answer(StatusCode::OK, &json!({"id": "u"})),
    };
    if has("if-none-match", "\"v1\"") {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    response.headers_mut().insert(header::ETAG, HeaderValue::from_static("\"v1\""));
    let date = HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT");
    response.headers_mut().insert(header::LAST_MODIFIED, date);
    response
}

async fn start() -> (TestHost, Upstream) {
    let upstream = Upstream::answering(versioned).await;
    (Setup::providers(&upstream, &upstream).start().await, upstream)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_request_depends_on_is_the_upstreams_to_decide() {
    let (host, upstream) = start().await;
    let rest = host.rest();
    let got = rest.get(USER).await;
    assert_eq!((got.status, got.header("etag")), (200, "\"v1\""));
    let date = got.header("last-modified").to_owned();
    upstream.requests();

    let unchanged =
        rest.raw("GET", USER, &[("if-none-match", got.header("etag")), ("if-modified-since", &date)], "").await;
    assert_eq!((unchanged.status, unchanged.text(), unchanged.header("etag")), (304, "", "\"v1\""));
    let seen = upstream.requests().remove(0);
    assert_eq!(seen.headers["if-none-match"], "\"v1\"");
    assert_eq!(seen.headers["if-modified-since"], date);

    let json = ("content-type", "application/json");
    let put = async |tag: &str| rest.raw("PUT", USER, &[json, ("if-match", tag)], "{}").await;
    put("\"v1\"").await.ok();
    let refused = put("\"v0\"").await;
    assert_eq!((refused.status, refused.json()), (412, json!({"message": "it has changed"})));
    let seen = upstream.requests();
    let tags: Vec<&[u8]> = seen.iter().map(|it| it.headers["if-match"].as_bytes()).collect();
    assert_eq!(tags, [b"\"v1\"", b"\"v0\""]);

    // What is to be made anew must not be written over.
    rest.raw("PUT", USER, &[json, ("if-none-match", "*")], "{}").await;
    assert_eq!(upstream.requests().remove(0).headers["if-none-match"], "*");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_condition_that_nobody_would_check_is_refused_before_anything_is_done() {
    let upstream = Upstream::echo().await;
    let host = start_hostile(&upstream, "").await;
    let body = json!({"url": "http://upstream.test/"}).to_string();
    for field in ["if-match", "if-unmodified-since", "if-none-match"] {
        let headers = [("content-type", "application/json"), (field, "\"v1\"")];
        host.rest().raw("POST", "/hostile/fetch", &headers, body.clone()).await.problem(412, "condition-unsupported");
    }
    assert_eq!(upstream.texts(), [""; 0]);
    // A read that depends on something is a read: at worst the caller gets again what it has.
    assert_eq!(host.rest().raw("GET", "/hostile/count", &[("if-none-match", "\"v1\"")], "").await.ok(), json!(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_takes_no_json_is_told_so_before_anything_is_sent() {
    let (host, upstream) = start().await;
    let rest = host.rest();
    for accept in ["text/html", "application/xml, text/*;q=0.5", "*/*;q=0", "application/json;q=0, */*"] {
        rest.raw("GET", USER, &[("accept", accept)], "").await.problem(406, "not-acceptable");
    }
    assert_eq!(upstream.texts(), [""; 0]);
    for accept in ["*/*", "application/*;q=0.1", "text/html, application/json", "application/vnd.api+json"] {
        rest.raw("GET", USER, &[("accept", accept)], "").await.ok();
    }
    assert_eq!(upstream.requests().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn head_is_get_without_its_body_and_options_says_what_there_is() {
    let (host, upstream) = start().await;
    let rest = host.rest();
    let (got, head) = (rest.get(USER).await, rest.send("HEAD", USER, None).await);
    assert_eq!((head.status, head.text()), (200, ""));
    for field in ["content-type", "content-length", "etag", "last-modified"] {
        assert_eq!(head.header(field), got.header(field), "{field}");
    }
    let asked: Vec<String> = upstream.requests().into_iter().map(|it| it.method).collect();
    assert_eq!(asked, ["GET", "GET"], "documents know no HEAD: the upstream is asked for all of it");
    let options = rest.send("OPTIONS", USER, None).await;
    assert_eq!((options.status, options.header("allow")), (204, "GET, HEAD, OPTIONS, PUT"));
    assert_eq!(upstream.texts(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_with_a_few_fields_too_many_is_a_problem_like_any_other() {
    let (host, upstream) = start().await;
    let names: Vec<String> = (0..101).map(|it| format!("x-{it}")).collect();
    let fields: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
    let problem = host.rest().raw("GET", USER, &fields, "").await.problem(431, "head-too-large");
    assert!(problem["detail"].as_str().unwrap_or_default().contains("more than 100 header fields"), "{problem}");
    assert_eq!(upstream.texts(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_compressed_for_who_takes_it_and_for_nobody_else() {
    let upstream =
        Upstream::answering(|_| json_answer(StatusCode::OK, &json!({"id": "u", "text": "so ".repeat(1000)}))).await;
    let host = Setup::providers(&upstream, &upstream).start().await;
    let rest = host.rest();
    let plain = rest.get(USER).await;
    assert_eq!(plain.header("content-encoding"), "");
    for (accept, coding) in [
        ("gzip", "gzip"),
        ("br", "br"),
        ("gzip;q=0.5, br", "br"),
        ("identity", ""),
        ("gzip;q=0", ""),
        ("*;q=0", ""),
        ("identity;q=0, zstd", ""),
    ] {
        let answer = rest.raw("GET", USER, &[("accept-encoding", accept)], "").await;
        assert_eq!((answer.status, answer.header("content-encoding")), (200, coding), "{accept}");
        let body = answer.body.as_ref().expect("a whole body");
        match coding {
            "" => assert_eq!(answer.text(), plain.text()),
            "gzip" => {
                let mut text = String::new();
                flate2::read::GzDecoder::new(body.as_ref()).read_to_string(&mut text).expect("gzip");
                assert_eq!(text, plain.text());
            }
            _ => assert!(body.len() < 200, "{} bytes", body.len()),
        }
        assert!(coding.is_empty() || answer.header("vary").contains("accept-encoding"), "{answer:?}");
    }
}

/// What a browser hears from the REST listener.
async fn heard(host: &TestHost, method: &str, fields: &str) -> String {
    let head = format!("{method} {USER} HTTP/1.1\r\nhost: localhost\r\n{fields}connection: close\r\n\r\n");
    host.rest().talk(&head).await.to_ascii_lowercase()
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_listed_origins_can_call_and_read_and_no_others() {
    let upstream = Upstream::answering(versioned).await;
    let listed = "origins = [\"https://app.example.com\"]\n";
    let host = Setup::providers(&upstream, &upstream).listen(listed).start().await;
    let page = "origin: https://app.example.com\r\n";
    let asks = "access-control-request-method: PUT\r\naccess-control-request-headers: content-type,if-match\r\n";
    let leave = heard(&host, "OPTIONS", &format!("{page}{asks}")).await;
    for expected in [
        "http/1.1 204 ",
        "\naccess-control-allow-origin: https://app.example.com\r",
        "\naccess-control-allow-methods: get, head, post, put, patch, delete\r",
        "\naccess-control-allow-headers: content-type,if-match\r",
    ] {
        assert!(leave.contains(expected), "{expected}: {leave}");
    }
    assert_eq!(upstream.texts(), [""; 0]);
    let answer = heard(&host, "GET", page).await;
    for expected in ["http/1.1 200 ", "\naccess-control-allow-origin: https://app.example.com\r", "\nvary: origin\r"] {
        assert!(answer.contains(expected), "{expected}: {answer}");
    }
    assert!(answer.contains("x-request-id") && !answer.contains("allow-credentials"), "{answer}");
    let problem = heard(&host, "DELETE", page).await;
    assert!(problem.starts_with("http/1.1 405 ") && problem.contains("access-control-allow-origin"), "{problem}");
    // Pages of the machine itself may call it, as ever; reading answers is for listed ones.
    for other in ["origin: http://localhost\r\n", "origin: https://evil.example\r\n", ""] {
        for (method, fields) in [("GET", ""), ("OPTIONS", asks)] {
            let heard = heard(&host, method, &format!("{other}{fields}")).await;
            assert!(!heard.contains("access-control"), "{method} {other}: {heard}");
        }
    }
}

/// The fixture is a component that isn't made of a document.
#[test]
fn the_fixture_of_these_tests_is_written_by_hand() {
    let world = airlock::component::inspect(fixture::HOSTILE).expect("a component");
    assert!(!world.exports.iter().any(|it| it == "configure"), "{world:?}");
}
