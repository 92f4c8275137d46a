//! One connection: its time limits, and the way of each request to the door.
//!
//! When a limit is over the connection is dropped, and with it the answer's body, its call's permit and its upstream connection.

use std::{convert::Infallible, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{ConnectInfo, Request},
    response::Response,
};
use http::{HeaderValue, header};
use http_body::Body as _;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_io_timeout::TimeoutWriter;
use tokio_util::sync::CancellationToken;
use tower::Service;

use super::{Door, Limits, body::Timed, cors, refusal::Refusal};

/// Serves a connection, in TLS if the door has a certificate. A handshake has the time of a connection's first head.
pub(super) async fn open(
    stream: TcpStream,
    peer: SocketAddr,
    door: Arc<Door>,
    limits: Limits,
    stop: CancellationToken,
) {
    let Some(tls) = door.tls.clone() else {
        return serve(stream, peer, door, limits, stop).await;
    };
    let shaken = tokio::select! {
        shaken = timeout(limits.first_head, tls.accept(stream)) => shaken,
        () = stop.cancelled() => return,
    };
    match shaken {
        Ok(Ok(stream)) => serve(stream, peer, door, limits, stop).await,
        Ok(Err(e)) => tracing::debug!(%peer, "a handshake failed: {e}"),
        Err(_elapsed) => tracing::debug!(%peer, "a handshake took too long"),
    }
}

/// Serves a connection until it ends, or until `stop` is cancelled and the request in flight is answered.
pub(super) async fn serve(
    stream: impl AsyncRead + AsyncWrite + 'static,
    peer: SocketAddr,
    door: Arc<Door>,
    limits: Limits,
    stop: CancellationToken,
) {
    let mut stream = TimeoutWriter::new(stream);
    stream.set_timeout(Some(limits.stall));
    let begun = CancellationToken::new();
    let begins = begun.clone();
    let service = service_fn(move |request| {
        begins.cancel();
        let door = door.clone();
        async move { Ok::<_, Infallible>(door.answer(request, peer, limits).await) }
    });
    let mut connection = pin!(protocol(limits).serve_connection(TokioIo::new(Box::pin(stream)), service));
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
        () = says_nothing(limits.first_head, begun) => {
            tracing::debug!(%peer, "a connection has brought no request within {:?}", limits.first_head);
            return;
        }
    };
    if let Err(e) = served {
        tracing::debug!(%peer, "a connection ended: {e}");
    }
}

/// Ends when the time is over and nothing has begun.
async fn says_nothing(limit: Duration, begun: CancellationToken) {
    if timeout(limit, begun.cancelled()).await.is_ok() {
        std::future::pending().await
    }
}

fn protocol(limits: Limits) -> http1::Builder {
    let mut protocol = http1::Builder::new();
    protocol
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        // Twice what gets in: a few fields too many are told in the door's words. What goes beyond, or has too many bytes, isn't read to
        // its end, and gets a 431 without any.
        .max_headers(2 * limits.headers)
        .max_header_size(limits.head_size)
        .max_buf_size(limits.buffer);
    protocol
}

impl Door {
    /// The answer, which pages of a listed origin may read.
    async fn answer(&self, request: Request<Incoming>, peer: SocketAddr, limits: Limits) -> Response {
        let origin = self.guard.listed_origin(request.headers());
        let mut response = self.decide(request, peer, limits).await;
        if let Some(origin) = origin {
            cors::share(response.headers_mut(), &origin);
        }
        response
    }

    async fn decide(&self, request: Request<Incoming>, peer: SocketAddr, limits: Limits) -> Response {
        let is_let_in = limits.check(request.headers());
        if let Err(refusal) = is_let_in.and_then(|()| self.guard.check(request.uri(), request.headers())) {
            tracing::debug!(%peer, "a request was refused: {refusal}");
            return (self.refuse)(request.headers(), &refusal);
        }
        if let Some(leave) = self.preflight(&request) {
            return leave;
        }
        let (mut parts, body) = request.into_parts();
        parts.extensions.insert(ConnectInfo(peer));
        if body.is_end_stream() {
            return self.pass(Request::from_parts(parts, Body::empty())).await;
        }
        let headers = parts.headers.clone();
        let late = CancellationToken::new();
        let body = Body::new(Timed::new(body, limits.body, late.clone()));
        tokio::select! {
            biased;
            response = self.pass(Request::from_parts(parts, body)) => response,
            () = late.cancelled() => {
                let mut response = (self.refuse)(&headers, &Refusal::SlowBody { limit: limits.body });
                // What comes now is the rest of the body.
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                response
            }
        }
    }

    fn preflight(&self, request: &Request<Incoming>) -> Option<Response> {
        self.guard.listed_origin(request.headers())?;
        cors::preflight(request.method(), request.headers())
    }

    async fn pass(&self, request: Request) -> Response {
        self.router.clone().call(request).await.unwrap_or_else(|never| match never {})
    }
}
