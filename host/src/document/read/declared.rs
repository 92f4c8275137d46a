//! `outputParameters` beside `mappings`: the types of what the mappings make.
//!
//! Those that say themselves where their values come from belong to an answer, and are read by `output`.

use std::collections::HashMap;

use super::note;
use crate::document::diagnostic::Code;
use crate::document::fields::{Fields, wrong_type};
use crate::document::plan::{Form, Gather, Origin, Shape};
use crate::document::report::Report;
use crate::document::tree::{Kind, Node, Placed};

/// The types that an output can have.
const TYPES: [&str; 6] = ["string", "integer", "number", "boolean", "object", "array"];

/// Whether an output says itself where its value comes from.
pub fn has_origin(node: &Node) -> bool {
    let Kind::Mapping(entries) = &node.kind else { return false };
    entries.iter().any(|entry| matches!(entry.key.as_str(), "mapping" | "value" | "const"))
}

/// Reads outputs with their names, each of them once. `None` after an error.
pub fn read_all(nodes: &[Node], report: &Report) -> Option<Vec<(Placed<String>, Shape)>> {
    let outputs: Vec<_> = nodes.iter().map(|node| read_named(node, report)).collect();
    let outputs = outputs.into_iter().collect::<Option<Vec<_>>>()?;
    let mut first = HashMap::new();
    for (Placed { at, value: name }, _) in &outputs {
        note(&mut first, name, at, Code::DuplicateName, &format!("output parameter `{name}`"), report);
    }
    Some(outputs)
}

fn read_named(node: &Node, report: &Report) -> Option<(Placed<String>, Shape)> {
    let mut fields = Fields::of(node, "an output parameter", report)?;
    let name = fields.required_text("name", "the name of a member that a mapping makes");
    let form = read_form(&mut fields, report);
    fields.finish();
    let name = name?;
    let shape = Shape::member(name.value, form?);
    Some((Placed { at: name.at, value: name.value.to_owned() }, shape))
}

fn read_form(fields: &mut Fields, report: &Report) -> Option<Form> {
    let expected = format!("one of: {}", TYPES.join(", "));
    let kind = fields.required_text("type", &expected);
    let (properties, items) = (fields.node("properties"), fields.node("items"));
    fields.ignore(&["description", "required"]);
    let kind = kind?;
    Some(match (kind.value, properties, items) {
        ("string", ..) => Form::Text(None),
        ("integer", ..) => Form::Integer,
        ("number", ..) => Form::Number,
        ("boolean", ..) => Form::Boolean,
        ("object", Some(properties), _) => read_members(properties, report)?,
        ("array", _, Some(items)) => {
            let item = Shape { origin: Origin::Whole, form: read_item(items, report)? };
            Form::Array(Gather::Items, Box::new(item))
        }
        ("object" | "array", ..) => Form::AsItIs,
        (other, ..) => {
            report
                .error(Code::InvalidValue, &kind.at, format!("unknown type: {other}"))
                .expected(expected)
                .did_you_mean(other, TYPES);
            return None;
        }
    })
}

/// What an array holds: one type, or the members of the objects in it.
fn read_item(node: &Node, report: &Report) -> Option<Form> {
    let Kind::Mapping(entries) = &node.kind else {
        return read_members(node, report);
    };
    match entries.iter().any(|entry| entry.key == "type" && matches!(entry.value.kind, Kind::Text(_))) {
        true => {
            let mut fields = Fields::of(node, "the type of an item", report)?;
            let form = read_form(&mut fields, report);
            fields.finish();
            form
        }
        false => read_members(node, report),
    }
}

/// Members with their types, as a mapping from names or as a list of named ones.
fn read_members(node: &Node, report: &Report) -> Option<Form> {
    let members = match &node.kind {
        Kind::List(nodes) => {
            let named = read_all(nodes, report)?;
            named.into_iter().map(|(name, shape)| (name.value, shape)).collect()
        }
        Kind::Mapping(entries) => {
            let members = entries.iter().map(|entry| {
                let mut fields = Fields::of(&entry.value, "an output parameter", report)?;
                fields.ignore(&["name"]);
                let form = read_form(&mut fields, report);
                fields.finish();
                Some((entry.key.clone(), Shape::member(&entry.key, form?)))
            });
            members.collect::<Vec<_>>().into_iter().collect::<Option<_>>()?
        }
        _ => {
            wrong_type(node, "a mapping from names to types", report);
            return None;
        }
    };
    Some(Form::Object(members))
}
