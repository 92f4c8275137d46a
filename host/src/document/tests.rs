//! The rules of the format, one table each: a change of `tests/base.yaml` and what it must lead to.

mod answer;
mod audience;
mod bodies;
mod control;
mod corpora;
mod credentials;
mod flows;
mod forward;
mod imports;
mod inputs;
mod lints;
mod mcp;
mod migrate;
mod operations;
mod pages;
mod reading;
mod references;
mod request;
mod responses;
mod schema;
mod shapes;
mod skills;

use super::plan::{Action, Plan, Request};
use super::{Compiled, Diagnostic, Mode, compile};
use crate::contract::Operation;

/// A small document that uses what most documents use, and compiles without a diagnostic.
const BASE: &str = include_str!("tests/base.yaml");

/// The base document with some of its text replaced.
fn changed(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(BASE.to_owned(), |source, (from, to)| {
        assert!(source.contains(from), "the document has no {from:?}");
        source.replacen(from, to, 1)
    })
}

/// A diagnostic in short: `error AL004 2:3 info.lable`.
fn short(diagnostic: &Diagnostic) -> String {
    let Diagnostic { severity, code, line, column, path, .. } = diagnostic;
    format!("{severity} {code} {line}:{column} {path}")
}

/// Everything that a document is told, in short.
fn diagnose(source: &str, mode: Mode) -> Vec<String> {
    let diagnostics = match compile(source, mode) {
        Ok(compiled) => compiled.warnings,
        Err(diagnostics) => diagnostics,
    };
    diagnostics.iter().map(short).collect()
}

/// Where the base document's first operation stands; `@get` in what is expected.
const GET: &str = "capability.exposes[0].resources[0].operations[0]";

/// The changes must lead to exactly these diagnostics.
fn check(changes: &[(&str, &str)], expected: &[&str]) {
    let expected: Vec<_> = expected.iter().map(|text| text.replace("@get", GET)).collect();
    assert_eq!(diagnose(&changed(changes), Mode::Tolerant), expected, "{changes:?}");
}

/// Each change must lead to exactly this diagnostic.
fn check_each(table: &[(&str, &str, &str)]) {
    for (from, to, expected) in table {
        check(&[(from, to)], &[expected]);
    }
}

/// The diagnostics of a document that must not compile.
fn errors(source: &str) -> Vec<Diagnostic> {
    compile(source, Mode::Tolerant).expect_err("the document has an error")
}

/// The plan of a document that must compile without a diagnostic.
fn plan(changes: &[(&str, &str)]) -> Plan {
    let source = changed(changes);
    match compile(&source, Mode::Strict) {
        Ok(Compiled { plan, .. }) => plan,
        Err(diagnostics) => {
            let rendered: Vec<_> = diagnostics.iter().map(|d| d.render("base.yaml", &source)).collect();
            panic!("{changes:?}\n{}", rendered.join("\n"))
        }
    }
}

/// An operation of a plan, and what carries it out.
fn find_action<'p>(plan: &'p Plan, name: &str) -> (&'p Operation, &'p Action) {
    let operations = plan.description.operations.iter();
    let found = operations.zip(&plan.actions).find(|(operation, _)| operation.name == name);
    found.unwrap_or_else(|| panic!("no operation {name}"))
}

/// An operation of a plan, and its request.
fn find<'p>(plan: &'p Plan, name: &str) -> (&'p Operation, &'p Request) {
    match find_action(plan, name) {
        (operation, Action::Call(call)) => (operation, &call.request),
        (_, action) => panic!("{name} makes no request: {action:?}"),
    }
}

#[test]
fn the_base_document_has_no_problem() {
    assert_eq!(diagnose(BASE, Mode::Strict), [""; 0]);
}
