//! `airlock check`: everything that is wrong with documents and components, and the grants that they need.

use std::{path::Path, sync::Arc};

use super::{Check, CliError, plugin_name};
use crate::{
    app,
    component::{LoadError, Loader, Source},
    contract::{Audience, Description, Origins},
    document::{self, Code, Diagnostic, Files, Mode, Severity},
    egress,
    sandbox::Sandbox,
};

/// How warnings are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strictness {
    /// Printed.
    Tolerant,
    /// Taken for errors.
    Strict,
}

pub(super) async fn run(args: Check) -> Result<(), CliError> {
    let strictness = match args.strict {
        true => Strictness::Strict,
        false => Strictness::Tolerant,
    };
    let mut failed = 0;
    for file in &args.files {
        match one(file, strictness).await {
            Ok(Meaning::Plugin(description, origins)) => report(file, &description, &origins),
            Ok(Meaning::Shared) => println!("{}: ok, for documents to import from", file.display()),
            Err(e) => {
                eprintln!("{e}");
                failed += 1;
            }
        }
    }
    match failed {
        0 => Ok(()),
        n => Err(CliError::Checked(format!("{n} of {} files can't be used", args.files.len()))),
    }
}

/// What a file turns out to be.
pub(super) enum Meaning {
    /// What it offers and needs, and where its secrets are supposed to come from.
    Plugin(Description, Origins),
    /// Parts for documents.
    Shared,
}

async fn one(file: &Path, strictness: Strictness) -> Result<Meaning, CliError> {
    let source = read(file)?;
    if let Some(meaning) = document(file, &source, strictness)? {
        return Ok(meaning);
    }
    let loader = Loader::new(Arc::new(sandbox()?));
    let described = loader.describe(source).await.map_err(|reason| load_error(file, reason))?;
    Ok(Meaning::Plugin(described, Origins::new()))
}

fn report(file: &Path, description: &Description, origins: &Origins) {
    println!("{}: ok", file.display());
    for operation in &description.operations {
        let route = operation.route.as_ref();
        let route = route.map_or("-".to_owned(), |it| format!("{} {}", it.method, it.path));
        let tool = operation.tool.as_deref().unwrap_or("-");
        println!("  {}  {route}  {tool}", operation.name);
    }
    let plugin = plugin_name(file);
    println!("\n# the grant that it needs, for airlock.toml");
    println!("{}\n", egress::needed_grant(&plugin, &description.upstreams, origins));
    let for_known = description.operations.iter().filter(|it| it.audience == Audience::Known).count();
    if for_known > 0 {
        println!("# {for_known} of its operations are for known callers; `airlock key new NAME` makes a key");
        println!("[callers.NAME]\nkey.hash = \"…\"\nplugins = [\"{plugin}\"]\n");
    }
}

/// Reads a file that should be a plugin.
pub(super) fn read(file: &Path) -> Result<Source, CliError> {
    Source::read(file).map_err(|reason| load_error(file, reason))
}

/// Compiles a document and prints what is wrong with it; `None` for a component.
pub(super) fn document(file: &Path, source: &Source, strictness: Strictness) -> Result<Option<Meaning>, CliError> {
    let none = Files::default();
    let (text, files) = match source {
        Source::Component(_) => return Ok(None),
        Source::Document { text, files } => (text, files),
        Source::Shared(text) => (text, &none),
    };
    let mode = match strictness {
        Strictness::Tolerant => Mode::Tolerant,
        Strictness::Strict => Mode::Strict,
    };
    let name = file.display().to_string();
    let (mut diagnostics, meaning) = match document::compile_with(text, files, mode) {
        Ok(compiled) => (compiled.warnings, Some(Meaning::Plugin(compiled.plan.description, compiled.origins))),
        Err(diagnostics) => (diagnostics, None),
    };
    let is_shared = diagnostics.iter().any(|it| it.code == Code::SharedFile);
    diagnostics.retain(|it| it.code != Code::SharedFile);
    for diagnostic in &diagnostics {
        eprintln!("{}", render(diagnostic, file, text, files));
    }
    match meaning {
        None if is_shared && diagnostics.iter().all(|it| it.severity == Severity::Warning) => Ok(Some(Meaning::Shared)),
        None => Err(CliError::Checked(format!("{name}: not a usable document"))),
        meaning => Ok(meaning),
    }
}

/// Shows the line of the file in which the problem is.
pub(super) fn render(diagnostic: &Diagnostic, document: &Path, text: &str, files: &Files) -> String {
    match &diagnostic.file {
        None => diagnostic.render(&document.display().to_string(), text),
        Some(other) => {
            let name = document.with_file_name(other).display().to_string();
            let text = files.get(other).and_then(|text| text.as_deref().ok());
            diagnostic.render(&name, text.unwrap_or_default())
        }
    }
}

pub(super) fn sandbox() -> Result<Sandbox, CliError> {
    Ok(app::sandbox(None)?)
}

pub(super) fn load_error(file: &Path, reason: LoadError) -> CliError {
    CliError::Load { file: file.display().to_string(), reason }
}
