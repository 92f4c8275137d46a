//! Runs guest code: in a store of its own, within its limits, and says what became of it.

use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use tracing::{Instrument, trace_span};
use wasmtime::{Engine, Store, Trap};

use super::{
    Allowance, Guest, MAX_INSTANCES, Sandbox,
    bindings::types as wit,
    convert,
    idle::Instance,
    meter::{Metered, Overrun},
    refusals::Refusals,
    state::{Outbound, State},
};
use crate::{egress::Context, failure::Failure, grant::Limits, json::Room, metrics::PHASE};

/// What guest code comes to: its result, what it reports as its failure, or a trap.
pub(super) type Run<'a, T> = BoxFuture<'a, wasmtime::Result<Result<T, wit::Failure>>>;

impl Sandbox {
    /// Runs guest code in a store of its own until it is done or a limit is reached. Dropping the future stops the guest where it
    /// stands.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        guest: &Guest,
        allowance: Allowance,
        code: impl for<'a> FnOnce(&'a mut Store<State>) -> Run<'a, T> + Send + 'static,
    ) -> Result<T, Failure> {
        let limits = allowance.limits.clone();
        let fresh = Instance::within(store(&self.engine, allowance));
        self.run_in(guest, fresh, limits, move |instance| code(&mut instance.store)).await
    }

    /// The same in an instance that may have been used before, and may be again.
    pub(super) async fn run_in<T: Send + 'static>(
        &self,
        guest: &Guest,
        mut instance: Instance,
        limits: Limits,
        code: impl for<'a> FnOnce(&'a mut Instance) -> Run<'a, T> + Send + 'static,
    ) -> Result<T, Failure> {
        let Limits { cpu, wall, .. } = limits;
        let (usage, idle) = (guest.usage.clone(), guest.idle.clone());
        let refusals = instance.store.data().outbound.refusals().clone();
        // With the store, so that giving back what it holds is at the guest's expense.
        let run = async move {
            match code(&mut instance).await {
                Ok(result) => {
                    let result = result.map_err(|failure| reported(failure, instance.store.data(), &limits));
                    idle.put(instance, &limits);
                    result
                }
                Err(trap) => {
                    let failure = trapped(&trap, instance.store.data(), &limits);
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
            Err(_elapsed) => Err(overdue(&refusals, wall)),
            Ok(Err(Overrun { used })) => Err(Failure::CpuDeadline { limit: cpu, used }),
            Ok(Ok(result)) => result,
        }
    }
}

/// What the guest reports. Where the mediator knows better why a request failed, its word counts: the guest's is hearsay.
fn reported(failure: wit::Failure, state: &State, limits: &Limits) -> Failure {
    convert::failure(failure, state.outbound.refusals(), &mut Room::of(limits.memory))
}

/// A request that the mediator cut off because the call's time was over has the blame, also where the guest hasn't come to say so in
/// what is left. How much of the time the request took isn't looked at; nor is one that was still under way at the end, as the guest
/// had no turn in which it could be cut off.
fn overdue(refusals: &Refusals, wall: Duration) -> Failure {
    match refusals.cut_off() {
        Some(refusal) => Failure::Egress(refusal),
        None => Failure::WallDeadline { limit: wall },
    }
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

/// True when the guest handed over more than [`begin`] allows. The engine has no type for it that could be asked for; the boundary
/// tests notice when the words change.
fn is_surfeit(trap: &wasmtime::Error) -> bool {
    trap.root_cause().to_string().contains("fuel allocated for hostcalls has been exhausted")
}

/// A store for one call.
pub(super) fn store(engine: &Engine, allowance: Allowance) -> Store<State> {
    let fuel = allowance.limits.response;
    let mut store = Store::new(engine, state(allowance));
    store.limiter(|state| state);
    store.epoch_deadline_async_yield_and_update(1);
    begin(&mut store, fuel);
    store
}

/// The same in a store that has had a call before.
pub(super) fn renew(store: &mut Store<State>, allowance: Allowance) {
    let fuel = allowance.limits.response;
    store.data_mut().renew(state(allowance));
    begin(store, fuel);
}

fn state(allowance: Allowance) -> State {
    let Allowance { plugin, operation, caller, conditions, egress, dialogue, results: _, upload, limits } = allowance;
    let context = Context::begin(operation, caller, limits.wall);
    let outbound = Outbound::new(plugin.clone(), egress, context, conditions, limits.requests);
    State::new(&plugin, outbound, dialogue, upload, &limits)
}

/// `fuel` is what the host copies out of a guest for one call or reply, counted as often as the guest points at it: a million strings that
/// all lie at the same place would be a million copies.
fn begin(store: &mut Store<State>, fuel: usize) {
    store.set_hostcall_fuel(fuel);
    store.set_epoch_deadline(1);
}
