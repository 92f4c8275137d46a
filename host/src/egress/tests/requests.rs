//! What goes out: credentials, rewrites, bodies.

use std::{convert::Infallible, io};

use futures::stream;
use http_body::Frame;
use http_body_util::{Full, StreamBody};

use tracing::Level;

use super::{log::Log, *};

#[tokio::test]
async fn the_upstream_gets_the_credential_and_the_guest_never_sees_it() {
    let fake = Fake::start(echo).await;
    let mut request = request("GET", &fake.url("/users?a=1&key=guest"));
    for (name, value) in
        [("authorization", "guest"), ("host", "evil"), ("x-http-method-override", "DELETE"), ("x-mine", "1")]
    {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let answer = with_secret(&fake.url("")).send(request, Patience::default(), later()).await.unwrap();

    let seen = fake.last_request();
    assert!(seen.starts_with("GET /users?a=1&key=s3cr3t%2Fvalue%2B1 HTTP/1.1\r\n"), "{seen}");
    let mut lines: Vec<&str> = seen.trim_end().lines().skip(1).collect();
    lines.sort_unstable();
    let host = format!("host: {}", fake.address);
    let agent = concat!("user-agent: airlock/", env!("CARGO_PKG_VERSION"));
    assert_eq!(
        lines,
        ["accept-encoding: identity", &format!("authorization: Bearer {SECRET}"), &host, agent, "x-mine: 1"]
    );

    assert_eq!(answer.headers()["x-echo"], "GET /users?a=1&key=[redacted] HTTP/1.1");
    assert!(!answer.headers().contains_key("content-length"));
    let echoed = text(Ok(answer)).await.unwrap();
    assert_eq!(echoed, seen.replace(SECRET, "[redacted]").replace("s3cr3t%2Fvalue%2B1", "[redacted]"));
}

#[tokio::test]
async fn a_rewritten_request_reaches_its_target_with_the_credential() {
    let fake = Fake::start(echo).await;
    let rewrites = vec![Rewrite { from: at("https://api.example/v1"), to: at(&fake.url("/simulator")) }];
    let secrets = [("KEY".to_owned(), Source::value(Secret::new(SECRET.to_owned())))].into();
    let grant = Grant { hosts: vec![at("https://api.example").into()], secrets, rewrites, ..Grant::default() };
    let credential = Credential { placement: Placement::Header("x-key".into()), value: "{{KEY}}".into() };
    let egress = Egress::new("demo", &grant, &[declared("https://api.example", vec![credential])]).unwrap();
    text(get(&egress, "https://api.example/v1/users/1?a=b").await).await.unwrap();
    let seen = fake.last_request();
    assert!(seen.starts_with("GET /simulator/users/1?a=b HTTP/1.1\r\n"), "{seen}");
    assert!(seen.contains(&format!("host: {}\r\n", fake.address)), "{seen}");
    assert!(seen.contains(&format!("x-key: {SECRET}\r\n")), "{seen}");
    // The target's own name is neither declared nor granted.
    let direct = get(&egress, &fake.url("/simulator/users/1")).await.err().unwrap();
    assert_eq!(direct.name(), "host-not-declared");
}

fn post<B>(fake: &Fake, length: Option<u64>, body: B) -> Request<B> {
    let mut request = Request::builder().method("POST").uri(fake.url("/")).body(body).unwrap();
    if let Some(length) = length {
        request.headers_mut().insert("content-length", length.into());
    }
    request
}

/// A body in chunks that doesn't know its length, as it comes out of a guest.
fn chunks<E: Send + 'static>(
    chunks: Vec<Result<&'static str, E>>,
) -> impl http_body::Body<Data = Bytes, Error = E> + Send + 'static {
    let frames = chunks.into_iter().map(|chunk| chunk.map(|text| Frame::data(Bytes::from_static(text.as_bytes()))));
    StreamBody::new(stream::iter(frames))
}

#[tokio::test]
async fn request_bodies() {
    let fake = Fake::start(echo).await;
    let egress = plain(&fake.url(""));
    let sent = |answer: String| (answer.contains("chunked"), answer.split_once("\r\n\r\n").unwrap().1.to_owned());

    let known = egress.send(post(&fake, Some(99), Full::<Bytes>::from("hello")), Patience::default(), later()).await;
    assert_eq!(sent(text(known).await.unwrap()), (false, "hello".to_owned()));
    let announced = egress
        .send(post(&fake, Some(5), chunks::<Infallible>(vec![Ok("he"), Ok("llo")])), Patience::default(), later())
        .await;
    assert_eq!(sent(text(announced).await.unwrap()), (false, "hello".to_owned()));
    let unknown = egress
        .send(post(&fake, None, chunks::<Infallible>(vec![Ok("he"), Ok("llo")])), Patience::default(), later())
        .await;
    assert_eq!(sent(text(unknown).await.unwrap()), (false, "hello".to_owned()));
    // Too large to be collected, so that its length is known at its end only.
    let large = "x".repeat(70_000).leak();
    let streamed = egress
        .send(post(&fake, None, chunks::<Infallible>(vec![Ok(large), Ok("end")])), Patience::default(), later())
        .await;
    assert_eq!(sent(text(streamed).await.unwrap()), (true, format!("11170\r\n{large}\r\n3\r\nend\r\n0\r\n\r\n")));
    // Never more than was announced: the rest would be read as the next request.
    let more = egress
        .send(
            post(&fake, Some(5), chunks::<Infallible>(vec![Ok("hello"), Ok("GET /smuggled HTTP/1.1\r\n\r\n")])),
            Patience::default(),
            later(),
        )
        .await;
    assert_eq!(sent(text(more).await.unwrap()), (false, "hello".to_owned()));
    assert!(fake.requests.lock().unwrap().iter().all(|request| request.starts_with("POST / ")));
}

#[tokio::test]
async fn a_request_body_that_breaks_off() {
    let fake = Fake::start(echo).await;
    let egress = plain(&fake.url(""));
    for length in [None, Some(5)] {
        let broken = chunks(vec![Ok("he"), Err(io::Error::other("the guest has gone"))]);
        let refusal = egress.send(post(&fake, length, broken), Patience::default(), later()).await.err().unwrap();
        assert_eq!(refusal, Refusal::RequestBroken);
        let short = egress
            .send(post(&fake, Some(5), chunks::<Infallible>(vec![Ok("he")])), Patience::default(), later())
            .await
            .err()
            .unwrap();
        assert_eq!(short, Refusal::RequestBroken);
    }
}

#[tokio::test]
async fn a_request_that_is_too_large_is_not_sent() {
    let fake = Fake::start(echo).await;
    let log = Log::start(Level::INFO);
    let limits = Limits { request: 80_000, headers: 3, header_bytes: 8 << 10, ..Limits::default() };
    let egress = limited(&fake.url(""), limits);
    let too_large = |excess| Refusal::RequestTooLarge { excess };

    let announced =
        egress.send(post(&fake, Some(80_001), chunks::<Infallible>(vec![])), Patience::default(), later()).await;
    assert_eq!(announced.err().unwrap(), too_large(Excess::Body(80_000)));
    let giant = "y".repeat(8 << 10);
    for (fields, excess) in
        [(vec!["1", "2", "3", "4"], Excess::Fields(3)), (vec![giant.as_str()], Excess::Header(8 << 10))]
    {
        let mut request = request("GET", &fake.url("/"));
        for value in fields {
            request.headers_mut().append("x-mine", value.parse().unwrap());
        }
        assert_eq!(egress.send(request, Patience::default(), later()).await.err().unwrap(), too_large(excess));
    }
    assert_eq!(fake.connections(), 0);

    // This one is noticed on the way: the upstream never sees its end.
    let half = "x".repeat(50_000).leak();
    let body = chunks::<Infallible>(vec![Ok(half), Ok(half)]);
    let streamed = egress.send(post(&fake, None, body), Patience::default(), later()).await;
    assert_eq!(streamed.err().unwrap(), too_large(Excess::Body(80_000)));
    assert!(fake.requests.lock().unwrap().is_empty());
    assert_eq!(log.audit().len(), 4);
    for line in log.audit() {
        assert!(line.contains(r#"decision="permitted" outcome="request-too-large" bytes=0"#), "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_plugin_keeps_to_its_rate() {
    let fake = Fake::fixed("HTTP/1.1 204 No Content\r\n\r\n").await;
    let log = Log::start(Level::INFO);
    let egress = limited(&fake.url(""), Limits { requests_per_second: Some(2), ..Limits::default() });
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(get(&egress, &fake.url("/")).await.map(|answer| answer.status().as_u16()));
    }
    assert_eq!(statuses[..2], [Ok(204), Ok(204)]);
    let refusal = statuses[2].clone().unwrap_err();
    assert_eq!((refusal.name(), refusal.retry_after()), ("rate-limited", Some(1)));
    assert_eq!(refusal.to_string(), "the plugin is over its rate of requests; try again in 1 s");
    assert!(log.audit()[2].contains(r#"decision="rate-limited" outcome="denied" bytes=0"#), "{:?}", log.audit());

    tokio::time::advance(Duration::from_millis(500)).await;
    assert_eq!(get(&egress, &fake.url("/")).await.unwrap().status(), 204);
    assert_eq!(fake.requests.lock().unwrap().len(), 3);
}
