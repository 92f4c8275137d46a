//! The guest that carries out a compiled capability document: it answers `describe` from its plan, and turns a call's input into
//! one upstream request whose answer it hands on.
//!
//! It doesn't know documents: the compiler in the host has resolved every name. It never sees a credential, and it doesn't read
//! answers: the host streams them.

pub mod bindings;
pub mod encode;
pub mod request;

use std::{cell::RefCell, collections::BTreeMap};

use airlock_sdk::{Description, Failure, Provider, Reply, internal};

use bindings::airlock::capability::plan::{Plan, Request};

thread_local! {
    /// Written once by `configure`, at compile time; the snapshot of the memory carries it into every instance.
    static CONFIGURED: RefCell<Option<Configured>> = const { RefCell::new(None) };
}

/// What `configure` keeps.
struct Configured {
    description: Description,
    /// Ordered, not hashed: a hash map would ask the host for random numbers.
    requests: BTreeMap<String, Request>,
}

/// The guest.
pub struct Runtime;

impl bindings::Guest for Runtime {
    fn configure(plan: Plan) -> Result<(), String> {
        let Plan { description, requests } = plan;
        if description.operations.len() != requests.len() {
            return Err(format!(
                "a plan has one request for each operation: {} operations, {} requests",
                description.operations.len(),
                requests.len()
            ));
        }
        let requests = description.operations.iter().map(|operation| operation.name.clone()).zip(requests).collect();
        CONFIGURED.set(Some(Configured { description, requests }));
        Ok(())
    }
}

impl Provider for Runtime {
    fn describe() -> Result<Description, Failure> {
        with_plan(|plan| Ok(plan.description.clone()))
    }

    fn call(operation: String, input: String) -> Result<Reply, Failure> {
        with_plan(|plan| {
            let request = plan
                .requests
                .get(&operation)
                .ok_or_else(|| internal(format_args!("no such operation: {operation}")))?;
            let input: request::Input<'_> = serde_json::from_str(&input).map_err(internal)?;
            Ok(request::build(request, &input)?.send()?.hand_on())
        })
    }
}

fn with_plan<T>(use_it: impl FnOnce(&Configured) -> Result<T, Failure>) -> Result<T, Failure> {
    CONFIGURED.with_borrow(|configured| match configured {
        Some(plan) => use_it(plan),
        None => Err(internal("the runtime is not configured")),
    })
}

#[cfg(target_family = "wasm")]
mod exports {
    use super::{Runtime, bindings};

    airlock_sdk::export!(Runtime with_types_in airlock_sdk::bindings);
    bindings::export!(Runtime with_types_in bindings);
}
