//! `forward` of an exposed resource: to which API its requests are handed on, and which of their headers.

use super::TITLE;
use super::authentication::read_header_name;
use crate::contract::{Audience, is_name};
use crate::document::diagnostic::Code;
use crate::document::fields::{Fields, text_of};
use crate::document::model::{Forward, Parameter};
use crate::document::report::Report;
use crate::document::template::Piece;
use crate::document::tree::{Node, Placed};
use crate::document::uri::PathTemplate;

/// Header fields that are the caller's own: they say who it is, and the mediator says that to the API.
const CREDENTIALS: [&str; 6] =
    ["authorization", "cookie", "x-api-key", "api-key", "x-auth-token", "x-amz-security-token"];

/// Header fields that the mediator drops, whoever sets them: with these a request means something else to some servers than what was
/// decided about. Those of `x-forwarded-` besides.
const DROPPED: [&str; 9] = [
    "accept-encoding",
    "forwarded",
    "x-real-ip",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-original-uri",
    "x-rewrite-url",
];

/// The name of what has none.
const NAME: &str = "forward";

/// What is known where a forward stands.
pub struct Around<'a> {
    /// The resource.
    pub resource: &'a Node,
    /// Its path, if that can be used.
    pub path: Option<&'a Placed<PathTemplate>>,
    /// Its inputs.
    pub inputs: &'a [Parameter],
    /// Whose calls it takes.
    pub audience: Audience,
}

/// Reads a forward. `None` after an error.
pub fn read(node: &Node, around: &Around, report: &Report) -> Option<Forward> {
    let mut fields = Fields::of(node, "a forward", report)?;
    let target = fields.required_text("targetNamespace", "the namespace of an API under `consumes`");
    let headers = fields.list("trustedHeaders").iter().filter_map(|name| read_header(name, report));
    let headers = headers.collect::<Vec<_>>();
    fields.finish();
    let (path, rest) = split_path(around.path?, report)?;
    for input in around.inputs.iter().filter(|input| rest.as_ref() != Some(&input.name.value)) {
        report
            .warning(Code::UnknownParameter, &input.name.at, format!("forward has no such input: {}", input.name.value))
            .hint("remove it: the query is handed on whole, a header if it is one of `trustedHeaders`");
    }
    let mut resource = Fields::of(around.resource, "a resource", report)?;
    let name = resource.text("name").map(|name| name.value).filter(|name| is_name(name) && name.len() < 100);
    let target = target?;
    Some(Forward {
        path,
        rest,
        target: Placed { at: target.at, value: target.value.to_owned() },
        headers,
        name: name.unwrap_or(NAME).to_owned(),
        audience: around.audience,
        title: resource.text_of_any(&TITLE),
        description: resource.text("description").map(|text| text.value.to_owned()),
    })
}

/// A header that is handed on. What says who the caller is stays here.
fn read_header(node: &Node, report: &Report) -> Option<String> {
    let name = text_of(node, report)?;
    let lower = read_header_name(&name, report)?;
    let (expected, hint) = if CREDENTIALS.contains(&lower.as_str()) {
        (
            "a header that doesn't say who the caller is",
            "give the API's own credential under `authentication` of `consumes`; the host adds it",
        )
    } else if DROPPED.contains(&lower.as_str()) || lower.starts_with("x-forwarded-") {
        ("a header that changes neither address nor method of a request", "remove it; the mediator drops it")
    } else {
        return Some(lower);
    };
    let message = format!("header can't be handed on: {}", name.value);
    report.error(Code::InvalidHeader, &name.at, message).expected(expected).hint(hint);
    None
}

/// The path as a route, and the variable that stands for what remains of it: the only one, and the last segment.
fn split_path(path: &Placed<PathTemplate>, report: &Report) -> Option<(String, Option<String>)> {
    match path.value.pieces.as_slice() {
        [Piece::Text(text)] => Some((text.clone(), None)),
        [Piece::Text(text), Piece::Variable(name)] if text.ends_with('/') => {
            Some((format!("{text}{{*{name}}}"), Some(name.clone())))
        }
        _ => {
            report
                .error(Code::PathVariable, &path.at, format!("forward can't use this path: {}", path.value.to_text()))
                .expected("a path whose only variable is its last segment, e.g. `/api/{path}`: it stands for all that remains");
            None
        }
    }
}
