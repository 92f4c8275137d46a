//! Repetitions and circuits: the plugin sees one answer, whatever it took.

use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::Full;
use tokio::net::TcpListener;
use tracing::Level;

use super::{log::Log, *};

/// An upstream that answers with the first of these, then with the next; the last one again and again.
async fn answering(answers: &[&str]) -> Fake {
    let answers: Vec<Vec<u8>> = answers.iter().map(|answer| answer.as_bytes().to_vec()).collect();
    let count = AtomicUsize::new(0);
    Fake::start(move |_| {
        let next = count.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1);
        if answers[next].is_empty() { Reply::Close(vec![]) } else { Reply::Answer(answers[next].clone()) }
    })
    .await
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const BUSY: &str = "HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy";

fn retrying(base_url: &str, retries: Retries) -> Egress {
    let grant = Grant { hosts: vec![at(base_url).into()], retries, ..Grant::default() };
    Egress::new("demo", &grant, &[declared(base_url, vec![])]).unwrap()
}

fn with_methods(most: u32, methods: &[&str]) -> Retries {
    Retries { most, methods: methods.iter().map(|method| method.to_string()).collect() }
}

#[tokio::test]
async fn what_passes_is_waited_for() {
    for (answers, expected) in [
        (&[OK][..], Ok("ok")),
        (&[BUSY, OK], Ok("ok")),
        (&["", "", OK], Ok("ok")),
        (&["HTTP/1.1 429 x\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n", OK], Ok("ok")),
        (&["HTTP/1.1 502 x\r\ncontent-length: 0\r\n\r\n", "HTTP/1.1 504 x\r\ncontent-length: 0\r\n\r\n", OK], Ok("ok")),
        // The last answer is the one that the plugin sees.
        (&["", BUSY, BUSY], Ok("busy")),
        (&[BUSY, BUSY, ""], Err(unavailable(Fault::Closed))),
    ] {
        let fake = answering(answers).await;
        let found = text(get(&plain(&fake.url("")), &fake.url("/")).await).await;
        assert_eq!(found, expected.map(str::to_owned), "{answers:?}");
        assert_eq!(fake.requests.lock().unwrap().len(), answers.len(), "{answers:?}");
    }
}

#[tokio::test]
async fn who_is_repeated_and_how_often() {
    for (method, retries, attempts) in [
        ("GET", Retries::default(), 3),
        ("HEAD", Retries::default(), 3),
        ("POST", Retries::default(), 1),
        ("POST", with_methods(2, &["POST"]), 3),
        ("GET", with_methods(5, &["POST"]), 6),
        ("GET", with_methods(0, &["GET"]), 1),
    ] {
        let fake = answering(&[BUSY.split_once("busy").unwrap().0.replace("4\r\n", "0\r\n").as_str()]).await;
        let egress = retrying(&fake.url(""), retries);
        let answer = egress.send(request(method, &fake.url("/")), Patience::default(), later()).await.unwrap();
        assert_eq!(answer.status(), 503);
        assert_eq!(fake.requests.lock().unwrap().len(), attempts, "{method}");
    }
}

#[tokio::test]
async fn a_body_is_repeated_where_it_was_kept() {
    for (size, attempts) in [(10, 3), (64 << 10, 3), ((64 << 10) + 1, 1)] {
        let fake = answering(&[BUSY]).await;
        let egress = retrying(&fake.url(""), with_methods(2, &["POST"]));
        let body = Full::new(Bytes::from(vec![b'x'; size]));
        let request = Request::post(fake.url("/")).body(body).unwrap();
        assert_eq!(egress.send(request, Patience::default(), later()).await.unwrap().status(), 503);
        let requests = fake.requests.lock().unwrap();
        assert_eq!(requests.len(), attempts, "{size}");
        assert!(requests.iter().all(|it| it.split_once("\r\n\r\n").unwrap().1.len() == size));
    }
}

#[tokio::test]
async fn each_attempt_is_a_line_of_the_audit() {
    let fake = answering(&[BUSY, "", OK]).await;
    let log = Log::start(Level::INFO);
    text(get(&plain(&fake.url("")), &fake.url("/")).await).await.unwrap();
    let line = |attempt: u32, ended: &str| {
        let address = fake.address;
        format!(
            r#"hop=0 attempt={attempt} method="GET" host="127.0.0.1" path="/" address="{address}" decision="permitted" outcome={ended}"#
        )
    };
    assert_eq!(
        log.audit(),
        [
            line(1, r#""retried" status=503 bytes=0"#),
            line(2, r#""unavailable" bytes=0"#),
            line(3, r#""complete" status=200 bytes=2"#)
        ]
    );
}

#[tokio::test]
async fn a_long_wait_is_left_to_the_caller() {
    let fake = answering(&["HTTP/1.1 503 x\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n", OK]).await;
    let answer = get(&plain(&fake.url("")), &fake.url("/")).await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (503, &"7".parse().unwrap()));
    assert_eq!(fake.requests.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_short_wait_is_kept() {
    let fake = answering(&["HTTP/1.1 429 x\r\nretry-after: 4\r\ncontent-length: 0\r\n\r\n", OK]).await;
    let egress = plain(&fake.url(""));
    let started = Instant::now();
    assert_eq!(text(get(&egress, &fake.url("/")).await).await.unwrap(), "ok");
    assert_eq!(started.elapsed().as_secs(), 4);
    // It doesn't fit into this call.
    let fake = answering(&["HTTP/1.1 429 x\r\nretry-after: 4\r\ncontent-length: 0\r\n\r\n", OK]).await;
    let deadline = Instant::now() + Duration::from_secs(4);
    let answer =
        plain(&fake.url("")).send(request("GET", &fake.url("/")), Patience::default(), until(deadline)).await.unwrap();
    assert_eq!(answer.status(), 429);
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_does_not_begin_to_answer_is_asked_again() {
    let fake = Fake::start(|_| Reply::Hang(vec![])).await;
    let limits = Limits { first_byte: Some(Duration::from_secs(2)), ..Limits::default() };
    let egress = limited(&fake.url(""), limits);
    let log = Log::start(Level::INFO);
    let started = Instant::now();
    let refusal = get(&egress, &fake.url("/")).await.err().unwrap();
    assert_eq!(refusal, timed_out(Wait::FirstByte));
    assert_eq!(started.elapsed().as_secs(), 6);
    assert_eq!(fake.requests.lock().unwrap().len(), 3);
    for line in log.audit() {
        let ended = format!(r#"address="{}" decision="permitted" outcome="timed-out" bytes=0"#, fake.address);
        assert!(line.ends_with(&ended), "{line}");
    }
}

/// Asks for something until the circuit opens; how often the upstream was asked.
async fn until_open(egress: &Egress, url: &str) -> u32 {
    for calls in 0..100 {
        if let Err(refusal @ Refusal::CircuitOpen { .. }) = get(egress, url).await {
            assert_eq!(
                refusal.to_string(),
                "upstream has failed too often lately: 127.0.0.1; it will be tried again in 5 s"
            );
            return calls;
        }
    }
    panic!("it has not opened");
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_fails_and_fails_is_left_alone_for_a_while() {
    let healthy = Arc::new(AtomicUsize::new(0));
    let state = Arc::clone(&healthy);
    let fake = Fake::start(move |_| {
        Reply::Answer(if state.load(Ordering::SeqCst) == 0 { BUSY } else { OK }.as_bytes().to_vec())
    })
    .await;
    let other = Fake::fixed(OK).await;
    let hosts = vec![at(&fake.url("")).into(), at(&other.url("")).into()];
    let grant = Grant { hosts, retries: with_methods(0, &[]), ..Grant::default() };
    let upstreams = [declared(&fake.url(""), vec![]), declared(&other.url(""), vec![])];
    let egress = Egress::new("demo", &grant, &upstreams).unwrap();
    assert_eq!(until_open(&egress, &fake.url("/")).await, 20);
    assert_eq!(fake.requests.lock().unwrap().len(), 20);
    // Another upstream isn't concerned.
    assert_eq!(text(get(&egress, &other.url("/")).await).await.unwrap(), "ok");

    let log = Log::start(Level::INFO);
    assert_eq!(get(&egress, &fake.url("/")).await.err().unwrap().name(), "circuit-open");
    assert!(
        log.audit()[0].ends_with(r#"path="/" decision="circuit-open" outcome="denied" bytes=0"#),
        "{:?}",
        log.audit()
    );

    tokio::time::advance(Duration::from_secs(5)).await;
    healthy.store(1, Ordering::SeqCst);
    for _ in 0..3 {
        assert_eq!(text(get(&egress, &fake.url("/")).await).await.unwrap(), "ok");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_can_not_be_reached_is_left_alone_too() {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url = format!("http://{address}/");
    // Three attempts each: the seventh call is the one that meets the open circuit.
    assert_eq!(until_open(&plain(&url), &url).await, 6);
}

#[tokio::test]
async fn what_the_plugin_does_wrong_opens_no_circuit() {
    let fake = answering(&["HTTP/1.1 500 x\r\ncontent-length: 0\r\n\r\n"]).await;
    let egress = plain(&fake.url(""));
    for _ in 0..30 {
        assert_eq!(get(&egress, &fake.url("/")).await.unwrap().status(), 500);
        let mut short = Request::post(fake.url("/")).body(http_body_util::StreamBody::new(futures::stream::empty::<
            Result<http_body::Frame<Bytes>, std::convert::Infallible>,
        >()));
        short.as_mut().unwrap().headers_mut().insert("content-length", 5.into());
        assert_eq!(
            egress.send(short.unwrap(), Patience::default(), later()).await.err().unwrap(),
            Refusal::RequestBroken
        );
    }
}
