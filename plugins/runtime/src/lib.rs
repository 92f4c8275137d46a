//! The guest that carries out a compiled capability document: it answers `describe` from its plan, and turns a call's input into
//! one upstream request whose answer it hands on or shapes, into the steps of a flow, or into one request for each page of a list.
//!
//! It doesn't know documents: the compiler in the host has resolved every name. It never sees a credential, and an answer that is
//! handed on is streamed by the host.

pub mod answer;
pub mod bindings;
pub mod body;
pub mod encode;
#[cfg(feature = "results")]
pub mod flow;
#[cfg(feature = "results")]
pub mod format;
pub mod input;
#[cfg(feature = "results")]
pub mod pages;
#[cfg(feature = "results")]
pub mod path;
#[cfg(feature = "results")]
pub mod reading;
pub mod request;
#[cfg(feature = "results")]
pub mod shape;

use std::{cell::RefCell, collections::BTreeMap};

use airlock_sdk::{Content, Description, EmbeddedResource, Failure, Provider, Reply, internal};
use answer::Answer;
use bindings::airlock::capability::plan::{self, Facts, Plan};
#[cfg(feature = "results")]
use flow::Flow;
use input::Input;
#[cfg(feature = "results")]
use pages::Pages;
#[cfg(feature = "results")]
use shape::Shape;

/// Why a plan is refused that wants what this build leaves out.
#[cfg(not(feature = "results"))]
pub(crate) const HANDS_ON_ONLY: &str = "this runtime hands answers on, and makes no results";

thread_local! {
    /// Written once by `configure`, at compile time; the snapshot of the memory carries it into every instance.
    static CONFIGURED: RefCell<Option<Configured>> = const { RefCell::new(None) };
}

/// What `configure` keeps.
struct Configured {
    description: Description,
    /// Ordered: the snapshot of one plan is always the same.
    actions: BTreeMap<String, Action>,
    facts: Facts,
}

/// What carries out an operation, prepared: what can be parsed once isn't parsed by each call.
enum Action {
    Call(Box<plan::Request>, Answer),
    #[cfg(feature = "results")]
    Made(Shape),
    #[cfg(feature = "results")]
    Flow(Flow),
    #[cfg(feature = "results")]
    Pages(Box<Pages>),
    Constant(EmbeddedResource),
}

/// The guest.
pub struct Runtime;

impl bindings::Guest for Runtime {
    fn configure(plan: Plan) -> Result<(), String> {
        let Plan { description, actions, facts } = plan;
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
        CONFIGURED.set(Some(Configured { description, actions, facts }));
        Ok(())
    }

    fn tell() -> Facts {
        CONFIGURED.with_borrow(|plan| plan.as_ref().expect("a document is asked when it is configured").facts.clone())
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
        #[cfg(not(feature = "results"))]
        plan::Action::Call(call) if matches!(call.request.body, plan::Body::Streamed) => {
            return Err(HANDS_ON_ONLY.to_owned());
        }
        plan::Action::Call(call) => Action::Call(Box::new(call.request), Answer::compile(call.answer)?),
        #[cfg(feature = "results")]
        plan::Action::Made(shape) => Action::Made(Shape::compile(&shape)?),
        #[cfg(feature = "results")]
        plan::Action::Flow(flow) => Action::Flow(Flow::compile(flow)?),
        #[cfg(feature = "results")]
        plan::Action::Pages(pages) => Action::Pages(Box::new(Pages::compile(pages)?)),
        #[cfg(not(feature = "results"))]
        plan::Action::Made(_) | plan::Action::Flow(_) | plan::Action::Pages(_) => {
            return Err(HANDS_ON_ONLY.to_owned());
        }
        plan::Action::Constant(contents) => Action::Constant(contents),
    })
}

fn carry_out(action: &Action, input: Input<'_>) -> Result<Reply, Failure> {
    match action {
        Action::Call(request, answer) => answer.reply(request::build(request, &input)?.send()?, &input),
        #[cfg(feature = "results")]
        Action::Made(shape) => {
            Ok(Reply::Structured(shape.apply(&serde_json::Value::Object(serde_json::Map::new()), &input)))
        }
        #[cfg(feature = "results")]
        Action::Flow(flow) => flow.carry_out(input),
        #[cfg(feature = "results")]
        Action::Pages(pages) => pages.carry_out(&input),
        Action::Constant(contents) => Ok(Reply::Content(vec![Content::Resource(contents.clone())])),
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
