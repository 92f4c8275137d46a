//! Airlock as its users run it: the binary, a folder with documents, a configuration. Without a log, as what it is compared with has none.

use std::{env, fs, path::Path, process::Command, time::Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    load::{self, Ask},
    process::Process,
};

/// A folder to serve from.
pub struct Folder {
    folder: TempDir,
    config: String,
}

impl Folder {
    /// Without plugins.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(folder.path().join("plugins.d")).expect("a new folder");
        let any = "\"127.0.0.1:0\"";
        let config = format!(
            "[listen]\nrest = {any}\nmcp = {any}\ncontrol = {any}\n[plugins]\ncache = \"cache\"\n[mcp]\nlisted_tools = 100000\n"
        );
        Self { folder, config }
    }

    /// Adds the capability of that name, which asks this upstream, with more lines for its grant.
    pub fn add(&mut self, name: &str, upstream: &str, grant: &str) {
        fs::write(self.path(name), document(name, name)).expect("a new file");
        self.config += &self::grant(name, upstream, grant);
    }

    /// Writes a capability anew, with another title.
    pub fn change(&self, name: &str, title: &str) {
        let new = self.folder.path().join("new");
        fs::write(&new, document(name, title)).expect("a new file");
        fs::rename(new, self.path(name)).expect("the same file system");
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join("plugins.d").join(name).with_extension("yaml")
    }

    /// Starts the host.
    pub fn serve(&self) -> Airlock {
        let config = self.folder.path().join("airlock.toml");
        fs::write(&config, &self.config).expect("a new file");
        let began = Instant::now();
        let mut process = Process::start(
            Command::new(binary()).args(["serve", "--log", "error", "--config"]).arg(config).env_remove("AIRLOCK_LOG"),
        );
        let mut address = || {
            let line = process.line();
            let url = line.split_whitespace().last().expect("a URL");
            url.trim_start_matches("http://").trim_end_matches("/mcp").to_owned()
        };
        let (rest, mcp, control) = (address(), address(), address());
        Airlock { rest, mcp, control, start: began.elapsed().as_secs_f64(), process }
    }
}

/// A host that runs.
pub struct Airlock {
    pub rest: String,
    pub mcp: String,
    pub control: String,
    /// How long it took to start, in seconds.
    pub start: f64,
    pub process: Process,
}

/// The binary is built beside this program.
fn binary() -> std::path::PathBuf {
    let this = env::current_exe().expect("this program has a path");
    let folder = this.parent().and_then(Path::parent).expect("target/<profile>/examples");
    folder.join("airlock-under-test")
}

/// What the configuration says about the capability of that name.
pub fn grant(name: &str, upstream: &str, more: &str) -> String {
    format!(
        "[grants.{name}]\nhosts = [\"http://answers.test\"]\nupstreams.\"http://answers.test\" = \"{upstream}\"\n{more}\n"
    )
}

/// An operation whose answer is handed on, which is the least that there can be to do; as REST and as one of two tools.
pub fn document(name: &str, title: &str) -> String {
    format!(
        r#"naftiko: 1.0.0-alpha2
info:
  label: {title}
  description: Answers of several sizes.
capability:
  consumes:
  - type: http
    namespace: {name}-upstream
    baseUri: http://answers.test
    resources:
    - name: answers
      path: /{{size}}
      operations:
      - name: get
        method: GET
        outputRawFormat: json
        inputParameters: &size
        - {{ name: size, in: path, type: string, required: true, description: How long the answer is. }}
      - name: delete
        method: DELETE
        outputRawFormat: json
        inputParameters: *size
  exposes:
  - type: rest
    namespace: {name}-rest
    port: 8080
    resources:
    - name: answers
      path: /{name}/{{size}}
      operations:
      - name: get
        method: GET
        call: {name}-upstream.get
        with: {{ size: rest.size }}
        outputParameters:
        - {{ type: object, mapping: $. }}
  - type: mcp
    namespace: {name}-mcp
    port: 9090
    description: Answers of several sizes.
    tools:
    - name: {name}-get
      description: An answer of this size.
      inputParameters:
      - {{ name: size, type: string, required: true, description: How long the answer is. }}
      call: {name}-upstream.get
      with: {{ size: mcp.size }}
      outputParameters:
      - {{ type: object, mapping: $. }}
    - name: {name}-delete
      description: No more answers of this size.
      inputParameters:
      - {{ name: size, type: string, required: true, description: How long the answer was. }}
      call: {name}-upstream.delete
      with: {{ size: mcp.size }}
      outputParameters:
      - {{ type: object, mapping: $. }}
"#
    )
}

/// A request without a body.
pub fn get(authority: &str, path: &str) -> Ask {
    let request = format!("GET {path} HTTP/1.1\r\nhost: {authority}\r\n\r\n").into_bytes();
    Ask { authority: authority.to_owned(), request, number: None, contains: "\"data\":[" }
}

/// A call of a tool, from a client of the version without sessions.
pub fn tool_call(authority: &str, name: &str, size: &str) -> Ask {
    modern(authority, "tools/call", call_of(name, size), &format!("mcp-name: {name}\r\n"))
}

/// A call of a tool in a session.
pub fn tool_call_in(session: &str, authority: &str, name: &str, size: &str) -> Ask {
    post(authority, &headers_in(session), "tools/call", call_of(name, size))
}

fn call_of(name: &str, size: &str) -> Value {
    json!({"name": name, "arguments": {"size": size}})
}

/// The tools, from such a client.
pub fn tools(authority: &str) -> Ask {
    Ask { contains: "\"tools\":[", ..modern(authority, "tools/list", json!({}), "") }
}

/// What the version without sessions has in every request, and these headers.
fn modern(authority: &str, method: &str, mut params: Value, headers: &str) -> Ask {
    const VERSION: &str = "2026-07-28";
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": VERSION,
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let headers = format!("mcp-protocol-version: {VERSION}\r\nmcp-method: {method}\r\n{headers}");
    post(authority, &headers, method, params)
}

/// Begins a session, as clients up to 2025-11-25 do, and gives its name.
pub async fn session(authority: &str) -> String {
    let client = json!({"name": "airlock-bench", "version": "0"});
    let params = json!({"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": client});
    let (head, body) = load::once(&post(authority, "", "initialize", params)).await.expect("an answer");
    let fields = head.lines().filter_map(|line| line.split_once(": "));
    let id = fields.filter(|(name, _)| name.eq_ignore_ascii_case("mcp-session-id")).map(|(_, value)| value).next();
    let id = id.unwrap_or_else(|| panic!("no session: {head}{body}")).to_owned();
    let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let request = with_body(authority, &headers_in(&id), &initialized);
    let told = Ask { authority: authority.to_owned(), request, number: None, contains: "" };
    load::once(&told).await.expect("an answer");
    id
}

const LEGACY: &str = "2025-11-25";

fn headers_in(session: &str) -> String {
    format!("mcp-protocol-version: {LEGACY}\r\nmcp-session-id: {session}\r\n")
}

fn post(authority: &str, headers: &str, method: &str, params: Value) -> Ask {
    const NUMBER: &str = "0000000000";
    let message = json!({"jsonrpc": "2.0", "id": NUMBER, "method": method, "params": params});
    let request = with_body(authority, headers, &message);
    let at = request.windows(NUMBER.len()).position(|it| it == NUMBER.as_bytes()).expect("just written");
    let number = Some(at..at + NUMBER.len());
    // In the text of a result, which is JSON within JSON.
    Ask { authority: authority.to_owned(), request, number, contains: "\\\"data\\\":[" }
}

fn with_body(authority: &str, headers: &str, message: &Value) -> Vec<u8> {
    let body = message.to_string();
    let accept = "accept: application/json, text/event-stream";
    let length = body.len();
    let head = format!("POST /mcp HTTP/1.1\r\nhost: {authority}\r\ncontent-type: application/json\r\n{accept}\r\n");
    format!("{head}{headers}content-length: {length}\r\n\r\n{body}").into_bytes()
}
