//! Flows: several steps on the way to one result, and those that an aggregate keeps for others to refer to.

use serde_json::Value as Json;

use super::{Action, Call, Outputs, Parameter, With};
use crate::document::plan::{Part, Shape, Value};
use crate::document::tree::{Place, Placed};

/// Several steps, and what is made of their results.
#[derive(Debug)]
pub struct Flow {
    /// Where its steps stand.
    pub at: Place,
    /// The steps, each name once.
    pub steps: Vec<Step>,
    /// What the result is made of; empty = it is the answer to the last call.
    pub mappings: Vec<Mapping>,
    /// What becomes of the members that the mappings make; those that aren't named stay as they are.
    pub outputs: Vec<(Placed<String>, Shape)>,
}

/// A step of a flow.
#[derive(Debug)]
pub struct Step {
    /// How the others refer to its result.
    pub name: Placed<String>,
    /// What it does.
    pub task: Task,
}

/// What a step does.
#[derive(Debug)]
pub enum Task {
    /// Calls a consumed operation.
    Call(Call),
    /// Looks something up in what another step has led to.
    Lookup(Lookup),
}

/// A search for the entries of a list that have a value.
#[derive(Debug)]
pub struct Lookup {
    /// The list.
    pub index: Placed<Part>,
    /// The member of each entry that is compared.
    pub key: String,
    /// What it is compared with: a value, or a list of them.
    pub wanted: Placed<Value>,
    /// The members of an entry that become the result.
    pub fields: Vec<String>,
}

/// One member of the object that a flow results in.
#[derive(Debug)]
pub struct Mapping {
    /// Its name, with those of the objects around it before.
    pub target: Placed<Vec<String>>,
    /// Its value.
    pub value: Placed<Value>,
}

/// A flow of an aggregate.
#[derive(Debug)]
pub struct SharedFlow {
    /// `<namespace of the aggregate>.<flow>`, as references have it.
    pub name: Placed<String>,
    /// A display name.
    pub title: Option<String>,
    /// What it does.
    pub description: Option<String>,
    /// What it says about its effects.
    pub semantics: Semantics,
    /// The declared inputs; `None` = derived.
    pub inputs: Option<Vec<Parameter>>,
    /// What it does; `None` if that can't be read.
    pub action: Option<Action>,
    /// What the result is made of; `None` = it is the answer.
    pub outputs: Option<Outputs>,
    /// The schema of its result.
    pub output_schema: Option<Json>,
}

/// A reference to a flow of an aggregate.
#[derive(Debug)]
pub struct Reference {
    /// The flow.
    pub flow: Placed<String>,
    /// What each of its inputs gets.
    pub with: With,
}

/// What a flow says about its effects, whoever exposes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Semantics {
    /// Changes nothing.
    pub safe: Option<bool>,
    /// May be repeated.
    pub idempotent: Option<bool>,
}

impl SharedFlow {
    /// The namespace of its aggregate.
    pub fn namespace(&self) -> &str {
        self.name.value.rsplit_once('.').map_or("", |(namespace, _)| namespace)
    }
}
