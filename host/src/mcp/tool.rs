//! An operation as an MCP tool, and what is said when there is no such tool.
//!
//! Names and scopes are the catalog's.

use std::sync::Arc;

use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::Value;

use super::Era;
use crate::contract::Operation;

/// A tool's name has at most this length, so no more of an unknown name is repeated or compared.
const MAX_NAME: usize = 128;

/// How many names are suggested: a model picks from three, a longer list is `tools/list`.
const SUGGESTIONS: usize = 3;

/// The operation as a tool of this name.
pub(super) fn render(name: &str, operation: &Operation, era: Era) -> Tool {
    let effects = operation.effects;
    let annotations = ToolAnnotations::from_raw(
        operation.title.clone(),
        Some(effects.read_only),
        Some(effects.destructive),
        Some(effects.idempotent),
        Some(effects.open_world),
    );
    let mut tool = Tool::new(name.to_owned(), operation.description.clone(), object(&operation.input_schema))
        .with_annotations(annotations);
    tool.title = operation.title.clone();
    tool.output_schema = output_schema(operation, era).map(object);
    tool
}

/// The output schema that a client is told: legacy clients know only schemas of objects.
pub(super) fn output_schema(operation: &Operation, era: Era) -> Option<&Value> {
    let schema = operation.output_schema.as_ref()?;
    let fits = match era {
        Era::Modern => schema.is_object(),
        Era::Legacy => schema.get("type").is_some_and(|it| it == "object"),
    };
    fits.then_some(schema)
}

/// Whether a schema asks for arguments to be repeated in `Mcp-Param-*` headers.
pub(super) fn wants_headers(schema: &Value) -> bool {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return false;
    };
    properties.values().any(|it| it.get("x-mcp-header").is_some() || wants_headers(it))
}

/// What to do about a name that resembles none, where all tools are listed.
pub(super) const LIST: &str = "list the tools to see their names";

/// What is said about a name that no tool has: the nearest names or, where there is none that is near, what to do `elsewise`.
pub(super) fn unknown<'a>(name: &str, names: impl Iterator<Item = &'a str>, elsewise: &str) -> String {
    let quoted = quoted(name);
    match nearest(name, names).as_slice() {
        [] => format!("unknown tool: {quoted}; {elsewise}"),
        near => format!("unknown tool: {quoted}; the nearest names are {}", near.join(", ")),
    }
}

/// A name of the client's, not longer than one of ours could be.
pub(super) fn quoted(name: &str) -> &str {
    &name[..name.floor_char_boundary(MAX_NAME)]
}

/// The names that were probably meant, the closest first: those that differ in the plugin before the dot, or in at most a third of
/// their letters.
fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    if name.len() > MAX_NAME {
        return Vec::new();
    }
    let mut near: Vec<(usize, &str)> = names.filter_map(|known| Some((distance(name, known)?, known))).collect();
    near.sort_by_key(|(distance, _)| *distance);
    near.into_iter().take(SUGGESTIONS).map(|(_, known)| known).collect()
}

fn distance(written: &str, known: &str) -> Option<usize> {
    let plain = |name: &str| name.rsplit('.').next().unwrap_or_default().to_lowercase();
    let allowed = (written.len() / 3).max(1);
    if plain(written) == plain(known) {
        return Some(0);
    }
    // The comparison takes the product of both lengths; this spares it for most of many tools.
    if written.len().abs_diff(known.len()) > allowed {
        return None;
    }
    let edits = strsim::osa_distance(&written.to_lowercase(), &known.to_lowercase());
    (edits <= allowed).then_some(edits)
}

fn object(schema: &Value) -> Arc<JsonObject> {
    Arc::new(schema.as_object().cloned().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::contract::{Audience, Effects};

    fn operation(output_schema: Option<Value>) -> Operation {
        Operation {
            name: "read".to_owned(),
            title: Some("Read".to_owned()),
            description: "Reads one.".to_owned(),
            input_schema: json!({"type": "object", "$defs": {"a": {"$anchor": "x"}}}),
            output_schema,
            effects: Effects { read_only: true, destructive: false, idempotent: true, open_world: true },
            audience: Audience::Anyone,
            route: None,
            tool: Some("read".to_owned()),
        }
    }

    #[test]
    fn a_tool_says_all_that_the_operation_says() {
        let tool = render("users.read", &operation(None), Era::Modern);
        assert_eq!(
            serde_json::to_value(tool).expect("a tool is JSON"),
            json!({
                "name": "users.read",
                "title": "Read",
                "description": "Reads one.",
                "inputSchema": {"type": "object", "$defs": {"a": {"$anchor": "x"}}},
                "annotations": {
                    "title": "Read",
                    "readOnlyHint": true,
                    "destructiveHint": false,
                    "idempotentHint": true,
                    "openWorldHint": true,
                },
            })
        );
    }

    #[test]
    fn legacy_clients_see_object_schemas_only() {
        let (object, array) = (json!({"type": "object"}), json!({"type": "array"}));
        for (schema, era, told) in [
            (&object, Era::Legacy, true),
            (&object, Era::Modern, true),
            (&array, Era::Legacy, false),
            (&array, Era::Modern, true),
            (&json!(true), Era::Modern, false),
        ] {
            let tool = render("read", &operation(Some(schema.clone())), era);
            assert_eq!(tool.output_schema.is_some(), told, "{schema} {era:?}");
        }
    }

    #[test]
    fn schemas_that_want_headers_are_found() {
        let nested = json!({"x-mcp-header": "Region", "type": "string"});
        for (schema, wanted) in [
            (json!({"type": "object"}), false),
            (json!({"properties": {"a": {"type": "string"}}}), false),
            (json!({"properties": {"a": nested}}), true),
            (json!({"properties": {"a": {"properties": {"b": nested}}}}), true),
        ] {
            assert_eq!(wants_headers(&schema), wanted, "{schema}");
        }
    }

    #[test]
    fn an_unknown_name_brings_the_nearest_ones() {
        let names = ["list-users", "list-user-roles", "users.read", "metal.read", "delete"];
        let long = "x".repeat(10_000);
        let cut = format!("unknown tool: {}; list the tools to see their names", &long[..128]);
        for (name, text) in [
            ("listUsers", "unknown tool: listUsers; the nearest names are list-users"),
            ("read", "unknown tool: read; the nearest names are users.read, metal.read"),
            ("rest.delete", "unknown tool: rest.delete; the nearest names are delete"),
            ("frobnicate", "unknown tool: frobnicate; list the tools to see their names"),
            ("", "unknown tool: ; list the tools to see their names"),
            (&long, &cut),
        ] {
            assert_eq!(unknown(name, names.into_iter(), LIST), text);
        }
    }
}
