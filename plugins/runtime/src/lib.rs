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

use bindings::airlock::capability::plan::{Action, Answer, Call, Plan};

thread_local! {
    /// Written once by `configure`, at compile time; the snapshot of the memory carries it into every instance.
    static CONFIGURED: RefCell<Option<Configured>> = const { RefCell::new(None) };
}

/// What `configure` keeps.
struct Configured {
    description: Description,
    /// Ordered, not hashed: a hash map would ask the host for random numbers.
    actions: BTreeMap<String, Action>,
}

/// The guest.
pub struct Runtime;

impl bindings::Guest for Runtime {
    fn configure(plan: Plan) -> Result<(), String> {
        let Plan { description, actions } = plan;
        if description.operations.len() != actions.len() {
            return Err(format!(
                "a plan has one action for each operation: {} operations, {} actions",
                description.operations.len(),
                actions.len()
            ));
        }
        let actions = description.operations.iter().map(|operation| operation.name.clone()).zip(actions).collect();
        CONFIGURED.set(Some(Configured { description, actions }));
        Ok(())
    }
}

impl Provider for Runtime {
    fn describe() -> Result<Description, Failure> {
        with_plan(|plan| Ok(plan.description.clone()))
    }

    fn call(operation: String, input: String) -> Result<Reply, Failure> {
        with_plan(|plan| {
            let action =
                plan.actions.get(&operation).ok_or_else(|| internal(format_args!("no such operation: {operation}")))?;
            let input: request::Input<'_> = serde_json::from_str(&input).map_err(internal)?;
            match action {
                Action::Call(call) => carry_out(call, &input),
            }
        })
    }
}

fn carry_out(call: &Call, input: &request::Input<'_>) -> Result<Reply, Failure> {
    let answer = request::build(&call.request, input)?.send()?;
    match call.answer {
        Answer::HandedOn => Ok(answer.hand_on()),
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
