//! One output parameter -> the shape that makes its value, and the JSON Schema of what is made.
//!
//! Whatever isn't found or isn't of its type is null in the result, so the schema says that it may be.

use std::cell::RefCell;

use serde_json::{Map, Value as Json, json};

use super::argument::{self, Scope};
use crate::document::diagnostic::Code;
use crate::document::fields::{Fields, wrong_type};
use crate::document::jsonpath;
use crate::document::link::inputs_of;
use crate::document::model::{Outputs, Parameter};
use crate::document::plan::{Form, Gather, Origin, Shape, Value};
use crate::document::report::Report;
use crate::document::tree::{Entry, Kind, Node, Placed};

/// The types that an output can have.
const TYPES: [&str; 6] = ["string", "integer", "number", "boolean", "object", "array"];
/// What says where a value comes from.
const ORIGINS: [&str; 3] = ["mapping", "value", "const"];

/// What outputs are made of.
pub struct Source<'s> {
    kind: SourceKind,
    /// What is known where they stand; nothing beside consumed operations, which have no inputs.
    scope: Option<&'s Scope<'s>>,
    /// The inputs that their templates name.
    inputs: RefCell<Vec<Parameter>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum SourceKind {
    Answer,
    Inputs,
}

/// An output parameter as it was read.
pub struct Output {
    /// Its name, if it has one.
    pub name: Option<Placed<String>>,
    /// What it is made of.
    pub made: Made,
}

/// A shape, and the JSON Schema of what it makes.
pub struct Made {
    /// The shape.
    pub shape: Shape,
    /// The schema.
    pub schema: Json,
}

impl<'s> Source<'s> {
    /// The answer of what is exposed here.
    pub fn answer(scope: &'s Scope<'s>) -> Self {
        Self { kind: SourceKind::Answer, scope: Some(scope), inputs: RefCell::default() }
    }

    /// The answer of a consumed operation, as a step of a flow.
    pub fn answer_of_step() -> Self {
        Self { kind: SourceKind::Answer, scope: None, inputs: RefCell::default() }
    }

    /// Nothing but the inputs: a mock's.
    pub fn inputs(scope: &'s Scope<'s>) -> Self {
        Self { kind: SourceKind::Inputs, scope: Some(scope), inputs: RefCell::default() }
    }

    /// What was made, with the inputs that it takes.
    pub fn outputs(self, made: Made) -> Outputs {
        Outputs { shape: made.shape, schema: made.schema, parameters: self.inputs.into_inner() }
    }

    /// Remembers the inputs that a value is made of.
    fn note(&self, value: &Value, node: &Node) {
        let mut inputs = self.inputs.borrow_mut();
        for name in inputs_of(value) {
            if inputs.iter().all(|known| known.name.value != name) {
                inputs.push(Parameter::input(&node.at, name));
            }
        }
    }
}

/// Reads a list of outputs; those with a name that is taken are reported and left out.
pub fn read_all(nodes: &[Node], source: &Source, report: &Report) -> Vec<Output> {
    let mut outputs: Vec<Output> = Vec::new();
    for node in nodes {
        let Some(mut fields) = Fields::of(node, "an output parameter", report) else { continue };
        let name = fields.text("name").map(|name| Placed { at: name.at, value: name.value.to_owned() });
        // What stands alone is the whole result, so its name isn't that of a member.
        let member = name.as_ref().filter(|_| nodes.len() > 1).map(|name| name.value.as_str());
        let Some(made) = read_fields(fields, member, source, report) else { continue };
        let taken =
            |earlier: &&Output| name.is_some() && name_of(earlier) == name.as_ref().map(|name| name.value.as_str());
        match (outputs.iter().find(taken).and_then(|earlier| earlier.name.as_ref()), &name) {
            (Some(earlier), Some(name)) => {
                let what = format!("output parameter `{}`", name.value);
                report.duplicate(Code::DuplicateName, &name.at, &what, &earlier.at);
            }
            _ => outputs.push(Output { name, made }),
        }
    }
    outputs
}

fn name_of(output: &Output) -> Option<&str> {
    output.name.as_ref().map(|name| name.value.as_str())
}

/// An object of these.
pub fn members(outputs: Vec<Output>) -> Made {
    let named = outputs.into_iter().filter_map(|output| Some((output.name?.value, output.made)));
    object(Origin::Whole, named.collect())
}

/// The first of these that isn't null.
pub fn alternatives(outputs: Vec<Output>) -> Made {
    let (shapes, schemas): (Vec<_>, Vec<_>) = outputs.into_iter().map(|it| (it.made.shape, it.made.schema)).unzip();
    let shape = Shape { origin: Origin::Whole, form: Form::FirstOf(shapes) };
    Made { shape, schema: json!({"anyOf": schemas}) }
}

fn read_node(node: &Node, member: Option<&str>, source: &Source, report: &Report) -> Option<Made> {
    let mut fields = Fields::of(node, "an output parameter", report)?;
    fields.ignore(&["name"]);
    read_fields(fields, member, source, report)
}

/// Reads the rest of an output. `member` is the member of the answer that it is made of if it doesn't say; a mock has none.
fn read_fields(mut fields: Fields, member: Option<&str>, source: &Source, report: &Report) -> Option<Made> {
    let member = member.filter(|_| source.kind == SourceKind::Answer);
    fields.ignore(&["required", "display", "label", "title", "tags", "example", "examples"]);
    let kind = read_type(&mut fields, report);
    let description = fields.text("description").map(|text| text.value.to_owned());
    let longest = read_max_length(&mut fields, report);
    let constant = fields.node("const");
    let origin = read_origin(&mut fields, source, report);
    let properties = fields.entry("properties");
    let items = fields.node("items");
    let at = fields.at();
    fields.finish();

    let (kind, origin) = (kind?, origin?);
    let mut made = match (constant, kind) {
        (Some(node), kind) => read_constant(node, kind, report)?,
        (None, "object") => match properties {
            Some(entry) => {
                let origin = origin.unwrap_or_else(|| default(member.filter(|_| !says_where(&entry.value))));
                object(origin, read_properties(entry, source, report))
            }
            None => as_it_is(origin.unwrap_or_else(|| default(member))),
        },
        (None, "array") if source.kind == SourceKind::Inputs && origin.is_none() && items.is_none() => {
            constant_of("array", json!([]))
        }
        (None, "array") => read_array(origin.unwrap_or_else(|| default(member)), items, source, report)?,
        (None, scalar) => match (origin, source.kind) {
            (None, SourceKind::Inputs) => {
                report
                    .error(Code::MissingKey, at, "key is missing: value")
                    .expected("`value: …`, in which `{{input}}` stands for an input")
                    .hint("a mock makes its result of the inputs alone");
                return None;
            }
            (origin, _) => scalar_of(scalar, longest, origin.unwrap_or_else(|| default(member))),
        },
    };
    if let (Some(text), Some(schema)) = (description, made.schema.as_object_mut()) {
        schema.insert("description".to_owned(), text.into());
    }
    Some(made)
}

fn read_type(fields: &mut Fields, report: &Report) -> Option<&'static str> {
    let expected = format!("one of: {}", TYPES.join(", "));
    let stated = fields.required_text("type", &expected)?;
    let known = TYPES.into_iter().find(|name| *name == stated.value);
    if known.is_none() {
        report
            .error(Code::InvalidValue, &stated.at, format!("unknown type: {}", stated.value))
            .expected(expected)
            .did_you_mean(stated.value, TYPES);
    }
    known
}

fn read_max_length(fields: &mut Fields, report: &Report) -> Option<u32> {
    let node = fields.node("maxLength")?;
    let length = match &node.kind {
        Kind::Number(number) => number.as_u64().and_then(|it| u32::try_from(it).ok()),
        _ => None,
    };
    if length.is_none() {
        wrong_type(node, "a whole number from 0, of characters", report);
    }
    length
}

/// Where the value comes from, if that is said; `None` after an error.
fn read_origin(fields: &mut Fields, source: &Source, report: &Report) -> Option<Option<Origin>> {
    let mapping = fields.text("mapping");
    match (fields.node("value"), mapping) {
        (Some(value), mapping) => {
            if let Some(mapping) = mapping {
                report
                    .warning(Code::InvalidValue, &mapping.at, "mapping has no effect beside value")
                    .hint("keep one of them");
            }
            read_value(value, source, report).map(Some)
        }
        (None, Some(mapping)) if source.kind == SourceKind::Inputs => {
            report
                .error(Code::InvalidValue, &mapping.at, "nothing is called, so there is no answer to take this from")
                .expected("`value: …`, in which `{{input}}` stands for an input")
                .hint("say what is called: `call: <namespace of consumes>.<operation>`");
            None
        }
        (None, Some(mapping)) => read_path(&mapping, report).map(Some),
        (None, None) => Some(None),
    }
}

/// `value` is a JSONPath where there is an answer and it looks like one; else a constant, or text with inputs in it.
fn read_value(node: &Node, source: &Source, report: &Report) -> Option<Origin> {
    match (&node.kind, source.scope) {
        (Kind::Text(text), _) if source.kind == SourceKind::Answer && text.trim_start().starts_with('$') => {
            read_path(&Placed { at: node.at.clone(), value: text }, report)
        }
        (_, Some(scope)) => {
            let value = argument::read_value(node, scope, report)?;
            source.note(&value, node);
            Some(Origin::Value(value))
        }
        (_, None) => {
            wrong_type(node, "a JSONPath, e.g. `$.data.id`", report);
            None
        }
    }
}

/// Reads a JSONPath. `None` after an error.
pub fn read_path(text: &Placed<&str>, report: &Report) -> Option<Origin> {
    match jsonpath::normalise(text.value).as_deref() {
        Ok("$") => Some(Origin::Whole),
        Ok(path) => Some(Origin::Path(path.to_owned())),
        Err(reason) => {
            report
                .error(Code::InvalidJsonPath, &text.at, format!("JSONPath can't be read, {reason}: {}", text.value))
                .expected("a path by RFC 9535, e.g. `$.data[0].id`; of functions length, count and value")
                .hint("text that begins with `$` is given by `const`");
            None
        }
    }
}

/// A constant must be of its type: nothing will be made of it.
fn read_constant(node: &Node, kind: &str, report: &Report) -> Option<Made> {
    let is_of_type = match (&node.kind, kind) {
        (Kind::Number(number), "integer") => number.is_i64() || number.is_u64(),
        (Kind::Text(_), "string")
        | (Kind::Number(_), "number")
        | (Kind::Bool(_), "boolean")
        | (Kind::List(_), "array")
        | (Kind::Mapping(_), "object") => true,
        _ => false,
    };
    if !is_of_type {
        wrong_type(node, &format!("a constant of type {kind}"), report);
        return None;
    }
    Some(constant_of(kind, node.to_json()))
}

fn constant_of(kind: &str, value: Json) -> Made {
    let schema = json!({"type": kind, "const": value});
    Made { shape: Shape { origin: Origin::Value(Value::Constant(value)), form: Form::AsItIs }, schema }
}

fn read_properties(entry: &Entry, source: &Source, report: &Report) -> Vec<(String, Made)> {
    let Kind::Mapping(entries) = &entry.value.kind else {
        wrong_type(&entry.value, "a mapping from names to output parameters", report);
        return Vec::new();
    };
    let read = |entry: &Entry| Some((entry.key.clone(), read_node(&entry.value, Some(&entry.key), source, report)?));
    entries.iter().filter_map(read).collect()
}

/// Whether any of an object's properties says where it comes from. If none does, they are those of the member of its name.
fn says_where(properties: &Node) -> bool {
    let entries = |node: &Node| -> Vec<Entry> {
        match &node.kind {
            Kind::Mapping(entries) => entries.clone(),
            _ => Vec::new(),
        }
    };
    entries(properties)
        .iter()
        .flat_map(|property| entries(&property.value))
        .any(|entry| ORIGINS.contains(&entry.key.as_str()) || (entry.key == "properties" && says_where(&entry.value)))
}

fn read_array(origin: Origin, items: Option<&Node>, source: &Source, report: &Report) -> Option<Made> {
    let item = match items.map(|node| (node, &node.kind)) {
        None => None,
        Some((_, Kind::List(nodes))) => Some(members(read_all(nodes, source, report))),
        Some((node, _)) => Some(read_node(node, None, source, report)?),
    };
    let gather = match &origin {
        Origin::Path(path) if !jsonpath::is_singular(path) => Gather::Every,
        // A mock has no list to go through: what is said of an item is the only one.
        Origin::Whole if source.kind == SourceKind::Inputs => Gather::ItemsOrOne,
        _ => Gather::Items,
    };
    let schema = |item: Option<&Json>| {
        let mut schema =
            json!({"type": if gather == Gather::Items { json!(["array", "null"]) } else { json!("array") }});
        if let Some(item) = item {
            schema["items"] = item.clone();
        }
        schema
    };
    Some(match (item, gather) {
        (None, Gather::Items) => as_it_is(origin),
        (item, gather) => {
            let schema = schema(item.as_ref().map(|item| &item.schema));
            let item = item.map_or(Shape::WHOLE, |item| item.shape);
            Made { shape: Shape { origin, form: Form::Array(gather, Box::new(item)) }, schema }
        }
    })
}

/// The member of this name, or the source itself.
fn default(member: Option<&str>) -> Origin {
    member.map_or(Origin::Whole, |name| Origin::Path(jsonpath::to_member(name)))
}

/// What is selected, whatever it is: the declared type says what it usually is.
fn as_it_is(origin: Origin) -> Made {
    Made { shape: Shape { origin, form: Form::AsItIs }, schema: json!({}) }
}

fn object(origin: Origin, members: Vec<(String, Made)>) -> Made {
    let kind = if origin == Origin::Whole { json!("object") } else { json!(["object", "null"]) };
    let properties: Map<String, Json> =
        members.iter().map(|(name, made)| (name.clone(), made.schema.clone())).collect();
    let names: Vec<&String> = members.iter().map(|(name, _)| name).collect();
    let schema = json!({"type": kind, "properties": properties, "required": names});
    let members = members.into_iter().map(|(name, made)| (name, made.shape)).collect();
    Made { shape: Shape { origin, form: Form::Object(members) }, schema }
}

fn scalar_of(kind: &str, longest: Option<u32>, origin: Origin) -> Made {
    let form = match kind {
        "integer" => Form::Integer,
        "number" => Form::Number,
        "boolean" => Form::Boolean,
        _ => Form::Text(longest),
    };
    let mut schema = json!({"type": [kind, "null"]});
    if let Form::Text(Some(longest)) = form {
        schema["maxLength"] = longest.into();
    }
    Made { shape: Shape { origin, form }, schema }
}
