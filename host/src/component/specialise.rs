//! A plan becomes a component of its own: the document runtime with the plan in its memory.
//!
//! The runtime is instantiated once, told its plan, and snapshotted: what the component does at run time begins where `configure`
//! ended.

use std::sync::LazyLock;

use wasmtime_wizer::{ComponentContext, ComponentInstanceState, Wizer};
use wit_component::ComponentEncoder;

use crate::{
    document::plan::{Needs, Plan},
    sandbox::{Configured, Sandbox},
};

/// The guest in `plugins/runtime`, built by the build script: it hands answers on.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new(include_bytes!(env!("AIRLOCK_RUNTIME_WASM"))));

/// The same with what reads answers and makes results of them: twice as large.
static WITH_RESULTS: LazyLock<Runtime> =
    LazyLock::new(|| Runtime::new(include_bytes!(env!("AIRLOCK_RUNTIME_WITH_RESULTS_WASM"))));

/// The same with the formats that few documents need: six times as large.
static WITH_FORMATS: LazyLock<Runtime> =
    LazyLock::new(|| Runtime::new(include_bytes!(env!("AIRLOCK_RUNTIME_WITH_FORMATS_WASM"))));

/// A runtime that a snapshot can be taken of.
struct Runtime {
    context: ComponentContext<'static>,
    instrumented: Vec<u8>,
}

impl Runtime {
    /// Makes a component of a core module, which says itself what its world is. Once for a process, for which it stays.
    fn new(module: &[u8]) -> Self {
        const BUILT: &str = "the build script has built it for the worlds in `wit/`";
        let component = ComponentEncoder::default().module(module).and_then(|mut it| it.encode()).expect(BUILT);
        let (context, instrumented) = Wizer::new().instrument_component(component.leak()).expect(BUILT);
        Self { context, instrumented }
    }
}

/// Makes the component: the same for the same plan, byte for byte. The first time takes a good part of a second of processor time, most of
/// it compiling the runtime.
pub async fn specialise(sandbox: &Sandbox, plan: &Plan) -> wasmtime::Result<Vec<u8>> {
    let runtime = match plan.needs() {
        Needs::Requests => &*RUNTIME,
        Needs::Results => &WITH_RESULTS,
        Needs::Formats => &WITH_FORMATS,
    };
    let mut configured = sandbox.configure(&runtime.instrumented, plan).await?;
    Wizer::new().snapshot_component(&runtime.context, &mut Access(&mut configured)).await
}

/// How the snapshot reads globals and memories: by functions that instrumenting has added.
struct Access<'a>(&'a mut Configured);

impl ComponentInstanceState for Access<'_> {
    async fn call_func_ret_list_u8(&mut self, instance: &str, func: &str, contents: impl FnOnce(&[u8]) + Send) {
        self.0.read_bytes(instance, func, contents).await;
    }

    async fn call_func_ret_s32(&mut self, instance: &str, func: &str) -> i32 {
        self.0.read(instance, func).await
    }

    async fn call_func_ret_s64(&mut self, instance: &str, func: &str) -> i64 {
        self.0.read(instance, func).await
    }

    async fn call_func_ret_f32(&mut self, instance: &str, func: &str) -> u32 {
        self.0.read::<f32>(instance, func).await.to_bits()
    }

    async fn call_func_ret_f64(&mut self, instance: &str, func: &str) -> u64 {
        self.0.read::<f64>(instance, func).await.to_bits()
    }
}
