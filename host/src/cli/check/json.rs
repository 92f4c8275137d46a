//! Findings as one JSON object, for programs. Keys are added to it, never changed or taken away; `report.schema.json` is its schema.

use serde_json::{Value, json};

use super::checked::{Checked, NO_PLUGIN};
use crate::{
    contract::Operation,
    document::{Diagnostic, Severity},
};

/// What the meaning of the keys depends on: it would be raised when a program that reads them could go wrong.
const VERSION: u32 = 1;

pub(super) fn report(checked: &[Checked]) -> Value {
    let count = |severity| checked.iter().map(|it| it.count(severity)).sum::<usize>();
    json!({
        "version": VERSION,
        "errors": count(Severity::Error),
        "warnings": count(Severity::Warning),
        "files": checked.iter().map(file).collect::<Vec<_>>(),
    })
}

fn file(it: &Checked) -> Value {
    let found = it.diagnostics.iter().map(|found| diagnostic(found, it));
    json!({
        "file": it.file,
        "plugin": it.plugin,
        "usable": it.is_usable(),
        "diagnostics": found.chain(it.fault().map(|fault| fault_of(fault, &it.file))).collect::<Vec<_>>(),
        "operations": it.operations().iter().map(operation).collect::<Vec<_>>(),
        "grant": it.grant(),
    })
}

fn diagnostic(it: &Diagnostic, checked: &Checked) -> Value {
    let (file, text) = checked.place(it);
    json!({
        "code": it.code.as_str(),
        "severity": it.severity.to_string(),
        "file": file,
        "line": it.line,
        "column": it.column,
        "endColumn": it.end_column(text),
        "path": it.path,
        "message": it.message,
        "expected": it.expected,
        "help": it.hint,
    })
}

/// What isn't about a line.
fn fault_of(message: &str, file: &str) -> Value {
    json!({
        "code": NO_PLUGIN,
        "severity": Severity::Error.to_string(),
        "file": file,
        "line": null,
        "column": null,
        "endColumn": null,
        "path": "",
        "message": message,
        "expected": null,
        "help": null,
    })
}

fn operation(it: &Operation) -> Value {
    let route = it.route.as_ref();
    json!({
        "name": it.name,
        "method": route.map(|route| &route.method),
        "path": route.map(|route| &route.path),
        "tool": it.tool,
    })
}

#[cfg(test)]
mod tests {
    use super::super::checked::examples;
    use super::*;

    #[test]
    fn the_report_is_as_its_schema_says() {
        let schema: Value = serde_json::from_str(include_str!("report.schema.json")).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let report = report(&examples());
        let errors: Vec<_> = validator.iter_errors(&report).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!((&report["errors"], &report["warnings"]), (&json!(1), &json!(1)));
        assert_eq!(
            report["files"][0]["diagnostics"][0],
            json!({
                "code": "AL004", "severity": "warning", "file": "a b/things:1,2.yaml", "line": 2, "column": 8, "endColumn": 13, "path": "info.lable",
                "message": "unknown key: lable, 100% sure", "expected": "one of: label, title",
                "help": "did you mean `label`?",
            })
        );
        assert_eq!(report["files"][1]["diagnostics"][0]["code"], "AL000");
        assert_eq!(report["files"][0]["operations"][0]["name"], "getthing");
    }
}
