//! What becomes of the answer: the raw format of what is called, and the outputs of what is exposed.

use super::super::diagnostic::Code;
use super::super::model::{self, Consumed, RawAnswer};
use super::super::plan::{Action, Answer, Binary, Outcome, RawFormat, Shape};
use super::super::report::Report;
use super::{Called, Subject};

/// What is done with the answer of the only call; `shape` is what the result is made of, if it isn't the answer. `None` after an error.
pub fn make(subject: &Subject, consumed: &Consumed, shape: Option<Shape>, report: &Report) -> Option<Answer> {
    Some(match (&consumed.answer, shape) {
        (RawAnswer::Data(RawFormat::Json | RawFormat::Text), None) => Answer::HandedOn,
        (RawAnswer::Data(format), shape) => Answer::Shaped(format.clone(), shape_for(format, shape)),
        (RawAnswer::Bytes(binary), None) => bytes(binary, subject),
        (RawAnswer::Bytes(_), Some(_)) => {
            report
                .error(
                    Code::InvalidValue,
                    subject.exposure.action.at(),
                    "bytes have nothing that a result could be made of",
                )
                .expected("no `outputParameters`, or the whole answer: `- type: object` with `mapping: $.`")
                .hint("remove `outputParameters` here, or name the `outputRawFormat` that the answer really has");
            return None;
        }
    })
}

/// A schema is of JSON: text and bytes that are handed on keep no promise of one. `None` after an error.
pub fn check_schema(subject: &Subject, action: &Action, answered_by: Option<&Consumed>, report: &Report) -> Option<()> {
    let is_handed_on = match action {
        Action::Call(call) => !matches!(call.answer, Answer::Shaped(..)),
        Action::Flow(flow) => matches!(flow.outcome, Outcome::Answer(_)),
        Action::Made(_) | Action::Constant(_) | Action::Pages(_) => false,
    };
    let is_json = answered_by.is_none_or(|it| matches!(it.answer, RawAnswer::Data(RawFormat::Json)));
    if subject.output_schema().is_none() || !is_handed_on || is_json {
        return Some(());
    }
    report
        .error(Code::InvalidValue, subject.exposure.action.at(), "outputSchema of a result that isn't JSON")
        .expected("an answer that is JSON, or `outputParameters` that make JSON of text")
        .hint("remove `outputSchema`, or name the `outputRawFormat` that the answer really has");
    None
}

/// What is said to be bytes is an answer of bytes, as it comes. `None` after an error.
pub fn check_told(subject: &Subject, calls: &[Called], report: &Report) -> Option<()> {
    let Some(told) = &subject.exposure.bytes else { return Some(()) };
    match (subject.action, calls) {
        (model::Action::Call(_), [only]) if matches!(only.consumed.answer, RawAnswer::Bytes(_)) => Some(()),
        (model::Action::Call(_), _) => {
            report
                .error(Code::InvalidValue, &told.at, "said to be bytes, and the answer is something that is read")
                .expected("`outputRawFormat: binary` where the operation is consumed");
            None
        }
        _ => {
            report.not_supported(&told.at, "bytes of what isn't one call").expected("`call` beside it");
            None
        }
    }
}

/// A shape for what an answer of this format becomes; the whole of it, if there is none.
pub fn shape_for(format: &RawFormat, shape: Option<Shape>) -> Shape {
    let shape = shape.unwrap_or(Shape::WHOLE);
    match format {
        RawFormat::Xml => shape.of_xml(),
        _ => shape,
    }
}

/// Bytes of which nothing is said are handed on unread.
fn bytes(binary: &Binary, subject: &Subject) -> Answer {
    let max_size = [binary.max_size, subject.exposure.max_binary].into_iter().flatten().min();
    let told = subject.exposure.bytes.as_ref().and_then(|told| told.value.as_ref());
    let media_type = told.or(binary.media_type.as_ref()).cloned();
    match (Binary { media_type, max_size }) {
        Binary { media_type: None, max_size: None } => Answer::HandedOn,
        binary => Answer::Binary(binary),
    }
}
