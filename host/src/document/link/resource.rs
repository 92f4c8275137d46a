//! What is read as a resource: what has to be right besides what has to be for any call.

use super::super::diagnostic::Code;
use super::super::model::{Action, Consumed, RawAnswer, Readable};
use super::super::report::Report;
use super::{Called, Subject, reads};

/// Checks it.
pub fn check(
    readable: &Readable,
    subject: &Subject,
    calls: &[Called],
    answered_by: Option<&Consumed>,
    report: &Report,
) {
    check_bytes(readable, subject, answered_by, report);
    check_reads(subject, calls, report);
}

/// What is read as bytes has to come as bytes: of anything else, bytes are only made by writing it down.
fn check_bytes(readable: &Readable, subject: &Subject, answered_by: Option<&Consumed>, report: &Report) {
    let is_bytes = answered_by.is_some_and(|consumed| matches!(consumed.answer, RawAnswer::Bytes(_)));
    if readable.binary && !is_bytes && !matches!(subject.action, Action::Constant(_)) {
        report
            .error(Code::InvalidValue, subject.exposure.action.at(), "`binary: true` for what isn't bytes")
            .expected("a call of an operation with `outputRawFormat: binary`")
            .hint("leave `binary` out, or say there that the answer is bytes");
    }
}

/// Clients read resources without asking anybody.
fn check_reads(subject: &Subject, calls: &[Called], report: &Report) {
    let is_safe = subject.shared.and_then(|(_, flow)| flow.semantics.safe) == Some(true);
    if let Some(called) = calls.iter().find(|called| !is_safe && !reads(&called.consumed.method)) {
        report
            .error(
                Code::InvalidValue,
                subject.exposure.action.at(),
                format!("a resource whose reading may change something: it calls {}", called.consumed.method),
            )
            .expected("calls by GET, or a `ref` to a flow with `semantics: {safe: true}`")
            .hint("make a tool of it, which people are asked about");
    }
}
