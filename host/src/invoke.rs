//! The narrow waist: every call of every door passes here. Validate the input, see to it that who has to agree has agreed, run the operation in an instance, hand back
//! the reply.
//!
//! It treats all callers alike: REST, MCP and the command line make the same [`Invocation`] and render the same outcome. Whether a
//! caller may call is decided before, and there is no invocation without the proof of it.

mod confirm;
mod document;
mod optional;
mod question;
mod upload;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use serde_json::Value;
use tracing::{Instrument, trace_span};

use crate::{
    callers::Permitted,
    component::Plugin,
    conditions::Conditions,
    contract::{Abilities, Content, Dialogue},
    failure::Failure,
    metrics::PHASE,
};

pub use self::{
    confirm::{Confirmed, agreed},
    optional::{Request, complete, get_prompt, list_prompts, list_resources, list_templates, read_resource},
    upload::{BrokeOff, Incoming, Upload},
};

/// A call: which operation, with which input.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// The operation, as the catalog knows it, and proof that its caller may call it. Holding it keeps the plugin alive: a call in
    /// flight finishes on the version that it began with.
    pub permitted: Permitted,
    /// The input, a JSON object. Not validated yet.
    pub input: Value,
    /// What the caller can be asked and wants to hear.
    pub dialogue: Dialogue,
    /// What the call depends on. REST's alone: MCP and the command line have no way to say it.
    pub conditions: Conditions,
    /// What the caller sends along, for operations that take it. REST's alone too.
    pub upload: Upload,
}

/// A successful call's result.
#[derive(Debug)]
pub enum Reply {
    /// JSON.
    Structured(Structured),
    /// Blocks of content.
    Content(Vec<Content>),
    /// The upstream's response, whatever its status, body unread.
    Upstream(http::Response<Body>),
}

/// A plugin's JSON.
#[derive(Debug)]
pub struct Structured {
    /// The text as the plugin has written it. It is valid.
    pub text: String,
    /// What it says, for a door that hands on values, if it is no longer than [`MAX_VALUE`].
    pub value: Option<Value>,
}

/// The longest text that is handed on as a value too, in bytes. 1 MiB: clients that want values are models, and none has room for more.
/// What becomes of a longer one may be tens of megabytes, which takes everybody's time to let go.
pub const MAX_VALUE: usize = 1 << 20;

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

/// The body, or its first `limit` bytes with what came along with them; the rest is not fetched.
///
/// # Errors
/// As the body's.
pub async fn read_body(body: &mut Body, limit: usize) -> Result<Bytes, Failure> {
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            read.extend_from_slice(&data);
        }
        if read.len() >= limit {
            break;
        }
    }
    Ok(read.freeze())
}

/// Carries out a call.
///
/// # Errors
/// Every way in which a call can fail is a case of [`Failure`]; those at the plugin's expense are logged here, once. The plugin's
/// questions, and the host's own, are one of them: [`Failure::InputRequired`] for a caller that can be asked them, else [`Failure::CannotAsk`].
pub async fn invoke(invocation: Invocation) -> Result<Reply, Failure> {
    let operation = invocation.permitted.operation();
    invocation.permitted.charge().inspect_err(|failure| count(operation.plugin(), failure))?;
    carry_out(invocation).await
}

/// Carries out a call that is paid for.
async fn carry_out(invocation: Invocation) -> Result<Reply, Failure> {
    let Invocation { permitted, input, mut dialogue, conditions, upload } = invocation;
    let (operation, caller) = (permitted.operation(), permitted.caller());
    let (plugin, name, abilities) = (operation.plugin(), &operation.operation().name, dialogue.abilities);
    let called = async {
        let permit = plugin.admit().await?;
        trace_span!(target: PHASE, "validate").in_scope(|| operation.validate(&input))?;
        let confirmed = confirm::confirm(operation, &input, &mut dialogue).map_err(|it| noted(it, abilities))?;
        let mut allowance = plugin.allowance(name, caller, dialogue);
        allowance.upload = upload;
        if plugin.passes_conditions(operation.operation()) {
            allowance.conditions = conditions;
        }
        let outcome = plugin.call(allowance, input.to_string(), permit, confirmed).await;
        outcome.map_err(|failure| noted(confirm::keep(operation, failure), abilities))
    };
    let outcome = called.instrument(tracing::info_span!("call", plugin = plugin.name(), operation = name)).await;
    outcome.inspect_err(|failure| count(plugin, failure))
}

/// Counts a failure. A question isn't one: the call goes on.
fn count(plugin: &Plugin, failure: &Failure) {
    if !matches!(failure, Failure::InputRequired(_)) {
        plugin.failed(failure);
    }
}

/// The failure as the caller gets it: with questions only if it can be asked them. Logged.
fn noted(failure: Failure, abilities: Abilities) -> Failure {
    let failure = match failure {
        Failure::InputRequired(questions) => match questions.lacking(abilities) {
            Abilities::NONE => Failure::InputRequired(questions),
            lacking => Failure::CannotAsk { lacking },
        },
        other => other,
    };
    log(&failure);
    failure
}

/// How much of a failure is logged. 4 KB: a trap with its frames fits, and a plugin can't fill the disk with what it says of itself.
const LOGGED: usize = 4 << 10;

/// As a field, which the log quotes: a message is written as it is, with line breaks that a plugin could forge lines by.
fn log(failure: &Failure) {
    let reason: String = failure.log().chars().take(LOGGED).collect();
    match failure {
        Failure::InvalidInput(_)
        | Failure::Upstream { .. }
        | Failure::CannotAsk { .. }
        | Failure::Forbidden(_)
        | Failure::NotConfirmed(_)
        | Failure::OverRate { .. } => tracing::debug!(reason, "the call failed"),
        Failure::InputRequired(_) => tracing::debug!("the call goes on when its questions are answered"),
        _ => tracing::warn!(reason, "the call failed"),
    }
}
