//! A capability document -> diagnostics and a `Plan`.
//!
//! Pure: text in, values out. No files, no network, no environment; secrets are names here, never values.
//!
//! `tree` reads YAML, `shape` and `imports` make one document of one shape of it, `read` lowers it into the `model`, `link` follows the references
//! of each exposed thing, `assemble` makes the plan, `lint` looks for what is legal and probably wrong. Each reports what is wrong and goes on, so
//! that one pass finds everything.

pub mod plan;

mod assemble;
mod body;
mod diagnostic;
mod explain;
mod fields;
mod files;
mod forward;
mod imports;
mod inputs;
mod json_text;
mod jsonpath;
mod link;
mod lint;
mod located;
mod migrate;
mod model;
mod names;
mod read;
mod render;
mod report;
mod secrets;
mod shape;
mod sparql;
mod template;
mod tree;
mod uri;

#[cfg(any(test, fuzzing))]
pub mod properties;
#[cfg(test)]
mod tests;

pub use diagnostic::{Code, Diagnostic, Severity};
pub use explain::{PAGES, Page};
pub use files::{Files, Located};
pub use located::{MAX_LOCATED_BYTES, MAX_LOCATED_FILES, NAME as LOCATED_NAME, is_file_name};
pub use migrate::{Migrated, migrate};
pub(crate) use read::may_send_header;
pub use render::Palette;
pub(crate) use report::nearest;
pub use tree::MAX_SOURCE_BYTES;
pub(crate) use uri::{BaseUri, PathTemplate};

use plan::Plan;
use report::{Lints, Report};

/// The JSON Schema (2020-12) of the documents that are taken, for editors. More is wrong with a document than it can say.
pub const SCHEMA: &str = include_str!("schema.json");

use crate::contract::Origins;

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
    /// Where it supposes the values of its secrets, by their names. The grant decides.
    pub origins: Origins,
    /// What its author should know.
    pub warnings: Vec<Diagnostic>,
}

/// Compiles a document that imports from no other file. The error holds every problem, warnings too, in the order of the source.
///
/// Does not check that the schemas in it can be compiled, nor that the operator grants what it needs.
pub fn compile(source: &str, mode: Mode) -> Result<Compiled, Vec<Diagnostic>> {
    compile_with(source, &Files::default(), mode)
}

/// Compiles a document with the texts of the files that `wanted` names.
pub fn compile_with(source: &str, files: &Files, mode: Mode) -> Result<Compiled, Vec<Diagnostic>> {
    compile_reporting(Lints::Silent, source, files, mode)
}

/// The same for the document's author, who is also told what is legal and probably wrong.
pub fn check(source: &str, files: &Files, mode: Mode) -> Result<Compiled, Vec<Diagnostic>> {
    compile_reporting(Lints::Reported, source, files, mode)
}

fn compile_reporting(lints: Lints, source: &str, files: &Files, mode: Mode) -> Result<Compiled, Vec<Diagnostic>> {
    let report = Report::with(lints);
    let made = make_plan(source, files, &report);
    let mut diagnostics = report.into_diagnostics();
    match (made, mode) {
        (Some((plan, origins)), Mode::Tolerant) => Ok(Compiled { plan, origins, warnings: diagnostics }),
        (Some((plan, origins)), Mode::Strict) if diagnostics.is_empty() => {
            Ok(Compiled { plan, origins, warnings: diagnostics })
        }
        (None, Mode::Tolerant) => Err(diagnostics),
        (_, Mode::Strict) => {
            diagnostics.iter_mut().for_each(|diagnostic| diagnostic.severity = Severity::Error);
            Err(diagnostics)
        }
    }
}

/// The files of its folder that a document names, by their paths from it.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Those that it imports from.
    pub imported: Vec<String>,
    /// Those that it serves, or folders of them.
    pub located: Vec<String>,
}

/// The files that a document names. None for a text that can't be read.
pub fn wanted(source: &str) -> Wanted {
    // The folder asks this of every document after every change. Whoever hides a key behind an escape is told that the file wasn't given.
    let has = |key: &str| source.contains(key);
    let may_serve = has("location") && ["uri", "prompts", "skills"].into_iter().any(has);
    if !has("import") && !may_serve {
        return Wanted::default();
    }
    parse(source, &Report::default()).map_or_else(Wanted::default, |root| Wanted {
        imported: imports::wanted(&root),
        located: located::wanted(&root),
    })
}

/// Whether a text is no capability of its own, only parts that other documents import.
pub fn is_shared(source: &str) -> bool {
    // The folder asks this of each new version of a document that serves. At the beginning of a line it is a key of the root.
    if source.lines().any(|line| line.starts_with("capability:")) {
        return false;
    }
    parse(source, &Report::default()).is_some_and(|root| imports::is_shared(&root))
}

fn parse(source: &str, report: &Report) -> Option<tree::Node> {
    let mut root = tree::parse(source, report)?;
    shape::unify(&mut root, report);
    Some(root)
}

/// The plan, if there is no error in the report, and the origins of the secrets.
fn make_plan(source: &str, files: &Files, report: &Report) -> Option<(Plan, Origins)> {
    let mut root = parse(source, report)?;
    if imports::is_shared(&root) {
        imports::check_shared(&root, report);
        return None;
    }
    imports::resolve(&mut root, files, report);
    let document = read::read(&root, files, report)?;
    // What refers to something repeats it, as an alias does, and is bounded as aliases are.
    let mut room = tree::MAX_NODES;
    let mut offers = Vec::new();
    for exposure in &document.exposures {
        let Some(left) = room.checked_sub(link::weight(exposure, &document)) else {
            report
                .error(Code::Limit, exposure.action.at(), "what is called is repeated too often")
                .expected(format!("at most {} parameters and values in all that is exposed", tree::MAX_NODES))
                .hint("split the document: one capability per file");
            break;
        };
        room = left;
        offers.extend(link::link(exposure, &document, report));
    }
    let handovers = forward::link(&document, report);
    lint::lint(&document, &offers, report);
    (!report.has_errors()).then(|| (assemble::assemble(&document, &offers, &handovers), document.secrets.origins()))
}
