//! Exposes of type `control`: what a host tells about itself, which is the host's own affair.
//!
//! A host has one control listener for all that it serves, and its operator says where. Nothing of a document changes it: what the
//! listener does anyway is told in a warning, what it doesn't do is an error.

use super::audience;
use crate::document::diagnostic::Code;
use crate::document::fields::Fields;
use crate::document::model::Secrets;
use crate::document::report::Report;
use crate::document::tree::{Entry, Kind, Placed};

/// What an operator does instead of asking for these.
const ELSEWHERE: [(&str, &str); 4] = [
    ("info", "ask the host's control listener for /plugins; what a document means is shown by `airlock inspect`"),
    ("reload", "leave it out: the plugin folder is watched, and a changed file is loaded at once"),
    ("validate", "leave it out: `airlock check` validates a document"),
    ("logs", "leave it out: the host logs to standard error, as much as `--log` says"),
];

/// Reads it. It exposes nothing.
pub fn read(mut fields: Fields, kind: &Placed<&str>, secrets: &Secrets, report: &Report) {
    report
        .warning(Code::HostControl, &kind.at, "the host has a control listener of its own, nothing is opened for this")
        .expected("nothing: the operator of the host decides where it listens and who may ask")
        .hint(
            "leave it out; `listen.control` and `listen.control_token` in airlock.toml are about /health/live, /health/ready, \
             /plugins and /metrics",
        );
    // Who may ask is the operator's too; what is wrong with it is told all the same.
    audience::read(&mut fields, secrets, report);
    if let Some(management) = fields.node("management").and_then(|node| Fields::of(node, "management", report)) {
        read_management(management, report);
    }
    let observability = fields.node("observability");
    if let Some(observability) = observability.and_then(|node| Fields::of(node, "observability", report)) {
        read_observability(observability, report);
    }
    fields.ignore(&["namespace", "description", "tags", "display", "label", "port", "address"]);
    fields.finish();
}

fn read_management(mut fields: Fields, report: &Report) {
    read_switch(&mut fields, "health", report);
    for (key, instead) in ELSEWHERE {
        if let Some(entry) = fields.entry(key).filter(|entry| !matches!(entry.value.kind, Kind::Bool(false))) {
            refuse(entry, instead, report);
        }
    }
    if let Some(entry) = fields.entry("scripting") {
        refuse(entry, "leave it out: steps of type script aren't carried out", report);
    }
    fields.finish();
}

fn read_observability(mut fields: Fields, report: &Report) {
    read_switch(&mut fields, "enabled", report);
    if let Some(mut metrics) = fields.node("metrics").and_then(|node| Fields::of(node, "metrics", report)) {
        if let Some(mut local) = metrics.node("local").and_then(|node| Fields::of(node, "local", report)) {
            read_switch(&mut local, "enabled", report);
            local.finish();
        }
        metrics.finish();
    }
    for key in ["traces", "exporters"] {
        if let Some(entry) = fields.entry(key) {
            refuse(
                entry,
                "leave it out: the host's log has a line about each call and each request to an upstream",
                report,
            );
        }
    }
    fields.finish();
}

/// What the host always does can't be turned off by a document.
fn read_switch(fields: &mut Fields, key: &'static str, report: &Report) {
    if fields.boolean(key) == Some(false)
        && let Some(entry) = fields.entry(key)
    {
        report
            .warning(Code::HostControl, &entry.key_at, format!("the host does this for all that it serves: {key}"))
            .expected("true, or nothing")
            .hint("leave it out; who reaches the control listener is said by `listen.control` in airlock.toml");
    }
}

fn refuse(entry: &Entry, instead: &str, report: &Report) {
    report.not_supported(&entry.key_at, &entry.key).hint(instead);
}
