//! The upstream response that a guest hands on, as a response of the host's own.

use futures::stream;
use http::Response;
use http_body::Frame;
use http_body_util::{BodyExt, Empty, StreamBody};
use wasmtime_wasi::p2::{InputStream, Pollable, StreamError};
use wasmtime_wasi_http::p2::{body::HostIncomingBodyStream, types::HostIncomingResponse};

use super::refusals::Refusals;
use crate::{
    failure::Failure,
    invoke::{Body, Reply},
};

/// How much one read takes at most: as much as `egress` has ready, `transport::READ_AT_ONCE`.
const READ: usize = 256 * 1024;

/// Turns the response into a reply. The store may be dropped afterwards: the body reads from the mediator, not from the guest.
pub(super) fn hand_on(response: HostIncomingResponse, refusals: Refusals) -> Result<Reply, Failure> {
    let HostIncomingResponse { status, headers, body } = response;
    let body = match body {
        None => Empty::new().map_err(|never| match never {}).boxed_unsync(),
        Some(mut body) => match body.take_stream() {
            Some(stream) => read(stream, refusals),
            None => {
                return Err(Failure::BadReply {
                    reason: "it hands on a response whose body it has begun to read".to_owned(),
                });
            }
        },
    };
    let mut response = Response::new(body);
    *response.status_mut() =
        http::StatusCode::from_u16(status).map_err(|e| Failure::BadReply { reason: e.to_string() })?;
    *response.headers_mut() = headers.into();
    Ok(Reply::Upstream(response))
}

fn read(stream: HostIncomingBodyStream, refusals: Refusals) -> Body {
    let frames = stream::try_unfold((stream, refusals), |(mut stream, refusals)| async move {
        loop {
            match stream.read(READ) {
                Ok(bytes) if bytes.is_empty() => stream.ready().await,
                Ok(bytes) => return Ok(Some((Frame::data(bytes), (stream, refusals)))),
                Err(StreamError::Closed) => return Ok(None),
                Err(StreamError::LastOperationFailed(e) | StreamError::Trap(e)) => {
                    return Err(broke_off(&refusals, &e));
                }
            }
        }
    });
    StreamBody::new(frames).boxed_unsync()
}

fn broke_off(refusals: &Refusals, error: &wasmtime::Error) -> Failure {
    match refusals.latest() {
        Some(refusal) => Failure::Egress(refusal),
        None => Failure::Unavailable(format!("its answer broke off: {error}")),
    }
}
