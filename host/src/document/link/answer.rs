//! What becomes of the answer: the raw format of what is called, and the outputs of what is exposed.

use super::super::diagnostic::Code;
use super::super::model::{Action, Consumed, RawAnswer};
use super::super::plan::{Answer, Binary, RawFormat, Shape};
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

/// What is said to be bytes is an answer of bytes, as it comes. `None` after an error.
pub fn check_bytes(subject: &Subject, calls: &[Called], report: &Report) -> Option<()> {
    let Some(told) = &subject.exposure.bytes else { return Some(()) };
    match (subject.action, calls) {
        (Action::Call(_), [only]) if matches!(only.consumed.answer, RawAnswer::Bytes(_)) => Some(()),
        (Action::Call(_), _) => {
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
