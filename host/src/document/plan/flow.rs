//! Flows, ready to be carried out.

use super::{RawFormat, Request, Shape, Value};

/// Several steps on the way to one result.
#[derive(Clone, Debug, PartialEq)]
pub struct Flow {
    /// In the order of the document.
    pub steps: Vec<Step>,
    /// What the result is.
    pub outcome: Outcome,
}

/// A step of a flow.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Its name, for whoever reads that it failed.
    pub name: String,
    /// The steps that must be done before, by their place in the flow. Never leads back to the step itself.
    pub after: Vec<usize>,
    /// What it does.
    pub task: Task,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// Sends a request.
    Ask(Box<Request>, Keep),
    /// Searches what another step has led to.
    Find(Lookup),
}

/// What is kept of the answer to a step's request.
#[derive(Clone, Debug, PartialEq)]
pub enum Keep {
    /// That it is no error.
    Nothing,
    /// The answer itself, unread.
    Answer,
    /// The JSON value that it holds or becomes, in this shape.
    Value(RawFormat, Shape),
}

/// A search for the entries of a list that have a value.
#[derive(Clone, Debug, PartialEq)]
pub struct Lookup {
    /// The list.
    pub index: Part,
    /// The member of each entry that is compared.
    pub key: String,
    /// What it is compared with: a value, or a list of them.
    pub wanted: Value,
    /// The members of an entry that become the result.
    pub fields: Vec<String>,
}

/// A part of what a step has led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The step, by its place in the flow.
    pub step: usize,
    /// A JSONPath into its result.
    pub path: String,
}

/// What the result of a flow is.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The answer to the request of this step, unread.
    Answer(usize),
    /// A value that is made of what the steps have led to.
    Made {
        /// The step whose result is the source of the first shape; none = an empty object.
        source: Option<usize>,
        /// The shapes, one after the other: each makes the source of the next.
        shapes: Vec<Shape>,
    },
}
