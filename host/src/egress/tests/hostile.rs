//! Upstreams that mean harm: what they do, how it ends, and what the audit says about it.

use tracing::Level;

use super::{log::Log, *};
use crate::egress::decode::tests::gzip;

/// What became of one request, with small limits, and the end of its last line in the audit.
async fn met(fake: &Fake, limits: Limits) -> (Refusal, String) {
    let log = Log::start(Level::INFO);
    let egress = limited(&fake.url(""), limits);
    let deadline = Instant::now() + Duration::from_secs(60);
    let answer = egress.send(request("GET", &fake.url("/")), Patience::default(), until(deadline)).await;
    let refusal = text(answer).await.unwrap_err();
    let line = log.audit().pop().unwrap();
    let begun =
        format!(r#"method="GET" host="127.0.0.1" path="/" address="{}" decision="permitted" outcome="#, fake.address);
    let (_, ended) = line.split_once(&begun).unwrap_or_else(|| panic!("{line}"));
    (refusal, ended.to_owned())
}

fn small() -> Limits {
    Limits { response: 10_000, headers: 10, header_bytes: 8 << 10, ..Limits::default() }
}

fn too_large() -> Refusal {
    Refusal::ResponseTooLarge { host: "127.0.0.1".into(), limit: 10_000 }
}

#[tokio::test]
async fn answers_that_are_no_http() {
    let many_fields = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(11));
    for bytes in [
        "\0\u{1}\u{2}\u{3}garbage\r\n\r\n",
        "SSH-2.0-OpenSSH_9.9\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx",
        "HTTP/1.1 200 OK\r\ncontent-length: 1, 2\r\n\r\nxx",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\nxx",
        "HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551616\r\n\r\nxx",
        "HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: a\r\n folded\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx : a\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: a\0b\r\n\r\n",
        "HTTP/1.1 99 x\r\n\r\n",
        &many_fields,
    ] {
        let answer = bytes.as_bytes().to_vec();
        let fake = Fake::start(move |_| Reply::Close(answer.clone())).await;
        let shown = &bytes[..bytes.len().min(60)];
        let (refusal, audit) = met(&fake, small()).await;
        assert_eq!((refusal, audit.as_str()), (unavailable(Fault::Malformed), r#""unavailable" bytes=0"#), "{shown:?}");
        assert_eq!(fake.requests.lock().unwrap().len(), 1, "{shown:?}");
    }
}

#[tokio::test]
async fn a_header_that_is_longer_than_granted() {
    let granted = (8 << 10) - "x: \r\ncontent-length: 0\r\n".len();
    for (length, is_taken) in [(granted, true), (granted + 1, false)] {
        let fake =
            Fake::fixed(&format!("HTTP/1.1 200 OK\r\nx: {}\r\ncontent-length: 0\r\n\r\n", "y".repeat(length))).await;
        if is_taken {
            let answer = get(&limited(&fake.url(""), small()), &fake.url("/")).await;
            assert_eq!(text(answer).await.unwrap(), "");
        } else {
            let (refusal, audit) = met(&fake, small()).await;
            assert_eq!((refusal, audit.as_str()), (unavailable(Fault::Malformed), r#""unavailable" bytes=0"#));
        }
    }
}

#[tokio::test]
async fn a_change_of_protocol_is_no_answer() {
    let fake = Fake::fixed("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nGET /").await;
    let (refusal, audit) = met(&fake, small()).await;
    assert_eq!((refusal, audit.as_str()), (unavailable(Fault::Malformed), r#""unavailable" status=101 bytes=0"#));
}

#[tokio::test]
async fn a_header_without_end() {
    for again in ["x: y\r\n", "y"] {
        let fake = Fake::start(|_| Reply::Forever(b"HTTP/1.1 200 OK\r\nx: ".to_vec(), again.into())).await;
        let (refusal, audit) = met(&fake, small()).await;
        assert_eq!((refusal, audit.as_str()), (unavailable(Fault::Malformed), r#""unavailable" bytes=0"#));
    }
}

#[tokio::test]
async fn interim_answers_without_end() {
    for interim in ["100 Continue\r\n", "103 Early Hints\r\nlink: </x>\r\n", "199 x\r\n"] {
        let again = format!("HTTP/1.1 {interim}\r\n").into_bytes();
        let fake = Fake::start(move |_| Reply::Forever(vec![], again.clone())).await;
        let (refusal, audit) = met(&fake, small()).await;
        assert_eq!((refusal, audit.as_str()), (unavailable(Fault::Malformed), r#""unavailable" bytes=0"#));
    }
    // A few of them are in order.
    let few = "HTTP/1.1 100 Continue\r\n\r\n".repeat(3) + "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let fake = Fake::fixed(&few).await;
    assert_eq!(text(get(&plain(&fake.url("")), &fake.url("/")).await).await.unwrap(), "ok");
}

#[tokio::test(start_paused = true)]
async fn a_header_that_trickles() {
    let head = b"HTTP/1.1 200 OK\r\nx: a long header, byte by byte\r\n\r\n".to_vec();
    let fake = Fake::start(move |_| Reply::Trickle(head.clone(), Duration::from_secs(5))).await;
    let started = Instant::now();
    let (refusal, audit) = met(&fake, small()).await;
    assert_eq!((refusal, audit.as_str()), (timed_out(Wait::Call), r#""timed-out" bytes=0"#));
    assert_eq!(started.elapsed().as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_trickles() {
    // Slow enough to take longer than the call, fast enough never to be idle.
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n".to_vec();
    let fake =
        Fake::start(move |_| Reply::Trickle([head.clone(), vec![b'x'; 1000]].concat(), Duration::from_secs(1))).await;
    let (refusal, audit) = met(&fake, small()).await;
    assert_eq!(refusal, timed_out(Wait::Call));
    assert!(audit.starts_with(r#""timed-out" status=200 bytes="#), "{audit}");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stops() {
    let fake = Fake::start(|_| Reply::Hang(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf".to_vec())).await;
    let started = Instant::now();
    let (refusal, audit) = met(&fake, Limits { idle: Duration::from_secs(7), ..small() }).await;
    assert_eq!((refusal, audit.as_str()), (timed_out(Wait::Idle), r#""timed-out" status=200 bytes=4"#));
    assert_eq!(started.elapsed().as_secs(), 7);
}

#[tokio::test]
async fn a_body_without_end() {
    let chunk = [b"1000\r\n".to_vec(), vec![b'x'; 4096], b"\r\n".to_vec()].concat();
    for (head, again) in [
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", chunk),
        ("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n", vec![b'x'; 4096]),
        ("HTTP/1.0 200 OK\r\n\r\n", vec![b'x'; 4096]),
    ] {
        let fake = Fake::start(move |_| Reply::Forever(head.into(), again.clone())).await;
        let (refusal, audit) = met(&fake, small()).await;
        assert_eq!(refusal, too_large());
        assert!(audit.starts_with(r#""response-too-large" status=200 bytes="#), "{audit}");
    }
}

#[tokio::test]
async fn a_zip_bomb() {
    // 64 MB in 64 KB, and one that never ends.
    let bomb = gzip(&vec![0; 64 << 20]);
    let head = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = |bytes: &[u8]| [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
    let (first, rest) = bomb.split_at(5000);
    let (first, rest) = ([head.as_bytes().to_vec(), chunk(first)].concat(), chunk(rest));
    let fake = Fake::start(move |_| Reply::Forever(first.clone(), rest.clone())).await;
    let (refusal, audit) = met(&fake, small()).await;
    assert_eq!(refusal, too_large());
    // Refused within its first piece.
    assert_eq!(audit, r#""response-too-large" status=200 bytes=5000"#);
}

#[tokio::test]
async fn a_compressed_answer_that_is_broken() {
    let whole = gzip(b"hello hello");
    for body in [b"no gzip at all".to_vec(), whole[..whole.len() - 3].to_vec(), [&whole[..], b"more"].concat()] {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", body.len());
        let bytes = body.len();
        let answer = [head.into_bytes(), body].concat();
        let fake = Fake::start(move |_| Reply::Answer(answer.clone())).await;
        let (refusal, audit) = met(&fake, small()).await;
        assert_eq!(refusal, unavailable(Fault::Corrupt));
        assert_eq!(audit, format!(r#""unavailable" status=200 bytes={bytes}"#));
    }
}

#[tokio::test]
async fn a_length_that_is_a_lie() {
    for (answer, expected) in [
        // Longer than announced: the rest isn't part of the answer, and never of the next one.
        ("content-length: 2\r\n\r\nok and HTTP/1.1 200 OK\r\n\r\n", Ok("ok")),
        // Both: chunked wins, as the standard says.
        ("content-length: 99\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", Ok("ok")),
        // Trailers aren't read.
        ("transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nset-cookie: a=b\r\n\r\n", Ok("ok")),
        ("content-length: 20\r\n\r\nok", Err(unavailable(Fault::Closed))),
        ("transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\nok", Err(unavailable(Fault::Closed))),
        ("transfer-encoding: chunked\r\n\r\n9\r\nok", Err(unavailable(Fault::Closed))),
        ("content-length: 10001\r\n\r\nok", Err(too_large())),
    ] {
        let bytes = format!("HTTP/1.1 200 OK\r\n{answer}").into_bytes();
        let fake = Fake::start(move |_| Reply::Close(bytes.clone())).await;
        let log = Log::start(Level::INFO);
        let egress = limited(&fake.url(""), small());
        for _ in 0..2 {
            let found = text(get(&egress, &fake.url("/")).await).await;
            assert_eq!(found, expected.clone().map(str::to_owned), "{answer}");
        }
        let outcome = expected.as_ref().map_or_else(Refusal::name, |_| "complete");
        assert_eq!(log.audit().len(), 2, "{answer}");
        for line in log.audit() {
            assert!(line.contains(&format!(r#"outcome="{outcome}" status=200 bytes="#)), "{line}");
        }
    }
}

#[tokio::test]
async fn a_name_that_means_another_machine_at_the_second_look() {
    let fake = Fake::fixed("HTTP/1.1 204 No Content\r\n\r\n").await;
    let base = format!("http://api.example:{}", fake.address.port());
    // The first connection fails, and for the second the name points into this network.
    let egress = resolving(vec![vec![], vec![fake.address]], &base, vec![]);
    let log = Log::start(Level::INFO);
    let refusal = get(&egress, &base).await.err().unwrap();
    assert_eq!(refusal.name(), "private-address");
    assert_eq!(fake.connections(), 0);
    let lines = log.audit();
    assert!(lines[0].ends_with(r#"decision="permitted" outcome="unavailable" bytes=0"#), "{lines:?}");
    assert!(lines[1].starts_with("hop=0 attempt=2 "), "{lines:?}");
    assert!(lines[1].ends_with(r#"decision="private-address" outcome="denied" bytes=0"#), "{lines:?}");
}
