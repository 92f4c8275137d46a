//! `responses` and `responseBinary` of REST operations: what an author says of the answers.
//!
//! What the model of an operation can say is taken from it: the schema of the result, and the media type of bytes. Answers with other
//! statuses are the upstream's and the host's to describe.

use serde_json::Value as Json;

use super::format::read_media_type;
use crate::contract::is_json;
use crate::document::diagnostic::Code;
use crate::document::fields::{Fields, wrong_type};
use crate::document::report::Report;
use crate::document::tree::{Entry, Kind, Node, Place, Placed};

/// What is said of the result.
#[derive(Default)]
pub struct Told {
    /// Its schema.
    pub schema: Option<Json>,
    /// That it is bytes, and of which media type.
    pub bytes: Option<Placed<Option<String>>>,
}

/// Reads both.
pub fn read(fields: &mut Fields, report: &Report) -> Told {
    let short = fields.entry("responseBinary");
    let Some(responses) = fields.entry("responses") else {
        return short.map_or_else(Told::default, |entry| Told { schema: None, bytes: read_short(entry, report) });
    };
    if let Some(short) = short {
        report
            .error(Code::InvalidValue, &short.key_at, "`responseBinary` beside `responses`")
            .expected("one of them: the first is short for the other");
    }
    read_responses(&responses.value, report)
}

fn read_short(entry: &Entry, report: &Report) -> Option<Placed<Option<String>>> {
    let mut fields = Fields::of(&entry.value, "an answer of bytes", report)?;
    fields.ignore(&["description"]);
    if let Some(status) = fields.node("status") {
        match &status.kind {
            Kind::Number(number) if number.as_u64() == Some(200) => {}
            Kind::Number(_) => report_unpublished(&status.at, "the status is the upstream's", report),
            _ => drop(wrong_type(status, "a status, e.g. 200", report)),
        }
    }
    let media_type = fields.required_text("mediaType", "type/subtype, e.g. `image/png`");
    fields.finish();
    let media_type = read_media_type(&media_type?, report)?;
    Some(Placed { at: entry.key_at.clone(), value: Some(media_type) })
}

/// The first success is the result.
fn read_responses(node: &Node, report: &Report) -> Told {
    let Kind::Mapping(entries) = &node.kind else {
        wrong_type(node, "a mapping from statuses to answers", report);
        return Told::default();
    };
    let is_status = |key: &str| {
        let mut bytes = key.bytes();
        key.len() == 3
            && bytes.next().is_some_and(|b| (b'1'..=b'5').contains(&b))
            && bytes.all(|b| b.is_ascii_digit() || b == b'X')
    };
    let (statuses, others): (Vec<&Entry>, Vec<&Entry>) = entries.iter().partition(|entry| is_status(&entry.key));
    for entry in others {
        report
            .error(Code::InvalidValue, &entry.key_at, format!("not a status: {}", entry.key))
            .expected("three digits, e.g. `200`, or `2XX`");
    }
    let mut told = None;
    for entry in statuses {
        let is_result = entry.key.starts_with('2') && told.is_none();
        let read = read_response(entry, is_result, report);
        match is_result {
            true => told = read,
            false => report_unpublished(
                &entry.key_at,
                &format!("answers with {} are the upstream's and the host's to describe", entry.key),
                report,
            ),
        }
    }
    told.unwrap_or_default()
}

fn read_response(entry: &Entry, is_result: bool, report: &Report) -> Option<Told> {
    let mut fields = Fields::of(&entry.value, "an answer", report)?;
    fields.ignore(&["description"]);
    let content = fields.node("content");
    fields.finish();
    let Some(content) = content else { return Some(Told::default()) };
    let Kind::Mapping(contents) = &content.kind else {
        wrong_type(content, "a mapping from media types to contents", report);
        return None;
    };
    let read: Vec<_> = contents.iter().map(|entry| read_content(entry, report)).collect();
    let (first, others) = contents.split_first()?;
    for other in others.iter().filter(|_| is_result) {
        let what = format!("an answer has one media type, here {}", first.key);
        report_unpublished(&other.key_at, &what, report);
    }
    read.into_iter().next()?
}

fn read_content(entry: &Entry, report: &Report) -> Option<Told> {
    let media_type = Placed { at: entry.key_at.clone(), value: entry.key.as_str() };
    let media_type = read_media_type(&media_type, report);
    let mut fields = Fields::of(&entry.value, "the contents of an answer", report)?;
    let is_binary = fields.boolean("binary").unwrap_or(false);
    let schema = fields.node("schema");
    fields.finish();
    let media_type = media_type?;
    if is_binary {
        if let Some(schema) = schema {
            report_unpublished(&schema.at, "bytes have no schema", report);
        }
        let bytes = Placed { at: entry.key_at.clone(), value: Some(media_type) };
        return Some(Told { schema: None, bytes: Some(bytes) });
    }
    let is_json = is_json(&media_type);
    match schema.map(|node| (node, &node.kind)) {
        Some((node, Kind::Mapping(_))) if is_json => Some(Told { schema: Some(node.to_json()), bytes: None }),
        Some((node, Kind::Mapping(_))) => {
            report_unpublished(&node.at, "schemas are those of JSON", report);
            Some(Told::default())
        }
        Some((node, _)) => {
            wrong_type(node, "a JSON Schema as a mapping", report);
            None
        }
        None => Some(Told::default()),
    }
}

/// Says that OpenAPI won't have it.
pub fn report_unpublished(at: &Place, why: &str, report: &Report) {
    report
        .warning(Code::Unpublished, at, format!("isn't published: {why}"))
        .expected("the schema of a JSON result, or the media type of bytes")
        .hint("remove it; it has no effect");
}
