//! `airlock build`: a document becomes a component that any Airlock can load.

use std::{fs, path::PathBuf, sync::Arc};

use super::{Build, CliError, check, terminal};
use crate::component::{Loader, Source};

pub(super) async fn run(args: Build) -> Result<(), CliError> {
    let source = check::read(&args.file)?;
    if matches!(source, Source::Component(_)) {
        return Err(CliError::Usage(format!("{}: is a component already; expected a document", args.file.display())));
    }
    check::document(&args.file, &source)?;
    let loader = Loader::new(Arc::new(check::sandbox()?));
    let wasm = loader.component(source).await.map_err(|reason| check::load_error(&args.file, reason))?;
    let output = args.output.unwrap_or_else(|| args.file.with_extension("wasm"));
    write(&output, &wasm)?;
    terminal::say(format_args!("{}: {} bytes", output.display(), wasm.len()));
    Ok(())
}

/// Whole or not at all: a host may be watching the folder.
pub(super) fn write(output: &PathBuf, contents: &[u8]) -> Result<(), CliError> {
    let failed = |e| CliError::io(output.display(), e);
    let mut unfinished = output.clone().into_os_string();
    unfinished.push(".tmp");
    fs::write(&unfinished, contents).map_err(failed)?;
    fs::rename(&unfinished, output).map_err(failed)
}
