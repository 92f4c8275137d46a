//! HTTP/1.1 on a connection: one request after another.

use std::{convert::Infallible, pin::pin, sync::Arc};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Limits, connection::Visit};

/// Serves a connection until it ends, or until the host stops and the request in flight is answered.
pub(super) async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, visit: Arc<Visit>) -> hyper::Result<()> {
    let stop = visit.stop.clone();
    let protocol = protocol(&visit.limits);
    let service = service_fn(move |request| {
        visit.begun.cancel();
        let visit = visit.clone();
        async move { Ok::<_, Infallible>(visit.answer(request).await) }
    });
    let mut connection = pin!(protocol.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        served = connection.as_mut() => served,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    }
}

fn protocol(limits: &Limits) -> http1::Builder {
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
