//! What holds for every document, and for every path and template in one.
//!
//! Only checks; the texts come from the corpora and the fuzz targets in `tests/fuzz`.

use std::collections::HashSet;

use super::plan::{Action, Body, JsonNode, PathPart, Plan, Request, Task, Value};
use super::template::{Piece, split_path, split_value};
use super::uri::{BaseUri, PathTemplate};
use super::{Code, Compiled, Diagnostic, Mode, Severity, compile};
use crate::grant::Destination;

/// A document gives a plan that can be carried out, or it is told why not, with places inside of the text.
pub fn check_document(source: &str) {
    let tolerant = compile(source, Mode::Tolerant);
    match &tolerant {
        Ok(Compiled { plan, warnings, .. }) => {
            assert!(warnings.iter().all(|it| it.severity == Severity::Warning), "{warnings:?}");
            check_diagnostics(warnings, source);
            check_plan(plan);
        }
        Err(diagnostics) => {
            assert!(diagnostics.iter().any(|it| it.severity == Severity::Error), "{diagnostics:?}");
            check_diagnostics(diagnostics, source);
        }
    }
    match (compile(source, Mode::Strict), tolerant) {
        (Ok(strict), tolerant) => {
            assert!(strict.warnings.is_empty());
            assert_eq!(Ok(strict), tolerant);
        }
        (Err(strict), Ok(Compiled { warnings: told, .. }) | Err(told)) => {
            assert!(!strict.is_empty() && strict.iter().all(|it| it.severity == Severity::Error), "{strict:?}");
            assert_eq!(strict.len(), told.len(), "a strict reading says the same");
        }
    }
}

fn check_diagnostics(diagnostics: &[Diagnostic], source: &str) {
    let places = diagnostics.iter().map(|it| (it.line, it.column));
    assert!(places.is_sorted(), "{diagnostics:?}");
    let lines = source.replace("\r\n", "\n");
    for it in diagnostics {
        // After the last line break stands one more line.
        let line = lines.split(['\n', '\r']).nth(it.line.checked_sub(1).expect("lines count from 1"));
        let width = line.unwrap_or_else(|| panic!("no such line: {it:?}")).chars().count();
        assert!((1..=width + 1).contains(&it.column), "no such column: {it:?}");
        let rendered = it.render("x.yaml", source);
        assert!(!rendered.contains(|c: char| c.is_control() && c != '\n'), "{rendered:?}");
        assert!(it.code != Code::LiteralSecret || !rendered.contains(" | "), "{rendered:?}");
    }
}

/// What an action asks of upstreams.
fn requests(action: &Action) -> Vec<&Request> {
    match action {
        Action::Call(call) => vec![&call.request],
        Action::Made(_) | Action::Constant(_) => Vec::new(),
        Action::Pages(pages) => vec![&pages.request],
        Action::Flow(flow) => {
            let asked = flow.steps.iter().filter_map(|step| match &step.task {
                Task::Ask(request, _) => Some(&**request),
                Task::Find(_) => None,
            });
            asked.collect()
        }
    }
}

/// The description keeps what callers rely on, and no request leaves what is declared.
fn check_plan(plan: &Plan) {
    let operations = &plan.description.operations;
    assert_eq!(operations.len(), plan.actions.len());
    let mut names = HashSet::new();
    for operation in operations {
        assert!(names.insert(&operation.name), "two operations of one name: {}", operation.name);
        assert!((1..=128).contains(&operation.name.len()), "{}", operation.name);
        assert!(operation.name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b)), "{}", operation.name);
        assert_eq!(operation.input_schema["type"], "object", "{}", operation.name);
    }
    let upstreams = &plan.description.upstreams;
    let destination = |url: &str| Destination::parse(url).unwrap_or_else(|e| panic!("{url}: {e}"));
    for request in plan.actions.iter().flat_map(requests) {
        let mut path = String::new();
        for part in &request.path {
            match part {
                PathPart::Literal(text) => path.push_str(text),
                PathPart::Value(Value::Input(_) | Value::Constant(_) | Value::Template(_) | Value::Step(_))
                | PathPart::Rest(_) => {
                    path.push('x');
                }
            }
        }
        let asked = destination(&format!("{}://{}{path}", request.scheme, request.authority));
        let declared = upstreams.iter().any(|upstream| {
            let at = destination(&upstream.base_url);
            let rest = asked.prefix.strip_prefix(&at.prefix);
            at.origin() == asked.origin()
                && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                && upstream.methods.contains(&request.method)
        });
        assert!(declared, "a request that isn't declared: {asked} {upstreams:?}");
        if let Body::JsonTree(nodes) = &request.body {
            check_nodes(nodes);
        }
    }
}

/// The parts of a node come after it, and each belongs to one node: to write them ends, and takes no longer than there are nodes.
fn check_nodes(nodes: &[JsonNode]) {
    let mut belongs = vec![0; nodes.len()];
    for (index, node) in nodes.iter().enumerate() {
        let parts: Vec<u32> = match node {
            JsonNode::Value(_) => Vec::new(),
            JsonNode::Object(members) => members.iter().map(|(_, part)| *part).collect(),
            JsonNode::Array(items) => items.clone(),
        };
        for part in parts {
            assert!(part as usize > index, "{nodes:?}");
            belongs[part as usize] += 1;
        }
    }
    assert_eq!(belongs.first(), Some(&0), "{nodes:?}");
    assert!(belongs.iter().skip(1).all(|count| *count == 1), "{nodes:?}");
}

/// What is read once is read the same once more, and means to the mediator what it means here.
pub fn check_text(text: &str) {
    check_value(text);
    check_path(text);
    check_base(text);
}

fn check_value(text: &str) {
    let Ok(pieces) = split_value(text) else {
        return;
    };
    let written: String = pieces
        .iter()
        .map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Variable(name) => format!("{{{{{name}}}}}"),
        })
        .collect();
    // Text in front of braces can end in one, which then opens the variable.
    if !text.contains("{{{") {
        assert_eq!(split_value(&written), Ok(pieces), "{text:?}");
    }
}

fn check_path(text: &str) {
    let Ok(path) = PathTemplate::parse(text) else {
        return;
    };
    let written = path.to_text();
    assert_eq!(PathTemplate::parse(&written).as_ref(), Ok(&path), "{text:?}");
    assert_eq!(path.variables().count(), split_path(text).map_or(0, |pieces| pieces.len()) - texts(&path), "{text:?}");
    let sent = path.shape().replace("{}", "x");
    let read = Destination::parse(&format!("https://host{sent}"));
    read.unwrap_or_else(|e| panic!("the mediator would refuse it: {text:?}: {e}"));
}

fn texts(path: &PathTemplate) -> usize {
    path.pieces.iter().filter(|piece| matches!(piece, Piece::Text(_))).count()
}

fn check_base(text: &str) {
    let Ok(base) = BaseUri::parse(text) else {
        return;
    };
    let url = base.to_url();
    assert_eq!(BaseUri::parse(&url).as_ref(), Ok(&base), "{text:?}");
    let read = Destination::parse(&url).unwrap_or_else(|e| panic!("the mediator would refuse it: {text:?}: {e}"));
    // As it was written, the path may have what must be encoded.
    if let Ok(written) = Destination::parse(text) {
        assert_eq!(read.origin(), written.origin(), "{text:?}");
    }
}
