//! The configuration: a TOML file becomes validated values, before any port is bound. The only reader of the
//! environment, and of files but those of secrets: `grant` reads them when a plugin is loaded and when they change.
//!
//! Everything that is wrong is told at once, with its key. A secret without a value is no error here: it keeps one plugin from
//! loading, not the host from starting.

mod callers;
mod confirm;
mod grant;
mod key;
mod mcp;
mod outbound;

use std::{
    collections::BTreeMap,
    fmt::Display,
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
};

use serde::Deserialize;

pub use self::{callers::caller_name, key::caller_key};
use self::{
    callers::{RawCaller, RawIssuer},
    grant::{RawGrant, RawStored},
    mcp::RawMcp,
};
use crate::{
    callers::Settings,
    grant::{Grant, Stored},
    listen::{self, HostName, Origin},
    mcp::Listing,
};

/// The file that is read where none is named.
pub const DEFAULT_FILE: &str = "airlock.toml";

/// What the host is told to do.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens.
    pub listen: Listen,
    /// The folder of the plugins.
    pub plugins: PathBuf,
    /// Where compiled code is kept; nowhere by default.
    pub cache: Option<PathBuf>,
    /// What each plugin may do, by plugin name.
    pub grants: BTreeMap<String, Grant>,
    /// Who may call.
    pub callers: Settings,
    /// Which tools MCP clients are listed.
    pub mcp: Listing,
    /// What those who ask the control listener have to present; nothing by default.
    pub control_token: Option<Stored>,
}

/// Where the host listens. Loopback by default: a host that the network can reach is the operator's decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// REST; 8080 by default.
    pub rest: SocketAddr,
    /// MCP; 9090 by default.
    pub mcp: SocketAddr,
    /// Health, metrics and the list of plugins; 9901 by default. Never on the ports that agents reach.
    pub control: SocketAddr,
    /// The names by which it is reached, besides `localhost` and addresses; none by default.
    pub hosts: Vec<HostName>,
    /// The origins whose pages may call REST and MCP, besides those of the machine itself; none by default.
    pub origins: Vec<Origin>,
    /// The certificate of the REST and MCP listeners; in the clear by default.
    pub tls: Option<listen::Files>,
    /// Where clients reach MCP, for those who are to look up its issuers; by default by the host that the request names.
    pub mcp_origin: Option<Origin>,
    /// REST and MCP may be open to a network without callers: something in front knows who calls.
    pub allow_unauthenticated: bool,
    /// The limits of all listeners. Not from the file.
    pub limits: listen::Limits,
}

impl Default for Listen {
    fn default() -> Self {
        let loopback = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Self {
            rest: loopback(8080),
            mcp: loopback(9090),
            control: loopback(9901),
            hosts: Vec::new(),
            origins: Vec::new(),
            tls: None,
            mcp_origin: None,
            allow_unauthenticated: false,
            limits: listen::Limits::default(),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: Listen::default(),
            plugins: PathBuf::from("plugins.d"),
            cache: None,
            grants: BTreeMap::new(),
            callers: Settings::default(),
            mcp: Listing::default(),
            control_token: None,
        }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("{}: can't be read: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        reason: io::Error,
    },
    /// It is not TOML, or a key has no meaning or another type. The text has line and column.
    #[error("{}: {reason}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong where.
        reason: toml::de::Error,
    },
    /// Values that can't be used.
    #[error("{}: {}", path.display(), problems.join("\n"))]
    Values {
        /// The file.
        path: PathBuf,
        /// A line for each: key, problem, what was expected.
        problems: Vec<String>,
    },
}

impl Config {
    /// Reads a file. Relative paths in it are relative to its folder.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path).map_err(|reason| ConfigError::Read { path: path.to_owned(), reason })?;
        Self::parse(&text, path)
    }

    /// Reads a text as if it stood in the file at `path`.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let raw: RawConfig =
            toml::from_str(text).map_err(|reason| ConfigError::Syntax { path: path.to_owned(), reason })?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        let mut reader = Reader { folder, problems: Vec::new() };
        let config = reader.config(raw);
        match reader.problems.is_empty() {
            true => Ok(config),
            false => Err(ConfigError::Values { path: path.to_owned(), problems: reader.problems }),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    #[serde(default)]
    listen: RawListen,
    #[serde(default)]
    mcp: RawMcp,
    #[serde(default)]
    plugins: RawPlugins,
    #[serde(default)]
    grants: BTreeMap<String, RawGrant>,
    #[serde(default)]
    callers: BTreeMap<String, RawCaller>,
    #[serde(default)]
    issuers: BTreeMap<String, RawIssuer>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawListen {
    rest: Option<SocketAddr>,
    mcp: Option<SocketAddr>,
    control: Option<SocketAddr>,
    #[serde(default)]
    hosts: Vec<String>,
    #[serde(default)]
    origins: Vec<String>,
    mcp_origin: Option<String>,
    #[serde(default)]
    allow_unauthenticated: bool,
    control_token: Option<RawStored>,
    tls: Option<RawFiles>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFiles {
    certificate: PathBuf,
    key: PathBuf,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPlugins {
    dir: Option<PathBuf>,
    cache: Option<PathBuf>,
}

/// Turns raw values into validated ones and collects what is wrong with them.
struct Reader {
    folder: PathBuf,
    problems: Vec<String>,
}

impl Reader {
    fn config(&mut self, mut raw: RawConfig) -> Config {
        let default = Config::default();
        let grants = raw.grants.into_iter();
        let control_token = raw.listen.control_token.take();
        Config {
            callers: self.callers(raw.callers, raw.issuers),
            control_token: control_token.and_then(|raw| self.stored("listen.control_token", raw)),
            listen: self.listen(raw.listen),
            mcp: self.mcp(raw.mcp),
            plugins: self.folder.join(raw.plugins.dir.unwrap_or(default.plugins)),
            cache: raw.plugins.cache.map(|it| self.folder.join(it)),
            grants: grants
                .map(|(plugin, raw)| {
                    let grant = self.grant(&format!("grants.{plugin}"), raw);
                    (plugin, grant)
                })
                .collect(),
        }
    }

    fn listen(&mut self, raw: RawListen) -> Listen {
        let default = Listen::default();
        Listen {
            rest: raw.rest.unwrap_or(default.rest),
            mcp: raw.mcp.unwrap_or(default.mcp),
            control: raw.control.unwrap_or(default.control),
            hosts: self.each("listen.hosts", &raw.hosts),
            origins: self.each("listen.origins", &raw.origins),
            tls: raw.tls.map(|it| listen::Files {
                certificate: self.folder.join(it.certificate),
                key: self.folder.join(it.key),
            }),
            mcp_origin: self.each("listen.mcp_origin", raw.mcp_origin.as_slice()).pop(),
            allow_unauthenticated: raw.allow_unauthenticated,
            limits: default.limits,
        }
    }

    /// The texts as values; those that aren't any are told.
    fn each<T: FromStr<Err: Display>>(&mut self, key: &str, texts: &[String]) -> Vec<T> {
        let read = texts.iter().map(|text| text.parse().map_err(|e| format!("{key}: {text:?}: {e}")));
        read.filter_map(|read| read.map_err(|problem| self.problems.push(problem)).ok()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::env;

    use super::*;
    use crate::grant::{ClientAuthentication, MissingSecret, Pattern, Secret, Source, Stored};

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(text, Path::new("/etc/airlock/airlock.toml"))
    }

    #[test]
    fn an_empty_file_is_the_defaults() {
        let config = parse("").unwrap();
        assert_eq!(config.listen, Listen::default());
        assert_eq!(config.plugins, Path::new("/etc/airlock/plugins.d"));
        assert_eq!(config.cache, None);
        assert!(config.grants.is_empty());
    }

    #[test]
    fn a_grant_is_read() {
        let config = parse(
            r#"
            [listen]
            rest = "127.0.0.1:0"
            tls = { certificate = "tls/chain.pem", key = "/run/key.pem" }
            [plugins]
            dir = "/srv/plugins"
            cache = "code"
            [grants.m3ter-orgusers]
            hosts = ["https://api.m3ter.com", "https://*.m3ter.com/v1"]
            addresses = { allow = ["10.1.0.0/16", "fd12::/48"], deny = ["203.0.113.0/24"] }
            methods = ["GET", "PUT"]
            secrets.M3TER_API_KEY = { env = "AIRLOCK_TEST_NO_SUCH_VARIABLE" }
            upstreams."https://api.m3ter.com" = "http://127.0.0.1:4010"
            limits = { wall_ms = 1000, cpu_ms = 10, memory_mb = 8, concurrency = 2, response_mb = 1 }
            "#,
        )
        .unwrap();
        assert_eq!(config.listen.rest.port(), 0);
        let tls = config.listen.tls.unwrap();
        assert_eq!(tls.certificate, Path::new("/etc/airlock/tls/chain.pem"));
        assert_eq!(tls.key, Path::new("/run/key.pem"));
        assert_eq!(config.plugins, Path::new("/srv/plugins"));
        assert_eq!(config.cache.as_deref(), Some(Path::new("/etc/airlock/code")));
        let grant = &config.grants["m3ter-orgusers"];
        let texts = |hosts: &[Pattern]| hosts.iter().map(Pattern::to_string).collect::<Vec<_>>();
        assert_eq!(texts(&grant.hosts), ["https://api.m3ter.com", "https://*.m3ter.com/v1"]);
        assert_eq!(grant.addresses.allow, ["10.1.0.0/16", "fd12::/48"].map(|range| range.parse().unwrap()));
        assert_eq!(grant.addresses.deny, ["203.0.113.0/24"].map(|range| range.parse().unwrap()));
        assert_eq!(grant.rewrites[0].to.port, 4010);
        assert_eq!(grant.limits.memory, 8 << 20);
        let missing = read(&grant.secrets["M3TER_API_KEY"]).unwrap_err();
        assert_eq!(missing.to_string(), "environment variable AIRLOCK_TEST_NO_SUCH_VARIABLE is not set (or empty)");
    }

    fn read(source: &Source) -> Result<Secret, MissingSecret> {
        match source {
            Source::Stored(stored) => stored.read(),
            Source::OAuth2(client) => panic!("not a stored value: {client:?}"),
        }
    }

    #[test]
    fn a_secret_file_is_trimmed_and_its_absence_told() {
        let folder = env::temp_dir().join(format!("airlock-config-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("token"), "s3cret-value\n").unwrap();
        let text = "[grants.p]\nsecrets = { A = { file = 'token' }, B = { file = 'none' } }";
        let config = Config::parse(text, &folder.join("airlock.toml")).unwrap();
        let secrets = &config.grants["p"].secrets;
        assert_eq!(read(&secrets["A"]).unwrap().expose(), "s3cret-value");
        assert!(matches!(read(&secrets["B"]), Err(MissingSecret::File { path, .. }) if path.ends_with("none")));
        assert!(!format!("{config:?}").contains("s3cret"));
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn an_oauth2_source_is_read() {
        let config = parse(
            r#"
            [grants.p.secrets]
            A = { oauth2 = { token_url = "https://a.example/token", client_id = "me", client_secret = { file = "s" } } }
            [grants.p.secrets.B.oauth2]
            token_url = "http://127.0.0.1:1/o/token/"
            client_id = "me"
            client_secret = { file = "/run/s" }
            scope = "read write"
            audience = "https://api.example"
            authentication = "body"
            "#,
        )
        .unwrap();
        let client = |name: &str| match &config.grants["p"].secrets[name] {
            Source::OAuth2(client) => client.clone(),
            Source::Stored(stored) => panic!("not an oauth2 source: {stored:?}"),
        };
        let plain = client("A");
        assert_eq!(plain.authentication, ClientAuthentication::Basic);
        assert_eq!((plain.client_id.as_str(), &plain.scope, &plain.audience), ("me", &None, &None));
        assert!(matches!(plain.client_secret, Stored::File(path) if path == Path::new("/etc/airlock/s")));
        let full = client("B");
        assert_eq!(full.token_url.target(), "/o/token/");
        assert_eq!(full.authentication, ClientAuthentication::Body);
        assert_eq!(full.scope.as_deref(), Some("read write"));
        assert_eq!(full.audience.as_deref(), Some("https://api.example"));
    }

    /// The environment is the process's and other tests read it: what is asked for is never there, or always.
    #[test]
    fn a_credential_is_a_file_in_the_folder_of_systemd() {
        let config = parse("[grants.p]\nsecrets.A = { credential = 'token' }").unwrap();
        let Source::Stored(stored) = &config.grants["p"].secrets["A"] else { panic!("it is stored") };
        match (env::var_os("CREDENTIALS_DIRECTORY"), stored) {
            (Some(folder), Stored::File(path)) => assert_eq!(*path, Path::new(&folder).join("token")),
            (None, Stored::Missing(reason)) => assert_eq!(
                reason.to_string(),
                "credential token: CREDENTIALS_DIRECTORY is not set; give the unit LoadCredential=token:…"
            ),
            (_, other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn everything_wrong_is_told_with_its_key() {
        let error = parse(
            r#"
            [listen]
            hosts = ["airlock.example.com", "https://airlock.example.com"]
            origins = ["https://app.example.com", "https://app.example.com/"]
            [grants.p]
            hosts = ["api.m3ter.com", "ftp://x", "https://*.com"]
            addresses = { allow = ["10.1.2.3/16"], deny = ["203.0.113.7"] }
            upstreams."https://*.m3ter.com" = "http://127.0.0.1:4010"
            methods = ["get"]
            secrets.A = { credential = "../etc/shadow" }
            secrets.B = { oauth2 = { token_url = "a.example", client_id = "c", client_secret = { credential = "" } } }
            limits = { memory_mb = 0, cpu_ms = 0, concurrency = 9223372036854775807 }
            "#,
        )
        .unwrap_err()
        .to_string();
        for expected in [
            "listen.hosts: \"https://airlock.example.com\": expected a name such as airlock.example.com",
            "listen.origins: \"https://app.example.com/\": expected scheme://host[:port] as browsers send it",
            "grants.p.hosts: \"api.m3ter.com\": ",
            "grants.p.hosts: \"ftp://x\": ",
            "grants.p.hosts: \"https://*.com\": * stands for one label before a name of two labels or more",
            "grants.p.addresses.allow: \"10.1.2.3/16\": has bits set beyond its prefix length; expected 10.1.0.0/16",
            "grants.p.addresses.deny: \"203.0.113.7\": has no prefix length; expected 203.0.113.7/32",
            "grants.p.upstreams.\"https://*.m3ter.com\": \"https://*.m3ter.com\": host is not a name or an address",
            "grants.p.methods: \"get\": expected a method in capitals, such as GET",
            "grants.p.secrets.A.credential: \"../etc/shadow\": expected a name without slashes",
            "grants.p.secrets.B.oauth2.token_url: \"a.example\": no scheme, expected http:// or https://; expected scheme://",
            "grants.p.secrets.B.oauth2.client_secret.credential: \"\": expected a name without slashes",
            "grants.p.limits.memory_mb: 0: expected 1 to 1024",
            "grants.p.limits.cpu_ms: 0: expected 1 to 3600000",
            "grants.p.limits.concurrency: 9223372036854775807: expected 1 to 1000",
        ] {
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_misspelt_key_is_told_with_line_and_column() {
        let error = parse("[listen]\nrets = '127.0.0.1:1'").unwrap_err().to_string();
        assert!(error.contains("line 2, column 1"), "{error}");
        assert!(error.contains("unknown field `rets`, expected one of `rest`, `mcp`, `control`"), "{error}");
    }
}
