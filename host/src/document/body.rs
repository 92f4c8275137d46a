//! A consumed operation's body -> the body of one offer: each variable gives way to what the exposed operation feeds it with.

use std::borrow::Cow;

use super::link::Feed;
use super::model::Consumed;
use super::plan::{Body, FormPart, JsonNode, NamedValue, TemplatePart, TextBody, TextPart, Value};
use crate::contract::Location;
use serde_json::Value as Json;

/// A variable of the body that nothing feeds is the input of its name: templates name inputs.
pub fn with_variables<'a>(mut feeds: Vec<Feed<'a>>, consumed: &'a Consumed) -> Vec<Feed<'a>> {
    if consumed.body.is_none() {
        return feeds;
    }
    let in_body = |location| matches!(location, Some(Location::Body | Location::BodyMember));
    for parameter in consumed.parameters.iter().filter(|it| in_body(it.location) && it.constant.is_none()) {
        if feeds.iter().all(|feed| feed.parameter.name.value != parameter.name.value) {
            let value = Value::Input(parameter.name.value.clone());
            feeds.push(Feed { parameter: Cow::Borrowed(parameter), value, at: parameter.name.at.clone() });
        }
    }
    feeds
}

/// Fills in what each variable gets.
pub fn fill(template: &Body, feeds: &[Feed]) -> Body {
    let value = |value: &Value| fill_value(value, feeds);
    let named = |it: &NamedValue| NamedValue { name: it.name.clone(), value: value(&it.value) };
    match template {
        Body::Empty | Body::Streamed => template.clone(),
        Body::Json(it) => Body::Json(value(it)),
        Body::JsonMembers(members) => Body::JsonMembers(members.iter().map(named).collect()),
        Body::JsonTree(nodes) => Body::JsonTree(
            nodes
                .iter()
                .map(|node| match node {
                    JsonNode::Value(it) => JsonNode::Value(value(it)),
                    inner => inner.clone(),
                })
                .collect(),
        ),
        Body::Text(text) => Body::Text(TextBody {
            media_type: text.media_type.clone(),
            parts: text
                .parts
                .iter()
                .map(|part| match part {
                    TextPart::Hole(it, escape) => TextPart::Hole(value(it), *escape),
                    TextPart::Text(text) => TextPart::Text(text.clone()),
                })
                .collect(),
        }),
        Body::Form(fields) => Body::Form(fields.iter().map(named).collect()),
        Body::Multipart(parts) => Body::Multipart(
            parts
                .iter()
                .map(|it| FormPart {
                    name: it.name.clone(),
                    value: value(&it.value),
                    filename: it.filename.as_ref().map(value),
                    content_type: it.content_type.as_ref().map(value),
                })
                .collect(),
        ),
    }
}

fn fill_value(value: &Value, feeds: &[Feed]) -> Value {
    match value {
        Value::Input(variable) => feed_of(variable, feeds),
        Value::Constant(_) | Value::Step(_) => value.clone(),
        Value::Template(parts) => Value::Template(parts.iter().flat_map(|part| fill_part(part, feeds)).collect()),
    }
}

/// The value of a variable. One that isn't fed is a parameter elsewhere in the request, which `with` leaves out: nobody gives it.
fn feed_of(variable: &str, feeds: &[Feed]) -> Value {
    let feed = feeds.iter().find(|feed| feed.parameter.name.value == variable);
    feed.map_or_else(|| Value::Input(variable.to_owned()), |feed| feed.value.clone())
}

fn fill_part(part: &TemplatePart, feeds: &[Feed]) -> Vec<TemplatePart> {
    match part {
        TemplatePart::Text(_) | TemplatePart::Step(_) => vec![part.clone()],
        TemplatePart::Input(variable) => match feed_of(variable, feeds) {
            Value::Input(name) => vec![TemplatePart::Input(name)],
            Value::Constant(Json::String(text)) => vec![TemplatePart::Text(text)],
            Value::Constant(json) => vec![TemplatePart::Text(json.to_string())],
            Value::Template(parts) => parts,
            Value::Step(part) => vec![TemplatePart::Step(part)],
        },
    }
}
