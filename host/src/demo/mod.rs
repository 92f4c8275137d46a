//! What `airlock demo` serves: the plugins that come with Airlock, simulators of the APIs behind them, and grants that lead there.
//!
//! On loopback, without key or network. Nothing here is used by `airlock serve`.

pub mod m3ter;
pub mod metal;
mod simulator;

use std::{
    fs,
    hash::{BuildHasher, RandomState},
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use axum::Router;
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinSet};

use crate::config::{Config, ConfigError, DEFAULT_FILE};

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

/// The simulators, running, and a folder with the plugins and their grants. Dropping it stops and removes both.
pub struct Demo {
    plugins: TempDir,
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
        let m3ter = Simulated::start(&mut simulators, m3ter::router).await?;
        let metal = Simulated::start(&mut simulators, metal::router).await?;
        let mut config = "[plugins]\ndir = \".\"\n".to_owned();
        for (file, _, api) in PLUGINS {
            let simulated = match api {
                Api::M3ter => &m3ter,
                Api::Metal => &metal,
            };
            fs::write(plugins.path().join(api.secret()), &simulated.token)?;
            config.push_str(&grant(stem(file), api, simulated.address));
        }
        fs::write(plugins.path().join(DEFAULT_FILE), config)?;
        Ok(Self { plugins, _simulators: simulators })
    }

    /// The folder with the plugins.
    pub fn plugins(&self) -> &Path {
        self.plugins.path()
    }

    /// The file with the configuration.
    pub fn config_file(&self) -> PathBuf {
        self.plugins().join(DEFAULT_FILE)
    }

    /// A configuration that serves the plugins against the simulators, on the default ports.
    ///
    /// # Errors
    /// The file is gone.
    pub fn config(&self) -> Result<Config, ConfigError> {
        Config::read(&self.config_file())
    }
}

impl Api {
    fn origin(self) -> &'static str {
        match self {
            Self::M3ter => "https://api.m3ter.com",
            Self::Metal => "https://api.equinix.com",
        }
    }

    fn secret(self) -> &'static str {
        match self {
            Self::M3ter => "M3TER_API_KEY",
            Self::Metal => "EQUINIX_API_KEY",
        }
    }
}

/// A grant that leads to a simulator. The file of the secret has the secret's name.
fn grant(plugin: &str, api: Api, simulator: SocketAddr) -> String {
    let (origin, secret) = (api.origin(), api.secret());
    format!(
        "\n[grants.{plugin}]\n\
         hosts = [\"{origin}\"]\n\
         upstreams.\"{origin}\" = \"http://{simulator}\"\n\
         secrets.{secret} = {{ file = \"{secret}\" }}\n"
    )
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

fn stem(file: &'static str) -> &'static str {
    let (stem, _) = file.rsplit_once('.').expect("written here");
    stem
}
