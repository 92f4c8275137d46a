//! What becomes of the upstream's answer: so far JSON that is handed on as it is, with or without a schema.

use serde_json::Value as Json;

use crate::document::diagnostic::Code;
use crate::document::fields::{Fields, wrong_type};
use crate::document::report::Report;
use crate::document::tree::{Kind, Node};

/// Reads `outputRawFormat`, which must be JSON.
pub fn read_raw_format(fields: &mut Fields, report: &Report) {
    if let Some(format) = fields.text("outputRawFormat")
        && format.value != "json"
    {
        report.not_supported(&format.at, format!("outputRawFormat {}", format.value)).expected("json");
    }
}

/// Reads `outputSchema`: as a mapping it is a JSON Schema of the result; as text it belongs to a format that isn't JSON.
pub fn read_schema(fields: &mut Fields, report: &Report) -> Option<Json> {
    let node = fields.node("outputSchema")?;
    match &node.kind {
        Kind::Mapping(_) => Some(node.to_json()),
        Kind::Text(_) => {
            report
                .warning(Code::InvalidValue, &node.at, "outputSchema as text has no effect on JSON")
                .expected("a JSON Schema as a mapping")
                .hint("remove it, or write the schema itself");
            None
        }
        _ => {
            wrong_type(node, "a JSON Schema as a mapping", report);
            None
        }
    }
}

/// Reads `outputParameters`, which must be absent or the identity.
pub fn read_parameters(fields: &mut Fields, report: &Report) {
    let Some(entry) = fields.entry("outputParameters") else {
        return;
    };
    match fields.list("outputParameters") {
        [] => {}
        [parameter] => read_identity(parameter, report),
        _ => {
            report.not_supported(&entry.key_at, "more than one output parameter").expected(IDENTITY);
        }
    }
}

const IDENTITY: &str = "the whole answer: `- type: object` with `mapping: $.`";

fn read_identity(node: &Node, report: &Report) {
    let Some(mut fields) = Fields::of(node, "an output parameter", report) else {
        return;
    };
    fields.ignore(&["name", "description", "required"]);
    let refused = fields.refuse(&["properties", "items", "const"]);
    let kind = fields.required_text("type", "object or array");
    let paths: Vec<_> = ["mapping", "value"].into_iter().filter_map(|key| fields.text(key)).collect();
    if let Some(kind) = kind.filter(|kind| !matches!(kind.value, "object" | "array")) {
        report.not_supported(&kind.at, format!("an output parameter of type {}", kind.value)).expected(IDENTITY);
    }
    if let Some(path) = paths.iter().find(|path| !matches!(path.value, "$" | "$.")) {
        report.not_supported(&path.at, format!("an output parameter taken from {}", path.value)).expected(IDENTITY);
    }
    if paths.is_empty() && !refused {
        report.not_supported(fields.at(), "an output parameter without mapping").expected(IDENTITY);
    }
    fields.finish();
}
