//! `airlock serve`: start the host, say where it is, stop it on a signal.

use tokio::signal::unix::{SignalKind, signal};

use super::{CliError, Serve, config, terminal};
use crate::{app::Host, catalog::FileState, config::Config};

pub(super) async fn run(args: Serve) -> Result<(), CliError> {
    let mut config = config(args.config)?;
    if let Some(plugins) = args.plugins {
        config.plugins = plugins;
    }
    args.addresses.apply_to(&mut config);
    let host = start(config).await?;
    terminal::say(addresses(&host));
    stop_on_signal(host).await
}

/// Starts the host and says on standard error which files aren't served.
pub(super) async fn start(config: Config) -> Result<Host, CliError> {
    let folder = config.plugins.display().to_string();
    let host = Host::start(config).await?;
    for file in host.folder().status() {
        if let FileState::Failed(reason) = file.state {
            terminal::complain(format_args!("{folder}/{}: not loaded: {reason}", file.file));
        }
    }
    Ok(host)
}

pub(super) fn addresses(host: &Host) -> String {
    let scheme = host.scheme;
    format!("REST     {scheme}://{}\nMCP      {scheme}://{}/mcp\ncontrol  http://{}", host.rest, host.mcp, host.control)
}

/// Serves until the terminal or the service manager says stop, then lets calls in flight finish.
pub(super) async fn stop_on_signal(host: Host) -> Result<(), CliError> {
    signalled().await?;
    host.stop().await;
    Ok(())
}

/// Waits until the terminal or the service manager says stop.
pub(super) async fn signalled() -> Result<(), CliError> {
    let on = |kind| signal(kind).map_err(|e| CliError::io("signal handler", e));
    let mut terminate = on(SignalKind::terminate())?;
    let mut interrupt = on(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
