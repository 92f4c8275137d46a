//! Runs guests: one engine, one linker, a fresh instance per call unless a grant says otherwise, limits around each.
//!
//! It knows nothing of catalogs, schemas or callers. What a guest may reach is decided in `egress`.

mod bindings;
mod body;
mod cache;
mod compiler;
mod configure;
mod convert;
mod crowd;
mod dialogue;
mod engine;
mod events;
mod facts;
mod fetch;
mod idle;
mod lane;
mod log;
mod made_once;
mod meter;
mod plan;
mod provide;
mod refusals;
mod run;
mod shape;
mod split;
mod state;
mod upload;
mod usage;

use std::{
    path::Path,
    sync::{Arc, OnceLock},
};

use futures::FutureExt;
use tracing::{Instrument, trace_span};
use wasmtime::{
    Engine, Module,
    component::{Component, InstancePre, Linker},
};

pub(crate) use self::configure::Configured;
use self::{
    bindings::{CapabilityPre, types as wit},
    compiler::Compiler,
    idle::{Idle, Waiting},
    lane::SlowLane,
    made_once::MadeOnce,
    provide::Optional,
    split::Split,
    state::State,
    usage::Usage,
};
pub use self::{
    cache::CacheError,
    engine::{MAX_INSTANCES, MAX_MEMORY},
};
use crate::{
    conditions::Conditions,
    contract::{Description, Dialogue, Facts},
    egress::Egress,
    failure::Failure,
    grant::Limits,
    invoke::{Reply, Upload},
    json::{self, Room},
    metrics::PHASE,
};

/// The engine that everything is compiled for and runs in.
pub struct Sandbox {
    engine: Engine,
    compiler: Compiler,
    linker: Linker<State>,
    /// The runtimes of which documents are made, instrumented.
    runtimes: MadeOnce<InstancePre<State>>,
    /// What documents share: the component around their code, and the code.
    components: MadeOnce<Component>,
    codes: MadeOnce<Module>,
    /// Instances that wait for a call.
    waiting: Arc<Waiting>,
    lane: SlowLane,
}

/// A component that is compiled, linked and ready to be instantiated.
#[derive(Clone)]
pub struct Guest {
    linked: CapabilityPre<State>,
    optional: Optional,
    /// What a document says besides, as soon as it was described.
    facts: Arc<OnceLock<Facts>>,
    usage: Arc<Usage>,
    idle: Arc<Idle>,
}

impl std::fmt::Debug for Guest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Guest")
    }
}

/// What one call may use, made by `component::Plugin` for each call.
pub struct Allowance {
    /// The plugin's name, for the log.
    pub plugin: Arc<str>,
    /// The operation, for the audit.
    pub operation: Arc<str>,
    /// Who has called it, for the audit.
    pub caller: Arc<str>,
    /// What its requests depend on besides.
    pub conditions: Conditions,
    /// The mediator of the plugin's requests; `None` = every request is denied.
    pub egress: Option<Arc<Egress>>,
    /// What the caller can be asked and wants to hear.
    pub dialogue: Dialogue,
    /// What becomes of a structured result.
    pub results: Results,
    /// What the caller sends along.
    pub upload: Upload,
    /// The limits.
    pub limits: Limits,
}

/// What becomes of a structured result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Results {
    /// It is handed on as the plugin has written it, once it is known to be JSON: nothing is made of it that would have to be let go.
    Texts,
    /// It is handed on as a value too, if it isn't long.
    Values,
}

impl Allowance {
    /// For what the host does on its own account, within these limits: requests are denied.
    pub(crate) fn of_the_host(plugin: Arc<str>, operation: &str, limits: Limits) -> Self {
        Self {
            plugin,
            operation: Arc::from(operation),
            caller: Arc::from("host"),
            conditions: Conditions::default(),
            egress: None,
            dialogue: Dialogue::default(),
            results: Results::Texts,
            upload: Upload::default(),
            limits,
        }
    }
}

impl Sandbox {
    /// Makes the engine and starts the clock that running guests are interrupted by.
    ///
    /// # Errors
    /// The machine can't run the engine, e.g. because the address space is limited.
    pub fn new() -> wasmtime::Result<Self> {
        let engine = engine::start()?;
        let linker = engine::linker(&engine)?;
        let compiler = Compiler::new(engine.clone());
        Ok(Self {
            engine,
            compiler,
            linker,
            runtimes: MadeOnce::default(),
            components: MadeOnce::default(),
            codes: MadeOnce::default(),
            waiting: Arc::default(),
            lane: SlowLane::of_this_machine()?,
        })
    }

    /// Keeps compiled code in this folder, for the next time that a host starts.
    ///
    /// # Errors
    /// See [`CacheError`].
    pub fn keeping_code_in(mut self, folder: &Path) -> Result<Self, CacheError> {
        self.compiler.keep_in(folder)?;
        Ok(self)
    }

    /// Compiles a component and links it. Takes seconds of processor time, unless the code was kept: not for an async thread.
    ///
    /// # Errors
    /// The bytes are no valid component, or it imports or exports what the contract doesn't have.
    pub fn compile(&self, wasm: &[u8]) -> wasmtime::Result<Guest> {
        let component = self.compiler.compile(wasm)?;
        self.guest(&component, self.linker.instantiate_pre(&component)?)
    }

    /// The same for what `component` has made of a document. All but the document's data is compiled once for a process.
    ///
    /// # Errors
    /// As above.
    pub(crate) fn compile_document(&self, wasm: &[u8]) -> wasmtime::Result<Guest> {
        let Split { component, code, data } = split::split(wasm)?;
        let component = self.components.get(&component, || self.compiler.compile(&component))?;
        let code = self.codes.get(&code, || self.compiler.compile_module(&code))?;
        let mut linker = self.linker.clone();
        linker.root().module(split::CODE, &code)?;
        linker.root().module(split::DATA, &Module::new(&self.engine, data)?)?;
        self.guest(&component, linker.instantiate_pre(&component)?)
    }

    fn guest(&self, component: &Component, linked: InstancePre<State>) -> wasmtime::Result<Guest> {
        let usage = Arc::new(Usage::of_a_plugin_in(&self.lane));
        let idle = Arc::new(Idle::of(usage.plugin, &self.waiting));
        let optional = Optional::of(component, &linked)?;
        Ok(Guest { linked: CapabilityPre::new(linked)?, optional, facts: Arc::default(), usage, idle })
    }

    /// Asks a guest what it offers. Its requests are denied.
    ///
    /// # Errors
    /// As for any call; [`Failure::BadReply`] when the description can't be read.
    pub async fn describe(&self, guest: &Guest, allowance: Allowance) -> Result<Description, Failure> {
        let mut room = Room::of(allowance.limits.memory);
        let (linked, document) = (guest.linked.clone(), guest.optional.document.clone());
        let described = self.run(guest, allowance, move |store| {
            async move {
                let facts = match document {
                    Some(document) => {
                        Some(document.instantiate_async(&mut *store).await?.call_tell(&mut *store).await?)
                    }
                    None => None,
                };
                let capability = linked.instantiate_async(&mut *store).await?;
                let described = capability.airlock_capability_provider().call_describe(store).await?;
                Ok(described.map(|description| (description, facts)))
            }
            .boxed()
        });
        let (description, facts) = described.await?;
        if let Some(facts) = facts {
            // Described again it says the same.
            let _ = guest.facts.set(facts::facts(facts)?);
        }
        convert::description(description, &mut room).map_err(|e| Failure::BadReply { reason: e.to_string() })
    }

    /// Carries out the allowance's operation in a fresh instance, or one that waits if its limits allow it.
    ///
    /// # Errors
    /// What the guest reports, what the mediator refused, and every limit that the call ran into.
    pub async fn call(&self, guest: &Guest, allowance: Allowance, input: String) -> Result<Reply, Failure> {
        let (operation, results, limits) = (allowance.operation.clone(), allowance.results, allowance.limits.clone());
        let (linked, memory) = (guest.linked.clone(), limits.memory);
        let instance = guest.idle.take(&self.engine, allowance);
        let reply = self.run_in(guest, instance, limits, move |instance| {
            async move {
                let instantiated = instance.capability(&linked);
                let (capability, store) = instantiated.instrument(trace_span!(target: PHASE, "instantiate")).await?;
                let provider = capability.airlock_capability_provider();
                let called = provider.call_call(&mut *store, &operation, &input);
                let reply = called.instrument(trace_span!(target: PHASE, "guest")).await?;
                // Reading it is at the guest's expense too.
                Ok(reply.map(|reply| read(reply, store.data_mut(), results, memory)))
            }
            .boxed()
        });
        reply.await?
    }
}

/// Makes the host's own of what a guest replies, in no more memory than the guest was granted.
fn read(reply: wit::Reply, state: &mut State, results: Results, memory: usize) -> Result<Reply, Failure> {
    match reply {
        wit::Reply::Structured(json) => convert::structured(json, results, &mut Room::of(memory)),
        wit::Reply::Content(blocks) => convert::content(blocks),
        wit::Reply::Upstream(response) => {
            let response = state.take(response)?;
            body::hand_on(response, state.outbound.refusals().clone())
        }
    }
}
