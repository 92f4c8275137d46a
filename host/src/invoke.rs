//! The narrow waist: every call of every door passes here. Validate the input, run the operation in a fresh instance, hand back
//! the reply.
//!
//! It treats all callers alike: REST, MCP and the command line make the same [`Invocation`] and render the same outcome.

use bytes::Bytes;
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use serde_json::Value;
use tracing::{Instrument, Span};

use crate::{caller::Caller, catalog::OperationRef, failure::Failure};

/// A call: which operation, with which input.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// The operation, as the catalog knows it. Holding it keeps the plugin alive: a call in flight finishes on the version that
    /// it began with.
    pub operation: OperationRef,
    /// The input, a JSON object. Not validated yet.
    pub input: Value,
    /// Who asks.
    pub caller: Caller,
}

/// A successful call's result.
#[derive(Debug)]
pub enum Reply {
    /// A JSON value.
    Structured(Value),
    /// Blocks of content.
    Content(Vec<Content>),
    /// The upstream's response, whatever its status, body unread.
    Upstream(http::Response<Body>),
}

impl Reply {
    /// The reply, keeping `guard` until its body has been read or dropped; at once, where there is no body to wait for.
    pub fn holding<G: Send + 'static>(self, guard: G) -> Self {
        match self {
            Self::Upstream(response) => Self::Upstream(response.map(|body| {
                let held = body.map_frame(move |frame| {
                    let _ = &guard;
                    frame
                });
                held.boxed_unsync()
            })),
            other => other,
        }
    }
}

/// A response body on its way from the upstream to the caller. It ends with an error when the upstream breaks off or a limit of
/// the grant is reached.
pub type Body = UnsyncBoxBody<Bytes, Failure>;

/// One block of content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Plain text.
    Text(String),
    /// A picture.
    Image(Blob),
    /// A sound.
    Audio(Blob),
    /// Something that has an address of its own, given in place.
    Resource {
        /// Its URI.
        uri: String,
        /// Its media type, if known.
        media_type: Option<String>,
        /// Its contents.
        contents: Contents,
    },
}

/// Bytes of a stated type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// The media type.
    pub media_type: String,
    /// The bytes.
    pub data: Bytes,
}

/// The contents of an embedded resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contents {
    /// As text.
    Text(String),
    /// As bytes.
    Binary(Bytes),
}

/// Carries out a call.
///
/// # Errors
/// Every way in which a call can fail is a case of [`Failure`]; those at the plugin's expense are logged here, once.
pub async fn invoke(invocation: Invocation) -> Result<Reply, Failure> {
    let Invocation { operation, input, caller } = invocation;
    let span = tracing::info_span!("call", plugin = operation.plugin().name(), operation = operation.operation().name);
    async {
        let permit = operation.plugin().admit().await?;
        operation.validate(&input)?;
        let outcome = operation.plugin().call(&operation.operation().name, input.to_string(), caller, permit).await;
        outcome.inspect_err(|failure| log(&Span::current(), failure))
    }
    .instrument(span.clone())
    .await
}

/// How much of a failure is logged. 4 KB: a trap with its frames fits, and a plugin can't fill the disk with what it says of itself.
const LOGGED: usize = 4 << 10;

/// As a field, which the log quotes: a message is written as it is, with line breaks that a plugin could forge lines by.
fn log(span: &Span, failure: &Failure) {
    let _entered = span.enter();
    let reason: String = failure.log().chars().take(LOGGED).collect();
    match failure {
        Failure::InvalidInput(_) | Failure::Upstream { .. } => tracing::debug!(reason, "the call failed"),
        _ => tracing::warn!(reason, "the call failed"),
    }
}
