//! `airlock check`: everything that is wrong with documents and components, and the grants that they need.

use std::{path::Path, sync::Arc};

use super::{Check, CliError, plugin_name};
use crate::{
    app,
    component::{LoadError, Loader, Source},
    contract::{Audience, Description},
    document::{self, Mode},
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
            Ok(description) => report(file, &description),
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

async fn one(file: &Path, strictness: Strictness) -> Result<Description, CliError> {
    let source = read(file)?;
    if let Some(description) = document(file, &source, strictness)? {
        return Ok(description);
    }
    let loader = Loader::new(Arc::new(sandbox()?));
    let described = loader.describe(source).await;
    described.map_err(|reason| load_error(file, reason))
}

fn report(file: &Path, description: &Description) {
    println!("{}: ok", file.display());
    for operation in &description.operations {
        let route = operation.route.as_ref();
        let route = route.map_or("-".to_owned(), |it| format!("{} {}", it.method, it.path));
        let tool = operation.tool.as_deref().unwrap_or("-");
        println!("  {}  {route}  {tool}", operation.name);
    }
    let plugin = plugin_name(file);
    println!("\n# the grant that it needs, for airlock.toml");
    println!("{}\n", egress::needed_grant(&plugin, &description.upstreams));
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
pub(super) fn document(file: &Path, source: &Source, strictness: Strictness) -> Result<Option<Description>, CliError> {
    let Source::Document(text) = source else {
        return Ok(None);
    };
    let mode = match strictness {
        Strictness::Tolerant => Mode::Tolerant,
        Strictness::Strict => Mode::Strict,
    };
    let name = file.display().to_string();
    let (diagnostics, result) = match document::compile(text, mode) {
        Ok(compiled) => (compiled.warnings, Ok(compiled.plan.description)),
        Err(diagnostics) => {
            let reason = CliError::Checked(format!("{name}: not a usable document"));
            (diagnostics, Err(reason))
        }
    };
    for diagnostic in diagnostics {
        eprintln!("{}", diagnostic.render(&name, text));
    }
    result.map(Some)
}

pub(super) fn sandbox() -> Result<Sandbox, CliError> {
    Ok(app::sandbox(None)?)
}

pub(super) fn load_error(file: &Path, reason: LoadError) -> CliError {
    CliError::Load { file: file.display().to_string(), reason }
}
