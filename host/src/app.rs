//! The composition root: from a configuration to listeners that serve, and back down without losing a request.

use std::{io, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    callers::{self, Callers, Exposed},
    catalog::{Catalog, Folder, FolderError, Places},
    component::Loader,
    config::Config,
    control::{self, Control, Manager},
    grant::MissingSecret,
    listen::{self, BadFiles, Door, Guard, Limits, Tls},
    mcp::{self, Gate},
    metrics::Metrics,
    rest,
    sandbox::{CacheError, Sandbox},
};

/// How long calls in flight may take to finish when the host stops: as long as the default limit of one call.
const DRAIN: Duration = Duration::from_secs(30);

/// How many times a thread takes up some task before it looks for what has come in from outside. 4 instead of tokio's 61: where a
/// few guests compute, each time takes a tick of 5 ms, and what comes in would wait for 300 ms; a look is one system call.
const EVENT_INTERVAL: u32 = 4;

/// What the host runs on.
///
/// # Errors
/// The machine can't start its threads.
pub fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread().event_interval(EVENT_INTERVAL).enable_all().build()
}

/// Why the host doesn't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The engine can't run on this machine.
    #[error("the sandbox can't be started: {0}")]
    Sandbox(String),
    /// A listener can't be opened.
    #[error(
        "can't listen on {address} for {door}: {reason}; stop what uses the port, or choose another with listen.{door} in airlock.toml or --{door}"
    )]
    Listen {
        /// `rest`, `mcp` or `control`.
        door: &'static str,
        /// The address.
        address: SocketAddr,
        /// What went wrong.
        reason: io::Error,
    },
    /// The certificate of the listeners can't be used.
    #[error("the certificate of the listeners can't be used: {0}; see listen.tls in airlock.toml")]
    Tls(#[from] BadFiles),
    /// A listener would be open to anybody.
    #[error(transparent)]
    Exposed(#[from] Exposed),
    /// The token of the control listener has no value.
    #[error("listen.control_token: {0}")]
    ControlToken(MissingSecret),
    /// The plugin folder can't be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Compiled code can't be kept where it is to be kept.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

/// The sandbox, with the folder where compiled code is kept.
///
/// # Errors
/// The machine can't run it, or the folder can't be used.
pub(crate) fn sandbox(cache: Option<&Path>) -> Result<Sandbox, StartError> {
    let sandbox = Sandbox::new().map_err(|e| StartError::Sandbox(format!("{e:#}")))?;
    Ok(match cache {
        Some(folder) => sandbox.keeping_code_in(folder)?,
        None => sandbox,
    })
}

/// A host that serves.
pub struct Host {
    /// Where REST is served.
    pub rest: SocketAddr,
    /// Where MCP is served.
    pub mcp: SocketAddr,
    /// Where health, metrics and plugins are told.
    pub control: SocketAddr,
    /// The scheme of REST and MCP: `http`, or `https` where there is a certificate.
    pub scheme: &'static str,
    catalog: Arc<Catalog>,
    folder: Arc<Folder>,
    shutdown: CancellationToken,
    tasks: JoinSet<()>,
}

impl Host {
    /// Loads the plugins, opens the listeners and serves. Ports are bound before plugins are loaded, so that a port in use is told
    /// at once; nothing is answered before every plugin has been tried.
    ///
    /// # Errors
    /// See [`StartError`]. A plugin that can't be loaded is none of them.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        callers::check_exposure(&config)?;
        let manager = Manager::of(config.control_token.as_ref()).map_err(StartError::ControlToken)?;
        let scheme = if config.listen.tls.is_some() { "https" } else { "http" };
        let tls = config.listen.tls.map(Tls::open).transpose()?.map(Arc::new);
        let rest = open("rest", config.listen.rest).await?;
        let mcp = open("mcp", config.listen.mcp).await?;
        let control = open("control", config.listen.control).await?;

        let sandbox = sandbox(config.cache.as_deref())?;
        let catalog = Arc::new(Catalog::default());
        let metrics = Arc::new(Metrics::default());
        let callers = Arc::new(Callers::new(config.callers));
        let folder = Arc::new(Folder::new(
            Places::folder(config.plugins),
            config.grants,
            Loader::new(Arc::new(sandbox)).counting(metrics.clone()),
            catalog.clone(),
            metrics.clone(),
            callers.audience(),
        ));
        let shutdown = CancellationToken::new();
        let mut host = Self {
            rest: address(&rest),
            mcp: address(&mcp),
            control: address(&control),
            scheme: if tls.is_some() { "https" } else { "http" },
            catalog: catalog.clone(),
            folder: folder.clone(),
            shutdown: shutdown.clone(),
            tasks: JoinSet::new(),
        };
        let following = folder.clone().open().await?;
        let stopped = shutdown.clone();
        host.tasks.spawn(async move {
            stopped.run_until_cancelled_owned(following).await;
        });
        let limits = config.listen.limits;
        let guard = Guard::new(config.listen.hosts.clone(), config.listen.origins);
        let service = rest::service(catalog.clone(), callers.clone());
        host.serve(rest, limits, Door { service, guard: guard.clone(), tls: tls.clone(), refuse: rest::refuse });
        let gate = Gate::new(callers, config.listen.mcp_origin, scheme);
        let service = listen::routed(mcp::router(catalog.clone(), config.mcp, gate, shutdown));
        host.serve(mcp, limits, Door { service, guard, tls, refuse: mcp::refuse });
        // Pages have no business here, but for those that the operator opens on the machine itself. In the clear: who asks for health
        // and metrics is next to the host, and knows no certificate of its public name.
        let guard = Guard::new(config.listen.hosts, Vec::new());
        let service = listen::routed(control::router(Control { catalog, folder, metrics, manager }));
        host.serve(control, limits, Door { service, guard, tls: None, refuse: control::refuse });
        Ok(host)
    }

    /// The loaded plugins.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The plugin files.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Stops accepting, lets calls in flight finish, and returns when all is down; or after 30 seconds.
    pub async fn stop(mut self) {
        self.shutdown.cancel();
        let drained = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, drained).await.is_err() {
            tracing::warn!("calls were still running {DRAIN:?} after the stop, they are cut off");
        }
    }

    fn serve(&mut self, listener: TcpListener, limits: Limits, door: Door) {
        self.tasks.spawn(listen::serve(listener, door, limits, self.shutdown.clone()));
    }
}

async fn open(door: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|reason| StartError::Listen { door, address, reason })
}

fn address(listener: &TcpListener) -> SocketAddr {
    listener.local_addr().expect("a bound socket has an address")
}
