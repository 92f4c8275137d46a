//! `inputParameters` of consumed operations, REST operations and tools.

use serde_json::{Map, Value as Json, json};

use super::authentication::read_header_name;
use super::schema;
use crate::contract::Location;
use crate::document::diagnostic::Code;
use crate::document::fields::{Fields, text_of, wrong_type};
use crate::document::model::{Parameter, settle_body};
use crate::document::names::is_header_name;
use crate::document::plan::QueryStyle;
use crate::document::report::Report;
use crate::document::tree::{Kind, Node, Placed};

/// Whose parameters they are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// A consumed operation, resource or API: each has a place in the upstream request.
    Consumed,
    /// A REST operation or resource: each may have a place in the caller's request.
    Rest,
    /// An MCP tool: none has a place.
    Tool,
}

/// Reads a list of parameters; those with a name that is taken are reported and left out.
pub fn read_all<'n>(nodes: impl IntoIterator<Item = &'n Node>, owner: Owner, report: &Report) -> Vec<Parameter> {
    let mut parameters: Vec<Parameter> = Vec::new();
    for parameter in nodes.into_iter().filter_map(|node| read(node, owner, report)) {
        match parameters.iter().find(|earlier| earlier.name.value == parameter.name.value) {
            Some(earlier) => {
                let what = format!("parameter `{}`", parameter.name.value);
                report.duplicate(Code::DuplicateName, &parameter.name.at, &what, &earlier.name.at);
            }
            None => parameters.push(parameter),
        }
    }
    parameters
}

/// Adds those of an outer level that the inner one doesn't replace, then decides what is the whole body.
pub fn inherit(mut own: Vec<Parameter>, outer: &[&[Parameter]]) -> Vec<Parameter> {
    for parameter in outer.iter().copied().flatten() {
        if own.iter().all(|known| known.name.value != parameter.name.value) {
            own.push(parameter.clone());
        }
    }
    settle_body(own.iter_mut().filter_map(|parameter| parameter.location.as_mut()));
    own
}

fn read(node: &Node, owner: Owner, report: &Report) -> Option<Parameter> {
    let mut fields = Fields::of(node, "a parameter", report)?;
    let name = fields.required_text("name", "the parameter's name");
    let location = read_location(&mut fields, owner, report);
    // What the declaration of an input leaves open is taken from the parameter that it feeds.
    let sent_in = location.filter(|_| owner == Owner::Consumed);
    let mut schema = schema::read(&mut fields, sent_in, report);
    let required = read_required(&mut fields, &mut schema, report);
    let constant = read_constant(&mut fields, owner, report);
    let style = match owner {
        Owner::Consumed => read_style(&mut fields, location, report),
        Owner::Rest | Owner::Tool => QueryStyle::FormExploded,
    };
    fields.ignore(&["display", "label", "title", "tags"]);
    fields.finish();
    let name = check_name(name?, location, report)?;
    Some(Parameter { name, location, schema, required, style, constant })
}

fn read_location(fields: &mut Fields, owner: Owner, report: &Report) -> Option<Location> {
    const EXPECTED: &str = "one of: path, query, header, cookie, body";
    let stated = match owner {
        Owner::Consumed => fields.required_text("in", EXPECTED)?,
        Owner::Rest => fields.text("in")?,
        Owner::Tool => return None,
    };
    match stated.value {
        "path" => Some(Location::Path),
        "query" => Some(Location::Query),
        "header" => Some(Location::Header),
        "cookie" => Some(Location::Cookie),
        "body" => Some(Location::Body),
        "environment" => {
            report
                .not_supported(&stated.at, "a parameter in: environment")
                .hint("bind it under `binds` and use it in `authentication`");
            None
        }
        other => {
            report
                .error(Code::InvalidValue, &stated.at, format!("unknown place of a parameter: {other}"))
                .expected(EXPECTED)
                .did_you_mean(other, ["path", "query", "header", "cookie", "body"]);
            None
        }
    }
}

/// `required` as a boolean is about the parameter, as a list about the members of an object.
fn read_required(fields: &mut Fields, schema: &mut Map<String, Json>, report: &Report) -> Option<bool> {
    let node = fields.node("required")?;
    match &node.kind {
        Kind::Bool(required) => Some(*required),
        Kind::List(names) if schema.get("type") == Some(&json!("object")) => {
            let names = names.iter().filter_map(|name| text_of(name, report)).map(|name| name.value);
            schema.insert("required".to_owned(), names.collect());
            None
        }
        _ => {
            wrong_type(node, "true or false; beside `type: object` also a list of names", report);
            None
        }
    }
}

fn read_constant(fields: &mut Fields, owner: Owner, report: &Report) -> Option<Json> {
    if owner != Owner::Consumed {
        fields.refuse(&["value"]);
        return None;
    }
    let node = fields.node("value")?;
    let value = node.to_json();
    if value.to_string().contains("{{") {
        report
            .not_supported(&node.at, "a template as the value of this parameter")
            .hint("give a secret under `authentication`, or under `inputParameters` beside `baseUri`; give an input under `with`");
        return None;
    }
    Some(value)
}

fn read_style(fields: &mut Fields, location: Option<Location>, report: &Report) -> QueryStyle {
    let style = fields.text("style");
    let explode = fields.boolean("explode");
    let (name, at) = match &style {
        Some(style) => (style.value, &style.at),
        None => (default_style(location), fields.at()),
    };
    match (location, name, explode) {
        (Some(Location::Query), "form", None | Some(true)) => QueryStyle::FormExploded,
        (Some(Location::Query), "form", Some(false)) => QueryStyle::Form,
        // OpenAPI 3.0: with `explode` both are the same as an exploded form.
        (Some(Location::Query), "spaceDelimited" | "pipeDelimited", Some(true)) => QueryStyle::FormExploded,
        (Some(Location::Query), "spaceDelimited", _) => QueryStyle::SpaceDelimited,
        (Some(Location::Query), "pipeDelimited", _) => QueryStyle::PipeDelimited,
        (Some(Location::Query), "deepObject", _) => QueryStyle::DeepObject,
        (_, name, None | Some(false)) if name == default_style(location) => QueryStyle::FormExploded,
        (_, name, _) => {
            report
                .not_supported(at, format!("style {name} with this `in` and `explode`"))
                .expected("in: query with form, spaceDelimited, pipeDelimited or deepObject");
            QueryStyle::FormExploded
        }
    }
}

/// The style that OpenAPI supposes for a place.
fn default_style(location: Option<Location>) -> &'static str {
    match location {
        Some(Location::Path | Location::Header) => "simple",
        _ => "form",
    }
}

/// A name must be usable in its place: nothing may end the header or the cookie in which it stands.
fn check_name(name: Placed<&str>, location: Option<Location>, report: &Report) -> Option<Placed<String>> {
    let reason = match location {
        _ if name.value.is_empty() || name.value.contains(|c: char| c.is_control()) => {
            Some("text without control characters")
        }
        Some(Location::Cookie) if !is_header_name(name.value) => Some("letters, digits and dashes"),
        _ => None,
    };
    if let Some(expected) = reason {
        report
            .error(Code::InvalidName, &name.at, format!("parameter can't have this name: {:?}", name.value))
            .expected(expected);
        return None;
    }
    if location == Some(Location::Header) {
        check_header(&name, report)?;
    }
    Some(Placed { at: name.at, value: name.value.to_owned() })
}

/// Credentials and cookies have an element of their own; as plain headers the host would drop them.
fn check_header(name: &Placed<&str>, report: &Report) -> Option<()> {
    let instead = match read_header_name(name, report)?.as_str() {
        "authorization" => "give the secret under `authentication`",
        "cookie" => "declare each cookie as a parameter with `in: cookie`",
        _ => return Some(()),
    };
    report.error(Code::InvalidHeader, &name.at, format!("header can't be a parameter: {}", name.value)).hint(instead);
    None
}
