//! What a caller sends along, as a guest gets it: a stream that the host reads no faster than the guest does.

use http_body_util::BodyExt;
use wasmtime_wasi::p2::DynInputStream;
use wasmtime_wasi_http::{Error as HttpError, p2::body::HostIncomingBody};

use super::{bindings::body as wit, state::State};
use crate::invoke;

impl wit::Host for State {
    async fn take(&mut self) -> wasmtime::Result<Option<wit::Incoming>> {
        let Some(invoke::Incoming { media_type, length, contents }) = self.upload.take() else {
            return Ok(None);
        };
        // The guest has no use for the reason, and whoever sent the body knows it.
        let contents = contents.map_err(|_| HttpError::HttpRequestBodySize(None)).boxed_unsync();
        let stream = HostIncomingBody::new(contents).take_stream().expect("nobody has taken it before");
        let stream: DynInputStream = Box::new(stream);
        Ok(Some(wit::Incoming { contents: self.put(stream)?, media_type, length }))
    }
}
