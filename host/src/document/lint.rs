//! What is legal in a document and probably wrong: found when somebody checks it, never when it is served.
//!
//! Looks at what was read and linked without an error. What is used by what is noted in the `report` while that happens.

use std::collections::HashMap;

use super::diagnostic::Code;
use super::link::{Called, Offer, reads};
use super::model::{Consumed, Document, Exposure, Hints, Surface};
use super::plan::Action;
use super::report::Report;
use super::tree::Placed;

/// The longest name of a tool that every client takes. 64: what the function-calling APIs of OpenAI and Anthropic allow, to which
/// clients hand tool names on; MCP itself allows 128.
const MAX_TOOL_NAME: usize = 64;

/// Reports everything of that kind.
pub fn lint(document: &Document, offers: &[Offer], report: &Report) {
    let operations = document.consumes.iter().flat_map(|api| &api.operations);
    operations.for_each(|operation| lint_consumed(operation, report));
    offers.iter().for_each(|offer| lint_offer(offer, report));
    lint_similar_names(offers, report);
}

fn lint_consumed(operation: &Consumed, report: &Report) {
    let Placed { at, value: name } = &operation.name;
    if !report.is_used(at) {
        report
            .lint(Code::UnusedOperation, at, format!("operation is consumed and used by nothing: {name}"))
            .hint("expose it, or remove it");
        return;
    }
    if let Some(said) = operation.pagination.as_ref().filter(|it| !report.is_used(&it.at)) {
        report
            .lint(Code::UnusedPagination, &said.at, format!("nobody asks for all pages of the operation: {name}"))
            .hint("say `paginate: {maxItems: …}` beside a `call` of it, or remove it");
    }
    let unfed = operation.parameters.iter().filter(|it| it.constant.is_none() && !it.is_required());
    for parameter in unfed.filter(|it| !report.is_used(&it.name.at)) {
        let Placed { at, value: name } = &parameter.name;
        report
            .lint(Code::UnusedParameter, at, format!("parameter is fed by nothing, and so never sent: {name}"))
            .hint("feed it under `with` where the operation is exposed, or remove it");
    }
}

fn lint_offer(offer: &Offer, report: &Report) {
    let exposure = offer.subject.exposure;
    // Of a call it is known here what becomes of its inputs.
    if matches!(offer.action, Action::Call(_) | Action::Pages(_)) {
        let inputs = exposure.inputs.iter().flatten();
        for Placed { at, value: name } in inputs.map(|it| &it.name).filter(|name| !report.is_used(&name.at)) {
            report
                .lint(Code::UnusedInput, at, format!("input is asked for and used by nothing: {name}"))
                .hint("use it under `with`, or remove it: agents spend effort on it");
        }
    }
    if let Some(name) = tool_name(exposure) {
        lint_tool(name, offer, report);
    }
    lint_promise(offer, report);
}

/// Who says that nothing is changed isn't asked before a call, and rules of callers let it through.
fn lint_promise(offer: &Offer, report: &Report) {
    let request = |called: &Called| {
        let path = called.consumed.path.as_ref().map_or_else(String::new, |path| path.to_text());
        format!("{} {path}", called.consumed.method)
    };
    let Some(request) = offer.calls.iter().find(|called| !reads(&called.consumed.method)).map(request) else {
        return;
    };
    let exposure = offer.subject.exposure;
    let flow = offer.subject.shared.map(|(_, flow)| flow).filter(|flow| flow.semantics.safe == Some(true));
    let tool = match exposure.surface {
        Surface::Tool(Hints { read_only: Some(true), .. }) => exposure.name.as_ref(),
        Surface::Tool(_) | Surface::Rest(_) | Surface::Resource(_) => None,
    };
    for (key, Placed { at, value: name }) in [("safe", flow.map(|flow| &flow.name)), ("readOnly", tool)]
        .into_iter()
        .filter_map(|(key, name)| Some((key, name?)))
    {
        report
            .lint(Code::DoubtfulPromise, at, format!("is said to change nothing, and calls {request}: {name}"))
            .expected(format!("`{key}` only where all requests read, as GET does"))
            .hint(format!("remove `{key}: true`; leave it where the API is known to read by this method"));
    }
}

fn lint_tool(Placed { at, value: name }: &Placed<String>, offer: &Offer, report: &Report) {
    let called = offer.calls.iter().filter_map(|called| called.consumed.description.as_ref());
    let mut descriptions = offer.subject.description().into_iter().chain(called);
    if descriptions.all(|text| text.trim().is_empty()) {
        report
            .lint(Code::NoDescription, at, format!("tool has no description: {name}"))
            .expected("what it does, when to use it and when not")
            .hint("add a `description`: an agent chooses by nothing else");
    }
    let length = name.chars().count();
    if length > MAX_TOOL_NAME {
        report
            .lint(Code::LongName, at, format!("name is too long for some clients: {length} characters"))
            .expected(format!("at most {MAX_TOOL_NAME} characters, as models' function calling allows"))
            .hint("choose a shorter one; where several plugins have the name, the plugin's comes before it");
    }
}

/// Clients and people don't tell names apart that differ in case alone.
fn lint_similar_names(offers: &[Offer], report: &Report) {
    let mut first: HashMap<String, &Placed<String>> = HashMap::new();
    for name in offers.iter().filter_map(|offer| tool_name(offer.subject.exposure)) {
        if let Some(earlier) = first.get(&name.value.to_lowercase()) {
            let message = format!("names differ in case alone: {}, {}", earlier.value, name.value);
            report
                .lint(Code::SimilarNames, &name.at, message)
                .expected(format!("names that are told apart; the other is in line {}", earlier.at.line))
                .hint("rename one of them");
        } else {
            first.insert(name.value.to_lowercase(), name);
        }
    }
}

fn tool_name(exposure: &Exposure) -> Option<&Placed<String>> {
    match exposure.surface {
        Surface::Tool(_) => exposure.name.as_ref(),
        Surface::Rest(_) | Surface::Resource(_) => None,
    }
}
