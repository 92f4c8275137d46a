//! The command line as its users meet it: exit codes, standard output, standard error.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpListener,
    process::{Child, Command},
};

use crate::{
    confirm,
    harness::{Http, M3TER, Upstream, fixture, path, within_patience},
    hot_load::document,
};

/// A folder to work in, with `airlock` in it.
pub struct Shell {
    folder: TempDir,
}

/// What a command said.
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Shell {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // Under its own name, so that usage texts are what users see.
        symlink(env!("CARGO_BIN_EXE_airlock-under-test"), folder.path().join("airlock")).expect("a new link");
        Self { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn file(self, name: &str, contents: impl AsRef<[u8]>) -> Self {
        fs::write(self.path(name), contents).expect("a new file");
        self
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.path("airlock"));
        command.args(arguments).current_dir(self.folder.path()).env_clear().stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    pub async fn run(&self, arguments: &[&str]) -> Said {
        let what = format!("airlock {}", arguments.join(" "));
        let Output { status, stdout, stderr } =
            within_patience(&what, self.command(arguments).output()).await.expect("airlock runs");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Said { code: status.code(), out: text(stdout), err: text(stderr) }
    }

    fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::piped()).spawn().expect("airlock runs")
    }
}

impl Said {
    pub fn check(&self, code: i32, out: &[&str], err: &[&str]) {
        let Self { out: said, err: complained, .. } = self;
        assert_eq!(self.code, Some(code), "standard output: {said}\nstandard error: {complained}");
        for text in out {
            assert!(said.contains(text), "{text:?} in standard output: {said}");
        }
        for text in err {
            assert!(complained.contains(text), "{text:?} in standard error: {complained}");
        }
        assert!(!complained.contains("panicked"), "{complained}");
    }
}

#[tokio::test]
async fn help_shows_examples_for_every_verb() {
    let shell = Shell::new();
    let help = shell.run(&["--help"]).await;
    help.check(0, &["Usage: airlock", "Examples:", "airlock demo"], &[]);
    let verbs = [
        "serve",
        "demo",
        "build",
        "check",
        "explain",
        "schema",
        "new",
        "inspect",
        "test",
        "call",
        "mcp",
        "import",
        "export",
        "migrate",
        "key",
        "completions",
    ];
    for verb in verbs {
        assert!(help.out.contains(verb), "{verb}");
        shell.run(&[verb, "--help"]).await.check(
            0,
            &["Usage: airlock", "Examples:", &format!("  airlock {verb}")],
            &[],
        );
    }
    shell.run(&["completions", "bash"]).await.check(0, &["_airlock()", "complete -F _airlock"], &[]);
    shell.run(&["--version"]).await.check(0, &["airlock 0."], &[]);
}

#[tokio::test]
async fn what_cannot_be_understood_is_a_usage_error() {
    let shell = Shell::new().file("x.yaml", document("http://upstream.test", "1"));
    for (arguments, said) in [
        (&["fly"][..], "unrecognized subcommand"),
        (&["serve", "--rest", "here"], "--rest"),
        (&["check"], "<FILES>..."),
        (&["--log", "no,such=[filter", "check", "x.yaml"], "--log"),
        (&["--audit", "no/such/folder/audit", "check", "x.yaml"], "--audit no/such/folder/audit"),
        (&["serve", "--config", "none.toml"], "none.toml: can't be read"),
    ] {
        shell.run(arguments).await.check(2, &[], &[said]);
    }
}

#[tokio::test]
async fn check_prints_the_grant_that_a_document_needs() {
    let shell = Shell::new().file("m3ter-orgusers.yaml", M3TER);
    let said = shell.run(&["check", "m3ter-orgusers.yaml"]).await;
    said.check(
        0,
        &[
            "m3ter-orgusers.yaml: ok",
            "listorgusers  GET /v1/organizations/{orgid}/users  list-orgusers",
            "[grants.m3ter-orgusers]",
            "hosts = [\"https://api.m3ter.com\"]",
            "secrets.M3TER_API_KEY = ",
        ],
        &[],
    );
    // Ready to paste: the configuration takes it as it is.
    let grant = said.out.split_once("airlock.toml\n").expect("a grant").1;
    let config = airlock::config::Config::parse(grant, Path::new("airlock.toml")).expect("a configuration");
    assert_eq!(config.grants["m3ter-orgusers"].hosts.len(), 1);
}

#[tokio::test]
async fn check_tells_everything_that_is_wrong_with_its_line() {
    let broken = document("http://upstream.test", "1")
        .replace("call: api.getthing", "call: api.nothing")
        .replace("method: GET\n        description", "method: FETCH\n        description");
    let shell = Shell::new().file("broken.yaml", broken).file("good.yaml", document("http://upstream.test", "1"));
    let said = shell.run(&["check", "broken.yaml", "good.yaml"]).await;
    said.check(
        1,
        &["good.yaml: ok"],
        &["broken.yaml:15:17:", "broken.yaml:31:15:", "broken.yaml:42:13:", "api.nothing", "FETCH", "1 of 2 files"],
    );
    let unknown = document("http://upstream.test", "1").replace("    description: An API.", "    descripton: An API.");
    let shell = Shell::new().file("unknown.yaml", unknown);
    shell.run(&["check", "unknown.yaml"]).await.check(0, &["unknown.yaml: ok"], &["unknown.yaml:9:", "descripton"]);
    shell.run(&["check", "--strict", "unknown.yaml"]).await.check(1, &[], &["unknown.yaml:9:", "descripton"]);
}

#[tokio::test]
async fn check_refuses_what_is_no_plugin() {
    let shell = Shell::new()
        .file("other-world.wasm", fixture::OTHER_WORLD)
        .file("unknown-import.wasm", fixture::UNKNOWN_IMPORT)
        .file("hostile.wasm", fixture::HOSTILE)
        .file("notes.txt", "hello");
    shell.run(&["check", "other-world.wasm"]).await.check(1, &[], &["other-world.wasm", "another world"]);
    shell.run(&["check", "unknown-import.wasm"]).await.check(1, &[], &["acme:db/query@1.0.0"]);
    shell.run(&["check", "notes.txt"]).await.check(1, &[], &["notes.txt", "not a plugin file"]);
    shell.run(&["check", "none.yaml"]).await.check(1, &[], &["none.yaml", "No such file"]);
    shell.run(&["check", "hostile.wasm"]).await.check(0, &["[grants.hostile]", "GET /hostile/loop"], &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_built_to_a_component_that_can_be_called() {
    let upstream = Upstream::echo().await;
    let to = upstream.url();
    let grant =
        format!("[grants.thing]\nhosts = [\"http://upstream.test\"]\nupstreams.\"http://upstream.test\" = \"{to}\"\n");
    let shell = Shell::new().file("thing.yaml", document("http://upstream.test", "5")).file("airlock.toml", grant);
    shell.run(&["build", "thing.yaml"]).await.check(0, &["thing.wasm", "bytes"], &[]);
    shell.run(&["build", "thing.wasm"]).await.check(2, &[], &["is a component already"]);
    for file in ["thing.yaml", "thing.wasm"] {
        let said = shell.run(&["call", file, "getthing"]).await;
        said.check(0, &["\"target\":\"/versions/5/thing\""], &[]);
        assert_eq!(upstream.texts(), ["GET /versions/5/thing"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_cannot_forge_lines_of_the_log_nor_fill_it_with_what_it_says_of_itself() {
    let grant = "[grants.hostile]\nhosts = [\"http://upstream.test\"]\nsecrets.SECRET = { file = \"secret\" }\n";
    let shell = Shell::new()
        .file("hostile.wasm", fixture::HOSTILE)
        .file("secret", "no-secret-of-this-test")
        .file("airlock.toml", grant);
    let forged = format!("x\r\n2026-01-01T00:00:00Z  INFO airlock::audit: outbound request {}", "y".repeat(100_000));
    let input = json!({"detail": forged}).to_string();
    let said = shell.run(&["call", "hostile.wasm", "internal", "--input", &input]).await;
    said.check(4, &[], &["WARN", "only for the operator", "error: the plugin failed"]);
    assert!(!said.err.lines().any(|line| line.starts_with("2026-01-01T00:00:00Z")), "{}", said.err);
    assert!(said.err.len() < 10_000, "{} bytes", said.err.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_has_a_file_of_its_own_whatever_is_logged() {
    let upstream = Upstream::echo().await;
    let to = upstream.url();
    let grant =
        format!("[grants.thing]\nhosts = [\"http://upstream.test\"]\nupstreams.\"http://upstream.test\" = \"{to}\"\n");
    let shell = Shell::new()
        .file("thing.yaml", document("http://upstream.test", "1"))
        .file("airlock.toml", grant)
        .file("audit.jsonl", "{\"kept\":true}\n");
    for _ in 0..2 {
        let call = ["--log", "off", "--audit", "audit.jsonl", "call", "thing.yaml", "getthing"];
        let said = shell.run(&call).await;
        said.check(0, &[], &[]);
        assert_eq!(said.err, "");
    }
    let audit = fs::read_to_string(shell.path("audit.jsonl")).expect("the audit");
    let lines: Vec<Value> = audit.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((lines.len(), &lines[0]), (3, &json!({"kept": true})));
    for line in &lines[1..] {
        let fields = ["target", "plugin", "operation", "caller", "method", "path", "decision", "outcome", "status"];
        let seen: Vec<String> = fields.iter().map(|name| line[name].to_string()).collect();
        assert_eq!(
            seen.join(" "),
            r#""airlock::audit" "thing" "getthing" "cli" "GET" "/versions/1/thing" "permitted" "complete" 200"#
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn call_takes_arguments_by_their_types_and_prints_the_answer() {
    let upstream = Upstream::echo().await;
    let to = upstream.url();
    let grant = format!(
        "[grants.m3ter-orgusers]\nhosts = [\"https://api.m3ter.com\"]\nupstreams.\"https://api.m3ter.com\" = \"{to}\"\n\
         secrets.M3TER_API_KEY = {{ file = \"key\" }}\n"
    );
    let shell = Shell::new()
        .file("m3ter-orgusers.yaml", M3TER)
        .file("airlock.toml", grant)
        .file("key", "key-for-the-command-line");
    let call = ["call", "m3ter-orgusers.yaml"];
    let with = |rest: &[&'static str]| [&call[..], rest].concat();
    let list = ["list-orgusers", "--arg", "orgId=o", "--arg", "pageSize=2", "--arg", "ids=a", "--arg", "ids=b"];
    let said = shell.run(&with(&list)).await;
    said.check(0, &["/organizations/o/users?pageSize=2&ids=a&ids=b"], &[]);
    assert!(!said.out.contains("key-for-the-command-line"), "{}", said.out);
    assert_eq!(
        upstream.texts(),
        ["GET /organizations/o/users?pageSize=2&ids=a&ids=b\nauthorization: Bearer key-for-the-command-line"]
    );
    let put = ["putorguser", "--input", r#"{"orgId": "o", "id": "u", "body": {"version": 1}}"#];
    shell.run(&with(&put)).await.check(0, &["PUT"], &[]);
    for (arguments, code, said) in [
        (&["nothing"][..], 2, "no such operation: nothing; there are: listorgusers"),
        (&["getorguser", "--arg", "orgId"], 2, "expected NAME=VALUE"),
        (&["getorguser", "--input", "[]"], 2, "expected a JSON object"),
        (&["getorguser", "--input", "{"], 2, "not JSON"),
        (&["listorgusers", "--arg", "orgId=o", "--arg", "pageSize=ten"], 2, "pageSize"),
        (&["getorguser", "--arg", "orgId=o"], 4, "id: is required and missing"),
        (&["listorgusers", "--arg", "orgId=o", "--arg", "pageSize=500"], 4, "pageSize"),
    ] {
        shell.run(&with(arguments)).await.check(code, &[], &[said]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn call_without_a_grant_says_what_to_add_and_an_upstreams_error_is_an_exit_code() {
    let shell = Shell::new().file("thing.yaml", document("http://upstream.test", "1"));
    shell.run(&["call", "thing.yaml", "getthing"]).await.check(
        1,
        &[],
        &["no grant for plugin thing", "[grants.thing]"],
    );
    let upstream =
        Upstream::saying(b"HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}")
            .await;
    let to = upstream.url();
    let grant =
        format!("[grants.thing]\nhosts = [\"http://upstream.test\"]\nupstreams.\"http://upstream.test\" = \"{to}\"\n");
    let shell = shell.file("airlock.toml", grant);
    shell.run(&["call", "thing.yaml", "getthing"]).await.check(4, &["{}"], &["the upstream answered with status 404"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_somebody_has_to_agree_to_wants_the_word_for_it() {
    let upstream = Upstream::echo().await;
    let shell = Shell::new()
        .file("users.yaml", confirm::document("1"))
        .file("airlock.toml", confirm::grant(&upstream, "'destructive'"));
    let delete = ["call", "users.yaml", "deleteuser", "--arg", "id=7"];
    let told = "not carried out: the grant wants somebody to agree to a call of deleteuser; if you do, add --yes";
    shell.run(&delete).await.check(2, &[], &[told]);
    assert_eq!(upstream.texts(), [""; 0]);
    shell.run(&[&delete[..], &["--yes"]].concat()).await.check(0, &["/1/users/7"], &[]);
    shell.run(&["call", "users.yaml", "getuser", "--arg", "id=7"]).await.check(0, &["/1/users/7"], &[]);
    assert_eq!(upstream.requests().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_cannot_start_says_what_to_do() {
    let holder = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let taken = holder.local_addr().expect("an address").to_string();
    let shell = Shell::new().file("file", "").file("bad.toml", "[listen]\nrets = \"127.0.0.1:1\"\n");
    fs::create_dir(shell.path("plugins.d")).expect("a new folder");
    let free = ["--mcp", "127.0.0.1:0", "--control", "127.0.0.1:0"];
    let serve =
        |rest: &[&str]| [&["serve"][..], &free, rest].concat().iter().map(ToString::to_string).collect::<Vec<_>>();
    let bad_config = ["serve", "--config", "bad.toml"].map(str::to_owned).to_vec();
    for (arguments, code, said) in [
        (serve(&["--rest", &taken]), 3, vec!["can't listen on", taken.as_str(), "listen.rest", "--rest"]),
        (
            serve(&["--rest", "127.0.0.1:0", "--plugins", "none"]),
            3,
            vec!["plugin folder none", "create it", "--plugins"],
        ),
        (serve(&["--rest", "127.0.0.1:0", "--plugins", "file"]), 3, vec!["plugin folder file", "directory"]),
        (bad_config, 2, vec!["bad.toml", "line 2", "rets", "expected one of"]),
    ] {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        shell.run(&arguments).await.check(code, &[], &said);
    }
}

/// Reads standard output up to the line that begins like this.
async fn line(lines: &mut tokio::io::Lines<BufReader<tokio::process::ChildStdout>>, start: &str) -> String {
    within_patience(start, async {
        loop {
            let line = lines.next_line().await.expect("UTF-8").unwrap_or_else(|| panic!("it ended before {start:?}"));
            if line.starts_with(start) {
                return line;
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_prints_its_addresses_answers_and_ends_on_a_signal() {
    let shell = Shell::new();
    let any = "127.0.0.1:0";
    let mut demo = shell.spawn(&["demo", "--rest", any, "--mcp", any, "--control", any]);
    let mut lines = BufReader::new(demo.stdout.take().expect("it is piped")).lines();
    let rest = line(&mut lines, "REST").await;
    let origin = rest.split_whitespace().last().expect("an address").to_owned();
    line(&mut lines, "Ctrl-C").await;
    let request = http::Request::get(format!("{origin}/v1/user")).body(http_body_util::Full::default());
    let answer = Http::default().send(request.expect("a request")).await.check_rest();
    assert_eq!(answer.ok()["full_name"], "Priya Raman");
    let id = demo.id().expect("it runs").to_string();
    let killed = Command::new("kill").args(["-TERM", &id]).status().await.expect("kill runs");
    assert!(killed.success());
    let status = within_patience("the demo's end", demo.wait()).await.expect("it ends");
    assert_eq!(status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_names_the_files_that_it_does_not_serve() {
    let shell = Shell::new();
    fs::create_dir(shell.path("plugins.d")).expect("a new folder");
    fs::copy(path("cases/warehouse.yaml"), shell.path("plugins.d/warehouse.yaml")).expect("a new file");
    let any = "127.0.0.1:0";
    let mut command = shell.command(&["serve", "--rest", any, "--mcp", any, "--control", any]);
    let mut serve = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("airlock runs");
    let mut lines = BufReader::new(serve.stdout.take().expect("it is piped")).lines();
    line(&mut lines, "control").await;
    serve.start_kill().expect("it runs");
    let err = within_patience("the end", serve.wait_with_output()).await.expect("it ends").stderr;
    let err = String::from_utf8(err).expect("UTF-8");
    assert!(err.contains("warehouse.yaml: not loaded: no grant for plugin warehouse"), "{err}");
    assert!(err.contains("[grants.warehouse]"), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_shown_once_and_its_lines_make_a_caller() {
    let shell = Shell::new();
    let made = shell.run(&["key", "new", "ci"]).await;
    made.check(
        0,
        &["[callers.ci]", "key.hash = \"sha256:", "effects = [\"read-only\"]"],
        &["shown this once", "airlock_"],
    );
    let key = made.err.split_whitespace().find(|it| it.starts_with("airlock_")).expect("a key");
    assert!(!made.out.contains(key), "the lines can be kept with the rest of the configuration");
    let again = shell.run(&["key", "new", "ci"]).await;
    assert!(!again.err.contains(key), "every key is another");
    let config = airlock::config::Config::parse(&made.out, Path::new("airlock.toml")).expect("a configuration");
    assert_eq!(config.callers.callers.len(), 1);
    shell.run(&["key", "new", "a b"]).await.check(2, &[], &["expected a name of at most 64 letters"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_anybody_could_call_does_not_start_and_says_what_to_add() {
    let shell = Shell::new();
    let key = shell.run(&["key", "new", "ci"]).await;
    let any = ["--rest", "127.0.0.1:0", "--mcp", "127.0.0.1:0", "--control", "127.0.0.1:0"];
    for (at, door) in [(1, "rest"), (3, "mcp"), (5, "control")] {
        let mut arguments = ["serve"].into_iter().chain(any).collect::<Vec<_>>();
        arguments[at + 1] = "0.0.0.0:0";
        let hint = if door == "control" { "control_token = {" } else { "airlock key new <name>" };
        shell.run(&arguments).await.check(3, &[], &[&format!("{door} at 0.0.0.0:0 could be"), hint, "airlock.toml"]);
    }
    // With what was to be added it gets as far as the plugin folder, which isn't there.
    let token = "[listen]\ncontrol_token = { file = \"token\" }\n";
    let shell = shell.file("airlock.toml", format!("{token}{}", key.out)).file("token", "a-token-of-its-own");
    let public = ["serve", "--rest", "0.0.0.0:0", "--mcp", "0.0.0.0:0", "--control", "0.0.0.0:0"];
    let said = shell.run(&public).await;
    assert!(said.code == Some(3) && said.err.contains("plugins.d") && !said.err.contains("could be"), "{}", said.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_at_the_command_line_is_no_caller() {
    let upstream = Upstream::echo().await;
    let to = upstream.url();
    let grant =
        format!("[grants.thing]\nhosts = [\"http://upstream.test\"]\nupstreams.\"http://upstream.test\" = \"{to}\"\n");
    let shell = Shell::new();
    let key = shell.run(&["key", "new", "ci"]).await.out.replace("\"*\"", "\"nothing\"");
    let shell =
        shell.file("thing.yaml", document("http://upstream.test", "1")).file("airlock.toml", format!("{grant}{key}"));
    shell.run(&["call", "thing.yaml", "getthing"]).await.check(0, &["/versions/1/thing"], &[]);
}
