//! A capability document -> diagnostics and a `Plan`.
//!
//! Pure: text in, values out. No files, no network, no environment; secrets are names here, never values.
//!
//! `tree` reads YAML, `read` lowers it into the `model`, `link` follows the references of each exposed thing, `assemble`
//! makes the plan. Each reports what is wrong and goes on, so that one pass finds everything.

pub mod plan;

mod assemble;
mod diagnostic;
mod fields;
mod inputs;
mod link;
mod model;
mod names;
mod read;
mod report;
mod template;
mod tree;
mod uri;

#[cfg(any(test, fuzzing))]
pub mod properties;
#[cfg(test)]
mod tests;

pub use diagnostic::{Code, Diagnostic, Severity};
pub(crate) use read::may_send_header;
pub(crate) use report::nearest;
pub(crate) use tree::MAX_SOURCE_BYTES;
pub(crate) use uri::{BaseUri, PathTemplate};

use plan::Plan;
use report::Report;

/// How much a document may say that has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Warnings stay warnings.
    Tolerant,
    /// Each warning is an error.
    Strict,
}

/// What a document means.
#[derive(Clone, Debug, PartialEq)]
pub struct Compiled {
    /// What it means.
    pub plan: Plan,
    /// What its author should know.
    pub warnings: Vec<Diagnostic>,
}

/// Compiles a document. The error holds every problem, warnings too, in the order of the source.
///
/// Does not check that the schemas in it can be compiled, nor that the operator grants what it needs.
pub fn compile(source: &str, mode: Mode) -> Result<Compiled, Vec<Diagnostic>> {
    let report = Report::default();
    let plan = make_plan(source, &report);
    let mut diagnostics = report.into_diagnostics();
    match (plan, mode) {
        (Some(plan), Mode::Tolerant) => Ok(Compiled { plan, warnings: diagnostics }),
        (Some(plan), Mode::Strict) if diagnostics.is_empty() => Ok(Compiled { plan, warnings: diagnostics }),
        (None, Mode::Tolerant) => Err(diagnostics),
        (_, Mode::Strict) => {
            diagnostics.iter_mut().for_each(|diagnostic| diagnostic.severity = Severity::Error);
            Err(diagnostics)
        }
    }
}

/// The plan, if there is no error in the report.
fn make_plan(source: &str, report: &Report) -> Option<Plan> {
    let root = tree::parse(source, report)?;
    let document = read::read(&root, report)?;
    let exposures = document.exposures.iter();
    let offers: Vec<_> = exposures.filter_map(|exposure| link::link(exposure, &document, report)).collect();
    (!report.has_errors()).then(|| assemble::assemble(&document, &offers))
}
