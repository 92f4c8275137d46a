//! The document runtime gets its plan, and what it is then can be read: what `component::specialise` takes a snapshot of.

use wasmtime::{
    Store,
    component::{ComponentType, Instance, Lift, WasmList},
};

use super::{
    Allowance, MAX_MEMORY, Sandbox,
    bindings::{DocumentRuntime, plan::Plan as WitPlan},
    run,
    state::State,
};
use crate::{document::plan::Plan, grant::Limits};

impl Sandbox {
    /// Instantiates an instrumented document runtime and gives it its plan: the first half of specialising it.
    ///
    /// # Errors
    /// The runtime refuses the plan or fails, which is a bug of this release.
    pub(crate) async fn configure(&self, instrumented: &[u8], plan: &Plan) -> wasmtime::Result<Configured> {
        let link = || self.linker.instantiate_pre(&self.compiler.compile(instrumented)?);
        let linked = self.runtimes.get(instrumented, link)?;
        let limits = Limits { memory: MAX_MEMORY, ..Limits::default() };
        let mut store = run::store(&self.engine, Allowance::of_the_host("compiler".into(), "configure", limits));
        let instance = linked.instantiate_async(&mut store).await?;
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
    instance: Instance,
}

impl Configured {
    /// Calls a function of an exported instance that takes nothing and returns a number.
    pub(crate) async fn read<R>(&mut self, instance: &str, function: &str) -> R
    where
        R: ComponentType + Lift + Send + Sync + 'static,
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
        let bytes: WasmList<u8> = self.read(instance, function).await;
        use_bytes(bytes.as_le_slice(&self.store));
    }
}
