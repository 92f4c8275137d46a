//! Hosts: a folder with plugins, secrets and a configuration, started on free ports.

use std::{
    fmt::Display,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use airlock::{app::Host, config::Config, listen::Limits};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
};

use super::{Answer, Http, Mcp, Upstream, fixture, within_patience};

/// How many hosts there are at the same time. Each reserves address space for 1500 sandboxes with two memories each, 12 TiB of the
/// 128 TiB that a process has; on a machine with many cores the tests would ask for more.
pub(super) static HOSTS: std::sync::LazyLock<Arc<Semaphore>> = std::sync::LazyLock::new(|| Arc::new(Semaphore::new(8)));

/// How often `/plugins` is asked for what nothing announces: that a file was refused.
const POLL: Duration = Duration::from_millis(20);

/// What a host is to be started with.
pub struct Setup {
    folder: TempDir,
    config: String,
    inbound: Limits,
}

impl Default for Setup {
    fn default() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for below in ["plugins.d", "secrets"] {
            fs::create_dir(folder.path().join(below)).expect("a new folder");
        }
        let any = "\"127.0.0.1:0\"";
        let config = format!("[listen]\nrest = {any}\nmcp = {any}\ncontrol = {any}\n");
        Self { folder, config, inbound: Limits::default() }
    }
}

impl Setup {
    /// The hostile fixture, granted both of its named upstreams (which are this one), with a secret and limits.
    pub fn hostile(upstream: &str, secret: &str, limits: &str) -> Self {
        Self::default().file("hostile.wasm", fixture::HOSTILE).secret("SECRET", secret).config(&format!(
            r#"
            [grants.hostile]
            hosts = ["http://upstream.test", "http://query.test"]
            secrets.SECRET = {{ file = "secrets/SECRET" }}
            upstreams."http://upstream.test" = "{upstream}"
            upstreams."http://query.test" = "{upstream}"
            limits = {{ {limits} }}
            "#
        ))
    }

    /// Both providers, with their documents and these upstreams.
    pub fn providers(m3ter: &Upstream, metal: &Upstream) -> Self {
        Self::default().m3ter(m3ter).provider(
            ("metal-users", super::METAL),
            "https://api.equinix.com",
            ("EQUINIX_API_KEY", "metal-test-token"),
            metal,
        )
    }

    /// Adds the one provider.
    pub fn m3ter(self, upstream: &Upstream) -> Self {
        let secret = ("M3TER_API_KEY", "m3ter-test-token");
        self.provider(("m3ter-orgusers", super::M3TER), "https://api.m3ter.com", secret, upstream)
    }

    fn provider(
        self,
        (plugin, document): (&str, &str),
        origin: &str,
        (secret, value): (&str, &str),
        upstream: &Upstream,
    ) -> Self {
        let to = upstream.url();
        self.file(&format!("{plugin}.yaml"), document).secret(secret, value).config(&format!(
            r#"
            [grants.{plugin}]
            hosts = ["{origin}"]
            secrets.{secret} = {{ file = "secrets/{secret}" }}
            upstreams."{origin}" = "{to}"
            "#
        ))
    }

    /// Puts a file into the plugin folder.
    pub fn file(self, name: &str, contents: impl AsRef<[u8]>) -> Self {
        fs::write(self.folder.path().join("plugins.d").join(name), contents).expect("a new file");
        self
    }

    /// Puts a secret into the file `secrets/<name>`.
    pub fn secret(self, name: &str, value: &str) -> Self {
        fs::write(self.folder.path().join("secrets").join(name), value).expect("a new file");
        self
    }

    /// Adds to `airlock.toml`.
    pub fn config(mut self, toml: &str) -> Self {
        self.config.push_str(toml);
        self
    }

    /// Adds keys to the table `listen` of `airlock.toml`.
    pub fn listen(mut self, toml: &str) -> Self {
        self.config = self.config.replacen("[listen]\n", &format!("[listen]\n{toml}"), 1);
        self
    }

    /// Sets the limits for callers.
    pub fn inbound(mut self, limits: Limits) -> Self {
        self.inbound = limits;
        self
    }

    /// Starts the host. It is ready when this returns: every file has been tried.
    pub async fn start(self) -> TestHost {
        let permit = HOSTS.clone().acquire_owned().await.expect("never closed");
        let path = self.folder.path().join("airlock.toml");
        let mut config = Config::parse(&self.config, &path).unwrap_or_else(|e| panic!("{e}"));
        config.listen.limits = self.inbound;
        let host = within_patience("the host's start", Host::start(config)).await;
        TestHost {
            host: host.unwrap_or_else(|e| panic!("{e}")),
            http: Http::default(),
            folder: self.folder,
            _permit: permit,
        }
    }
}

/// A host with the hostile fixture, whose upstreams are this one, and with these limits for it.
pub async fn start_hostile(upstream: &Upstream, limits: &str) -> TestHost {
    Setup::hostile(&upstream.url(), "no-secret-of-this-test", limits).start().await
}

/// A host that runs.
pub struct TestHost {
    host: Host,
    http: Http,
    folder: TempDir,
    _permit: OwnedSemaphorePermit,
}

/// What `/plugins` says about a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileStatus {
    pub state: String,
    pub version: String,
    pub error: String,
}

impl TestHost {
    /// The same host, to be asked over HTTP/2 from now on.
    pub fn over_http2(mut self) -> Self {
        self.http = Http::http2();
        self
    }

    /// The plugin folder.
    pub fn plugins(&self) -> PathBuf {
        self.folder.path().join("plugins.d")
    }

    /// The URL of a path of the MCP door.
    pub fn mcp_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.host.mcp)
    }

    /// The URL of a path of the REST door.
    pub fn rest_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.host.rest)
    }

    /// An MCP client for the tools of all plugins.
    pub fn mcp(&self) -> Mcp {
        self.mcp_at("/mcp")
    }

    /// An MCP client for another path.
    pub fn mcp_at(&self, path: &str) -> Mcp {
        Mcp::new(self.http.clone(), self.mcp_url(path))
    }

    /// A REST client that can be moved into a task.
    pub fn rest(&self) -> Rest {
        Rest::new(self.http.clone(), self.host.rest)
    }

    /// Clients to talk with each listener: REST, MCP, control.
    pub fn listeners(&self) -> [Rest; 3] {
        [self.host.rest, self.host.mcp, self.host.control].map(|address| Rest::new(self.http.clone(), address))
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.rest().get(path).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.rest().send("PUT", path, Some(body)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.rest().send("POST", path, Some(body)).await
    }

    /// Asks the control listener.
    pub async fn control(&self, path: &str) -> Answer {
        let request = Request::get(format!("http://{}{path}", self.host.control)).body(Full::default());
        self.http.send(request.expect("a request")).await
    }

    /// What `/plugins` says.
    pub async fn told(&self) -> Value {
        self.control("/plugins").await.ok()
    }

    /// The names of the plugins that serve.
    pub async fn serving(&self) -> Vec<String> {
        let told = self.told().await;
        let plugins = told["plugins"].as_array().expect("a list").iter();
        plugins.map(|it| it["name"].as_str().expect("a name").to_owned()).collect()
    }

    /// Waits until so many calls are running, which nothing announces.
    pub async fn when_running(&self, count: usize) {
        within_patience("a number of running calls", async {
            while self.told().await["plugins"][0]["running"] != count {
                tokio::time::sleep(POLL).await;
            }
        })
        .await;
    }

    /// What `/plugins` says about a file, if it knows it.
    pub async fn file(&self, name: &str) -> Option<FileStatus> {
        let told = self.told().await;
        let file = told["files"].as_array().expect("a list").iter().find(|it| it["file"] == name)?.clone();
        let text = |member: &str| file[member].as_str().unwrap_or_default().to_owned();
        Some(FileStatus { state: text("state"), version: text("version"), error: text("error") })
    }

    /// Waits until `/plugins` says what is wanted about a file. For refusals, which nothing announces.
    pub async fn file_when(&self, name: &str, wanted: impl Fn(&Option<FileStatus>) -> bool) -> Option<FileStatus> {
        within_patience(name, async {
            loop {
                let status = self.file(name).await;
                if wanted(&status) {
                    return status;
                }
                tokio::time::sleep(POLL).await;
            }
        })
        .await
    }

    /// Does something to the plugin folder, and waits until the set of plugins has changed by it.
    pub async fn changed_by<T>(&self, change: impl FnOnce(&Path) -> T) -> T {
        let mut changes = self.host.catalog().changes();
        changes.borrow_and_update();
        let done = change(&self.plugins());
        within_patience("a change of the catalog", changes.changed()).await.expect("the host runs");
        done
    }

    /// Stops the host as a signal does.
    pub async fn stop(self) {
        within_patience("the host's stop", self.host.stop()).await;
    }
}

/// A client of one host's REST door.
#[derive(Clone)]
pub struct Rest {
    http: Http,
    origin: String,
}

impl Rest {
    /// A client of the host that listens there.
    pub fn new(http: Http, address: impl Display) -> Self {
        Self { http, origin: format!("http://{address}") }
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None).await
    }

    /// Sends a request with a JSON body, or none.
    pub async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let headers: &[(&str, &str)] = match body {
            Some(_) => &[("content-type", "application/json")],
            None => &[],
        };
        self.raw(method, path, headers, body.map(Value::to_string).unwrap_or_default()).await
    }

    /// The same, over HTTP/1.1.
    pub fn over_http1(self) -> Self {
        Self { http: Http::default(), ..self }
    }

    /// Sends JSON, and waits for the answer's head only.
    pub async fn open(&self, method: &str, path: &str, body: &Value) -> Response<Incoming> {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.origin));
        let request = request.header("content-type", "application/json").body(Full::from(body.to_string()));
        self.http.open(request.expect("a request")).await
    }

    /// A connection of its own.
    pub async fn connect(&self) -> TcpStream {
        let address = self.origin.trim_start_matches("http://");
        TcpStream::connect(address).await.expect("the host listens")
    }

    /// Says this on a connection of its own, and gives all that is answered until the host closes it.
    pub async fn talk(&self, said: &str) -> String {
        let mut stream = self.connect().await;
        let mut answered = String::new();
        within_patience("the end of a connection", async {
            stream.write_all(said.as_bytes()).await?;
            stream.read_to_string(&mut answered).await
        })
        .await
        .expect("the host answers");
        answered
    }

    /// Sends whatever it is told.
    pub async fn raw(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.origin));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).expect("a request");
        self.http.send(request).await.check_rest()
    }
}
