//! `body` of a consumed operation: its kind, and the templates in it.
//!
//! In what comes out, `Value::Input` names a variable of the body, for which there is a parameter; `link` puts in its place what the
//! exposed operation gives.

use std::cell::RefCell;

use serde_json::{Map, Value as Json, json};

use crate::contract::Location;
use crate::document::diagnostic::Code;
use crate::document::fields::{Fields, text_of, wrong_type};
use crate::document::json_text::{self, MARK, Marked, Part, Variable};
use crate::document::model::{Parameter, Secrets};
use crate::document::plan::{
    Body, Escape, FormPart, JsonNode, NamedValue, QueryStyle, TemplatePart, TextBody, TextPart, Value,
};
use crate::document::report::Report;
use crate::document::sparql::Position;
use crate::document::template::{Piece, split_value};
use crate::document::tree::{Kind, Node, Place, Placed};

/// What a body can be.
const KINDS: &str = "json, text, xml, sparql, formUrlEncoded, multipartForm or raw";

/// Reads a body, and adds the parameters that its variables need and that nothing declares. `None` after an error.
pub fn read(node: &Node, parameters: &mut Vec<Parameter>, secrets: &Secrets, report: &Report) -> Option<Body> {
    let reader = Reader { secrets, report, media_type: media_type(parameters), variables: RefCell::default() };
    let body = match &node.kind {
        Kind::Text(text) => reader.read_raw(&Placed { at: node.at.clone(), value: text })?,
        Kind::Mapping(_) => reader.read_kind(node)?,
        _ => {
            wrong_type(node, &format!("text, or a mapping of `type` ({KINDS}) and `data`"), report);
            return None;
        }
    };
    declare(reader.variables.into_inner(), &node.at, parameters, report);
    Some(body)
}

/// The type that a header parameter says the body has, always.
fn media_type(parameters: &[Parameter]) -> Option<String> {
    let is_type =
        |it: &&Parameter| it.location == Some(Location::Header) && it.name.value.eq_ignore_ascii_case("content-type");
    let stated = parameters.iter().find(is_type)?.constant.as_ref()?.as_str()?;
    Some(stated.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// A variable of a body.
#[derive(Debug)]
struct Found {
    name: String,
    role: Role,
}

/// What a variable is in the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// The whole of it.
    Whole,
    /// A value of its own, of any type; it may be absent.
    Value,
    /// A part of a text that may be absent.
    Text,
    /// A part of the body's text: without it there is no body.
    Needed,
}

/// Sees to it that each variable has a parameter, and that each parameter in the body has a variable.
fn declare(variables: Vec<Found>, at: &Place, parameters: &mut Vec<Parameter>, report: &Report) {
    let is_in_body = |it: &Parameter| matches!(it.location, Some(Location::Body | Location::BodyMember));
    let is_used = |it: &Parameter| variables.iter().any(|variable| variable.name == it.name.value);
    for unused in parameters.iter().filter(|it| is_in_body(it) && !is_used(it)) {
        let name = &unused.name.value;
        report
            .warning(Code::UnknownParameter, &unused.name.at, format!("parameter isn't in the body: {name}"))
            .expected(format!("`{{{{{name}}}}}` in `body`"))
            .hint("remove it; it is never sent");
    }
    parameters.retain(|it| !is_in_body(it) || is_used(it));
    for Found { name, role } in variables {
        let location = if role == Role::Whole { Location::Body } else { Location::BodyMember };
        match parameters.iter_mut().find(|it| it.name.value == name) {
            Some(declared) => {
                if is_in_body(declared) {
                    declared.location = Some(location);
                }
                if role == Role::Needed && declared.constant.is_none() {
                    declared.required = Some(true);
                }
            }
            None => parameters.push(undeclared(name, location, role, at)),
        }
    }
}

fn undeclared(name: String, location: Location, role: Role, at: &Place) -> Parameter {
    let schema = match role {
        Role::Whole | Role::Value => Map::new(),
        Role::Text | Role::Needed => Map::from_iter([("type".to_owned(), json!("string"))]),
    };
    Parameter {
        name: Placed { at: at.clone(), value: name },
        location: Some(location),
        schema,
        required: (role == Role::Needed).then_some(true),
        style: QueryStyle::FormExploded,
        constant: None,
    }
}

struct Reader<'a> {
    secrets: &'a Secrets,
    report: &'a Report,
    media_type: Option<String>,
    variables: RefCell<Vec<Found>>,
}

impl Reader<'_> {
    fn read_kind(&self, node: &Node) -> Option<Body> {
        let mut fields = Fields::of(node, "a body", self.report)?;
        let kind = fields.required_text("type", KINDS);
        let data = fields.node("data");
        if data.is_none() {
            fields.missing("data").expected("what is sent, with `{{input}}` where an input goes");
        }
        fields.finish();
        let (kind, data) = (kind?, data?);
        match kind.value {
            "json" => self.read_json(data),
            "text" => self.read_text(data, "text/plain; charset=utf-8", Escape::None),
            "xml" => self.read_text(data, "application/xml", Escape::Xml),
            "sparql" => self.read_text(data, "application/sparql-query", Escape::SparqlTerm),
            "formUrlEncoded" => self.read_form(data),
            "multipartForm" => self.read_multipart(data),
            "raw" => self.read_raw(&text_of(data, self.report)?),
            other => {
                self.report
                    .error(Code::InvalidValue, &kind.at, format!("unknown type of body: {other}"))
                    .expected(format!("one of: {KINDS}"))
                    .did_you_mean(other, ["json", "text", "xml", "sparql", "formUrlEncoded", "multipartForm", "raw"]);
                None
            }
        }
    }

    /// Text that is sent as it is written: of the type that a header parameter says, else JSON.
    fn read_raw(&self, text: &Placed<&str>) -> Option<Body> {
        let media_type = self.media_type.as_deref().unwrap_or("application/json");
        let escape = match media_type {
            "application/json" => return self.read_json_text(text),
            "application/x-www-form-urlencoded" => Escape::Form,
            "application/sparql-query" | "application/sparql-update" => Escape::SparqlTerm,
            it if it.ends_with("+json") => return self.read_json_text(text),
            it if it.ends_with("/xml") || it.ends_with("+xml") => Escape::Xml,
            _ => Escape::None,
        };
        self.read_template(text, media_type, escape)
    }

    fn read_json(&self, data: &Node) -> Option<Body> {
        match &data.kind {
            Kind::Text(text) => self.read_json_text(&Placed { at: data.at.clone(), value: text }),
            _ => self.make_json(&data.to_json(), &data.at, &|text| self.value(text, &data.at, Role::Value)),
        }
    }

    /// A text of JSON: a variable between quotes is a part of a text, any other a value.
    fn read_json_text(&self, text: &Placed<&str>) -> Option<Body> {
        let pieces = self.split(text.value, &text.at)?;
        if let [Piece::Variable(name)] = pieces.as_slice() {
            return Some(Body::Json(self.variable(name, Role::Whole)));
        }
        let refuse = |reason: String| {
            self.report
                .error(Code::InvalidValue, &text.at, format!("body isn't JSON: {reason}"))
                .expected("a text of JSON, with `{{input}}` in the place of a value or inside a text")
                .hint("for another type of text write `body: {type: text, data: …}`, or state `Content-Type` as a header parameter");
        };
        let Some(marked) = Marked::new(text.value, &pieces) else {
            refuse("it has a private character in it, U+F8FF".to_owned());
            return None;
        };
        match serde_json::from_str::<Json>(&marked.source) {
            Ok(json) => self.make_json(&json, &text.at, &|text| Some(self.marked(&marked, text))),
            Err(error) => {
                refuse(error.to_string());
                None
            }
        }
    }

    /// What a text with marks in it means.
    fn marked(&self, marked: &Marked, text: &str) -> Value {
        let mut parts = Vec::new();
        for part in marked.parts(text) {
            match part {
                Part::Variable(Variable { name, place: json_text::Place::Value }) => {
                    return self.variable(name, Role::Value);
                }
                Part::Variable(Variable { name, .. }) => parts.push(self.part(Piece::Variable(name.clone()))),
                Part::Text(text) => parts.push(TemplatePart::Text(text.to_owned())),
            }
        }
        match parts.iter().any(|part| matches!(part, TemplatePart::Input(_))) {
            true => Value::Template(parts),
            false => Value::Constant(text.into()),
        }
    }

    fn make_json(&self, json: &Json, at: &Place, read_text: &dyn Fn(&str) -> Option<Value>) -> Option<Body> {
        let mut nodes = Vec::new();
        self.add_node(json, at, read_text, &mut nodes)?;
        match nodes.as_mut_slice() {
            [JsonNode::Value(value)] => Some(Body::Json(std::mem::replace(value, Value::Constant(Json::Null)))),
            _ => Some(Body::JsonTree(nodes)),
        }
    }

    /// Adds a value with all that is in it. What has no variable in it stays one node.
    fn add_node(
        &self,
        json: &Json,
        at: &Place,
        read_text: &dyn Fn(&str) -> Option<Value>,
        nodes: &mut Vec<JsonNode>,
    ) -> Option<u32> {
        let index = nodes.len();
        nodes.push(JsonNode::Array(Vec::new()));
        nodes[index] = match json {
            Json::String(text) => JsonNode::Value(read_text(text)?),
            Json::Array(items) if has_variable(json) => {
                let items = items.iter().map(|item| self.add_node(item, at, read_text, nodes));
                JsonNode::Array(items.collect::<Option<_>>()?)
            }
            Json::Object(members) if has_variable(json) => {
                let members = members.iter().map(|(name, value)| {
                    self.check_name(name, at)?;
                    Some((name.clone(), self.add_node(value, at, read_text, nodes)?))
                });
                JsonNode::Object(members.collect::<Option<_>>()?)
            }
            constant => JsonNode::Value(Value::Constant(constant.clone())),
        };
        Some(u32::try_from(index).expect("a document has no more nodes than its limit"))
    }

    fn check_name(&self, name: &str, at: &Place) -> Option<()> {
        if !name.contains("{{") && !name.contains(MARK) {
            return Some(());
        }
        self.report.not_supported(at, "a template in the name of a member").hint("write the name");
        None
    }

    fn read_text(&self, data: &Node, media_type: &str, escape: Escape) -> Option<Body> {
        self.read_template(&text_of(data, self.report)?, media_type, escape)
    }

    /// A body that is nothing but one variable is what that holds; any other place in a text is escaped.
    fn read_template(&self, text: &Placed<&str>, media_type: &str, escape: Escape) -> Option<Body> {
        let pieces = self.split(text.value, &text.at)?;
        let parts = match pieces.as_slice() {
            [Piece::Variable(name)] => {
                self.variable(name, Role::Whole);
                vec![TextPart::Hole(Value::Input(name.clone()), Escape::None)]
            }
            _ => {
                let mut position = Position::default();
                let part = |piece| match piece {
                    Piece::Text(text) => {
                        position.pass(&text);
                        TextPart::Text(text)
                    }
                    Piece::Variable(name) => {
                        let escape = if escape == Escape::SparqlTerm { position.escape() } else { escape };
                        TextPart::Hole(self.variable(&name, Role::Needed), escape)
                    }
                };
                pieces.into_iter().map(part).collect()
            }
        };
        Some(Body::Text(TextBody { media_type: media_type.to_owned(), parts }))
    }

    /// A form as a mapping, or as a text that is encoded already.
    fn read_form(&self, data: &Node) -> Option<Body> {
        let Kind::Mapping(entries) = &data.kind else {
            return self.read_text(data, "application/x-www-form-urlencoded", Escape::Form);
        };
        let fields = entries.iter().map(|entry| {
            self.check_name(&entry.key, &entry.key_at)?;
            Some(NamedValue { name: entry.key.clone(), value: self.scalar(&entry.value)? })
        });
        let fields: Vec<_> = fields.collect();
        Some(Body::Form(fields.into_iter().collect::<Option<_>>()?))
    }

    fn read_multipart(&self, data: &Node) -> Option<Body> {
        let Kind::List(items) = &data.kind else {
            wrong_type(data, "a list of parts, e.g. `- {name: file, value: \"{{text}}\"}`", self.report);
            return None;
        };
        let parts: Vec<_> = items.iter().map(|item| self.read_part(item)).collect();
        Some(Body::Multipart(parts.into_iter().collect::<Option<_>>()?))
    }

    fn read_part(&self, node: &Node) -> Option<FormPart> {
        let mut fields = Fields::of(node, "a part of a form", self.report)?;
        let name = fields.required_text("name", "the field's name");
        let value = fields.node("value");
        if value.is_none() {
            fields.missing("value").expected("the field's contents");
        }
        let [filename, content_type] = ["filename", "contentType"].map(|key| fields.node(key));
        fields.finish();
        let name = name?;
        self.check_name(name.value, &name.at)?;
        let line = |node: Option<&Node>| match node {
            Some(node) => self.line(node).map(Some),
            None => Some(None),
        };
        let (value, filename, content_type) = (self.scalar(value?), line(filename), line(content_type));
        Some(FormPart { name: name.value.to_owned(), value: value?, filename: filename?, content_type: content_type? })
    }

    /// A text without a line break: it becomes a part of a header.
    fn line(&self, node: &Node) -> Option<Value> {
        let text = text_of(node, self.report)?;
        if text.value.contains(|c: char| c.is_control()) {
            self.report
                .error(Code::InvalidValue, &text.at, "value has a control character in it")
                .expected("one line of text");
            return None;
        }
        self.value(text.value, &text.at, Role::Text)
    }

    fn scalar(&self, node: &Node) -> Option<Value> {
        match &node.kind {
            Kind::Text(text) => self.value(text, &node.at, Role::Value),
            Kind::Null | Kind::Bool(_) | Kind::Number(_) => Some(Value::Constant(node.to_json())),
            Kind::List(_) | Kind::Mapping(_) => {
                wrong_type(node, "text, a number or a truth value", self.report);
                None
            }
        }
    }

    /// A text with variables: nothing but one is a value of its own, in the given role.
    fn value(&self, text: &str, at: &Place, role: Role) -> Option<Value> {
        let pieces = self.split(text, at)?;
        Some(match pieces.as_slice() {
            [Piece::Variable(name)] => self.variable(name, role),
            [] | [Piece::Text(_)] => Value::Constant(text.into()),
            _ => Value::Template(pieces.into_iter().map(|piece| self.part(piece)).collect()),
        })
    }

    fn part(&self, piece: Piece) -> TemplatePart {
        match piece {
            Piece::Text(text) => TemplatePart::Text(text),
            Piece::Variable(name) => {
                self.variable(&name, Role::Text);
                TemplatePart::Input(name)
            }
        }
    }

    /// Notes a variable. One that is a value somewhere may be of any type, one that is needed somewhere is needed.
    fn variable(&self, name: &str, role: Role) -> Value {
        let mut variables = self.variables.borrow_mut();
        match variables.iter_mut().find(|it| it.name == name) {
            Some(known) if known.role == Role::Text => known.role = role,
            Some(_) => {}
            None => variables.push(Found { name: name.to_owned(), role }),
        }
        Value::Input(name.to_owned())
    }

    /// The pieces of a text. A secret among them would pass through the sandbox.
    fn split(&self, text: &str, at: &Place) -> Option<Vec<Piece>> {
        let pieces = match split_value(text) {
            Ok(pieces) => pieces,
            Err(error) => {
                self.report
                    .error(Code::InvalidValue, at, format!("template can't be read, {error}"))
                    .expected("text with `{{input}}` in it");
                return None;
            }
        };
        let secret = pieces.iter().find_map(|piece| match piece {
            Piece::Variable(name) if self.secrets.is_meant(name) => Some(name),
            Piece::Variable(_) | Piece::Text(_) => None,
        });
        let Some(name) = secret else { return Some(pieces) };
        self.report
            .error(Code::MisplacedSecret, at, format!("secret can't be used in a body: {name}"))
            .hint("give it under `authentication`, or under `inputParameters` beside `baseUri`");
        None
    }
}

fn has_variable(json: &Json) -> bool {
    match json {
        Json::String(text) => text.contains("{{") || text.contains(MARK),
        Json::Array(items) => items.iter().any(has_variable),
        Json::Object(members) => {
            members.iter().any(|(name, value)| name.contains("{{") || name.contains(MARK) || has_variable(value))
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    }
}
