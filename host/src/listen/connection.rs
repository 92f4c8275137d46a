//! One connection: its handshake, the version of HTTP that is spoken on it, its first head, and the way of each request to the door.
//!
//! When a limit is over the connection is dropped, and with it the answers' bodies, their calls' permits and their upstream connections.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{ConnectInfo, Request},
    response::Response,
};
use http::{HeaderValue, Method, Version, header, request::Parts};
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_io_timeout::TimeoutWriter;
use tokio_util::sync::CancellationToken;

use super::{
    Door, Limits,
    body::{Clock, Timed},
    cors, head, http1, http2,
    places::{Place, Places},
    preface::{self, Protocol},
    refusal::Refusal,
    tls,
};

/// What a connection is served with.
pub(super) struct Visit {
    /// The other end.
    pub(super) peer: SocketAddr,
    /// What it has come to.
    pub(super) door: Arc<Door>,
    pub(super) limits: Limits,
    /// Where its streams get their places, if it has streams.
    pub(super) places: Places,
    /// Cancelled when the host stops.
    pub(super) stop: CancellationToken,
    /// Cancelled when the first request is there.
    pub(super) begun: CancellationToken,
}

/// Serves a connection, in TLS if the door has a certificate. A handshake has the time of a connection's first head.
pub(super) async fn open(stream: TcpStream, visit: Visit) {
    let Some(tls) = visit.door.tls.clone() else {
        return serve(stream, visit).await;
    };
    let peer = visit.peer;
    let shaken = tokio::select! {
        shaken = timeout(visit.limits.first_head, tls.accept(stream)) => shaken,
        () = visit.stop.cancelled() => return,
    };
    match shaken {
        Ok(Ok(stream)) => {
            let visit = Arc::new(visit);
            in_time(&visit, speak(tls::agreed(&stream), stream, visit.clone())).await;
        }
        Ok(Err(e)) => tracing::debug!(%peer, "a handshake failed: {e}"),
        Err(_elapsed) => tracing::debug!(%peer, "a handshake took too long"),
    }
}

/// Serves a connection in the clear, on which its client says without being asked what it speaks.
pub(super) async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, visit: Visit) {
    let visit = Arc::new(visit);
    let served = async {
        if let Some(Ok((protocol, stream))) = visit.stop.run_until_cancelled(preface::read(stream)).await {
            speak(protocol, stream, visit.clone()).await;
        }
    };
    in_time(&visit, served).await;
}

/// Serves a connection until it ends, or until the host stops and what is in flight is answered.
async fn speak(protocol: Protocol, stream: impl AsyncRead + AsyncWrite + Send + 'static, visit: Arc<Visit>) {
    let peer = visit.peer;
    let mut stream = TimeoutWriter::new(stream);
    stream.set_timeout(Some(visit.limits.stall));
    let stream = Box::pin(stream);
    let served = match protocol {
        Protocol::Http1 => http1::serve(stream, visit).await,
        Protocol::Http2 => http2::serve(stream, visit).await,
    };
    if let Err(e) = served {
        tracing::debug!(%peer, "a connection ended: {e}");
    }
}

/// Cuts off who says nothing.
async fn in_time(visit: &Visit, served: impl Future<Output = ()>) {
    let limit = visit.limits.first_head;
    tokio::select! {
        () = served => {}
        () = says_nothing(limit, &visit.begun) => {
            tracing::debug!(peer = %visit.peer, "a connection has brought no request within {limit:?}");
        }
    }
}

/// Ends when the time is over and nothing has begun.
async fn says_nothing(limit: Duration, begun: &CancellationToken) {
    if timeout(limit, begun.cancelled()).await.is_ok() {
        std::future::pending().await
    }
}

impl Visit {
    /// The answer, which pages of a listed origin may read.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Response {
        self.door.answer(request, self.peer, self.limits).await
    }

    /// A place for one more stream, if there is one.
    pub(super) fn place(&self) -> Option<Place> {
        self.places.take_now(self.peer.ip())
    }

    /// The answer to a request that there is no place for.
    pub(super) fn turn_away(&self, request: &Request<Incoming>) -> Response {
        let refusal = Refusal::NoPlace { of_each: self.limits.per_client, of_all: self.limits.connections };
        tracing::debug!(peer = %self.peer, "a request was refused: {refusal}");
        let mut response = (self.door.refuse)(request.headers(), &refusal);
        // A place is free as soon as any request is answered, and most are within a second.
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        let origin = self.door.guard.listed_origin(request.headers());
        finished(response, request.method(), origin)
    }
}

/// An answer as it goes out, whoever has given it.
fn finished(mut response: Response, method: &Method, origin: Option<HeaderValue>) -> Response {
    if let Some(origin) = origin {
        cors::share(response.headers_mut(), &origin);
    }
    match *method {
        Method::HEAD => without_body(response),
        _ => response,
    }
}

/// HTTP/1.1 would take the body off, but not say its length; over HTTP/2 nobody else does.
fn without_body(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    if let Some(length @ 1..) = body.size_hint().exact() {
        parts.headers.entry(header::CONTENT_LENGTH).or_insert(length.into());
    }
    Response::from_parts(parts, Body::empty())
}

impl Door {
    async fn answer(&self, request: Request<Incoming>, peer: SocketAddr, limits: Limits) -> Response {
        let (method, origin) = (request.method().clone(), self.guard.listed_origin(request.headers()));
        let response = self.decide(request, peer, limits).await;
        finished(response, &method, origin)
    }

    async fn decide(&self, request: Request<Incoming>, peer: SocketAddr, limits: Limits) -> Response {
        let (mut parts, body) = request.into_parts();
        let is_let_in = limits.check(&parts.headers).and_then(|()| match parts.version {
            Version::HTTP_2 => head::unify(&mut parts),
            _ => Ok(()),
        });
        if let Err(refusal) = is_let_in.and_then(|()| self.guard.check(&parts.uri, &parts.headers)) {
            tracing::debug!(%peer, "a request was refused: {refusal}");
            return (self.refuse)(&parts.headers, &refusal);
        }
        if let Some(leave) = self.preflight(&parts) {
            return leave;
        }
        parts.extensions.insert(ConnectInfo(peer));
        if body.is_end_stream() {
            return (self.service)(Request::from_parts(parts, Body::empty())).await;
        }
        let (headers, version) = (parts.headers.clone(), parts.version);
        let (late, clock) = (CancellationToken::new(), Clock::default());
        parts.extensions.insert(clock.clone());
        let body = Body::new(Timed::new(body, &limits, clock.clone(), late.clone()));
        tokio::select! {
            biased;
            response = (self.service)(Request::from_parts(parts, body)) => response,
            () = late.cancelled() => {
                let refusal = match clock.is_by_progress() {
                    true => Refusal::StalledBody { limit: limits.pause },
                    false => Refusal::SlowBody { limit: limits.body },
                };
                let mut response = (self.refuse)(&headers, &refusal);
                // What comes now is the rest of the body. A stream of HTTP/2 is at its end anyway.
                if version < Version::HTTP_2 {
                    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                response
            }
        }
    }

    fn preflight(&self, parts: &Parts) -> Option<Response> {
        self.guard.listed_origin(&parts.headers)?;
        cors::preflight(&parts.method, &parts.headers)
    }
}
