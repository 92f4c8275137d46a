//! HTTP/2 on a connection: many requests at a time, none of which costs more than one over HTTP/1.1 does.
//!
//! Frames that break the protocol, floods of them and streams that never begin are the implementation's to refuse (h2). Upgrades, extended
//! CONNECT among them, and pushes aren't spoken.

use std::{convert::Infallible, pin::pin, sync::Arc};

use hyper::{server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Limits, connection::Visit, pace::Paced, streams::Streams};

/// How many streams a client may reset before they have been looked at. 20, h2's own: they come and go in one read, which
/// is an attack (rapid reset, CVE-2023-44487), not a change of mind.
const RESET_UNSEEN: usize = 20;

/// How many streams of a connection the host may have to reset because of what its client did wrong (CVE-2025-8671). 32: a client that is
/// right does nothing wrong, and one that isn't may as well begin anew.
const RESET_AT_FAULT: usize = 32;

/// How many bytes of bodies may be on their way to the host on one connection, as a multiple of what one stream may have. 4: as many uploads
/// come at full speed, and 2048 connections that all send more than is read of them hold 512 MiB.
const UPLOADS: u32 = 4;

/// Serves a connection until it ends, or until the host stops and the requests in flight are answered; or until nothing has been asked on
/// it for long.
pub(super) async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    visit: Arc<Visit>,
) -> hyper::Result<()> {
    let limits = visit.limits;
    let streams = Streams::new(limits.stall);
    let _guard = streams.end_with_me();
    let service = {
        let (visit, streams) = (visit.clone(), streams.clone());
        service_fn(move |request| {
            visit.begun.cancel();
            let (visit, asked, place) = (visit.clone(), streams.ask(), visit.place());
            async move {
                let answer = match place {
                    Some(_) => visit.answer(request).await,
                    None => visit.turn_away(&request),
                };
                asked.answered();
                Ok::<_, Infallible>(answer.map(|body| Paced::new(body, Streams::turn(), place)))
            }
        })
    };
    let mut connection = pin!(protocol(&limits, streams.clone()).serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        served = connection.as_mut() => return served,
        () = streams.idle(limits.head) => {}
        () = streams.wasted() => {
            tracing::debug!(peer = %visit.peer, "a connection was closed: its client gives up most of what it asks for");
            return Ok(());
        }
        () = visit.stop.cancelled() => {
            // Who hasn't even begun is owed no goodbye, and wouldn't answer it.
            if !visit.begun.is_cancelled() {
                return Ok(());
            }
        }
    }
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        served = connection => served,
        () = streams.idle(limits.goodbye) => Ok(()),
        () = streams.wasted() => Ok(()),
    }
}

fn protocol(limits: &Limits, streams: Streams) -> http2::Builder<Streams> {
    let window = u32::try_from(limits.buffer).expect("a buffer is smaller than 4 GiB");
    let mut protocol = http2::Builder::new(streams);
    protocol
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(u32::try_from(limits.head_size).expect("a head is smaller than 4 GiB"))
        .initial_stream_window_size(window)
        .initial_connection_window_size(UPLOADS * window)
        .max_send_buf_size(limits.buffer)
        .max_pending_accept_reset_streams(RESET_UNSEEN)
        .max_local_error_reset_streams(RESET_AT_FAULT)
        .keep_alive_interval(limits.ping)
        .keep_alive_timeout(limits.ping);
    protocol
}
