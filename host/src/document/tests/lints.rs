//! What is legal and probably wrong: told to whoever checks a document, never to whoever serves it.

use super::super::{Files, check as checked};
use super::*;

/// What is said when the document is checked, in short.
fn lints(source: &str) -> Vec<String> {
    let found = match checked(source, &Files::new(), Mode::Tolerant) {
        Ok(compiled) => compiled.warnings,
        Err(diagnostics) => diagnostics,
    };
    found.iter().map(short).collect()
}

#[test]
fn each_is_told_when_a_document_is_checked() {
    let put = "            - method: PUT\n              call: users.put\n";
    let declared = "inputParameters: [{name: orgId, in: path}, {name: id, in: path}, {name: fields}, {name: why}]\n";
    let long = format!("name: {}\n          description", "x".repeat(65));
    let twice = "        - name: User-Get\n          description: d\n          call: users.get\n";
    for (from, to, expected) in [
        (put, "", "warning AL060 25:21 capability.consumes[0].resources[0].operations[1].name"),
        (
            "{name: id, in: path}",
            "{name: id, in: path}\n                - {name: page, in: query}",
            "warning AL061 24:26 capability.consumes[0].resources[0].operations[0].inputParameters[2].name",
        ),
        (
            "call: users.get\n",
            &format!("{declared}              call: users.get\n"),
            "warning AL062 38:103 @get.inputParameters[3].name",
        ),
        (
            "name: user-get\n          description: Get one user of an organization",
            "name: user-get",
            "warning AL064 45:17 capability.exposes[1].tools[0].name",
        ),
        ("name: user-get\n          description", &long, "warning AL065 45:17 capability.exposes[1].tools[0].name"),
        (
            "        - name: user-get",
            &format!("{twice}        - name: user-get"),
            "warning AL066 48:17 capability.exposes[1].tools[1].name",
        ),
        (
            "        - name: user-get",
            "        - {name: user-put, description: d, hints: {readOnly: true}, call: users.put}\n        - name: user-get",
            "warning AL067 45:18 capability.exposes[1].tools[0].name",
        ),
    ] {
        let source = changed(&[(from, to)]);
        let own: Vec<String> = lints(&source).into_iter().filter(|it| !it.contains("AL063")).collect();
        assert_eq!(own, [expected.replace("@get", GET)], "{to}");
        assert_eq!(diagnose(&source, Mode::Strict), [""; 0], "who serves it isn't told: {to}");
    }
}

#[test]
fn a_variable_of_a_path_wants_a_declaration() {
    // `put` leaves `id` to what is supposed of it.
    assert_eq!(lints(BASE), ["warning AL063 17:17 capability.consumes[0].resources[0].path"]);
    let strict = checked(BASE, &Files::new(), Mode::Strict).expect_err("a strict check takes warnings for errors");
    assert_eq!(strict.len(), 1);
}

#[test]
fn a_flow_that_is_said_to_be_safe_calls_nothing_that_writes() {
    let flow = |call: &str| {
        let flow = format!("{{name: f, description: d, semantics: {{safe: true}}, call: {call}}}");
        changed(&[
            ("  exposes:\n", &format!("  aggregates:\n    - {{namespace: a, functions: [{flow}]}}\n  exposes:\n")),
            (
                "        - name: user-get",
                "        - {name: user-flow, description: d, ref: a.f}\n        - name: user-get",
            ),
        ])
    };
    let own = |source: &str| lints(source).into_iter().filter(|it| !it.contains("AL063")).collect::<Vec<_>>();
    assert_eq!(own(&flow("users.get")), [""; 0]);
    assert_eq!(own(&flow("users.put")), ["warning AL067 31:41 capability.aggregates[0].functions[0].name"]);
}

#[test]
fn a_document_with_errors_is_not_linted() {
    let source = changed(&[("call: users.put", "call: users.putt"), ("baseUri: https", "baseUri: ftp")]);
    assert!(lints(&source).iter().all(|it| it.starts_with("error")), "{:?}", lints(&source));
}

#[test]
fn what_is_used_in_one_file_is_not_used_in_another() {
    let api = |namespace: &str, operation: &str| {
        format!(
            "    - {{namespace: {namespace}, baseUri: https://a.example, resources: [{{name: r, path: /r, operations: [{{name: {operation}, method: \
             GET}}]}}]}}\n"
        )
    };
    let exposes = "  exposes: [{type: mcp, namespace: m, tools: [{name: t, description: d, call: own.used}]}]\n";
    let source = format!(
        "ikanos: 1.0.0-beta5\ncapability:\n  consumes:\n    - {{from: shared.yaml, import: oth}}\n{}{exposes}",
        api("own", "used")
    );
    // At the same line and column.
    let shared = format!("ikanos: 1.0.0-beta5\n\n\nconsumes:\n{}", api("oth", "free"));
    let files = Files::from([("shared.yaml".to_owned(), Ok(shared))]);
    let found = checked(&source, &files, Mode::Tolerant).expect("nothing is wrong").warnings;
    let found: Vec<_> = found.iter().map(|it| (it.code.as_str(), it.file.as_deref(), it.line)).collect();
    assert_eq!(found, [("AL060", Some("shared.yaml"), 5)]);
}
