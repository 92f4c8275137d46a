//! What an exposure does: one call, the steps of a flow, what a flow of an aggregate does, or nothing but a mock's answer.

use super::argument::{self, Scope};
use super::{flow, output, pages};
use crate::document::diagnostic::Code;
use crate::document::fields::{Fields, text_of};
use crate::document::model::{Action, Call, Outputs, Reference, With};
use crate::document::report::Report;
use crate::document::tree::Placed;

/// Reads what an exposure does; it may refer to a flow of an aggregate.
pub fn read_exposed(fields: &mut Fields, scope: &Scope, report: &Report) -> Option<Action> {
    let Some(reference) = fields.node("ref") else {
        return read(fields, scope, report);
    };
    let alone = ["call", "steps", "mappings", "paginate"];
    for entry in alone.iter().filter_map(|key| fields.entry(key)) {
        report
            .error(Code::InvalidValue, &entry.key_at, format!("`{}` beside `ref`", entry.key))
            .expected("one of them")
            .hint("what a flow of an aggregate does is said there");
    }
    let flow = text_of(reference, report)?;
    let with = read_with(fields, scope, report);
    Some(Action::Reference(Reference { flow: Placed { at: flow.at, value: flow.value.to_owned() }, with }))
}

/// Reads what is done, without which an exposure or a flow is nothing.
pub fn read(fields: &mut Fields, scope: &Scope, report: &Report) -> Option<Action> {
    let steps = fields.entry("steps");
    let call = fields.entry("call");
    match (steps, call) {
        (Some(steps), Some(call)) => {
            report
                .error(Code::InvalidValue, &call.key_at, "`call` beside `steps`")
                .expected("one of them")
                .hint(format!("make the call one of the steps in line {}", steps.key_at.line));
            fields.ignore(&["with", "mappings", "outputParameters", "paginate"]);
            None
        }
        (Some(steps), None) => {
            fields.refuse(&["paginate"]);
            flow::read(fields, &steps.key_at, scope, report).map(Action::Flow)
        }
        (None, Some(call)) => {
            let with = read_with(fields, scope, report);
            let paginate = pages::read_paginate(fields, report);
            let call = text_of(&call.value, report)?;
            let operation = Placed { at: call.at, value: call.value.to_owned() };
            Some(Action::Call(Call { operation, with, paginate: paginate? }))
        }
        (None, None) => read_mock(fields, report),
    }
}

fn read_mock(fields: &mut Fields, report: &Report) -> Option<Action> {
    let with = fields.entry("with");
    if let Some(entry) = fields.written("paginate") {
        report
            .error(Code::NoPages, &entry.key_at, "nothing is called that could have pages")
            .expected("`call: <namespace of consumes>.<operation>` beside it");
    }
    let Some(outputs) = fields.entry("outputParameters") else {
        fields.missing("call").expected("<namespace of consumes>.<operation>, or `outputParameters` of a mock");
        return None;
    };
    if let Some(with) = with {
        report
            .warning(Code::InvalidValue, &with.key_at, "`with` has no effect: nothing is called")
            .expected("`call: <namespace of consumes>.<operation>` beside it, or none of both")
            .hint("remove it; a mock takes inputs where its outputs name them: `value: '{{input}}'`");
    }
    Some(Action::Mock(outputs.key_at.clone()))
}

/// Reads what the result is made of: an answer, or the inputs of a mock. What mappings make is read with them.
pub fn read_outputs(fields: &mut Fields, action: Option<&Action>, scope: &Scope, report: &Report) -> Option<Outputs> {
    match action {
        Some(Action::Mock(_)) => output::read_mock(fields, scope, report),
        Some(Action::Flow(flow)) if !flow.mappings.is_empty() => None,
        Some(Action::Flow(flow)) => {
            let steps: Vec<&str> = flow.steps.iter().map(|step| step.name.value.as_str()).collect();
            output::read_parameters(fields, &Scope { steps: &steps, ..*scope }, report)
        }
        _ => output::read_parameters(fields, scope, report),
    }
}

/// Reads what each parameter gets.
pub fn read_with(fields: &mut Fields, scope: &Scope, report: &Report) -> With {
    match fields.node("with") {
        Some(node) => argument::read_all(node, scope, report),
        None => With::SameNames,
    }
}
