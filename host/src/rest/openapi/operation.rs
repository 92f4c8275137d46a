//! One operation: its parameters where they stand in the request, its body, its answers.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, Value, json};

use super::{Entry, problems, schemas::Schemas};
use crate::{
    contract::{Location, Operation, Parameter},
    rest::input::is_in_body,
};

/// How much of a description becomes the summary, where there is no title.
const MAX_SUMMARY: usize = 80;

/// Renders an operation. `variables` are the names of the path's variables in the document, by those of the route.
pub(super) fn render(entry: &Entry<'_>, variables: &BTreeMap<&str, &str>, schemas: &mut Schemas) -> Value {
    let operation = entry.operation;
    let mut rendered = json!({
        "operationId": format!("{}.{}", entry.plugin, operation.name),
        "summary": summary(operation),
        "description": operation.description,
        "tags": [entry.plugin],
    });
    let parameters = parameters(entry, variables, schemas);
    if !parameters.is_empty() {
        rendered["parameters"] = parameters.into();
    }
    let body = body(entry, schemas);
    rendered["responses"] = responses(entry, body.is_some(), schemas);
    if let Some(body) = body {
        rendered["requestBody"] = body;
    }
    rendered
}

/// A title, else the beginning of the description, else the name.
fn summary(operation: &Operation) -> String {
    if let Some(title) = &operation.title {
        return title.clone();
    }
    let sentence = operation.description.split_inclusive(". ").next().unwrap_or_default().trim().trim_end_matches('.');
    match sentence.chars().count() {
        0 => operation.name.clone(),
        1..=MAX_SUMMARY => sentence.to_owned(),
        _ => sentence.chars().take(MAX_SUMMARY - 1).chain(['…']).collect(),
    }
}

fn parameters(entry: &Entry<'_>, variables: &BTreeMap<&str, &str>, schemas: &mut Schemas) -> Vec<Value> {
    let mut seen = HashSet::new();
    let outside = entry.route.parameters.iter().filter(|it| !is_in_body(it) && it.location != Location::RawBody);
    // A document has one parameter of a name and place.
    let once = outside.filter(|it| seen.insert((it.location, it.name.as_str())));
    once.map(|it| parameter(entry, it, variables, schemas)).collect()
}

fn parameter(
    entry: &Entry<'_>,
    parameter: &Parameter,
    variables: &BTreeMap<&str, &str>,
    schemas: &mut Schemas,
) -> Value {
    let schema = schema_of(entry, parameter, schemas);
    let own = parameter.name.as_str();
    let (place, name) = match parameter.location {
        Location::Path => ("path", variables.get(own).copied().unwrap_or(own)),
        Location::Query => ("query", own),
        Location::Header => ("header", own),
        Location::Cookie | Location::Body | Location::BodyMember | Location::RawBody => ("cookie", own),
        Location::RawQuery => return any_query(own),
    };
    let mut rendered = json!({"name": name, "in": place});
    if let Some(description) = schema["description"].as_str() {
        rendered["description"] = description.into();
    }
    if place == "path" || is_required(entry.operation, parameter) {
        rendered["required"] = true.into();
    }
    match schema["type"].as_str() {
        // Written as JSON text: what no style can write without losing the types inside.
        Some("object") => rendered["content"] = json!({"application/json": {"schema": schema}}),
        Some("array") => {
            // Repeated keys in a query; elsewhere one text with commas.
            rendered["explode"] = (place == "query").into();
            rendered["schema"] = schema;
        }
        _ => rendered["schema"] = schema,
    }
    rendered
}

/// A query of whatever keys: an object's members are keys of their own.
fn any_query(name: &str) -> Value {
    json!({
        "name": name,
        "in": "query",
        "description": "Any query: it is handed on as it comes.",
        "style": "form",
        "explode": true,
        "schema": {"type": "object", "additionalProperties": {"type": "string"}},
    })
}

fn body(entry: &Entry<'_>, schemas: &mut Schemas) -> Option<Value> {
    if entry.route.has(Location::RawBody) {
        let description = "Bytes of any type: they are handed on as they come.";
        return Some(json!({"description": description, "required": false, "content": {"*/*": {"schema": {}}}}));
    }
    let parameters: Vec<&Parameter> = entry.route.parameters.iter().filter(|it| is_in_body(it)).collect();
    let whole = parameters.iter().find(|it| it.location == Location::Body);
    let schema = match (whole, parameters.as_slice()) {
        (_, []) => return None,
        (Some(whole), _) => schema_of(entry, whole, schemas),
        (None, members) => object(entry, members, schemas),
    };
    let is_required = parameters.iter().any(|it| is_required(entry.operation, it));
    let mut rendered = json!({"required": is_required, "content": {"application/json": {"schema": schema}}});
    if let Some(description) = whole.and(rendered["content"]["application/json"]["schema"]["description"].as_str()) {
        rendered["description"] = description.into();
    }
    Some(rendered)
}

/// A body whose members are inputs of their own; others are refused.
fn object(entry: &Entry<'_>, members: &[&Parameter], schemas: &mut Schemas) -> Value {
    let properties: Map<String, Value> =
        members.iter().map(|it| (it.name.clone(), schema_of(entry, it, schemas))).collect();
    let required: Vec<&str> =
        members.iter().filter(|it| is_required(entry.operation, it)).map(|it| it.name.as_str()).collect();
    let mut schema = json!({"type": "object", "properties": properties, "additionalProperties": false});
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    schema
}

fn schema_of(entry: &Entry<'_>, parameter: &Parameter, schemas: &mut Schemas) -> Value {
    let name = format!("{}.{}.input", entry.plugin, entry.operation.name);
    schemas.property(&name, &entry.operation.input_schema, &parameter.input)
}

fn is_required(operation: &Operation, parameter: &Parameter) -> bool {
    let required = operation.input_schema["required"].as_array();
    required.is_some_and(|names| names.iter().any(|it| *it == parameter.input.as_str()))
}

/// The result, whatever the success is called, and all that can go wrong.
fn responses(entry: &Entry<'_>, has_body: bool, schemas: &mut Schemas) -> Value {
    let headers = json!({"X-Request-Id": {"$ref": "#/components/headers/RequestId"}});
    let mut result = json!({"description": "The result.", "headers": headers});
    if let Some(schema) = &entry.operation.output_schema {
        let name = format!("{}.{}.output", entry.plugin, entry.operation.name);
        result["content"] = json!({"application/json": {"schema": schemas.add(&name, schema)}});
    }
    let mut responses = Map::from_iter([
        ("200".to_owned(), result.clone()),
        ("204".to_owned(), json!({"description": "It is done; there is nothing to tell.", "headers": headers})),
        ("2XX".to_owned(), result),
    ]);
    if entry.route.method == "GET" {
        let unchanged =
            json!({"description": "Unchanged since the answer that the request names.", "headers": headers});
        responses.insert("304".to_owned(), unchanged);
    }
    responses.extend(problems::of_operation(has_body));
    responses.into()
}
