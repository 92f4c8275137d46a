//! The JSONPaths (RFC 9535) into the results of a flow's steps. Pure.
//!
//! They are parsed once, when the plan comes. Whether one can lead to several places is the compiler's to say.

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::Value as Json;
use serde_json_path::JsonPath;

use crate::bindings::airlock::capability::plan::{
    Ask, Body, Extent, JsonNode, PathPart, Request, Step, StepPart, Task, TemplatePart, TextPart, Value,
};

/// The paths of a flow, parsed.
#[derive(Debug, Default)]
pub struct Paths(BTreeMap<String, JsonPath>);

impl Paths {
    /// Parses those of the steps, and of the values that the result is made of.
    ///
    /// # Errors
    /// A path that can't be read: the compiler has written something else than it promises.
    pub fn of<'p>(steps: &'p [Step], result: impl IntoIterator<Item = &'p Value>) -> Result<Self, String> {
        let of_steps = steps.iter().flat_map(|step| match &step.task {
            Task::Ask(Ask { request, .. }) => values(request).into_iter().flat_map(parts).collect(),
            Task::Find(lookup) => [vec![&lookup.index], parts(&lookup.wanted)].concat(),
        });
        let parsed = of_steps.chain(result.into_iter().flat_map(parts)).map(|StepPart { path, .. }| {
            let parsed = JsonPath::parse(path).map_err(|e| format!("{path}: {e}"))?;
            Ok((path.clone(), parsed))
        });
        parsed.collect::<Result<_, String>>().map(Self)
    }

    /// What a part is of the value that its step has led to: a value, or the list of them where there can be several. `None` where
    /// the path leads nowhere.
    pub fn find<'v>(&self, part: &StepPart, value: &'v Json) -> Option<Cow<'v, Json>> {
        let found = self.0.get(&part.path)?.query(value).all();
        match part.leads_to {
            Extent::One => found.first().map(|value| Cow::Borrowed(*value)),
            Extent::Several => Some(Cow::Owned(found.into_iter().cloned().collect())),
        }
    }
}

/// All values that a request is made of.
fn values(request: &Request) -> Vec<&Value> {
    let path = request.path.iter().filter_map(|part| match part {
        PathPart::Value(value) => Some(value),
        PathPart::Literal(_) | PathPart::Rest(_) => None,
    });
    let query = request.query.iter().map(|it| &it.value);
    let named = request.headers.iter().chain(&request.cookies).map(|it| &it.value);
    let body: Vec<&Value> = match &request.body {
        Body::Empty | Body::Streamed => Vec::new(),
        Body::Json(value) => vec![value],
        Body::JsonMembers(members) | Body::Form(members) => members.iter().map(|it| &it.value).collect(),
        Body::JsonTree(nodes) => nodes
            .iter()
            .filter_map(|node| match node {
                JsonNode::Value(value) => Some(value),
                JsonNode::Object(_) | JsonNode::Array(_) => None,
            })
            .collect(),
        Body::Text(text) => text
            .parts
            .iter()
            .filter_map(|part| match part {
                TextPart::Hole(hole) => Some(&hole.value),
                TextPart::Text(_) => None,
            })
            .collect(),
        Body::Multipart(parts) => parts
            .iter()
            .flat_map(|part| [Some(&part.value), part.filename.as_ref(), part.content_type.as_ref()])
            .flatten()
            .collect(),
    };
    path.chain(query).chain(named).chain(body).collect()
}

/// The parts of steps' results that a value is made of.
fn parts(value: &Value) -> Vec<&StepPart> {
    match value {
        Value::Step(part) => vec![part],
        Value::Template(parts) => parts
            .iter()
            .filter_map(|part| match part {
                TemplatePart::Step(part) => Some(part),
                TemplatePart::Text(_) | TemplatePart::Input(_) => None,
            })
            .collect(),
        Value::Input(_) | Value::Constant(_) => Vec::new(),
    }
}
