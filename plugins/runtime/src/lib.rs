//! The guest that carries out a compiled capability document: it answers `describe` from its plan, and turns a call's input into
//! one upstream request whose answer it hands on or shapes, into the steps of a flow, or into one request for each page of a list.
//!
//! It doesn't know documents: the compiler in the host has resolved every name. It never sees a credential, and an answer that is
//! handed on is streamed by the host.

pub mod answer;
pub mod bindings;
pub mod body;
pub mod encode;
pub mod flow;
pub mod format;
pub mod input;
#[cfg(feature = "formats")]
pub mod pages;
pub mod path;
pub mod request;
pub mod shape;

use std::{cell::RefCell, collections::BTreeMap};

use airlock_sdk::{Description, Failure, Provider, Reply, internal};
use serde_json::Value as Json;

use answer::Answer;
use bindings::airlock::capability::plan::{self, Plan};
use flow::Flow;
use input::Input;
#[cfg(feature = "formats")]
use pages::Pages;
use shape::Shape;

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

/// What carries out an operation, prepared: what can be parsed once isn't parsed by each call.
enum Action {
    Call(Box<plan::Request>, Answer),
    Made(Shape),
    Flow(Flow),
    #[cfg(feature = "formats")]
    Pages(Box<Pages>),
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
        let names = description.operations.iter().map(|operation| operation.name.clone());
        let actions = names.zip(actions).map(|(name, action)| Ok((name, prepare(action)?)));
        let actions = actions.collect::<Result<_, String>>()?;
        CONFIGURED.set(Some(Configured { description, actions }));
        Ok(())
    }

    fn conditional() -> Vec<String> {
        let is_one_request =
            |(name, action): (&String, &Action)| matches!(action, Action::Call(..)).then(|| name.clone());
        CONFIGURED
            .with_borrow(|plan| plan.iter().flat_map(|plan| plan.actions.iter().filter_map(is_one_request)).collect())
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
            let input = Input::parse(&input)?;
            carry_out(action, input)
        })
    }
}

fn prepare(action: plan::Action) -> Result<Action, String> {
    Ok(match action {
        plan::Action::Call(call) => Action::Call(Box::new(call.request), Answer::compile(call.answer)?),
        plan::Action::Made(shape) => Action::Made(Shape::compile(&shape)?),
        plan::Action::Flow(flow) => Action::Flow(Flow::compile(flow)?),
        #[cfg(feature = "formats")]
        plan::Action::Pages(pages) => Action::Pages(Box::new(Pages::compile(pages)?)),
        #[cfg(not(feature = "formats"))]
        plan::Action::Pages(_) => return Err("this runtime was built without pages".to_owned()),
    })
}

fn carry_out(action: &Action, input: Input<'_>) -> Result<Reply, Failure> {
    match action {
        Action::Call(request, answer) => answer.reply(request::build(request, &input)?.send()?, &input),
        Action::Made(shape) => Ok(Reply::Structured(shape.apply(&Json::Object(serde_json::Map::new()), &input))),
        Action::Flow(flow) => flow.carry_out(input),
        #[cfg(feature = "formats")]
        Action::Pages(pages) => pages.carry_out(&input),
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
