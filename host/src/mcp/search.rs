//! `search_tools`: finds tools by words, among those that the caller may call and no others.
//!
//! How texts are ranked is `bm25`'s. Each set of tools that somebody may call has an index of its own: even how rare a word is among
//! the others would tell of those that are hidden.

use rmcp::model::{CallToolResult, ContentBlock, JsonObject};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Era,
    bm25::{Document, Index},
    failure, tool,
};
use crate::{
    callers::Identity,
    catalog::{Scope, Snapshot, Tool, Views},
    contract::Operation,
};

/// How many tools a search gives, if the client doesn't say. 5: a model picks from few, and each comes with its schema.
const FOUND: usize = 5;

/// How many it gives at most.
const MAX_FOUND: usize = 20;

/// The most bytes of a result, but for the first match, which is always whole: about 8000 tokens, a small part of what a model can
/// read at once.
const MAX_RESULT: usize = 32 << 10;

/// How many further matches are named: those that a model may have meant after all.
const NAMED: usize = 5;

/// The longest query: a question has a few words, and each is looked up.
const MAX_QUERY: usize = 1000;

/// How much a word counts that stands in the name or title of a tool, and in that of a parameter; elsewhere it counts once. What a
/// tool is called says more than what is said about it.
const NAME: f32 = 3.0;
const PARAMETER: f32 = 1.5;

/// The indexes of an endpoint, for the latest snapshot that was searched. The first search after a change makes them anew.
#[derive(Debug, Default)]
pub(super) struct Indexes(Views<Index>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    query: String,
    #[serde(default = "found")]
    limit: usize,
}

fn found() -> usize {
    FOUND
}

pub(super) fn input_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "query": {
                "type": "string", "minLength": 1, "maxLength": MAX_QUERY,
                "description": "Words that the tool's name, description or parameters may have, or its exact name.",
            },
            "limit": {"type": "integer", "minimum": 1, "maximum": MAX_FOUND, "default": FOUND},
        },
        "required": ["query"],
        "additionalProperties": false,
    })
}

pub(super) fn output_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "tools": {"type": "array", "items": {"type": "object"}, "description": "As they would be listed, the best match first."},
            "hint": {"type": "string", "description": "What there is besides, and how to get it."},
        },
        "required": ["tools"],
    })
}

impl Indexes {
    /// The tools that match, the best first. One that has the very name comes before all others.
    fn search<'a>(&self, snapshot: &'a Snapshot, scope: &Scope, identity: &Identity, query: &str) -> Vec<&'a Tool> {
        let tools = snapshot.tools(scope, identity);
        let documents =
            || tools.iter().map(|tool| document(tool.operation.plugin().name(), tool.operation.operation()));
        let index = self.0.of(snapshot, identity, || Index::of(documents().collect()));
        let mut found: Vec<&Tool> = index.search(query).into_iter().map(|at| tools[at]).collect();
        found.sort_by_key(|tool| tool.name != query.trim());
        found
    }
}

/// What a tool is found by. Its name is the plugin's for it: the one that is listed depends on what else there is.
fn document(plugin: &str, operation: &Operation) -> Document {
    let mut document = Document::default();
    document.add(plugin, 1.0);
    document.add(operation.tool.as_deref().unwrap_or_default(), NAME);
    document.add(operation.title.as_deref().unwrap_or_default(), NAME);
    document.add(&operation.description, 1.0);
    add_parameters(&mut document, &operation.input_schema);
    document
}

/// The parameters, with those inside of objects and lists. How deep they lie was bounded when the plugin was loaded.
fn add_parameters(document: &mut Document, schema: &Value) {
    for (name, parameter) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        document.add(name, PARAMETER);
        document.add(parameter.get("description").and_then(Value::as_str).unwrap_or_default(), 1.0);
        add_parameters(document, parameter);
    }
    schema.get("items").into_iter().for_each(|items| add_parameters(document, items));
}

/// Carries out a search.
pub(super) fn call(
    indexes: &Indexes,
    (snapshot, scope): (&Snapshot, &Scope),
    identity: &Identity,
    era: Era,
    arguments: JsonObject,
) -> CallToolResult {
    match asked(arguments) {
        Ok(Asked { query, limit }) => {
            let found = indexes.search(snapshot, scope, identity, &query);
            shown(found.iter().map(|tool| (tool.name.as_str(), tool.operation.operation())), limit, era)
        }
        Err(problem) => failure::misused(problem),
    }
}

fn asked(arguments: JsonObject) -> Result<Asked, String> {
    let asked: Asked = serde_json::from_value(Value::Object(arguments)).map_err(|e| e.to_string())?;
    match () {
        () if asked.query.chars().count() > MAX_QUERY => Err(format!("query: longer than {MAX_QUERY} characters")),
        () if !(1..=MAX_FOUND).contains(&asked.limit) => Err(format!("limit: expected 1 to {MAX_FOUND}")),
        () => Ok(asked),
    }
}

/// As many matches as there is room for, with a hint at the others.
fn shown<'a>(found: impl ExactSizeIterator<Item = (&'a str, &'a Operation)>, limit: usize, era: Era) -> CallToolResult {
    let mut found = found.peekable();
    let (mut tools, mut bytes) = (Vec::new(), 0);
    while let Some((name, operation)) = found.peek() {
        let tool = described(name, operation, era);
        bytes += tool.to_string().len();
        if tools.len() == limit || (bytes > MAX_RESULT && !tools.is_empty()) {
            break;
        }
        tools.push(tool);
        found.next();
    }
    let hint = match (tools.is_empty(), found.len()) {
        (true, _) => Some("no tool matches; try other words of what is to be read or done".to_owned()),
        (false, 0) => None,
        (false, others) => {
            let next: Vec<&str> = found.take(NAMED).map(|(name, _)| name).collect();
            let next = next.join(", ");
            Some(format!(
                "{others} more match, the next are {next}: search for one by its name, or by more particular words"
            ))
        }
    };
    let mut value = json!({"tools": tools});
    if let Some(hint) = hint {
        value["hint"] = hint.into();
    }
    let mut result = CallToolResult::success(vec![ContentBlock::text(value.to_string())]);
    result.structured_content = Some(value);
    result
}

/// A tool as it would be listed, but for the schema of its results: a model needs none to call it.
fn described(name: &str, operation: &Operation, era: Era) -> Value {
    let mut tool = tool::render(name, operation, era);
    tool.output_schema = None;
    serde_json::to_value(tool).expect("a tool is JSON")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::reply::tests::operation;

    fn named(name: &str, bytes: usize) -> (String, Operation) {
        let mut operation = operation(Some(json!({"type": "object"})));
        operation.description = "x".repeat(bytes);
        (name.to_owned(), operation)
    }

    fn show(found: &[(String, Operation)], limit: usize) -> (Vec<String>, Option<String>) {
        let result = shown(found.iter().map(|(name, operation)| (name.as_str(), operation)), limit, Era::Modern);
        let value = result.structured_content.expect("a value");
        assert_eq!(result.content[0].as_text().expect("a text").text, value.to_string());
        let tools = value["tools"].as_array().expect("a list").iter();
        let names = tools.map(|it| it["name"].as_str().expect("a name").to_owned());
        (names.collect(), value.get("hint").map(|it| it.as_str().expect("a text").to_owned()))
    }

    #[test]
    fn a_result_has_no_more_than_a_model_can_read() {
        let found: Vec<_> = "abcdefghij".chars().map(|it| named(&it.to_string(), 10)).collect();
        let long: Vec<_> = "abc".chars().map(|it| named(&it.to_string(), MAX_RESULT / 2)).collect();
        let very_long = [named("a", MAX_RESULT * 2), named("b", 10)];
        let more = |count, names: &str| {
            Some(format!(
                "{count} more match, the next are {names}: search for one by its name, or by more particular words"
            ))
        };
        for (found, limit, names, hint) in [
            (&found[..0], 5, "", Some("no tool matches; try other words of what is to be read or done".to_owned())),
            (&found[..5], 5, "abcde", None),
            (&found[..6], 5, "abcde", more(1, "f")),
            (&found[..], 2, "ab", more(8, "c, d, e, f, g")),
            (&long[..], 5, "a", more(2, "b, c")),
            (&very_long[..], 5, "a", more(1, "b")),
        ] {
            assert_eq!(show(found, limit), (names.chars().map(String::from).collect(), hint));
        }
    }

    #[test]
    fn a_match_has_what_a_call_needs() {
        let (name, operation) = named("users.read", 3);
        assert_eq!(
            described(&name, &operation, Era::Modern),
            json!({
                "name": "users.read",
                "description": "xxx",
                "inputSchema": {"type": "object"},
                "annotations": {
                    "readOnlyHint": false, "destructiveHint": false, "idempotentHint": true, "openWorldHint": true,
                },
            })
        );
    }

    #[test]
    fn a_tool_is_found_by_all_that_is_said_of_it() {
        let mut it = operation(None);
        it.title = Some("Fetch account".to_owned());
        it.description = "Reads one person.".to_owned();
        it.input_schema = json!({"properties": {
            "orgId": {"description": "The organization."},
            "filter": {"properties": {"emailAddress": {}}},
            "parts": {"items": {"properties": {"colour": {"description": "Of hair"}}}},
        }});
        let index = Index::of(vec![document("people", &it), document("ping", &operation(None))]);
        for word in ["people", "account", "person", "org", "organization", "email", "hair", "colour", "filter"] {
            assert_eq!(index.search(word), [0], "{word}");
        }
        assert_eq!(index.search("properties"), [0; 0], "what a schema is written in isn't said of a tool");
    }

    #[test]
    fn what_is_asked_wrongly_is_said() {
        let object = |value: Value| value.as_object().expect("an object").clone();
        for (arguments, problem) in [
            (json!({}), "missing field `query`"),
            (json!({"query": 7}), "invalid type: integer `7`, expected a string"),
            (json!({"query": "a", "top": 7}), "unknown field `top`, expected `query` or `limit`"),
            (json!({"query": "a", "limit": 0}), "limit: expected 1 to 20"),
            (json!({"query": "a", "limit": 21}), "limit: expected 1 to 20"),
            (json!({"query": "ä".repeat(1001)}), "query: longer than 1000 characters"),
        ] {
            assert_eq!(asked(object(arguments)).err().as_deref(), Some(problem));
        }
        assert!(asked(object(json!({"query": "ä".repeat(1000)}))).is_ok());
    }
}
