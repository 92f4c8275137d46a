//! What comes back: broken, slow, large and encoded answers.

use std::time::Duration;

use super::*;
use crate::{egress::decode::tests::gzip, grant::Limits};

#[tokio::test]
async fn without_secrets_an_answer_passes_untouched() {
    let fake = Fake::fixed(
        "HTTP/1.1 418 No\r\nConnection: keep-alive\r\ncontent-encoding: x\r\ncontent-length: 5\r\n\r\nhello",
    )
    .await;
    let answer = get(&plain(&fake.url("")), &fake.url("/")).await.unwrap();
    assert_eq!(answer.status(), 418);
    assert_eq!(answer.headers()["content-length"], "5");
    assert!(!answer.headers().contains_key("connection"));
    assert!(answer.extensions().is_empty());
    assert_eq!(text(Ok(answer)).await.unwrap(), "hello");
}

#[tokio::test]
async fn an_encoded_answer_is_refused_where_secrets_could_hide_in_it() {
    for encoding in [
        "content-encoding: br\r\ncontent-length: 1\r\n\r\nx",
        "content-encoding: gzip, br\r\ncontent-length: 1\r\n\r\nx",
        "transfer-encoding: gzip, chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
    ] {
        let fake = Fake::fixed(&format!("HTTP/1.1 200 OK\r\n{encoding}")).await;
        let refusal = text(get(&with_secret(&fake.url("")), &fake.url("/")).await).await.unwrap_err();
        assert_eq!(refusal, Refusal::ResponseEncoded { host: "127.0.0.1".into() });
    }
}

#[tokio::test]
async fn a_part_of_a_compressed_answer_can_not_be_decompressed() {
    let part = "HTTP/1.1 206 Partial Content\r\ncontent-encoding: gzip\r\ncontent-range: bytes 5-5/9\r\ncontent-length: 1\r\n\r\nx";
    let fake = Fake::fixed(part).await;
    let refusal = text(get(&with_secret(&fake.url("")), &fake.url("/")).await).await.unwrap_err();
    assert_eq!(refusal, Refusal::ResponseEncoded { host: "127.0.0.1".into() });
    // Where there is no secret it is the guest's business, as it is.
    let answer = get(&plain(&fake.url("")), &fake.url("/")).await.unwrap();
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    assert_eq!(text(Ok(answer)).await.unwrap(), "x");
}

#[tokio::test]
async fn a_compressed_answer_of_nothing_is_nothing() {
    for head in [
        "204 No Content\r\n",
        "304 Not Modified\r\ncontent-length: 99\r\n",
        "200 OK\r\ncontent-length: 0\r\n",
        "200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n",
    ] {
        let fake =
            Fake::fixed(&format!("HTTP/1.1 {}\r\n", head.replacen("\r\n", "\r\ncontent-encoding: gzip\r\n", 1))).await;
        for egress in [plain(&fake.url("")), with_secret(&fake.url(""))] {
            assert_eq!(text(get(&egress, &fake.url("/")).await).await.unwrap(), "", "{head}");
        }
    }
}

/// An upstream that answers everything with this body, compressed.
async fn compressed(body: &[u8]) -> Fake {
    let body = gzip(body);
    let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", body.len());
    let answer = [head.into_bytes(), body].concat();
    Fake::start(move |_| Reply::Answer(answer.clone())).await
}

#[tokio::test]
async fn a_compressed_answer_is_decompressed_and_its_secrets_removed() {
    let fake = compressed(format!("before {SECRET} after").as_bytes()).await;
    for (egress, expected) in [
        (with_secret(&fake.url("")), "before [redacted] after".to_owned()),
        (plain(&fake.url("")), format!("before {SECRET} after")),
    ] {
        let answer = get(&egress, &fake.url("/")).await.unwrap();
        assert!(!answer.headers().contains_key("content-encoding"));
        assert!(!answer.headers().contains_key("content-length"));
        assert_eq!(text(Ok(answer)).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn answers_without_a_body_keep_their_header() {
    let fake = Fake::fixed("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 99999999\r\n\r\n").await;
    let answer =
        with_secret(&fake.url("")).send(request("HEAD", &fake.url("/")), Patience::default(), later()).await.unwrap();
    assert_eq!(answer.headers()["content-length"], "99999999");
    assert_eq!(text(Ok(answer)).await.unwrap(), "");
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let fake = Fake::start(|request| {
        let key = request.split([' ', '=']).nth(2).unwrap_or_default();
        Reply::Answer(format!("HTTP/1.1 302 Found\r\nlocation: /next?key={key}\r\ncontent-length: 0\r\n\r\n").into())
    })
    .await;
    let answer = get(&with_secret(&fake.url("")), &fake.url("/")).await.unwrap();
    assert_eq!(answer.status(), 302);
    assert_eq!(answer.headers()["location"], "/next?key=[redacted]");
    assert_eq!(fake.requests.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_reader_that_knows_the_length_need_not_ask_for_the_end() {
    // The last byte could be the beginning of the secret, so it comes at the end only.
    let fake = Fake::fixed("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nalas s").await;
    let mut body = get(&with_secret(&fake.url("")), &fake.url("/")).await.unwrap().into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "alas s");
    assert!(http_body::Body::is_end_stream(&body));
}

#[tokio::test]
async fn broken_answers() {
    let many_fields = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(101));
    let large_field = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(128 << 10));
    for (bytes, fault) in [
        ("", Fault::Closed),
        ("HTTP/1.1 200 OK\r\ncontent-le", Fault::Closed),
        ("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", Fault::Closed),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n", Fault::Closed),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnot a size\r\n", Fault::Closed),
        ("220 mail.example ESMTP\r\n", Fault::Malformed),
        ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx", Fault::Malformed),
        ("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nx", Fault::Malformed),
        (&many_fields, Fault::Malformed),
        (&large_field, Fault::Malformed),
    ] {
        let answer = bytes.as_bytes().to_vec();
        let fake = Fake::start(move |_| Reply::Close(answer.clone())).await;
        let refusal = text(get(&plain(&fake.url("")), &fake.url("/")).await).await.unwrap_err();
        assert_eq!(refusal, unavailable(fault), "{}", &bytes[..bytes.len().min(100)]);
    }
}

#[tokio::test]
async fn an_answer_may_be_as_large_as_the_limit_and_no_larger() {
    let too_large = Refusal::ResponseTooLarge { host: "127.0.0.1".into(), limit: 8 };
    for (answer, expected) in [
        ("content-length: 8\r\n\r\n12345678", Ok("12345678".to_owned())),
        ("content-length: 9\r\n\r\n123456789", Err(too_large.clone())),
        ("transfer-encoding: chunked\r\n\r\n4\r\n1234\r\n4\r\n5678\r\n0\r\n\r\n", Ok("12345678".to_owned())),
        ("transfer-encoding: chunked\r\n\r\n4\r\n1234\r\n5\r\n56789\r\n0\r\n\r\n", Err(too_large)),
    ] {
        let fake = Fake::fixed(&format!("HTTP/1.1 200 OK\r\n{answer}")).await;
        let limits = Limits { response: 8, ..Limits::default() };
        let grant = Grant { hosts: vec![at(&fake.url("")).into()], limits, ..Grant::default() };
        let egress = Egress::new("demo", &grant, &[declared(&fake.url(""), vec![])]).unwrap();
        assert_eq!(text(get(&egress, &fake.url("/")).await).await, expected, "{answer}");
    }
}

/// The clock is stopped once the connection stands; then it leaps to the next time limit whenever nothing else can happen.
async fn with_stopped_clock(hanging: &'static str) -> (Egress, Fake) {
    let fake = Fake::start(move |request| {
        if request.starts_with("GET /ready ") {
            Reply::Answer(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec())
        } else {
            Reply::Hang(hanging.as_bytes().to_vec())
        }
    })
    .await;
    let egress = plain(&fake.url(""));
    text(get(&egress, &fake.url("/ready")).await).await.unwrap();
    tokio::time::pause();
    (egress, fake)
}

#[tokio::test]
async fn a_silent_upstream_costs_the_time_of_the_call() {
    let (egress, fake) = with_stopped_clock("").await;
    let deadline = Instant::now() + Duration::from_secs(5);
    let refusal = text(egress.send(request("GET", &fake.url("/")), Patience::default(), until(deadline)).await)
        .await
        .unwrap_err();
    assert_eq!(refusal, timed_out(Wait::Call));
    assert!(Instant::now() >= deadline);
    assert_eq!(fake.requests.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn the_deadline_holds_for_the_body_too() {
    let (egress, fake) = with_stopped_clock("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await;
    let deadline = Instant::now() + Duration::from_secs(5);
    let mut body =
        egress.send(request("GET", &fake.url("/")), Patience::default(), until(deadline)).await.unwrap().into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "half");
    assert_eq!(body.frame().await.unwrap().unwrap_err(), timed_out(Wait::Call));
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn the_deadline_holds_for_a_body_that_never_pauses() {
    let chunks = "5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n";
    let fake = Fake::fixed(&format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunks}")).await;
    let answer = get(&plain(&fake.url("")), &fake.url("/")).await;
    let mut body = answer.unwrap().into_body();
    let first = body.frame().await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "first");
    // By then the second chunk is there to be taken.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(3600)).await;
    let late = body.frame().await.unwrap().unwrap_err();
    assert_eq!(late, timed_out(Wait::Call));
}

#[tokio::test]
async fn an_upstream_that_falls_silent_is_given_up_before_the_deadline() {
    let (egress, fake) = with_stopped_clock("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await;
    let started = Instant::now();
    assert_eq!(text(get(&egress, &fake.url("/")).await).await.unwrap_err(), timed_out(Wait::Idle));
    assert_eq!(started.elapsed().as_secs(), 30);
}
