//! How much of a document an exposure repeats: what it calls, and the flow that it refers to, are copied for each that does.

use super::{Called, called, flow};
use crate::document::model::{Action, Call, Document, Exposure, Outputs};
use crate::document::plan::{Body, Form, Shape};

/// About how many values its plan has that stand elsewhere in the document.
pub fn weight(exposure: &Exposure, document: &Document) -> usize {
    let shared = match &exposure.action {
        Action::Reference(reference) => document.flows.iter().find(|flow| flow.name.value == reference.flow.value),
        _ => None,
    };
    let action = shared.map_or(Some(&exposure.action), |flow| flow.action.as_ref());
    let of_calls = match action {
        Some(Action::Call(call)) => of_call(call, document),
        Some(Action::Flow(it)) => {
            it.mappings.len() + flow::calls(it).into_iter().map(|call| of_call(call, document)).sum::<usize>()
        }
        Some(Action::Mock(_) | Action::Reference(_) | Action::Constant(_)) | None => 0,
    };
    let outputs = shared.and_then(|flow| flow.outputs.as_ref());
    of_calls + outputs.map_or(0, |Outputs { shape, .. }| of_shape(shape))
}

fn of_call(call: &Call, document: &Document) -> usize {
    let Some(Called { consumed, .. }) = called(&call.operation, document) else { return 0 };
    let body = match &consumed.body {
        Some(Body::JsonTree(nodes)) => nodes.len(),
        Some(Body::Text(text)) => text.parts.len(),
        Some(Body::Form(fields)) => fields.len(),
        Some(Body::Multipart(parts)) => parts.len(),
        _ => 1,
    };
    1 + consumed.parameters.len() + body
}

fn of_shape(shape: &Shape) -> usize {
    1 + match &shape.form {
        Form::Array(_, item) => of_shape(item),
        Form::Object(members) => members.iter().map(|(_, member)| of_shape(member)).sum(),
        Form::FirstOf(all) => all.iter().map(of_shape).sum(),
        _ => 0,
    }
}
