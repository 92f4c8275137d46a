//! Instances that have had a call and wait for the next one, of plugins whose grant allows that.
//!
//! What a guest keeps from call to call is its own affair then: a caller's data may be in its memory when it serves the next one. Nothing
//! of the host's side stays: an instance that waits has no caller, no mediator, and no resource.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::{Engine, Store};

use super::{
    Allowance, MAX_INSTANCES,
    bindings::{Capability, CapabilityPre},
    run,
    state::State,
};
use crate::grant::Limits;

/// Instances that wait, over all plugins: half of all that there can be. The rest is for calls.
const MAX_IDLE: usize = MAX_INSTANCES as usize / 2;

/// The memory of an instance that may wait. 4 MB: guests that haven't parsed anything large have 1 or 2, and all that wait have 2 GB
/// at most.
const MAX_HELD: usize = 4 << 20;

/// The places of those that wait, for all plugins.
pub(super) fn places() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(MAX_IDLE))
}

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

/// The instances of one plugin that wait.
pub(super) struct Idle {
    waiting: Mutex<Vec<(Instance, OwnedSemaphorePermit)>>,
    places: Arc<Semaphore>,
}

impl Idle {
    pub(super) fn new(places: Arc<Semaphore>) -> Self {
        Self { waiting: Mutex::default(), places }
    }

    /// An instance for a call: the one that has waited for the shortest time, as its memory is the warmest; or a new one.
    pub(super) fn take(&self, engine: &Engine, allowance: Allowance) -> Instance {
        let waiting = match allowance.limits.calls_per_instance {
            1 => None,
            _ => self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop(),
        };
        match waiting {
            Some((mut instance, _)) => {
                run::renew(&mut instance.store, allowance);
                instance
            }
            None => Instance::within(run::store(engine, allowance)),
        }
    }

    /// A call is over, and the guest stands where it can be called again. It waits if it may, and there is a place; else it goes.
    pub(super) fn put(&self, mut instance: Instance, limits: &Limits) {
        instance.calls += 1;
        if instance.calls >= limits.calls_per_instance || !instance.can_wait() {
            return;
        }
        if let Ok(place) = self.places.clone().try_acquire_owned() {
            let plugin = instance.store.data().plugin().clone();
            run::renew(&mut instance.store, Allowance::of_the_host(plugin, "none", limits.memory));
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push((instance, place));
        }
    }
}
