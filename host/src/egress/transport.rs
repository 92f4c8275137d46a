//! Sends one finished request and says in our words how that failed. The client and its pool of connections live here.
//!
//! Nothing is decided here and nothing is looked at: no redirect is followed, no proxy used, no request repeated, except one that
//! was never written because its pooled connection had just been closed.

use std::{
    error::Error,
    sync::{Arc, LazyLock},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::{
    client::legacy::{self, Client},
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};
use tower::Service;

use super::{
    connect::{ConnectError, Connector},
    refusal::{Fault, Wait},
};

/// Resolving, connecting and the TLS handshake together. 10 s: two addresses that don't answer and a third that does. It
/// also ends attempts that go on in the background, after the request that began them took another connection from the pool.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an unused connection is kept. 60 s: servers and load balancers close theirs after 60 s or later.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// Header fields of an answer. 100 is what common servers accept in requests; real answers have 10 to 40.
const MAX_HEADERS: usize = 100;

/// The header section of an answer, and what is read ahead of a body that nobody takes. 64 KB: twice what common servers send.
const MAX_BUFFER: usize = 64 << 10;

pub(super) type BoxError = Box<dyn Error + Send + Sync>;
pub(super) type RequestBody = UnsyncBoxBody<Bytes, BoxError>;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    NotPublic,
    Unavailable(Fault),
    TimedOut(Wait),
    RequestBroken,
}

/// The client of one plugin: connections are never shared between plugins, and end with the plugin.
pub(super) struct Transport {
    client: Client<LimitedConnector, RequestBody>,
}

impl Transport {
    /// `concurrency` is the grant's: there are never more connections in use, so keeping more makes no sense.
    pub(super) fn new(connector: Connector, concurrency: usize) -> Self {
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(TLS.clone())
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE_TIMEOUT)
            .pool_max_idle_per_host(concurrency)
            .http1_max_headers(MAX_HEADERS)
            .http1_max_buf_size(MAX_BUFFER)
            .build(LimitedConnector(https));
        Self { client }
    }

    /// Sends a request and waits for the header of the answer.
    pub(super) async fn send(
        &self,
        request: Request<RequestBody>,
        deadline: Instant,
    ) -> Result<Response<Incoming>, Failure> {
        match timeout_at(deadline, self.client.request(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => {
                // For the log: addresses and library texts that the caller doesn't get to see.
                tracing::debug!(error = &error as &dyn Error, "no answer from the upstream");
                Err(classify(&error))
            }
            Err(_) => Err(Failure::TimedOut(Wait::Call)),
        }
    }
}

fn classify(error: &legacy::Error) -> Failure {
    if let Some(connect) = find::<ConnectError>(error) {
        return match connect {
            ConnectError::NotPublic { .. } => Failure::NotPublic,
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

/// The certificates that this machine trusts, read once per process. Where there are none (a bare container), the plugins that
/// use plain HTTP still work, and every TLS handshake fails.
static TLS: LazyLock<ClientConfig> = LazyLock::new(|| {
    let builder = || {
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring supports the default protocol versions")
    };
    match builder().with_native_roots() {
        Ok(roots) => roots.with_no_client_auth(),
        Err(error) => {
            tracing::warn!(%error, "no trusted certificates on this machine: every https upstream will fail");
            builder().with_root_certificates(RootCertStore::empty()).with_no_client_auth()
        }
    }
});

/// A connector that gives up after `CONNECT_TIMEOUT`.
#[derive(Clone)]
struct LimitedConnector(HttpsConnector<Connector>);

impl Service<Uri> for LimitedConnector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.0.call(uri);
        Box::pin(async move {
            timeout(CONNECT_TIMEOUT, connecting).await.unwrap_or_else(|_| Err(ConnectError::TimedOut.into()))
        })
    }
}
