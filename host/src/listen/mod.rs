//! Serves a door on a listener: who may ask, how long a slow client may take, and how the host stops without losing a request.
//!
//! What is served is the door's service's. It speaks HTTP/1.1 and HTTP/2, over TLS where the door has a certificate, and doesn't
//! authenticate callers; the addresses of those who ask are in the extensions of their requests, as axum's `ConnectInfo<SocketAddr>`.
//! What is behind it needn't know in which version it is asked.

mod body;
mod connection;
mod cors;
mod guard;
mod head;
mod http1;
mod http2;
mod limits;
mod names;
mod pace;
mod places;
mod preface;
mod refusal;
mod streams;
mod tls;

#[cfg(test)]
mod http2_tests;
#[cfg(test)]
mod tests;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    Router,
    extract::{ConnectInfo, Request},
    response::Response,
    serve::Listener,
};
use futures::future::BoxFuture;
use http::{Extensions, HeaderMap};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tower::Service as _;

pub(crate) use self::{body::take_time, guard::Guard, refusal::Refusal, tls::Tls};
use self::{
    connection::Visit,
    places::{Places, Room},
};
pub use self::{
    limits::Limits,
    names::{BadHostName, BadOrigin, HostName, Origin},
    tls::{BadFiles, Files},
};

/// Answers a request. One allocation: what is behind a router has a dozen.
pub(crate) type Service = Arc<dyn Fn(Request) -> BoxFuture<'static, Response> + Send + Sync>;

/// What a router answers.
pub(crate) fn routed(router: Router) -> Service {
    Arc::new(move |request| {
        let mut router = router.clone();
        Box::pin(async move { router.call(request).await.unwrap_or_else(|never| match never {}) })
    })
}

/// What is served on a listener.
pub(crate) struct Door {
    /// What answers the requests that get in.
    pub(crate) service: Service,
    /// Which ones do.
    pub(crate) guard: Guard,
    /// The certificate that clients are shown; `None` = it is served in the clear.
    pub(crate) tls: Option<Arc<Tls>>,
    /// Renders the answer to a request that doesn't, given its headers.
    pub(crate) refuse: fn(&HeaderMap, &Refusal) -> Response,
}

/// The other end of the connection that a request has come by; `None` where it came by none, as in tests.
pub(crate) fn peer(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip())
}

/// Serves until `stop` is cancelled; then idle connections are closed, requests in flight are answered, and it returns. Dropping the
/// future cuts all connections off.
pub(crate) async fn serve(mut listener: TcpListener, door: Door, limits: Limits, stop: CancellationToken) {
    let door = Arc::new(door);
    let mut connections = JoinSet::new();
    let places = Places::new(limits.connections, limits.per_client);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            (room, stream, peer) = accept(&mut listener, &places) => {
                // An answer that waits for the delayed acknowledgement of its own head loses 40 ms.
                let _ = stream.set_nodelay(true);
                let Some(place) = places.take(room, peer.ip()) else {
                    turn_away(&stream, peer, limits.per_client);
                    continue;
                };
                let (door, places, stop, begun) = (door.clone(), places.clone(), stop.clone(), CancellationToken::new());
                let serving = connection::open(stream, Visit { peer, door, limits, places, stop, begun });
                connections.spawn(async move {
                    let _until_it_ends = place;
                    serving.await;
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Accepts a connection as soon as there is room for one.
async fn accept(listener: &mut TcpListener, places: &Places) -> (Room, TcpStream, SocketAddr) {
    let room = places.room().await;
    // axum's, which waits a second where the process has no file descriptor left.
    let (stream, peer) = Listener::accept(listener).await;
    (room, stream, peer)
}

/// Closes a connection, and says why as far as that is possible at once. It waits for nothing: neither for the request nor for the
/// client to read.
fn turn_away(stream: &TcpStream, peer: SocketAddr, limit: usize) {
    tracing::debug!(%peer, "a connection was closed: the client has {limit}, the limit");
    let text = format!("this address has {limit} connections open, the limit; close some of them, or use them again");
    let length = text.len();
    let head = format!(
        "HTTP/1.1 429 Too Many Requests\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\nconnection: close"
    );
    // A client that is gone needn't be told.
    let _ = stream.try_write(format!("{head}\r\n\r\n{text}").as_bytes());
}
