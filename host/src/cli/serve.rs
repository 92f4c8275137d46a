//! `airlock serve`: start the host, say where it is, stop it on a signal.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{CliError, Serve, config, terminal};
use crate::{app::Host, catalog::FileState, config::Config};

pub(super) async fn run(args: Serve) -> Result<(), CliError> {
    let mut config = config(args.config)?;
    if let Some(plugins) = args.plugins {
        config.plugins = plugins;
    }
    args.addresses.apply_to(&mut config);
    let host = start(config).await?;
    let stop = Stop::listen()?;
    terminal::say(addresses(&host));
    stop.end(host).await;
    Ok(())
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

/// The word of the terminal or the service manager to stop. It is listened for before anybody is told that there is something to be
/// stopped: until then the word ends the process where it stands.
pub(super) struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    pub(super) fn listen() -> Result<Self, CliError> {
        let on = |kind| signal(kind).map_err(|e| CliError::io("signal handler", e));
        Ok(Self { terminate: on(SignalKind::terminate())?, interrupt: on(SignalKind::interrupt())? })
    }

    /// Waits for it, then lets calls in flight finish.
    pub(super) async fn end(mut self, host: Host) {
        self.called().await;
        host.stop().await;
    }

    /// Waits for it.
    pub(super) async fn called(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
