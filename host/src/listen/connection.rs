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
    time::timeout,
};
use tokio_io_timeout::TimeoutWriter;
use tokio_util::sync::CancellationToken;
use tower::Service;

use super::{Door, Limits, body::Timed, refusal::Refusal};

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
        .max_headers(limits.headers)
        .max_header_size(limits.head_size)
        .max_buf_size(limits.buffer);
    protocol
}

impl Door {
    async fn answer(&self, request: Request<Incoming>, peer: SocketAddr, limits: Limits) -> Response {
        if let Err(refusal) = self.guard.check(request.uri(), request.headers()) {
            tracing::debug!(%peer, "a request was refused: {refusal}");
            return (self.refuse)(request.headers(), &refusal);
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

    async fn pass(&self, request: Request) -> Response {
        self.router.clone().call(request).await.unwrap_or_else(|never| match never {})
    }
}
