//! Sends one finished request and says in our words how that failed. The client and its pool of connections live here.
//!
//! Nothing is decided here and nothing is looked at: no redirect is followed, no proxy used, no request repeated, except one that
//! was never written because its pooled connection had just been closed.

use std::{
    error::Error,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Extensions, Request, Response, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::{
    client::legacy::{
        self, Client,
        connect::{CaptureConnection, HttpInfo, capture_connection},
    },
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use tokio::{
    net::TcpStream,
    sync::Notify,
    time::{Instant, sleep, sleep_until, timeout},
};
use tower::Service;

use super::{
    Patience,
    connect::{ConnectError, Connector},
    headers,
    refusal::{Fault, Wait},
    tls,
};
use crate::grant::Grant;

/// How long an unused connection is kept. 60 s: servers and load balancers close theirs after 60 s or later.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// What of an HTTP/1 answer is read at once, at most. 256 KB: large answers take a quarter of the turns through the kernel that they take
/// by 64 KB, and more makes no difference any more.
const READ_AT_ONCE: usize = 256 << 10;

/// Interim answers (1xx) to one request. 8: servers send one or two; an endless row of them is a way to keep a connection busy.
const MAX_INTERIM: usize = 8;

/// What an HTTP/2 upstream may send ahead of a reader, for one answer. 256 KB: at 50 ms there and back that is 5 MB/s.
const STREAM_WINDOW: u32 = 256 << 10;

/// The same for all answers of one connection: those of 16 readers that have stopped reading don't stop the others.
const CONNECTION_WINDOW: u32 = 4 << 20;

/// How long an HTTP/2 connection with open requests may be silent until it is asked whether it is alive, and how long the answer
/// may take. All of a plugin's requests share one connection: a dead one must not cost each of them its time.
const PING_AFTER: Duration = Duration::from_secs(15);
const PING_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) type BoxError = Box<dyn Error + Send + Sync>;
pub(super) type RequestBody = UnsyncBoxBody<Bytes, BoxError>;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// The address isn't public, and the operator didn't vouch for it.
    NotPublic(IpAddr),
    /// The operator denies the address.
    DeniedAddress(IpAddr),
    Unavailable(Fault),
    TimedOut(Wait),
    RequestBroken,
}

/// What became of a request, and who the peer was, as far as it got.
pub(super) struct Sent {
    pub(super) answer: Result<Response<Incoming>, Failure>,
    pub(super) peer: Option<SocketAddr>,
}

impl Sent {
    /// The peer's address with its port; the refused one where there is no peer for that reason.
    pub(super) fn address(&self) -> Option<String> {
        match (&self.answer, self.peer) {
            (Err(Failure::NotPublic(address) | Failure::DeniedAddress(address)), _) => Some(address.to_string()),
            (_, peer) => peer.map(|peer| peer.to_string()),
        }
    }
}

/// The client of one plugin: connections are never shared between plugins, and end with the plugin.
pub(super) struct Transport {
    client: Client<LimitedConnector, RequestBody>,
    first_byte: Option<Duration>,
    header_bytes: usize,
}

impl Transport {
    pub(super) fn new(connector: Connector, grant: &Grant) -> Self {
        let limits = &grant.limits;
        // Behind a star there is no end of hosts, and sockets are those of the whole process.
        let has_star = grant.hosts.iter().any(|host| host.single().is_none());
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls::config(&grant.tls))
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(connector);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE_TIMEOUT)
            // There are never more connections in use, so keeping more makes no sense.
            .pool_max_idle_per_host(if has_star { 0 } else { limits.concurrency })
            .http1_max_headers(limits.headers)
            // It is what may be written at once, too. A header may be larger than what is granted by then: see `send`.
            .http1_max_buf_size(limits.header_bytes.max(READ_AT_ONCE))
            .timer(TokioTimer::new())
            .http2_max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .http2_initial_connection_window_size(CONNECTION_WINDOW)
            .http2_keep_alive_interval(PING_AFTER)
            .http2_keep_alive_timeout(PING_TIMEOUT)
            .build(LimitedConnector { https, timeout: limits.connect });
        Self { client, first_byte: limits.first_byte, header_bytes: limits.header_bytes }
    }

    /// Sends a request and waits for the header of the answer.
    pub(super) async fn send(&self, mut request: Request<RequestBody>, patience: Patience, deadline: Instant) -> Sent {
        let first_byte = [self.first_byte, patience.first_byte].into_iter().flatten().min();
        let mut connection = capture_connection(&mut request);
        let interim = too_many_interim(&mut request);
        let answer = tokio::select! {
            // In this order: nothing is sent once the time is over.
            biased;
            () = sleep_until(deadline) => Err(Failure::TimedOut(Wait::Call)),
            answer = self.client.request(request) => answer.map_err(|error| {
                // For the log: addresses and library texts that the caller doesn't get to see.
                tracing::debug!(error = &error as &dyn Error, "no answer from the upstream");
                classify(&error)
            }),
            () = interim.notified() => Err(Failure::Unavailable(Fault::Malformed)),
            wait = impatience(connection.clone(), patience.connect, first_byte) => Err(Failure::TimedOut(wait)),
        };
        let is_too_long = |answer: &Response<Incoming>| headers::size(answer.headers()) > self.header_bytes;
        let answer = match answer {
            Ok(answer) if is_too_long(&answer) => Err(Failure::Unavailable(Fault::Malformed)),
            other => other,
        };
        Sent { answer, peer: peer(&mut connection) }
    }
}

/// Ends when there is no connection after `connect`, or when one has stood for `first_byte` without an answer. The connector has a
/// limit of its own, which holds for attempts that nobody waits for any more too.
async fn impatience(
    mut connection: CaptureConnection,
    connect: Option<Duration>,
    first_byte: Option<Duration>,
) -> Wait {
    tokio::select! {
        () = over(connect) => return Wait::Connect,
        connected = connection.wait_for_connection_metadata() => drop(connected),
    }
    over(first_byte).await;
    Wait::FirstByte
}

/// Ends after `limit`, and never without one.
async fn over(limit: Option<Duration>) {
    match limit {
        Some(limit) => sleep(limit).await,
        None => std::future::pending().await,
    }
}

/// Tells when the answer has been put off too often.
fn too_many_interim(request: &mut Request<RequestBody>) -> Arc<Notify> {
    let (count, notify) = (AtomicUsize::new(0), Arc::new(Notify::new()));
    let notified = Arc::clone(&notify);
    hyper::ext::on_informational(request, move |_| {
        if count.fetch_add(1, Ordering::Relaxed) == MAX_INTERIM {
            notify.notify_one();
        }
    });
    notified
}

fn peer(connection: &mut CaptureConnection) -> Option<SocketAddr> {
    let mut extras = Extensions::new();
    connection.connection_metadata().as_ref()?.get_extras(&mut extras);
    extras.get::<HttpInfo>().map(HttpInfo::remote_addr)
}

fn classify(error: &legacy::Error) -> Failure {
    if let Some(connect) = find::<ConnectError>(error) {
        return match connect {
            ConnectError::NotPublic { address, .. } => Failure::NotPublic(*address),
            ConnectError::Denied { address, .. } => Failure::DeniedAddress(*address),
            ConnectError::Resolve(_) => Failure::Unavailable(Fault::Resolve),
            ConnectError::Connect(_) => Failure::Unavailable(Fault::Connect),
            ConnectError::TimedOut => Failure::TimedOut(Wait::Connect),
        };
    }
    if error.is_connect() {
        // What else happens while connecting happens in the TLS handshake.
        return Failure::Unavailable(Fault::Tls);
    }
    match find::<hyper::Error>(error) {
        Some(error) if error.is_user() => Failure::RequestBroken,
        Some(error) => Failure::Unavailable(body_fault(error)),
        None => Failure::Unavailable(Fault::Closed),
    }
}

/// What went wrong while an answer was read.
pub(super) fn body_fault(error: &hyper::Error) -> Fault {
    if error.is_parse() { Fault::Malformed } else { Fault::Closed }
}

fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// A connector that gives up. That also ends attempts that go on in the background, after the request that began them took
/// another connection from the pool.
#[derive(Clone)]
struct LimitedConnector {
    https: HttpsConnector<Connector>,
    /// Resolving, connecting and the TLS handshake together.
    timeout: Duration,
}

impl Service<Uri> for LimitedConnector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.https.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = timeout(self.timeout, self.https.call(uri));
        Box::pin(async move { connecting.await.unwrap_or_else(|_| Err(ConnectError::TimedOut.into())) })
    }
}
