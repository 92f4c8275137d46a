//! The JSONPaths (RFC 9535) into the results of a flow's steps. Pure.
//!
//! They are parsed once, when the plan comes. Whether one can lead to several places is the compiler's to say.

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::Value as Json;
use serde_json_path::JsonPath;

use crate::bindings::airlock::capability::plan::{
    Ask, Body, Extent, JsonNode, PathPart, Request, Step, StepPart, Task, TemplatePart, TextPart, Value,
};

/// A path that has been parsed.
#[derive(Debug)]
pub struct Path {
    parsed: JsonPath,
    leads_to: Extent,
}

impl Path {
    /// Parses a path.
    ///
    /// # Errors
    /// It can't be parsed: the compiler has written something else than it promises.
    pub fn read(path: &str, leads_to: Extent) -> Result<Self, String> {
        let parsed = JsonPath::parse(path).map_err(|e| format!("{path}: {e}"))?;
        Ok(Self { parsed, leads_to })
    }

    /// What it leads to: a value, or the list of them where there can be several. `None` where it leads nowhere.
    pub fn find<'v>(&self, value: &'v Json) -> Option<Cow<'v, Json>> {
        let found = self.parsed.query(value).all();
        match self.leads_to {
            Extent::One => found.first().map(|value| Cow::Borrowed(*value)),
            Extent::Several => Some(Cow::Owned(found.into_iter().cloned().collect())),
        }
    }
}

/// The paths of a flow into what its steps have led to.
#[derive(Debug, Default)]
pub struct Paths(BTreeMap<String, Path>);

impl Paths {
    /// Parses those of the steps, and of the values that the result is made of.
    ///
    /// # Errors
    /// As [`Path::read`].
    pub fn of<'p>(steps: &'p [Step], result: impl IntoIterator<Item = &'p Value>) -> Result<Self, String> {
        let of_steps = steps.iter().flat_map(|step| match &step.task {
            Task::Ask(Ask { request, .. }) => values(request).into_iter().flat_map(parts).collect(),
            Task::Find(lookup) => [vec![&lookup.index], parts(&lookup.wanted)].concat(),
        });
        let all = of_steps.chain(result.into_iter().flat_map(parts));
        let parsed = all.map(|part| Ok((part.path.clone(), Path::read(&part.path, part.leads_to)?)));
        parsed.collect::<Result<_, String>>().map(Self)
    }

    /// What a part is of the value that its step has led to. As [`Path::find`].
    pub fn find<'v>(&self, part: &StepPart, value: &'v Json) -> Option<Cow<'v, Json>> {
        self.0.get(&part.path)?.find(value)
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
