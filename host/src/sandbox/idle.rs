//! Instances that have had a call and wait for the next one, of plugins whose grant allows that.
//!
//! What a guest keeps from call to call is its own affair then: a caller's data may be in its memory when it serves the next one. Nothing
//! of the host's side stays: an instance that waits has no caller, no mediator, and no resource.

use std::{
    collections::VecDeque,
    num::NonZeroU64,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use wasmtime::{Engine, Store};

use super::{
    Allowance,
    bindings::{Capability, CapabilityPre},
    run,
    state::State,
};
use crate::grant::Limits;

/// Instances that wait, over all plugins: as many as half of those that may run. One more, and that which has waited longest goes.
pub(super) const MAX_IDLE: u32 = 500;

/// The linear memory of an instance that may wait. 4 MB: guests that haven't parsed anything large have 1 or 2. With their stacks and
/// tables (2 MB and 1.3 MB) all that wait have 3.7 GB at most.
const MAX_HELD: usize = 4 << 20;

/// A store, and what was instantiated in it.
pub(super) struct Instance {
    pub(super) store: Store<State>,
    capability: Option<Capability>,
    calls: u32,
}

impl Instance {
    /// Of a store in which nothing is yet.
    pub(super) fn within(store: Store<State>) -> Self {
        Self { store, capability: None, calls: 0 }
    }

    /// The provider in it, and its store.
    pub(super) async fn capability(
        &mut self,
        linked: &CapabilityPre<State>,
    ) -> wasmtime::Result<(&Capability, &mut Store<State>)> {
        let Self { store, capability, .. } = self;
        let capability = match capability {
            Some(it) => it,
            None => capability.insert(linked.instantiate_async(&mut *store).await?),
        };
        Ok((capability, store))
    }

    /// True when it is as good as a new one: it holds nothing of the host's, and little memory.
    fn can_wait(&self) -> bool {
        let state = self.store.data();
        self.capability.is_some() && state.holds_nothing() && state.memory() <= MAX_HELD
    }
}

/// All instances that wait, of all plugins, each with its plugin's number: the last has waited for the shortest time.
#[derive(Default)]
pub(super) struct Waiting(Mutex<VecDeque<(NonZeroU64, Instance)>>);

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, VecDeque<(NonZeroU64, Instance)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The instance of a plugin whose memory is the warmest.
    fn pop(&self, plugin: NonZeroU64) -> Option<Instance> {
        let mut instances = self.lock();
        let at = instances.iter().rposition(|(it, _)| *it == plugin)?;
        instances.remove(at).map(|(_, instance)| instance)
    }

    fn push(&self, plugin: NonZeroU64, instance: Instance) {
        let mut instances = self.lock();
        instances.push_back((plugin, instance));
        let oldest = if instances.len() > MAX_IDLE as usize { instances.pop_front() } else { None };
        // Giving back what it holds takes its time.
        drop(instances);
        drop(oldest);
    }
}

/// The instances of one plugin that wait.
pub(super) struct Idle {
    plugin: NonZeroU64,
    waiting: Arc<Waiting>,
}

impl Idle {
    /// Those of the plugin with this number, among all.
    pub(super) fn of(plugin: NonZeroU64, waiting: &Arc<Waiting>) -> Self {
        Self { plugin, waiting: waiting.clone() }
    }

    /// An instance for a call: one that waits, or a new one.
    pub(super) fn take(&self, engine: &Engine, allowance: Allowance) -> Instance {
        let waiting = match allowance.limits.calls_per_instance {
            1 => None,
            _ => self.waiting.pop(self.plugin),
        };
        match waiting {
            Some(mut instance) => {
                run::renew(&mut instance.store, allowance);
                instance
            }
            None => Instance::within(run::store(engine, allowance)),
        }
    }

    /// A call is over, and the guest stands where it can be called again. It waits if it may; else it goes.
    pub(super) fn put(&self, mut instance: Instance, limits: &Limits) {
        instance.calls += 1;
        if instance.calls < limits.calls_per_instance && instance.can_wait() {
            let plugin = instance.store.data().plugin().clone();
            run::renew(&mut instance.store, Allowance::of_the_host(plugin, "none", limits.clone()));
            self.waiting.push(self.plugin, instance);
        }
    }
}

impl Drop for Idle {
    /// The plugin has gone.
    fn drop(&mut self) {
        let mut waiting = self.waiting.lock();
        let (own, others): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut *waiting).into_iter().partition(|(it, _)| *it == self.plugin);
        *waiting = others;
        drop(waiting);
        drop(own);
    }
}
