//! The JSON Schema of a parameter, from the keywords beside its name.
//!
//! Checks the type of each keyword's value; whether the schema as a whole can be compiled is seen when the plugin is loaded.

use serde_json::{Map, Value as Json, json};

use crate::contract::Location;
use crate::document::diagnostic::Code;
use crate::document::fields::{Fields, wrong_type};
use crate::document::report::Report;
use crate::document::tree::{Kind, Node};

/// The types that a parameter can have.
const TYPES: [&str; 6] = ["string", "integer", "number", "boolean", "object", "array"];

/// A test of a keyword's value, and what it says is expected.
type Check = (fn(&Node) -> bool, &'static str);

const TEXT: Check = (|node| matches!(node.kind, Kind::Text(_)), "text");
const FLAG: Check = (|node| matches!(node.kind, Kind::Bool(_)), "true or false");
const NUMBER: Check = (|node| matches!(node.kind, Kind::Number(_)), "a number");
const COUNT: Check = (is_count, "a whole number from 0");
const LIST: Check =
    (|node| matches!(&node.kind, Kind::List(items) if !items.is_empty()), "a list with at least one item");
const SCHEMA: Check = (is_schema, "a JSON Schema as a mapping");
const SCHEMAS: Check = (is_schemas, "a mapping from names to JSON Schemas");
const ALL: Check = (is_schema_list, "a list of JSON Schemas with at least one item");
const ANY: Check = (|_| true, "any value");

/// The keywords of JSON Schema that may stand beside a parameter's name, in the order in which they are written.
const KEYWORDS: [(&str, Check); 24] = [
    ("enum", LIST),
    ("format", TEXT),
    ("pattern", TEXT),
    ("minLength", COUNT),
    ("maxLength", COUNT),
    ("minimum", NUMBER),
    ("maximum", NUMBER),
    ("exclusiveMinimum", NUMBER),
    ("exclusiveMaximum", NUMBER),
    ("multipleOf", NUMBER),
    ("items", SCHEMA),
    ("minItems", COUNT),
    ("maxItems", COUNT),
    ("uniqueItems", FLAG),
    ("properties", SCHEMAS),
    ("additionalProperties", SCHEMA),
    ("minProperties", COUNT),
    ("maxProperties", COUNT),
    ("allOf", ALL),
    ("anyOf", ALL),
    ("oneOf", ALL),
    ("default", ANY),
    ("examples", LIST),
    ("deprecated", FLAG),
];

/// Reads the schema of a parameter; one that is sent in a URL, header or cookie is text unless the document says otherwise.
pub fn read(fields: &mut Fields, sent_in: Option<Location>, report: &Report) -> Map<String, Json> {
    let mut schema = Map::new();
    if let Some(kind) = read_type(fields, sent_in, report) {
        schema.insert("type".to_owned(), Json::String(kind.to_owned()));
    }
    if let Some(description) = fields.text("description") {
        schema.insert("description".to_owned(), description.value.into());
    }
    for (keyword, (is_right, expected)) in KEYWORDS {
        match fields.node(keyword) {
            Some(node) if is_right(node) => {
                schema.insert(keyword.to_owned(), node.to_json());
            }
            Some(node) => {
                wrong_type(node, expected, report);
            }
            None => {}
        }
    }
    if schema.get("type") == Some(&json!("array")) && !schema.contains_key("items") {
        schema.insert("items".to_owned(), json!({"type": "string"}));
    }
    schema
}

/// The type as stated; else text, except in a body and for a tool.
fn read_type(fields: &mut Fields, sent_in: Option<Location>, report: &Report) -> Option<&'static str> {
    let Some(stated) = fields.text("type") else {
        return match sent_in {
            None | Some(Location::Body | Location::BodyMember) => None,
            Some(_) => Some("string"),
        };
    };
    let known = TYPES.into_iter().find(|name| *name == stated.value);
    if known.is_none() {
        report
            .error(Code::InvalidValue, &stated.at, format!("unknown type: {}", stated.value))
            .expected(format!("one of: {}", TYPES.join(", ")))
            .did_you_mean(stated.value, TYPES);
    }
    known
}

fn is_count(node: &Node) -> bool {
    matches!(&node.kind, Kind::Number(number) if number.is_u64())
}

fn is_schema(node: &Node) -> bool {
    matches!(node.kind, Kind::Mapping(_) | Kind::Bool(_))
}

fn is_schema_list(node: &Node) -> bool {
    matches!(&node.kind, Kind::List(items) if !items.is_empty() && items.iter().all(is_schema))
}

fn is_schemas(node: &Node) -> bool {
    matches!(&node.kind, Kind::Mapping(entries) if entries.iter().all(|entry| is_schema(&entry.value)))
}
