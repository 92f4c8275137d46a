//! `airlock build`: a document becomes a component that any Airlock can load.

use std::sync::Arc;

use super::{Build, CliError, check, terminal, write};
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
