//! Slow and greedy clients over streams in memory, with the clock in our hands.

use std::{convert::Infallible, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{ConnectInfo, Request},
    response::IntoResponse,
    routing::{any, get},
};
use bytes::Bytes;
use futures::{StreamExt, stream};
use http::HeaderMap;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{Notify, Semaphore},
    task::JoinHandle,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{Door, Guard, Limits, Refusal, connection, connection::Visit, places::Places, serve};

const PEER: ([u8; 4], u16) = ([192, 0, 2, 7], 4711);

/// A second, to wait just longer than a limit, or just not.
pub(super) const SECOND: Duration = Duration::from_secs(1);

/// What an answer that nobody takes is made of.
const CHUNK: Bytes = Bytes::from_static(&[b'x'; 4096]);

/// A connection to a door with this router.
struct Client {
    stream: DuplexStream,
    serving: JoinHandle<()>,
    stop: CancellationToken,
}

fn door(router: Router) -> Door {
    let refuse = |_: &HeaderMap, refusal: &Refusal| (refusal.status(), refusal.to_string()).into_response();
    Door { service: super::routed(router), guard: Guard::new(Vec::new(), Vec::new()), tls: None, refuse }
}

fn connect(router: Router) -> Client {
    // Less than one chunk fits on the way: what is written beyond has to be read.
    let (stream, serving, stop) = connect_within(router, Limits::default(), 1024);
    Client { stream, serving, stop }
}

/// A connection on which so many bytes fit, and with which its client takes a place: its end, the host's side, and what stops that.
pub(super) fn connect_within(
    router: Router,
    limits: Limits,
    room: usize,
) -> (DuplexStream, JoinHandle<()>, CancellationToken) {
    let (stream, theirs) = duplex(room);
    let stop = CancellationToken::new();
    let door = Arc::new(door(router));
    let places = Places::new(limits.connections, limits.per_client);
    let place = places.take_now(PEER.0.into());
    let visit = Visit { peer: PEER.into(), door, limits, places, stop: stop.clone(), begun: CancellationToken::new() };
    let serving = tokio::spawn(async move {
        let _until_it_ends = place;
        connection::serve(theirs, visit).await;
    });
    (stream, serving, stop)
}

/// Answers with the body that it was sent.
pub(super) fn echo() -> Router {
    let echo = |request: Request| async { to_bytes(request.into_body(), usize::MAX).await.expect("a whole body") };
    Router::new().route("/", any(echo))
}

impl Client {
    async fn say(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.expect("the host listens");
    }

    /// Says a text, a byte every 10 seconds, until the host has no ears for it any more.
    async fn drip(&mut self, text: &str) {
        for byte in text.bytes() {
            if self.stream.write_all(&[byte]).await.is_err() {
                return;
            }
            sleep(10 * SECOND).await;
        }
    }

    /// Reads up to the end of an answer that ends so.
    async fn hear(&mut self, end: &str) -> String {
        let mut heard = Vec::new();
        while !heard.ends_with(end.as_bytes()) {
            heard.push(self.stream.read_u8().await.expect("the answer goes on"));
        }
        String::from_utf8(heard).expect("text")
    }

    /// All that is still said until the host closes the connection, and when it did.
    async fn hear_out(mut self) -> (String, Instant) {
        let mut heard = String::new();
        self.stream.read_to_string(&mut heard).await.expect("text");
        self.serving.await.expect("no panic");
        (heard, Instant::now())
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_must_come_in_time_however_it_drips() {
    for said in ["", "GET / HTTP/1.1\r\nhost: localhost\r\nx-long: "] {
        let begin = Instant::now();
        let mut client = connect(echo());
        client.drip(said).await;
        let (heard, end) = client.hear_out().await;
        assert_eq!(heard, "");
        // The client of the second case notices when it next says something.
        assert!(end - begin <= Limits::default().first_head + 10 * SECOND, "{said}: {:?}", end - begin);
    }
}

#[tokio::test(start_paused = true)]
async fn a_later_head_has_more_time_however_long_the_first_answer_took() {
    let slow = || async { sleep(Limits::default().first_head * 2).await };
    let mut client = connect(Router::new().route("/", any(slow)));
    client.say("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert!(client.hear("\r\n\r\n").await.starts_with("HTTP/1.1 200 "));
    let begin = Instant::now();
    client.drip("GET / HTTP/1.1\r\nhost: localhost\r\n").await;
    let (heard, end) = client.hear_out().await;
    assert_eq!(heard, "");
    let time = end - begin;
    assert!(time >= Limits::default().head && time <= Limits::default().head + 10 * SECOND, "{time:?}");
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_but_not_before_its_time() {
    let mut client = connect(echo());
    for _ in 0..2 {
        client.say("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
        assert!(client.hear("\r\n\r\n").await.starts_with("HTTP/1.1 200 "));
        sleep(Limits::default().head - SECOND).await;
    }
    let begin = Instant::now();
    let (heard, end) = client.hear_out().await;
    assert_eq!((heard.as_str(), end - begin), ("", SECOND));
}

#[tokio::test(start_paused = true)]
async fn a_head_with_too_many_or_too_large_fields_is_refused() {
    let Limits { headers, head_size, .. } = Limits::default();
    for (fields, status) in [
        ("x: y\r\n".repeat(headers - 1), "HTTP/1.1 200 "),
        ("x: y\r\n".repeat(headers), "HTTP/1.1 431 "),
        (format!("x: {}\r\n", "y".repeat(head_size - 100)), "HTTP/1.1 200 "),
        (format!("x: {}\r\n", "y".repeat(head_size)), "HTTP/1.1 431 "),
        (format!("x: {}", "y".repeat(head_size)), "HTTP/1.1 431 "),
    ] {
        let mut client = connect(echo());
        client.say("GET / HTTP/1.1\r\nhost: localhost\r\n").await;
        // What is refused needn't be read to its end.
        let _ = client.stream.write_all(format!("{fields}\r\n").as_bytes()).await;
        assert!(client.hear("\r\n\r\n").await.starts_with(status), "{} bytes: {status}", fields.len());
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_must_come_in_time_however_it_drips() {
    for framing in ["content-length: 100", "transfer-encoding: chunked"] {
        let begin = Instant::now();
        let mut client = connect(echo());
        client.say(&format!("PUT / HTTP/1.1\r\nhost: localhost\r\n{framing}\r\n\r\n")).await;
        client.drip("5\r\nab").await;
        let (heard, end) = client.hear_out().await;
        assert!(heard.starts_with("HTTP/1.1 408 ") && heard.contains("connection: close\r\n"), "{heard}");
        assert!(heard.ends_with("the body was not received within 60s, the limit"), "{heard}");
        assert_eq!(end - begin, Limits::default().body);
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_may_take_its_time_and_so_may_the_answer_to_it() {
    let slow = |request: Request| async {
        let body = to_bytes(request.into_body(), usize::MAX).await.expect("a whole body");
        sleep(Limits::default().body * 2).await;
        body
    };
    let mut client = connect(Router::new().route("/", any(slow)));
    client.say("PUT / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n\r\n").await;
    client.drip("hello").await;
    assert!(client.hear("\r\n\r\nhello").await.starts_with("HTTP/1.1 200 "));
}

/// A route whose answers are endless; each holds the only permit for as long as it isn't dropped.
pub(super) fn endless(permit: Arc<Semaphore>) -> Router {
    let answer = move || async move {
        let held = permit.acquire_owned().await.expect("never closed");
        Body::from_stream(stream::repeat_with(move || {
            let _ = &held;
            Ok::<_, Infallible>(CHUNK)
        }))
    };
    Router::new().route("/", get(answer))
}

#[tokio::test(start_paused = true)]
async fn who_stops_reading_gives_back_what_the_answer_holds() {
    let begin = Instant::now();
    let permit = Arc::new(Semaphore::new(1));
    let mut client = connect(endless(permit.clone()));
    client.say("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    client.hear("\r\n\r\n").await;
    assert_eq!(permit.available_permits(), 0);
    let _free = permit.acquire().await;
    assert_eq!(Instant::now() - begin, Limits::default().stall);
    client.serving.await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn who_reads_slowly_is_served() {
    let permit = Arc::new(Semaphore::new(1));
    let mut client = connect(endless(permit.clone()));
    client.say("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    for _ in 0..10 {
        sleep(Limits::default().stall - SECOND).await;
        client.stream.read_exact(&mut [0; 1024]).await.expect("the answer goes on");
    }
    assert_eq!(permit.available_permits(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stream_on_which_nothing_is_said_stays_open() {
    let hour = 3600 * SECOND;
    let quiet = move || async move {
        let events = stream::iter(["first", "second"]).then(move |event| async move {
            sleep(hour).await;
            Ok::<_, Infallible>(event)
        });
        Body::from_stream(events)
    };
    let begin = Instant::now();
    let mut client = connect(Router::new().route("/", get(quiet)));
    client.say("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    client.hear("first\r\n").await;
    client.hear("second\r\n0\r\n\r\n").await;
    assert_eq!(Instant::now() - begin, 2 * hour);
}

/// A router that tells when a request has arrived, and answers it by `done` when it is told to.
pub(super) fn waiting() -> (Router, Arc<Notify>, Arc<Notify>) {
    let (arrived, answered) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (arrives, answers) = (arrived.clone(), answered.clone());
    let waiting = move || async move {
        arrives.notify_one();
        answers.notified().await;
        "done"
    };
    (Router::new().route("/", any(waiting)), arrived, answered)
}

#[tokio::test(start_paused = true)]
async fn a_host_that_stops_closes_what_is_idle_and_answers_what_is_in_flight() {
    let (router, arrived, answered) = waiting();
    let begin = Instant::now();
    let (silent, mut idle, mut busy) = (connect(router.clone()), connect(echo()), connect(router));
    idle.say("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    idle.hear("\r\n\r\n").await;
    busy.say("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    arrived.notified().await;
    for client in [&silent, &idle, &busy] {
        client.stop.cancel();
    }
    assert_eq!(silent.hear_out().await.0, "");
    assert_eq!(idle.hear_out().await.0, "");
    answered.notify_one();
    let (heard, end) = busy.hear_out().await;
    assert!(heard.starts_with("HTTP/1.1 200 ") && heard.ends_with("done"), "{heard}");
    assert_eq!(end, begin);
}

#[tokio::test(start_paused = true)]
async fn the_door_is_told_who_asks() {
    let who = |ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() };
    for body in ["", "content-length: 2\r\n\r\nhi"] {
        let mut client = connect(Router::new().route("/", any(who)));
        client.say(&format!("GET / HTTP/1.1\r\nhost: localhost\r\n{body}\r\n\r\n")).await;
        client.hear("192.0.2.7:4711").await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_does_not_get_in_is_answered_by_the_doors_words() {
    let mut client = connect(echo());
    client.say("GET / HTTP/1.1\r\nhost: evil.example\r\n\r\n").await;
    let heard = client.hear("[listen] hosts = [\"evil.example\"]").await;
    assert!(heard.starts_with("HTTP/1.1 421 "), "{heard}");
}

/// Asks on a connection that is kept, for an answer without a body.
async fn ask(stream: &mut TcpStream) {
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("the host listens");
    let mut heard = Vec::new();
    while !heard.ends_with(b"\r\n\r\n") {
        heard.push(stream.read_u8().await.expect("the answer goes on"));
    }
}

#[tokio::test]
async fn one_connection_too_many_waits_for_another_to_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    let limits = Limits { connections: 1, ..Limits::default() };
    let stop = CancellationToken::new();
    let serving = tokio::spawn(serve(listener, door(echo()), limits, stop.clone()));
    let mut first = TcpStream::connect(address).await.expect("the host listens");
    ask(&mut first).await;
    let mut second = TcpStream::connect(address).await.expect("the kernel accepts it");
    {
        let mut waiting = pin!(ask(&mut second));
        for _ in 0..100 {
            tokio::select! {
                biased;
                () = &mut waiting => panic!("the second is served although the first is there"),
                () = ask(&mut first) => {}
            }
        }
        drop(first);
        waiting.await;
    }
    stop.cancel();
    serving.await.expect("no panic");
    assert_eq!(second.read(&mut [0]).await.expect("an end"), 0);
}

#[tokio::test]
async fn one_client_does_not_get_all_connections() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    let limits = Limits { connections: 4, per_client: 2, ..Limits::default() };
    let stop = CancellationToken::new();
    let serving = tokio::spawn(serve(listener, door(echo()), limits, stop.clone()));
    let connect = || TcpStream::connect(address);
    let mut first = connect().await.expect("the host listens");
    ask(&mut first).await;
    let mut second = connect().await.expect("the host listens");
    ask(&mut second).await;
    let mut heard = String::new();
    connect().await.expect("the kernel accepts it").read_to_string(&mut heard).await.expect("an end");
    assert!(heard.starts_with("HTTP/1.1 429 ") && heard.contains("connection: close\r\n"), "{heard}");
    assert!(heard.ends_with("this address has 2 connections open, the limit; close some of them, or use them again"));

    // Another client isn't concerned, nor are the connections that are there.
    let other = TcpSocket::new_v4().expect("a socket");
    other.bind(([127, 0, 0, 2], 0).into()).expect("a free port");
    let mut other = other.connect(address).await.expect("the host listens");
    ask(&mut other).await;
    ask(&mut first).await;
    // One that ends makes place for the next, as soon as the host has noticed.
    drop(second);
    loop {
        let mut next = connect().await.expect("the host listens");
        let said = next.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
        let mut heard = String::new();
        if said.is_ok() && next.read_to_string(&mut heard).await.is_ok() && heard.starts_with("HTTP/1.1 200 ") {
            break;
        }
    }
    stop.cancel();
    serving.await.expect("no panic");
}
