//! A plugin without doors: asked by way of `airlock::invoke`, as every door does. For what no door shows, or not every one.

use std::sync::Arc;

use airlock::{
    caller::{Caller, Door},
    callers::Identity,
    catalog::OperationRef,
    component::{Loader, Plugin, Source},
    conditions::Conditions,
    contract::{Answer, Content, Dialogue},
    failure::Failure,
    grant::{Grant, Limits},
    invoke::{Invocation, Reply, Request, Upload, invoke},
    sandbox::Sandbox,
};
use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;

use super::host::HOSTS;

/// A loaded plugin that needs no upstream.
pub struct Waist {
    plugin: Arc<Plugin>,
    _place: OwnedSemaphorePermit,
}

impl Waist {
    /// Loads a component with these limits.
    pub async fn of(wasm: &[u8], limits: Limits) -> Self {
        let place = HOSTS.clone().acquire_owned().await.expect("never closed");
        let loader = Loader::new(Arc::new(Sandbox::new().expect("an engine")));
        let grant = Grant { limits, ..Grant::default() };
        let plugin = loader.load("fixture", Source::Component(wasm.to_vec()), Some(&grant)).await;
        Self { plugin: Arc::new(plugin.expect("a plugin")), _place: place }
    }

    /// The plugin.
    pub fn plugin(&self) -> &Plugin {
        &self.plugin
    }

    /// A request for something other than an operation.
    pub fn request(&self, dialogue: Dialogue) -> Request {
        Request { reading: caller().may_read(self.plugin.clone()).expect("may do everything"), dialogue }
    }

    /// Calls an operation.
    pub async fn call(&self, operation: &str, input: Value, dialogue: Dialogue) -> Result<Vec<Content>, Failure> {
        let found = OperationRef::all(&self.plugin).find(|it| it.operation().name == operation);
        let operation = found.unwrap_or_else(|| panic!("no operation {operation}"));
        let permitted = caller().may_call(operation).expect("may do everything");
        let conditions = Conditions::default();
        match invoke(Invocation { permitted, input, dialogue, conditions, upload: Upload::default() }).await? {
            Reply::Content(blocks) => Ok(blocks),
            other => panic!("not content: {other:?}"),
        }
    }
}

fn caller() -> Caller {
    Caller { door: Door::Mcp, peer: None, identity: Identity::operator() }
}

/// Answers with a state, from somebody who can be asked everything.
pub fn answered(answers: Vec<Answer>, state: Option<&str>) -> Dialogue {
    Dialogue { answers, state: state.map(str::to_owned), ..able() }
}

/// Somebody who can be asked everything.
pub fn able() -> Dialogue {
    let abilities = airlock::contract::Abilities { elicitation: true, sampling: true, roots: true };
    Dialogue { abilities, ..Dialogue::default() }
}
