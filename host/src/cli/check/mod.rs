//! `airlock check`: everything that is wrong with documents and components, and the grants that they need.
//!
//! `checked` holds what was found about a file; one file for each format says it.

mod checked;
mod github;
pub(super) mod human;
mod json;
mod sarif;

use std::{path::Path, sync::Arc};

use clap::ValueEnum;
use serde_json::Value;

use self::checked::{Checked, Outcome};
use super::{Check, CliError, plugin_name, terminal};
use crate::{
    app,
    component::{LoadError, Loader, Source},
    contract::{Description, Origins},
    document::{self, Code, Compiled, Diagnostic, Files, Mode, Severity},
    sandbox::Sandbox,
};

/// How findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people: findings on standard error, grants on standard output.
    Human,
    /// One JSON object; its schema is in the README.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// Workflow commands, which GitHub shows beside the lines of a change.
    Github,
}

pub(super) async fn run(args: Check) -> Result<(), CliError> {
    let mode = match args.strict {
        true => Mode::Strict,
        false => Mode::Tolerant,
    };
    let mut checked = Vec::new();
    for file in &args.files {
        checked.push(look_at(file, mode).await?);
    }
    match args.format {
        Format::Human => human::print(&checked),
        Format::Json => print(&json::report(&checked)),
        Format::Sarif => print(&sarif::report(&checked)),
        Format::Github => terminal::say(github::report(&checked).trim_end()),
    }
    match checked.iter().filter(|it| !it.is_usable()).count() {
        0 => Ok(()),
        n => Err(CliError::Checked(format!("{n} of {} files can't be used", checked.len()))),
    }
}

fn print(report: &Value) {
    terminal::say(format_args!("{report:#}"));
}

/// Finds out everything about one file. The error is about this machine.
async fn look_at(path: &Path, mode: Mode) -> Result<Checked, CliError> {
    let (file, plugin) = (path.display().to_string(), plugin_name(path));
    let no_document = |outcome| Checked {
        file: file.clone(),
        plugin: plugin.clone(),
        text: String::new(),
        files: Files::new(),
        diagnostics: Vec::new(),
        outcome,
    };
    let (text, files) = match Source::read(path) {
        Err(reason) => return Ok(no_document(Outcome::NoPlugin(reason.to_string()))),
        Ok(component @ Source::Component(_)) => {
            let described = Loader::new(Arc::new(sandbox()?)).describe(component).await;
            return Ok(no_document(match described {
                Ok(description) => Outcome::Usable(description, Origins::new()),
                Err(reason) => Outcome::NoPlugin(reason.to_string()),
            }));
        }
        Ok(Source::Document { text, files, .. }) => (text, files),
        Ok(Source::Shared(text)) => (text, Files::new()),
    };
    let (diagnostics, outcome) = outcome_of(document::check(&text, &files, mode));
    Ok(Checked { file, plugin, text, files, diagnostics, outcome })
}

fn outcome_of(compiled: Result<Compiled, Vec<Diagnostic>>) -> (Vec<Diagnostic>, Outcome) {
    let mut diagnostics = match compiled {
        Ok(Compiled { plan, origins, warnings }) => return (warnings, Outcome::Usable(plan.description, origins)),
        Err(diagnostics) => diagnostics,
    };
    // That a file is there for others isn't wrong with it.
    let all = diagnostics.len();
    diagnostics.retain(|it| it.code != Code::SharedFile);
    let is_shared = diagnostics.len() < all && diagnostics.iter().all(|it| it.severity == Severity::Warning);
    let outcome = if is_shared { Outcome::Shared } else { Outcome::Diagnosed };
    (diagnostics, outcome)
}

/// Reads a file that should be a plugin.
pub(super) fn read(file: &Path) -> Result<Source, CliError> {
    Source::read(file).map_err(|reason| load_error(file, reason))
}

/// Compiles a document, prints what is wrong with it, and gives what it offers; a component is looked at when it is loaded.
pub(super) fn document(file: &Path, source: &Source) -> Result<Option<Description>, CliError> {
    let Source::Document { text, files, .. } = source else {
        return Ok(None);
    };
    let (diagnostics, outcome) = outcome_of(document::compile_with(text, files, Mode::Tolerant));
    for diagnostic in &diagnostics {
        human::print_diagnostic(diagnostic, file, text, files);
    }
    match outcome {
        Outcome::Usable(description, _) => Ok(Some(description)),
        Outcome::Shared => Ok(None),
        Outcome::Diagnosed | Outcome::NoPlugin(_) => {
            Err(CliError::Checked(format!("{}: not a usable document", file.display())))
        }
    }
}

pub(super) fn sandbox() -> Result<Sandbox, CliError> {
    Ok(app::sandbox(None)?)
}

pub(super) fn load_error(file: &Path, reason: LoadError) -> CliError {
    CliError::Load { file: file.display().to_string(), reason }
}
