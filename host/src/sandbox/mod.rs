//! Runs guests: one engine, one linker, a fresh instance per call, limits around each.
//!
//! It knows nothing of catalogs, schemas or callers. What a guest may reach is decided in `egress`.

mod bindings;
mod body;
mod cache;
mod compiler;
mod convert;
mod crowd;
mod dialogue;
mod engine;
mod events;
mod facts;
mod fetch;
mod functions;
mod lane;
mod log;
mod meter;
mod plan;
mod provide;
mod refusals;
mod shape;
mod state;
mod upload;
mod usage;

use std::{
    path::Path,
    sync::{Arc, OnceLock},
    time::Instant,
};

use futures::{FutureExt, future::BoxFuture};
use tracing::{Instrument, trace_span};
use wasmtime::{Engine, Store, Trap, component::Linker};

use self::{
    bindings::{CapabilityPre, DocumentRuntime, plan::Plan as WitPlan, types as wit},
    compiler::Compiler,
    lane::SlowLane,
    meter::{Metered, Overrun},
    provide::Optional,
    state::{Outbound, State},
    usage::Usage,
};
pub use self::{
    cache::CacheError,
    engine::{MAX_INSTANCES, MAX_MEMORY},
};
use crate::{
    conditions::Conditions,
    contract::{Description, Dialogue, Facts},
    document::plan::Plan,
    egress::{Context, Egress},
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

impl Sandbox {
    /// Makes the engine and starts the clock that running guests are interrupted by.
    ///
    /// # Errors
    /// The machine can't run the engine, e.g. because the address space is limited.
    pub fn new() -> wasmtime::Result<Self> {
        let engine = engine::start()?;
        let linker = engine::linker(&engine)?;
        let compiler = Compiler::new(engine.clone());
        Ok(Self { engine, compiler, linker, lane: SlowLane::of_this_machine()? })
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
        let linked = self.linker.instantiate_pre(&component)?;
        let usage = Arc::new(Usage::of_a_plugin_in(&self.lane));
        let optional = Optional::of(&component, &linked)?;
        Ok(Guest { linked: CapabilityPre::new(linked)?, optional, facts: Arc::default(), usage })
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

    /// Carries out the allowance's operation in a fresh instance.
    ///
    /// # Errors
    /// What the guest reports, what the mediator refused, and every limit that the call ran into.
    pub async fn call(&self, guest: &Guest, allowance: Allowance, input: String) -> Result<Reply, Failure> {
        let (operation, results) = (allowance.operation.clone(), allowance.results);
        let memory = allowance.limits.memory;
        let linked = guest.linked.clone();
        let reply = self.run(guest, allowance, move |store| {
            async move {
                let instantiated = linked.instantiate_async(&mut *store);
                let capability = instantiated.instrument(trace_span!(target: PHASE, "instantiate")).await?;
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

    /// Runs guest code in a store of its own until it is done or a limit is reached. Dropping the future stops the guest where it
    /// stands.
    async fn run<T: Send + 'static>(
        &self,
        guest: &Guest,
        allowance: Allowance,
        code: impl for<'a> FnOnce(&'a mut Store<State>) -> Run<'a, T> + Send + 'static,
    ) -> Result<T, Failure> {
        let limits = allowance.limits.clone();
        let mut store = store(&self.engine, allowance);
        let Limits { cpu, wall, .. } = limits;
        // With the store, so that giving back what it holds is at the guest's expense.
        let usage = guest.usage.clone();
        let run = async move {
            match code(&mut store).await {
                Ok(Ok(value)) => Ok(value),
                Ok(Err(failure)) => Err(reported(failure, store.data(), &limits)),
                Err(trap) => {
                    let failure = trapped(&trap, store.data(), &limits);
                    // That there was no room for it isn't its own fault.
                    if !matches!(failure, Failure::Busy { .. }) {
                        usage.add_fault(Instant::now());
                    }
                    Err(failure)
                }
            }
        };
        let run = run.instrument(trace_span!(target: PHASE, "sandbox"));
        let metered = Metered::new(run, cpu, self.lane.clone(), guest.usage.clone());
        match tokio::time::timeout(wall, metered).await {
            Err(_elapsed) => Err(Failure::WallDeadline { limit: wall }),
            Ok(Err(Overrun { used })) => Err(Failure::CpuDeadline { limit: cpu, used }),
            Ok(Ok(result)) => result,
        }
    }

    /// Instantiates an instrumented document runtime and gives it its plan: the first half of specialising it.
    ///
    /// # Errors
    /// The runtime refuses the plan or fails, which is a bug of this release.
    pub(crate) async fn configure(&self, instrumented: &[u8], plan: &Plan) -> wasmtime::Result<Configured> {
        let component = self.compiler.compile_once(instrumented)?;
        let mut store = store(&self.engine, Allowance::for_compiler());
        let instance = self.linker.instantiate_async(&mut store, &component).await?;
        let runtime = DocumentRuntime::new(&mut store, &instance)?;
        runtime
            .call_configure(&mut store, &WitPlan::from(plan))
            .await?
            .map_err(|refusal| wasmtime::format_err!("the runtime refused its plan: {refusal}"))?;
        Ok(Configured { store, instance })
    }
}

/// A document runtime that has its plan and wasn't called: what a snapshot is taken of.
pub(crate) struct Configured {
    store: Store<State>,
    instance: wasmtime::component::Instance,
}

impl Configured {
    /// Calls a function of an exported instance that takes nothing and returns a number.
    pub(crate) async fn read<R>(&mut self, instance: &str, function: &str) -> R
    where
        R: wasmtime::component::ComponentType + wasmtime::component::Lift + Send + Sync + 'static,
    {
        const ADDED: &str = "instrumenting has added the function, and it can't fail";
        let exporter = self.instance.get_export_index(&mut self.store, None, instance);
        let exporter = exporter.expect(ADDED);
        let index = self.instance.get_export_index(&mut self.store, Some(&exporter), function);
        let function = self.instance.get_typed_func::<(), (R,)>(&mut self.store, index.expect(ADDED)).expect(ADDED);
        function.call_async(&mut self.store, ()).await.expect(ADDED).0
    }

    /// The same for a function that returns bytes.
    pub(crate) async fn read_bytes(&mut self, instance: &str, function: &str, use_bytes: impl FnOnce(&[u8]) + Send) {
        let bytes: wasmtime::component::WasmList<u8> = self.read(instance, function).await;
        use_bytes(bytes.as_le_slice(&self.store));
    }
}

impl Allowance {
    /// Compiling is the host's own work on a plan of bounded size: no grant applies, and the defaults are never reached.
    fn for_compiler() -> Self {
        let limits = Limits { memory: MAX_MEMORY, ..Limits::default() };
        Self {
            plugin: Arc::from("compiler"),
            operation: Arc::from("configure"),
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

/// What guest code comes to: its result, what it reports as its failure, or a trap.
type Run<'a, T> = BoxFuture<'a, wasmtime::Result<Result<T, wit::Failure>>>;

/// What the guest reports. Where the mediator knows better why a request failed, its word counts: the guest's is hearsay.
fn reported(failure: wit::Failure, state: &State, limits: &Limits) -> Failure {
    convert::failure(failure, &state.outbound.refusals(), &mut Room::of(limits.memory))
}

fn trapped(trap: &wasmtime::Error, state: &State, limits: &Limits) -> Failure {
    if state.memory_was_denied() {
        return Failure::MemoryLimit { limit: limits.memory };
    }
    if trap.is::<wasmtime::PoolConcurrencyLimitError>() {
        return Failure::Busy { running: MAX_INSTANCES as usize };
    }
    if is_surfeit(trap) {
        return Failure::DataLimit { limit: limits.response };
    }
    let what = match trap.downcast_ref::<Trap>() {
        Some(code) => format!("{code}: {trap:?}"),
        None => format!("{trap:?}"),
    };
    Failure::Trapped { trap: what }
}

/// Makes the host's own of what a guest replies, in no more memory than the guest was granted.
fn read(reply: wit::Reply, state: &mut State, results: Results, memory: usize) -> Result<Reply, Failure> {
    match reply {
        wit::Reply::Structured(json) => convert::structured(json, results, &mut Room::of(memory)),
        wit::Reply::Content(blocks) => convert::content(blocks),
        wit::Reply::Upstream(response) => {
            let response = state.take(response)?;
            body::hand_on(response, state.outbound.clone())
        }
    }
}

/// True when the guest handed over more than [`store`] allows. The engine has no type for it that could be asked for; the boundary
/// tests notice when the words change.
fn is_surfeit(trap: &wasmtime::Error) -> bool {
    trap.root_cause().to_string().contains("fuel allocated for hostcalls has been exhausted")
}

fn store(engine: &Engine, allowance: Allowance) -> Store<State> {
    let Allowance { plugin, operation, caller, conditions, egress, dialogue, results: _, upload, limits } = allowance;
    let context = Context::begin(operation, caller, limits.wall);
    let outbound = Outbound::new(plugin.clone(), egress, context, conditions, limits.requests);
    let state = State::new(&plugin, outbound, dialogue, upload, &limits);
    let mut store = Store::new(engine, state);
    store.limiter(|state| state);
    // What the host copies out of a guest for one call or reply, counted as often as the guest points at it: a million strings that
    // all lie at the same place would be a million copies.
    store.set_hostcall_fuel(limits.response);
    store.set_epoch_deadline(1);
    store.epoch_deadline_async_yield_and_update(1);
    store
}
