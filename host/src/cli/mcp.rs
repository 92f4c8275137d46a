//! `airlock mcp`: plugins over MCP on standard input and output, for the client that has started the process, and for as long as it
//! reads and writes there.
//!
//! Standard output is the protocol's; everything else is said on standard error.

use std::{collections::BTreeMap, fs, path::PathBuf, sync::Arc};

use tokio_util::sync::CancellationToken;

use super::{CliError, Mcp, check, config, serve::Stop, terminal};
use crate::{
    app::{self, StartError},
    catalog::{Catalog, FileState, Folder, Places},
    component::{LoadError, Loader},
    contract::Audience,
    grant::Grant,
    mcp,
};

pub(super) async fn run(args: Mcp) -> Result<(), CliError> {
    let config = config(args.config)?;
    let catalog = load(args.files, config.grants, config.cache).await?;
    let mut stop = Stop::listen()?;
    let cancel = CancellationToken::new();
    let serving = mcp::serve_stdio(catalog, config.mcp, tokio::io::stdin(), tokio::io::stdout(), cancel.clone());
    tokio::pin!(serving);
    tokio::select! {
        () = &mut serving => return Ok(()),
        () = stop.called() => {}
    }
    cancel.cancel();
    serving.await;
    Ok(())
}

/// Loads the files and follows them. Whoever names a file wants it to be served: a client that found none of its tools would have
/// nobody to ask why.
async fn load(
    files: Vec<PathBuf>,
    grants: BTreeMap<String, Grant>,
    cache: Option<PathBuf>,
) -> Result<Arc<Catalog>, CliError> {
    for file in &files {
        fs::metadata(file).map_err(|e| check::load_error(file, LoadError::Read(e)))?;
    }
    let catalog = Arc::new(Catalog::default());
    let loader = Loader::new(Arc::new(app::sandbox(cache.as_deref())?));
    // There is one caller, who has started the process.
    let callers = Audience::Known;
    let folder = Arc::new(Folder::new(Places::at(files), grants, loader, catalog.clone(), Arc::default(), callers));
    let following = folder.clone().open().await.map_err(StartError::from)?;
    refuse_failed(&folder)?;
    tokio::spawn(following);
    Ok(catalog)
}

fn refuse_failed(folder: &Folder) -> Result<(), CliError> {
    let files = folder.status();
    let mut failed = 0;
    for file in &files {
        if let FileState::Failed(reason) = &file.state {
            terminal::complain(format_args!("{}: {reason}", file.file));
            failed += 1;
        }
    }
    match failed {
        0 if files.iter().any(|file| file.state == FileState::Loaded) => Ok(()),
        0 => {
            Err(CliError::Checked(format!("none of {} files is a plugin; expected one with a capability", files.len())))
        }
        n => Err(CliError::Checked(format!("{n} of {} files can't be served", files.len()))),
    }
}
