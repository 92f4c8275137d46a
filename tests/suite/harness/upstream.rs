//! Upstreams on loopback that record what they are asked, and answer as they are told.

use std::{
    convert::Infallible,
    fmt::{self, Display, Formatter},
    future::pending,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    middleware::{self, Next},
    response::Response,
    serve::{Listener, ListenerExt},
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
};

use super::within_patience;

/// An upstream. Dropping it stops it.
pub struct Upstream {
    address: SocketAddr,
    seen: Arc<Record>,
    _serving: JoinSet<()>,
}

#[derive(Default)]
struct Record {
    requests: Mutex<Vec<Seen>>,
    count: watch::Sender<usize>,
    /// Connections that the other side has closed while an answer was on its way.
    lost: watch::Sender<usize>,
}

/// Keeps an upstream's answers back until it is opened.
#[derive(Clone)]
pub struct Gate(Arc<Semaphore>);

impl Gate {
    /// Lets all requests pass from now on.
    pub fn open(&self) {
        self.0.close();
    }
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    /// Path and query, not decoded.
    pub target: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// What every request of every HTTP client has; what is sent in them is asserted once, in `egress`.
const USUAL: [&str; 5] = ["accept", "accept-encoding", "content-length", "host", "user-agent"];

impl Display for Seen {
    /// `METHOD target`, then a line for each header field that isn't usual, in the order of the alphabet, then the body.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.target)?;
        let mut fields: Vec<String> = self
            .headers
            .iter()
            .filter(|(name, _)| !USUAL.contains(&name.as_str()))
            .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
            .collect();
        fields.sort_unstable();
        for field in fields {
            write!(f, "\n{field}")?;
        }
        match self.body.is_empty() {
            true => Ok(()),
            false => write!(f, "\n\n{}", String::from_utf8_lossy(&self.body)),
        }
    }
}

impl Upstream {
    /// Records in front of a router.
    pub async fn of(router: Router) -> Self {
        let (listener, address) = listen().await;
        let seen = Arc::<Record>::default();
        let router = router.layer(middleware::from_fn_with_state(seen.clone(), record));
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(without_delay(listener), router).await.expect("an upstream serves") });
        Self { address, seen, _serving: serving }
    }

    /// Answers each request as it likes.
    pub async fn answering(answer: impl Fn(Seen) -> Response + Clone + Send + Sync + 'static) -> Self {
        let router = Router::new().fallback(async move |request: Request| {
            let (seen, _) = take(request).await;
            Ok::<_, Infallible>(answer(seen))
        });
        Self::of(router).await
    }

    /// Answers with all that it was asked, in the body.
    pub async fn echo() -> Self {
        Self::answering(|seen| json_answer(StatusCode::OK, &seen.to_json())).await
    }

    /// Echoes, but not before the gate is opened.
    pub async fn gated() -> (Self, Gate) {
        let gate = Gate(Arc::new(Semaphore::new(0)));
        let closed = gate.clone();
        let router = Router::new().fallback(async move |request: Request| {
            let opened = closed.0.acquire().await;
            assert!(opened.is_err(), "it has no permits: it is closed to let everybody pass");
            json_answer(StatusCode::OK, &take(request).await.0.to_json())
        });
        (Self::of(router).await, gate)
    }

    /// Answers what it is told, to every connection, whether that is HTTP or not; then it closes.
    pub async fn saying(bytes: &'static [u8]) -> Self {
        Self::talking(Talk::Say(bytes)).await
    }

    /// Takes requests and says nothing, for as long as it lives.
    pub async fn silent() -> Self {
        Self::talking(Talk::Begin(b"")).await
    }

    /// Begins to answer and never ends.
    pub async fn beginning(bytes: &'static [u8]) -> Self {
        Self::talking(Talk::Begin(bytes)).await
    }

    async fn talking(talk: Talk) -> Self {
        let (listener, address) = listen().await;
        let mut serving = JoinSet::new();
        let seen = Arc::<Record>::default();
        serving.spawn(serve_raw(listener, talk, seen.clone()));
        Self { address, seen, _serving: serving }
    }

    /// An address where nothing listens, nor anybody else can, for as long as it lives.
    pub fn nowhere() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        let address = socket.local_addr().expect("a bound socket has an address");
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let _held = socket;
            pending().await
        });
        Self { address, seen: Arc::default(), _serving: serving }
    }

    /// `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests since the last time, in their order.
    pub fn requests(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.seen.requests.lock().expect("no panic while held"))
    }

    /// Waits until this many requests have arrived since the start.
    pub async fn has_seen(&self, count: usize) {
        let mut seen = self.seen.count.subscribe();
        let enough = seen.wait_for(|now| *now >= count);
        within_patience("requests at the upstream", enough).await.expect("the sender is in self");
    }

    /// Waits until this many connections have been closed on an upstream that only begins to answer.
    pub async fn has_lost(&self, count: usize) {
        let mut lost = self.seen.lost.subscribe();
        let enough = lost.wait_for(|now| *now >= count);
        within_patience("closed connections at the upstream", enough).await.expect("the sender is in self");
    }

    /// The same as texts, see [`Seen`].
    pub fn texts(&self) -> Vec<String> {
        self.requests().iter().map(Seen::to_string).collect()
    }
}

impl Seen {
    fn to_json(&self) -> Value {
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned().into()));
        json!({
            // What the output schemas of our own documents require, so that an echo keeps their promise.
            "id": "echo",
            "method": self.method,
            "target": self.target,
            "headers": headers.collect::<serde_json::Map<String, Value>>(),
            "body": String::from_utf8_lossy(&self.body),
        })
    }
}

/// A JSON answer.
pub fn json_answer(status: StatusCode, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, json);
    response
}

/// A short answer in two segments would wait 40 ms for the first one's acknowledgement, and twice that with the request: no machine's
/// work, but what is measured would be that.
fn without_delay(listener: TcpListener) -> impl Listener<Addr = SocketAddr> {
    listener.tap_io(|stream| stream.set_nodelay(true).expect("a connected socket"))
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    (listener, address)
}

async fn record(State(record): State<Arc<Record>>, request: Request, next: Next) -> Response {
    let (seen, request) = take(request).await;
    record.requests.lock().expect("no panic while held").push(seen);
    record.count.send_modify(|count| *count += 1);
    next.run(request).await
}

/// Reads a request, and gives it back as it came.
async fn take(request: Request) -> (Seen, Request) {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.expect("a whole body");
    let seen = Seen {
        method: parts.method.to_string(),
        target: parts.uri.to_string(),
        headers: parts.headers.clone(),
        body: body.clone(),
    };
    (seen, Request::from_parts(parts, body.into()))
}

/// What is said on a connection after the first request.
#[derive(Clone, Copy)]
enum Talk {
    Say(&'static [u8]),
    /// And then nothing more, without an end.
    Begin(&'static [u8]),
}

async fn serve_raw(listener: TcpListener, talk: Talk, record: Arc<Record>) {
    let mut connections = JoinSet::new();
    while let Ok((mut stream, _)) = listener.accept().await {
        let record = record.clone();
        connections.spawn(async move {
            read_head(&mut stream).await;
            record.count.send_modify(|count| *count += 1);
            match talk {
                // The client may hang up before the last byte: that is its right.
                Talk::Say(bytes) => drop(stream.write_all(bytes).await),
                Talk::Begin(bytes) => {
                    drop(stream.write_all(bytes).await);
                    while stream.read_u8().await.is_ok() {}
                    record.lost.send_modify(|lost| *lost += 1);
                }
            }
        });
    }
}

/// Reads up to the empty line: an answer to a question that wasn't asked yet is another fault than the one that is wanted.
async fn read_head(stream: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
}
