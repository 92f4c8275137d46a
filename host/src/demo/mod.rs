//! What `airlock demo` serves: the plugins that come with Airlock, simulators of the APIs behind them, and grants that lead there.
//!
//! On loopback, without key or network. Nothing here is used by `airlock serve`.

pub mod m3ter;
pub mod metal;
mod simulator;

use std::{
    collections::BTreeMap,
    fs,
    hash::{BuildHasher, RandomState},
    io,
    net::SocketAddr,
    path::Path,
};

use axum::Router;
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinSet};

use crate::{
    config::Config,
    grant::{Destination, Grant, Rewrite, Secret, Source},
};

/// The plugins: the file's name, its contents, the API that it uses.
const PLUGINS: [(&str, &[u8], Api); 3] = [
    ("m3ter-orgusers.yaml", include_bytes!("../../../plugins/m3ter-orgusers/capability.yaml"), Api::M3ter),
    ("metal-users.yaml", include_bytes!("../../../plugins/metal-users/capability.yaml"), Api::Metal),
    ("m3ter-user-access.wasm", include_bytes!(env!("AIRLOCK_USER_ACCESS_WASM")), Api::M3ter),
];

/// An upstream API that is simulated.
#[derive(Clone, Copy)]
enum Api {
    M3ter,
    Metal,
}

/// The simulators, running, and a folder with the plugins. Dropping it stops and removes both.
pub struct Demo {
    plugins: TempDir,
    m3ter: Simulated,
    metal: Simulated,
    _simulators: JoinSet<()>,
}

/// A running simulator, and the token that it accepts.
struct Simulated {
    address: SocketAddr,
    token: String,
}

impl Demo {
    /// Starts the simulators on free ports and lays out the plugins.
    ///
    /// # Errors
    /// No free port, or no room for the files.
    pub async fn start() -> io::Result<Self> {
        let plugins = tempfile::Builder::new().prefix("airlock-demo-").tempdir()?;
        for (file, contents, _) in PLUGINS {
            fs::write(plugins.path().join(file), contents)?;
        }
        let mut simulators = JoinSet::new();
        Ok(Self {
            plugins,
            m3ter: Simulated::start(&mut simulators, m3ter::router).await?,
            metal: Simulated::start(&mut simulators, metal::router).await?,
            _simulators: simulators,
        })
    }

    /// The folder with the plugins.
    pub fn plugins(&self) -> &Path {
        self.plugins.path()
    }

    /// A configuration that serves the plugins against the simulators, on the default ports.
    pub fn config(&self) -> Config {
        Config {
            plugins: self.plugins().to_owned(),
            grants: PLUGINS.iter().map(|(file, _, api)| (stem(file), self.grant(*api))).collect(),
            ..Config::default()
        }
    }

    fn grant(&self, api: Api) -> Grant {
        let (simulated, origin, secret) = match api {
            Api::M3ter => (&self.m3ter, "https://api.m3ter.com", "M3TER_API_KEY"),
            Api::Metal => (&self.metal, "https://api.equinix.com", "EQUINIX_API_KEY"),
        };
        let destination = |text: &str| Destination::parse(text).expect("written here");
        let token = Source::value(Secret::new(simulated.token.clone()));
        Grant {
            hosts: vec![destination(origin).into()],
            rewrites: vec![Rewrite {
                from: destination(origin),
                to: destination(&format!("http://{}", simulated.address)),
            }],
            secrets: BTreeMap::from([(secret.to_owned(), token)]),
            ..Grant::default()
        }
    }
}

impl Simulated {
    async fn start(simulators: &mut JoinSet<()>, router: fn(&str) -> Router) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let token = token();
        let router = router(&token);
        simulators.spawn(async move {
            if let Err(e) = axum::serve(listener, router).await {
                tracing::error!("a simulator ended: {e}");
            }
        });
        Ok(Self { address, token })
    }
}

/// Unlike any other text, so that it would be noticed wherever it appears. Nothing is protected by it.
fn token() -> String {
    let random = RandomState::new();
    format!("demo-{:016x}{:016x}", random.hash_one(1), random.hash_one(2))
}

fn stem(file: &str) -> String {
    let (stem, _) = file.rsplit_once('.').expect("written here");
    stem.to_owned()
}
