//! `airlock mcp`, as the desktop clients use it that start it: by its standard input, output and error, and by signals.

use std::{fs, process::Stdio};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    task::JoinHandle,
};

use crate::{
    cli::Shell,
    harness::{Upstream, fixture, random_text, within_patience},
    hot_load::document,
};

const MODERN: &str = "2026-07-28";
const LEGACY: [&str; 3] = ["2025-03-26", "2025-06-18", "2025-11-25"];
/// What one line may have.
const MAX_LINE: usize = 4 << 20;

fn grant(plugin: &str, upstream: &Upstream, more: &str) -> String {
    let to = upstream.url();
    format!(
        "[grants.{plugin}]\nhosts = [\"http://upstream.test\"]\nupstreams.\"http://upstream.test\" = \"{to}\"\n{more}\n"
    )
}

/// A shell with `thing.yaml`, whose tool is `thing`, and its grant.
fn thing(upstream: &Upstream) -> Shell {
    Shell::new()
        .file("thing.yaml", document("http://upstream.test", "1"))
        .file("airlock.toml", grant("thing", upstream, ""))
}

/// A shell with `hostile.wasm`, whose calls nothing ends but their client.
fn hostile(upstream: &Upstream) -> Shell {
    let endless = "secrets.SECRET = { file = \"secret\" }\nlimits = { wall_ms = 600000, cpu_ms = 600000 }";
    Shell::new()
        .file("hostile.wasm", fixture::HOSTILE)
        .file("secret", random_text())
        .file("airlock.toml", grant("hostile", upstream, endless))
}

/// A client that has started `airlock mcp`.
struct Client {
    airlock: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    /// What it says on standard error, read all the time so that it never waits for us.
    error: JoinHandle<String>,
    requests: u64,
    /// The methods of the notifications that have come.
    told: Vec<String>,
}

impl Client {
    fn start(shell: &Shell, arguments: &[&str]) -> Self {
        let mut command = shell.command(&[&["mcp"][..], arguments].concat());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut airlock = command.spawn().expect("airlock runs");
        let output = airlock.stdout.take().expect("it is piped");
        let mut error = airlock.stderr.take().expect("it is piped");
        Self {
            input: airlock.stdin.take(),
            output: BufReader::new(output).lines(),
            error: tokio::spawn(async move {
                let mut said = String::new();
                error.read_to_string(&mut said).await.expect("UTF-8");
                said
            }),
            airlock,
            requests: 0,
            told: Vec::new(),
        }
    }

    async fn initialized(shell: &Shell, arguments: &[&str], version: &str) -> Self {
        let mut client = Self::start(shell, arguments);
        let result = client.initialize(version).await;
        assert_eq!(result["protocolVersion"], version);
        client.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
        client
    }

    async fn initialize(&mut self, version: &str) -> Value {
        let info = json!({"name": "suite", "version": "1"});
        let params = json!({"protocolVersion": version, "capabilities": {}, "clientInfo": info});
        self.legacy("initialize", params).await
    }

    async fn write(&mut self, text: &[u8]) {
        let input = self.input.as_mut().expect("it isn't closed");
        within_patience("airlock to read", input.write_all(text)).await.expect("airlock reads");
    }

    async fn send(&mut self, message: &Value) {
        self.write(format!("{message}\n").as_bytes()).await;
    }

    /// Sends a request and gives its id.
    async fn ask(&mut self, method: &str, params: Value) -> u64 {
        self.requests += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": self.requests, "method": method, "params": params})).await;
        self.requests
    }

    /// The next message. Whatever isn't one has no business there.
    async fn next(&mut self) -> Value {
        let line = within_patience("a line of output", self.output.next_line()).await.expect("UTF-8");
        let line = line.expect("it goes on");
        let message: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert_eq!(message["jsonrpc"], "2.0", "{line}");
        message
    }

    /// Reads up to the answer to a request.
    async fn answer(&mut self, id: Value) -> Value {
        loop {
            let mut message = self.next().await;
            match message["method"].take() {
                Value::String(notification) => self.told.push(notification),
                _ if message["id"] == id => return message,
                _ => panic!("not asked for: {message}"),
            }
        }
    }

    async fn legacy(&mut self, method: &str, params: Value) -> Value {
        let id = self.ask(method, params).await;
        let mut answer = self.answer(id.into()).await;
        assert!(answer["result"].is_object(), "{method}: {answer}");
        answer["result"].take()
    }

    async fn modern(&mut self, method: &str, mut params: Value) -> Value {
        params["_meta"] = meta();
        let result = self.legacy(method, params).await;
        assert_eq!(result["resultType"], "complete", "{method}: {result}");
        result
    }

    /// Waits for a notification.
    async fn until(&mut self, method: &str) {
        while !self.told.iter().any(|it| it == method) {
            let message = self.next().await;
            self.told.push(message["method"].as_str().unwrap_or_else(|| panic!("{message}")).to_owned());
        }
        self.told.retain(|it| it != method);
    }

    async fn signal(&self, signal: &str) {
        let id = self.airlock.id().expect("it runs").to_string();
        assert!(Command::new("kill").args([signal, &id]).status().await.expect("kill runs").success());
    }

    /// Closes its input.
    async fn close(mut self) -> String {
        drop(self.input.take());
        self.ended().await
    }

    /// Waits for its end, and gives what it has said on standard error.
    async fn ended(mut self) -> String {
        let status = within_patience("the end of airlock mcp", self.airlock.wait()).await.expect("it ends");
        let error = self.error.await.expect("it is read");
        assert_eq!(status.code(), Some(0), "{error}");
        assert!(!error.contains("panicked"), "{error}");
        error
    }

    /// The most memory that it has had, in bytes.
    fn memory(&self) -> u64 {
        let id = self.airlock.id().expect("it runs");
        let status = fs::read_to_string(format!("/proc/{id}/status")).expect("Linux tells");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
        peak.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
    }
}

fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
    })
}

fn names(listed: &Value) -> Vec<&str> {
    let tools = listed["tools"].as_array().expect("a list").iter();
    tools.map(|tool| tool["name"].as_str().expect("a name")).collect()
}

fn target(called: &Value) -> &str {
    called["structuredContent"]["target"].as_str().unwrap_or_else(|| panic!("{called}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_both_eras_list_and_call_and_nothing_but_messages_is_on_standard_output() {
    let upstream = Upstream::echo().await;
    let shell = thing(&upstream);
    let key = shell.run(&["key", "new", "ci"]).await.out.replace("\"*\"", "\"nothing\"");
    // Callers are for doors that have several: who starts the process may do everything.
    let shell = shell.file("airlock.toml", grant("thing", &upstream, &key));
    // Not what the compiler has to say, which is millions of lines.
    let logging = ["--log", "airlock=trace,rmcp=trace", "thing.yaml"];

    let mut client = Client::start(&shell, &logging);
    let found = client.modern("server/discover", json!({})).await;
    assert!(found["supportedVersions"].as_array().expect("a list").contains(&json!(MODERN)), "{found}");
    assert_eq!(names(&client.modern("tools/list", json!({})).await), ["thing"]);
    let called = client.modern("tools/call", json!({"name": "thing", "arguments": {}})).await;
    assert_eq!(target(&called), "/versions/1/thing");
    let error = client.close().await;
    assert!(error.contains("plugin loaded"), "the log is on standard error: {error:.1000}");

    for version in LEGACY {
        let mut client = Client::initialized(&shell, &["thing.yaml"], version).await;
        assert_eq!(names(&client.legacy("tools/list", json!({})).await), ["thing"], "{version}");
        let called = client.legacy("tools/call", json!({"name": "thing"})).await;
        assert_eq!(called["content"][0]["type"], "text", "{version}");
        assert!(called["content"][0]["text"].as_str().expect("a text").contains("/versions/1/thing"), "{version}");
        client.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_asks_for_the_new_protocol_first_may_speak_the_old_one() {
    let upstream = Upstream::echo().await;
    let shell = thing(&upstream);
    let mut client = Client::start(&shell, &["thing.yaml"]);
    client.modern("server/discover", json!({})).await;
    client.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}})).await;
    let result = client.initialize(MODERN).await;
    assert_eq!(result["protocolVersion"], "2025-11-25", "the newest that has an initialize");
    assert_eq!(names(&client.legacy("tools/list", json!({})).await), ["thing"]);
    client.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_served_is_told_before_anything_is() {
    let upstream = Upstream::echo().await;
    let broken = document("http://upstream.test", "1").replace("call: api.getthing", "call: api.nothing");
    let shell = thing(&upstream)
        .file("broken.yaml", broken)
        .file("stranger.yaml", document("http://upstream.test", "1"))
        .file("parts.yaml", "ikanos: 1.0.0-beta5\nbinds: [{namespace: env, keys: {KEY: KEY}}]\n")
        .file("notes.txt", "hello");
    fs::create_dir(shell.path("more")).expect("a new folder");
    fs::copy(shell.path("thing.yaml"), shell.path("more/thing.yaml")).expect("a new file");
    for (files, code, said) in [
        (&[][..], 2, vec!["<FILES>..."]),
        (&["none.yaml"], 1, vec!["none.yaml", "No such file"]),
        (&["notes.txt"], 1, vec!["notes.txt", "not a plugin's name"]),
        (&["thing.yaml", "broken.yaml"], 1, vec!["broken.yaml: ", "api.nothing", "1 of 2 files can't be served"]),
        (&["parts.yaml"], 1, vec!["none of 1 files is a plugin"]),
        (&["stranger.yaml"], 1, vec!["no grant for plugin stranger", "[grants.stranger]"]),
        (&["thing.yaml", "more"], 1, vec!["thing.yaml has the same plugin name"]),
        (&["--config", "none.toml", "thing.yaml"], 2, vec!["none.toml: can't be read"]),
    ] {
        let result = shell.run(&[&["mcp"][..], files].concat()).await;
        result.check(code, &[], &said);
        assert_eq!(result.out, "", "{files:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_ends_or_stops_it_leaves_no_guest_and_no_upstream_request() {
    let upstream = Upstream::silent().await;
    let shell = hostile(&upstream);
    for (count, signal) in [(1, None), (2, Some("-TERM")), (3, Some("-INT"))] {
        let mut client = Client::initialized(&shell, &["hostile.wasm"], "2025-11-25").await;
        client.ask("tools/call", json!({"name": "loop"})).await;
        client.ask("tools/call", json!({"name": "sleepy"})).await;
        upstream.has_seen(count).await;
        match signal {
            None => drop(client.close().await),
            Some(signal) => {
                client.signal(signal).await;
                drop(client.ended().await);
            }
        }
        upstream.has_lost(count).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_taken_back_is_stopped_and_the_others_go_on() {
    let upstream = Upstream::silent().await;
    let shell = hostile(&upstream);
    let mut client = Client::start(&shell, &["hostile.wasm"]);
    let sleepy = client.ask("tools/call", json!({"name": "sleepy", "_meta": meta()})).await;
    upstream.has_seen(1).await;
    client.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": sleepy}})).await;
    upstream.has_lost(1).await;
    let counted = client.modern("tools/call", json!({"name": "count"})).await;
    assert_eq!(counted["content"][0]["text"], "1");
    client.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_without_end_is_answered_by_an_error_and_fills_no_memory() {
    const ENDLESS: usize = 256 << 20;
    /// What is kept of a line, twice while its buffer grows, and as much again for the allocator.
    const NOTICED: u64 = 32 << 20;
    let upstream = Upstream::echo().await;
    let keeping_code = "[plugins]\ncache = \"code\"\n".to_owned() + &grant("thing", &upstream, "");
    let shell = thing(&upstream).file("airlock.toml", keeping_code);
    // Compiling takes more memory than the line, which would be lost in it: the first one does that and the second one is measured.
    Client::initialized(&shell, &["thing.yaml"], "2025-11-25").await.close().await;
    let mut client = Client::initialized(&shell, &["thing.yaml"], "2025-11-25").await;
    client.legacy("tools/list", json!({})).await;
    let before = client.memory();
    client.write(br#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":""#).await;
    let filling = vec![b'x'; 1 << 20];
    for _ in 0..ENDLESS / filling.len() {
        client.write(&filling).await;
    }
    client.write(b"\"},\"id\":\"long\"}\n").await;
    let refused = client.answer(json!("long")).await;
    assert_eq!(refused["error"]["code"], -32600, "{refused}");
    assert!(refused["error"]["message"].as_str().expect("a text").contains(&MAX_LINE.to_string()), "{refused}");
    let after = client.memory();
    assert!(after < before + NOTICED, "{after} bytes instead of {before}");

    for (line, id, code) in [
        (
            format!(r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":[{}0]}}"#, "0,".repeat(1 << 20)),
            json!(7),
            -32600,
        ),
        ("{broken".to_owned(), Value::Null, -32700),
        ("[]".to_owned(), Value::Null, -32600),
    ] {
        client.write(format!("{line}\n").as_bytes()).await;
        let refused = client.answer(id).await;
        assert_eq!(refused["error"]["code"], code, "{refused}");
    }
    let called = client.legacy("tools/call", json!({"name": "thing"})).await;
    assert_eq!(target(&called), "/versions/1/thing");
    client.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_file_serves_at_once_and_the_client_is_told() {
    const CHANGED: &str = "notifications/tools/list_changed";
    let upstream = Upstream::echo().await;
    let shell = thing(&upstream);
    fs::create_dir(shell.path("folder")).expect("a new folder");
    fs::rename(shell.path("thing.yaml"), shell.path("folder/thing.yaml")).expect("one file system");
    for place in ["folder/thing.yaml", "folder"] {
        let file = shell.path("folder/thing.yaml");
        fs::write(&file, document("http://upstream.test", "1")).expect("the file can be written");
        let mut legacy = Client::initialized(&shell, &[place], "2025-11-25").await;
        let mut modern = Client::start(&shell, &[place]);
        let filter = json!({"notifications": {"toolsListChanged": true}, "_meta": meta()});
        modern.ask("subscriptions/listen", filter).await;
        modern.until("notifications/subscriptions/acknowledged").await;

        fs::write(&file, document("http://upstream.test", "2")).expect("the file can be written");
        legacy.until(CHANGED).await;
        modern.until(CHANGED).await;
        let called = legacy.legacy("tools/call", json!({"name": "thing"})).await;
        assert_eq!(target(&called), "/versions/2/thing", "{place}");
        let called = modern.modern("tools/call", json!({"name": "thing"})).await;
        assert_eq!(target(&called), "/versions/2/thing", "{place}");

        fs::remove_file(&file).expect("it is there");
        legacy.until(CHANGED).await;
        assert!(names(&legacy.legacy("tools/list", json!({})).await).is_empty(), "{place}");
        legacy.close().await;
        modern.close().await;
    }
}
