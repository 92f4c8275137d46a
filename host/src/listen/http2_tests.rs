//! The same as `tests`, for clients that speak HTTP/2: what a stream may take of time and room, and what many of them may.
//!
//! Floods of frames and requests that can be read in two ways are sent to whole hosts, in `tests/suite`.

use std::{pin::pin, sync::Arc};

use axum::{
    Router,
    body::to_bytes,
    extract::Request,
    routing::{any, get},
};
use bytes::Bytes;
use futures::{
    FutureExt, StreamExt,
    future::{BoxFuture, join_all, select_all},
    stream,
};
use http::{HeaderMap, Response};
use http_body_util::{BodyExt, Empty, StreamBody, combinators::BoxBody};
use hyper::{
    body::{Frame, Incoming},
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::{Semaphore, mpsc},
    task::{JoinHandle, yield_now},
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Limits,
    preface::PREFACE,
    tests::{SECOND, connect_within, echo, endless, waiting},
};

/// Frames: an empty SETTINGS; a GET for / of localhost, in stream 1.
const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";
const GET: &[u8] = b"\0\0\x0e\x01\x05\0\0\0\x01\x82\x86\x84\x01\x09localhost";

/// A client that is right, and whose side of the connection runs on its own.
struct Client {
    requests: SendRequest<Sent>,
    /// Ends with the connection, and tells when.
    ended: JoinHandle<Instant>,
    serving: JoinHandle<()>,
    stop: CancellationToken,
}

async fn connect(router: Router, limits: Limits) -> Client {
    let (stream, serving, stop) = connect_within(router, limits, 256 << 10);
    let mut protocol = http2::Builder::new(TokioExecutor::new());
    // A window that is soon full: how slowly a client takes an answer is then its own choice.
    protocol.timer(TokioTimer::new()).initial_stream_window_size(16 << 10).initial_connection_window_size(1 << 20);
    let (requests, connection) = protocol.handshake(TokioIo::new(stream)).await.expect("the host speaks HTTP/2");
    let ended = tokio::spawn(async move {
        let _ = connection.await;
        Instant::now()
    });
    Client { requests, ended, serving, stop }
}

type Sent = BoxBody<Bytes, hyper::Error>;
type Answered = BoxFuture<'static, hyper::Result<Response<Incoming>>>;

impl Client {
    /// Asks without a body.
    fn ask(&self) -> Answered {
        self.ask_for("/", HeaderMap::new())
    }

    fn ask_for(&self, path: &str, fields: HeaderMap) -> Answered {
        let mut request = http::Request::get(format!("http://localhost{path}"));
        *request.headers_mut().expect("no error so far") = fields;
        self.send(request.body(Empty::new().map_err(|never| match never {}).boxed()))
    }

    fn upload(
        &self,
        path: &str,
        body: impl http_body::Body<Data = Bytes, Error = hyper::Error> + Send + Sync + 'static,
    ) -> Answered {
        self.send(http::Request::put(format!("http://localhost{path}")).body(body.boxed()))
    }

    fn send(&self, request: http::Result<http::Request<Sent>>) -> Answered {
        let request = request.expect("a request");
        let mut requests = self.requests.clone();
        Box::pin(async move {
            requests.ready().await?;
            requests.send_request(request).await
        })
    }

    async fn status(&self) -> u16 {
        self.ask().await.expect("an answer").status().as_u16()
    }

    /// When the connection is over, on both sides.
    async fn end(self) -> Instant {
        let ended = self.ended.await.expect("no panic");
        self.serving.await.expect("no panic");
        ended
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_request_must_come_in_time_however_far_the_greeting_got() {
    let whole = [PREFACE.as_slice(), SETTINGS, &GET[..12]].concat();
    for length in [1, 10, PREFACE.len(), PREFACE.len() + SETTINGS.len(), whole.len()] {
        let begin = Instant::now();
        let (mut stream, serving, _stop) = connect_within(echo(), Limits::default(), 1024);
        stream.write_all(&whole[..length]).await.expect("the host listens");
        serving.await.expect("no panic");
        assert_eq!(Instant::now() - begin, Limits::default().first_head, "{length}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_but_not_before_its_time() {
    let client = connect(echo(), Limits::default()).await;
    for _ in 0..3 {
        assert_eq!(client.status().await, 200);
        sleep(Limits::default().head - SECOND).await;
    }
    let begin = Instant::now();
    assert_eq!(client.end().await - begin, SECOND);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_say_goodbye_is_not_waited_for() {
    let begin = Instant::now();
    let Limits { head, goodbye, .. } = Limits::default();
    // Without pings, which the client below would have to answer.
    let limits = Limits { ping: head * 10, ..Limits::default() };
    let (mut stream, serving, _stop) = connect_within(echo(), limits, 1024);
    stream.write_all(&[PREFACE.as_slice(), SETTINGS, GET].concat()).await.expect("the host listens");
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.expect("an end");
    serving.await.expect("no panic");
    assert_eq!(Instant::now() - begin, head + goodbye);
}

#[tokio::test(start_paused = true)]
async fn a_stream_on_which_nothing_is_said_stays_open_while_its_client_is_there() {
    let hour = 3600 * SECOND;
    let quiet = move || async move {
        sleep(hour).await;
        "at last"
    };
    let router = Router::new().route("/", any(quiet));
    let begin = Instant::now();
    let client = connect(router.clone(), Limits::default()).await;
    assert_eq!(client.status().await, 200);
    assert_eq!(Instant::now() - begin, hour);

    // A line that is dead answers to no ping.
    let begin = Instant::now();
    let (mut stream, serving, _stop) = connect_within(router, Limits::default(), 1024);
    stream.write_all(&[PREFACE.as_slice(), SETTINGS, GET].concat()).await.expect("the host listens");
    serving.await.expect("no panic");
    assert_eq!(Instant::now() - begin, 2 * Limits::default().ping);
}

#[tokio::test(start_paused = true)]
async fn who_makes_no_room_gives_back_what_that_answer_holds_and_keeps_the_others() {
    let begin = Instant::now();
    let permit = Arc::new(Semaphore::new(1));
    let router = endless(permit.clone()).route("/short", get(|| async { "short" }));
    let client = connect(router, Limits::default()).await;
    let mut answer = client.ask().await.expect("an answer").into_body();
    let _free = permit.acquire().await;
    assert_eq!(Instant::now() - begin, Limits::default().stall);
    assert_eq!(client.ask_for("/short", HeaderMap::new()).await.expect("an answer").status(), 200);
    // What was given up isn't taken for a whole answer.
    while answer.frame().await.expect("no end").is_ok() {}
}

#[tokio::test(start_paused = true)]
async fn who_takes_an_answer_slowly_is_served() {
    let permit = Arc::new(Semaphore::new(1));
    let client = connect(endless(permit.clone()), Limits::default()).await;
    let mut answer = client.ask().await.expect("an answer").into_body();
    for _ in 0..10 {
        sleep(Limits::default().stall - SECOND).await;
        let mut taken = 0;
        while taken < 16 << 10 {
            let piece = answer.frame().await.expect("no end").expect("the answer goes on");
            taken += piece.into_data().expect("data").len();
        }
    }
    assert_eq!(permit.available_permits(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_body_must_come_in_time_and_the_connection_stays() {
    let begin = Instant::now();
    let client = connect(echo(), Limits::default()).await;
    let pieces = stream::repeat(Bytes::from_static(b"x")).then(|piece| async {
        sleep(10 * SECOND).await;
        Ok(Frame::data(piece))
    });
    let answer = client.upload("/", StreamBody::new(pieces)).await.expect("an answer");
    assert_eq!(Instant::now() - begin, Limits::default().body);
    assert_eq!(answer.status(), 408);
    assert!(!answer.headers().contains_key("connection"));
    let text = answer.into_body().collect().await.expect("a whole answer").to_bytes();
    assert_eq!(text, "the body was not received within 60s, the limit");
    assert_eq!(client.status().await, 200);
}

#[tokio::test(start_paused = true)]
async fn streams_take_places_as_connections_do() {
    let gate = Arc::new(Semaphore::new(0));
    let opened = gate.clone();
    let waiting = move || async move { opened.acquire().await.expect("never closed").forget() };
    // One for the connection.
    let limits = Limits { per_client: 3, ..Limits::default() };
    let client = connect(Router::new().route("/", any(waiting)), limits).await;
    let (mut first, mut second) = (client.ask(), client.ask());
    assert!(timeout(SECOND, join_all([&mut first, &mut second])).await.is_err());
    let refused = client.ask().await.expect("an answer");
    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (503, &"1".parse().unwrap()));
    gate.add_permits(1);
    let (answer, _, _waiting) = select_all([first, second]).await;
    assert_eq!(answer.expect("an answer").status(), 200);
    // One for each of the two that are open then.
    gate.add_permits(2);
    assert_eq!(client.status().await, 200);
}

#[tokio::test(start_paused = true)]
async fn a_connection_has_no_more_streams_at_a_time_than_it_may() {
    let limits = Limits { streams: 2, ..Limits::default() };
    let (begun, mut begins) = mpsc::unbounded_channel();
    let waiting = move || async move {
        begun.send(()).expect("the test listens");
        std::future::pending::<()>().await
    };
    let client = connect(Router::new().route("/", any(waiting)), limits).await;
    let mut asked = [client.ask(), client.ask(), client.ask()];
    assert!(timeout(SECOND, join_all(&mut asked)).await.is_err());
    assert!(begins.try_recv().is_ok() && begins.try_recv().is_ok());
    assert!(begins.try_recv().is_err(), "the third waits at the client");
}

#[tokio::test(start_paused = true)]
async fn a_head_with_too_many_or_too_large_fields_is_refused() {
    let client = connect(echo(), Limits::default()).await;
    let Limits { headers, head_size, .. } = Limits::default();
    for (count, size, status) in
        [(headers, 1, 200), (headers + 1, 1, 431), (1, head_size - 300, 200), (1, head_size, 431)]
    {
        let mut fields = HeaderMap::new();
        for _ in 0..count {
            fields.append("x", "y".repeat(size).parse().expect("a value"));
        }
        let answer = client.ask_for("/", fields).await.expect("an answer");
        assert_eq!(answer.status().as_u16(), status, "{count} fields of {size}");
    }
}

/// A route that tells when it is entered, and when it is left without an answer.
fn abandoned() -> (Router, mpsc::UnboundedReceiver<&'static str>) {
    struct Left(mpsc::UnboundedSender<&'static str>);
    impl Drop for Left {
        fn drop(&mut self) {
            let _ = self.0.send("left");
        }
    }
    let (told, tells) = mpsc::unbounded_channel();
    let waiting = move || async move {
        let left = Left(told);
        let _ = left.0.send("entered");
        std::future::pending::<()>().await
    };
    (Router::new().route("/", any(waiting)), tells)
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_given_up_is_dropped_and_too_many_of_them_end_the_connection() {
    let (router, mut told) = abandoned();
    let client = connect(router, Limits::default()).await;
    let mut given_up = 0;
    while !client.ended.is_finished() {
        let asked = tokio::spawn(client.ask());
        tokio::select! {
            // The route is gone with the connection.
            Some(entered) = told.recv() => {
                assert_eq!(entered, "entered");
                asked.abort();
                assert_eq!(told.recv().await, Some("left"));
                given_up += 1;
            }
            () = async { while !client.ended.is_finished() { yield_now().await } } => {}
        }
    }
    // One more may come in the moment in which the connection ends.
    assert!((101..=102).contains(&given_up), "{given_up}");
    client.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_host_that_stops_closes_what_is_idle_and_answers_what_is_in_flight() {
    let (router, arrived, answered) = waiting();
    let begin = Instant::now();
    let (idle, busy) = (connect(echo(), Limits::default()).await, connect(router, Limits::default()).await);
    let (mut silent, serving, stop) = connect_within(echo(), Limits::default(), 1024);
    silent.write_all(PREFACE).await.expect("the host listens");
    assert_eq!(idle.status().await, 200);
    let mut asked = pin!(tokio::spawn(busy.ask()));
    arrived.notified().await;
    for stop in [&idle.stop, &busy.stop, &stop] {
        stop.cancel();
    }
    serving.await.expect("no panic");
    idle.end().await;
    assert!((&mut asked).now_or_never().is_none());
    assert!(timeout(SECOND, busy.ask()).await.is_ok_and(|refused| refused.is_err()), "nothing more is taken");
    answered.notify_one();
    let answer = asked.await.expect("no panic").expect("an answer");
    assert_eq!(answer.into_body().collect().await.expect("a whole answer").to_bytes(), "done");
    busy.end().await;
    assert!(Instant::now() - begin <= 2 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_is_not_read_holds_up_nothing() {
    let unread = |_: Request| async { "no thanks" };
    let read = |request: Request| async { to_bytes(request.into_body(), usize::MAX).await.expect("a whole body") };
    let router = Router::new().route("/", any(unread)).route("/read", any(read));
    let client = connect(router, Limits::default()).await;
    let chunks = || stream::repeat(Bytes::from_static(&[b'x'; 16 << 10])).map(|chunk| Ok(Frame::data(chunk)));
    let mut uploads = Vec::new();
    for _ in 0..20 {
        let answer = client.upload("/", StreamBody::new(chunks())).await.expect("an answer");
        assert_eq!(answer.status(), 200);
        uploads.push(answer);
    }
    // The connection's window isn't used up by what nobody reads.
    let answer = client.upload("/read", StreamBody::new(chunks().take(64))).await.expect("an answer");
    assert_eq!(answer.into_body().collect().await.expect("a whole answer").to_bytes().len(), 1 << 20);
}
