//! The tree -> the model: which keys there are, what type each value has, what isn't supported yet.
//!
//! Follows no reference; that is the work of `link`.

mod action;
mod aggregates;
mod argument;
mod audience;
mod authentication;
mod base;
mod body;
mod consumes;
mod control;
mod declared;
mod exposes;
mod flow;
mod format;
mod forward;
mod freshness;
mod json_path;
mod oauth2;
mod output;
mod pages;
mod parameter;
mod path;
mod prompts;
mod resources;
mod responses;
mod schema;
mod secret;
mod selector;
mod shape;
mod skills;

pub(crate) use authentication::may_send_header;
use exposes::Beside;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;

use super::diagnostic::Code;
use super::fields::{Fields, text_of};
use super::files::Files;
use super::model::{Document, Secrets};
use super::report::Report;
use super::shape::PARTS;
use super::tree::{Node, Place, Placed};
use crate::contract::{NAME_RULE, is_name};

/// The releases of the format whose documents are read as they were meant.
const KNOWN_VERSIONS: [&str; 11] = [
    "0.4",
    "0.5",
    "1.0.0-alpha1",
    "1.0.0-alpha2",
    "1.0.0-alpha3",
    "1.0.0-alpha4",
    "1.0.0-beta1",
    "1.0.0-beta2",
    "1.0.0-beta3",
    "1.0.0-beta4",
    "1.0.0-beta5",
];
/// Other releases of these are probably read as they were meant.
const KNOWN_FAMILIES: [&str; 2] = ["0.", "1."];
/// The keys of a display name: the releases of the format don't agree.
const TITLE: [&str; 3] = ["display", "label", "title"];

/// Reads a whole document.
pub fn read(root: &Node, files: &Files, report: &Report) -> Option<Document> {
    let mut fields = Fields::of(root, "a capability document", report)?;
    read_version(&mut fields, report);
    let (title, summary) = read_info(fields.node("info"), report);
    let Some(capability) = fields.node("capability") else {
        fields.missing("capability").expected("a mapping with `consumes` and `exposes`");
        // It may be there by another name.
        fields.ignore(&PARTS);
        fields.finish();
        return None;
    };
    let mut own = Fields::of(capability, "consumes and exposes", report)?;
    let mut secrets = Secrets::default();
    secret::read_binds(&read_part("binds", &mut fields, &mut own), &mut secrets, report);
    let consumes = read_required_part("consumes", &mut fields, &mut own);
    let consumes = consumes::read(&consumes, &secrets, report);
    let flows = aggregates::read(&read_part("aggregates", &mut fields, &mut own), &secrets, report);
    let exposes = read_required_part("exposes", &mut fields, &mut own);
    let (exposures, beside) = exposes::read(&exposes, &secrets, files, report);
    let Beside { forwards, prompts, freshness } = beside;
    fields.finish();
    own.finish();
    consumes::check_resources(&consumes, &forwards, report);
    let prompts = prompts.into_iter().map(|prompt| prompt.value).collect();
    let freshness = freshness.unwrap_or_default();
    Some(Document { title, summary, secrets, consumes, flows, exposures, forwards, prompts, freshness })
}

/// The items of a part: those at the root of the document and those of its capability mean the same. The format calls those of the root
/// "declared at file scope", and nobody writes them beside a capability but for its use. A file that is only there to be imported from
/// has no capability, and is none: see `imports::is_shared`.
fn read_part(part: &'static str, root: &mut Fields, own: &mut Fields) -> Vec<Node> {
    [root.list(part), own.list(part)].concat()
}

fn read_required_part(part: &'static str, root: &mut Fields, own: &mut Fields) -> Vec<Node> {
    match root.node(part) {
        Some(_) => read_part(part, root, own),
        None => own.required_list(part).to_vec(),
    }
}

/// Reads the version of a document or of a file that it imports from.
pub fn read_version(fields: &mut Fields, report: &Report) {
    let versions = [fields.entry("naftiko"), fields.entry("ikanos")];
    let Some(entry) = versions.into_iter().flatten().next() else {
        fields.missing("naftiko").expected("the version of the format, e.g. `naftiko: 1.0.0-alpha2`");
        return;
    };
    let Some(version) = text_of(&entry.value, report) else {
        return;
    };
    if KNOWN_VERSIONS.contains(&version.value) {
        return;
    }
    let message = format!("unknown version of the format: {}", version.value);
    let reported = if KNOWN_FAMILIES.iter().any(|family| version.value.starts_with(family)) {
        report.warning(Code::UnknownVersion, &version.at, message).hint("check that the operations are what you expect")
    } else {
        report.error(Code::UnknownVersion, &version.at, message)
    };
    reported.expected(format!("one of: {}", KNOWN_VERSIONS.join(", ")));
}

fn read_info(node: Option<&Node>, report: &Report) -> (Option<String>, String) {
    let Some(mut fields) = node.and_then(|node| Fields::of(node, "info", report)) else {
        return (None, String::new());
    };
    let title = fields.text_of_any(&TITLE);
    let summary = fields.text("description").map(|text| text.value.to_owned());
    fields.ignore(&["tags", "created", "modified", "version", "stakeholders"]);
    fields.finish();
    (title, summary.unwrap_or_default())
}

/// Reads an HTTP method, one of `allowed`.
fn read_method(fields: &mut Fields, allowed: &[&str], report: &Report) -> Option<Placed<String>> {
    let expected = format!("one of: {}", allowed.join(", "));
    let method = fields.required_text("method", &expected)?;
    let value = method.value.to_ascii_uppercase();
    if !allowed.contains(&value.as_str()) {
        report.error(Code::InvalidValue, &method.at, format!("unknown method: {}", method.value)).expected(expected);
        return None;
    }
    Some(Placed { at: method.at, value })
}

/// A name that an operation, tool or namespace can have.
fn check_name(name: Placed<&str>, report: &Report) -> Option<Placed<String>> {
    if is_name(name.value) {
        return Some(Placed { at: name.at, value: name.value.to_owned() });
    }
    report.error(Code::InvalidName, &name.at, format!("name can't be used: {:?}", name.value)).expected(NAME_RULE);
    None
}

/// Notes where something stands. False, and reported, if it stood somewhere before.
fn note<K: Eq + Hash>(
    seen: &mut HashMap<K, Place>,
    key: K,
    at: &Place,
    code: Code,
    what: &str,
    report: &Report,
) -> bool {
    match seen.entry(key) {
        Entry::Occupied(earlier) => {
            report.duplicate(code, at, what, earlier.get());
            false
        }
        Entry::Vacant(free) => {
            free.insert(at.clone());
            true
        }
    }
}
