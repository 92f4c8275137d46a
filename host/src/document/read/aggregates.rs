//! `aggregates`: flows that REST operations and tools refer to.

use std::collections::HashMap;

use super::argument::Scope;
use super::parameter::{self, Owner};
use super::{TITLE, action, check_name, note, output, responses};
use crate::contract::Audience;
use crate::document::diagnostic::Code;
use crate::document::fields::Fields;
use crate::document::imports::{is_import, own_name};
use crate::document::model::{Secrets, Semantics, SharedFlow};
use crate::document::report::Report;
use crate::document::tree::{Node, Placed};

/// What a flow is called: `functions` until the release that renamed it.
const FLOWS: [&str; 2] = ["functions", "flows"];

/// The most flows of all aggregates together: as many as can be exposed, each of which is looked up among all of these.
const MAX_FLOWS: usize = 5_000;

/// Reads all aggregates.
pub fn read(nodes: &[Node], secrets: &Secrets, report: &Report) -> Vec<SharedFlow> {
    let nodes = nodes.iter().filter(|node| !is_import("aggregates", node));
    let mut flows: Vec<_> = nodes.flat_map(|node| read_aggregate(node, secrets, report)).collect();
    if let Some(extra) = flows.get(MAX_FLOWS) {
        report
            .error(Code::Limit, &extra.name.at, format!("too many flows of aggregates: {}", flows.len()))
            .expected(format!("at most {MAX_FLOWS}"))
            .hint("split the document: one capability per file");
        flows.truncate(MAX_FLOWS);
    }
    let mut first = HashMap::new();
    flows.retain(|flow| {
        let Placed { at, value: name } = &flow.name;
        note(&mut first, name.clone(), at, Code::DuplicateName, &format!("flow `{name}`"), report)
    });
    flows
}

fn read_aggregate(node: &Node, secrets: &Secrets, report: &Report) -> Vec<SharedFlow> {
    let Some(mut fields) = Fields::of(node, "an aggregate", report) else {
        return Vec::new();
    };
    fields.ignore(&["label", "display", "title", "description", "tags"]);
    let namespace = fields.required_text("namespace", "the name by which `ref` refers to it");
    let namespace = namespace.and_then(|namespace| check_name(namespace, report));
    let lists: Vec<&[Node]> = FLOWS.iter().map(|key| fields.list(key)).collect();
    if lists.iter().all(|list| list.is_empty()) {
        fields.missing("flows").expected("a list with at least one flow");
    }
    fields.finish();
    let Some(namespace) = namespace else {
        return Vec::new();
    };
    // Whose calls it takes is said by what exposes it.
    let scope =
        Scope { namespace: &namespace.value, own_name: own_name(node), secrets, audience: Audience::Known, steps: &[] };
    lists.concat().iter().filter_map(|node| read_flow(node, &scope, report)).collect()
}

fn read_flow(node: &Node, scope: &Scope, report: &Report) -> Option<SharedFlow> {
    let mut fields = Fields::of(node, "a flow", report)?;
    fields.ignore(&["tags"]);
    if let Some(media_type) = fields.text("outputMediaType") {
        responses::report_unpublished(&media_type.at, "what the flow calls says which media type it has", report);
    }
    let name = fields.required_text("name", "the name by which `ref` refers to it");
    let title = fields.text_of_any(&TITLE);
    let description = fields.text("description").map(|text| text.value.to_owned());
    let semantics = read_semantics(fields.node("semantics"), report);
    let output_schema = output::read_schema(&mut fields, report);
    let inputs = fields.node("inputParameters").map(|_| {
        let mut inputs = parameter::read_all(fields.list("inputParameters"), Owner::Tool, report);
        // As for a tool, whoever exposes it.
        inputs.iter_mut().for_each(|input| input.required = Some(input.required.unwrap_or(true)));
        inputs
    });
    let action = action::read(&mut fields, scope, report);
    let outputs = action::read_outputs(&mut fields, action.as_ref(), scope, report);
    fields.finish();
    let name = check_name(name?, report)?;
    let qualified = format!("{}.{}", scope.namespace, name.value);
    Some(SharedFlow {
        name: Placed { at: name.at, value: qualified },
        title,
        description,
        semantics,
        inputs,
        action,
        outputs,
        output_schema,
    })
}

fn read_semantics(node: Option<&Node>, report: &Report) -> Semantics {
    let Some(mut fields) = node.and_then(|node| Fields::of(node, "semantics", report)) else {
        return Semantics::default();
    };
    let semantics = Semantics { safe: fields.boolean("safe"), idempotent: fields.boolean("idempotent") };
    // It allows a cache and asks for none.
    fields.boolean("cacheable");
    fields.finish();
    semantics
}
