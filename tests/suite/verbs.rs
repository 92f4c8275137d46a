//! The verbs for authors: `new`, `inspect`, `schema`, `call` without sending and of a host that is running.

use std::{env, fs, path::Path};

use serde_json::{Value, json};
use tokio::process::Command;

use crate::{
    cli::Shell,
    confirm,
    harness::{M3TER, METAL, Setup, Upstream, fixture, path, within_patience},
    hot_load::document,
};

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_prints_the_request_and_sends_nothing() {
    let shell = Shell::new().file("m3ter-orgusers.yaml", M3TER);
    let list =
        ["call", "m3ter-orgusers.yaml", "listorgusers", "--arg", "orgId=a/b", "--arg", "ids=x", "--arg", "ids=y"];
    let dry = |more: &[&'static str]| [&list[..], &["--dry-run"], more].concat();
    // No grant is needed: what is declared is shown.
    let said = shell.run(&dry(&[])).await;
    said.check(0, &["Authorization: Bearer ••••\n"], &[]);
    let first = said.out.lines().next();
    assert_eq!(first, Some("GET https://api.m3ter.com/organizations/a%2Fb/users?ids=x&ids=y"));
    let request = parsed(&shell.run(&dry(&["--json"])).await.out);
    assert_eq!((&request["method"], &request["body"]), (&json!("GET"), &json!(null)));
    let headers = request["headers"].as_array().expect("headers");
    assert!(headers.contains(&json!({"name": "Authorization", "value": "Bearer ••••"})), "{request}");

    // With one, it goes where the operator sends it, and neither the key nor the upstream is touched.
    let upstream = Upstream::echo().await;
    let to = upstream.url();
    let grant = format!(
        "[grants.m3ter-orgusers]\nhosts = [\"https://api.m3ter.com\"]\nmethods = [\"GET\"]\n\
         upstreams.\"https://api.m3ter.com\" = \"{to}/staging\"\nsecrets.M3TER_API_KEY = {{ file = \"no-such-file\" }}\n"
    );
    let shell = shell.file("airlock.toml", grant);
    let said = shell.run(&dry(&[])).await;
    said.check(0, &[&format!("GET {to}/staging/organizations/a%2Fb/users?ids=x&ids=y\n")], &[]);
    // What the grant doesn't cover is refused as it would be.
    let put = ["call", "m3ter-orgusers.yaml", "putorguser", "--dry-run"];
    let input = ["--input", r#"{"orgId": "o", "id": "u", "body": {"version": 1}}"#];
    shell.run(&[&put[..], &input].concat()).await.check(4, &[], &["methods = ["]);
    shell.run(&dry(&["--arg", "pageSize=900"])).await.check(4, &[], &["pageSize"]);
    assert_eq!(upstream.texts(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_shows_bodies_and_needs_nobodys_agreement() {
    let upstream = Upstream::echo().await;
    let shell = Shell::new()
        .file("users.yaml", confirm::document("1"))
        .file("metal-users.yaml", METAL)
        .file("airlock.toml", confirm::grant(&upstream, "'destructive'"));
    shell.run(&["call", "users.yaml", "deleteuser", "--arg", "id=7", "--dry-run"]).await.check(
        0,
        &["DELETE ", "/1/users/7"],
        &[],
    );
    let update =
        ["call", "metal-users.yaml", "updatecurrentuser", "--input", r#"{"body": {"first_name": "Pia"}}"#, "--dry-run"];
    let said = shell.run(&update).await;
    said.check(0, &["X-Auth-Token: ••••", "Content-Type: application/json", "\n\n{\"first_name\":\"Pia\"}\n"], &[]);
    assert_eq!(upstream.texts(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_as_json_has_its_status() {
    let upstream = Upstream::echo().await;
    let to = upstream.url();
    let grant =
        format!("[grants.thing]\nhosts = [\"http://upstream.test\"]\nupstreams.\"http://upstream.test\" = \"{to}\"\n");
    let shell = Shell::new().file("thing.yaml", document("http://upstream.test", "1")).file("airlock.toml", grant);
    let said = shell.run(&["call", "thing.yaml", "getthing", "--json"]).await;
    said.check(0, &[], &[]);
    let told = parsed(&said.out);
    assert_eq!((&told["ok"], &told["status"], &told["error"]), (&json!(true), &json!(200), &json!(null)));
    assert_eq!(told["result"]["target"], "/versions/1/thing");
    let said = shell.run(&["call", "thing.yaml", "getthing", "--arg", "x=1", "--json"]).await;
    said.check(4, &[], &["error: "]);
    let told = parsed(&said.out);
    assert_eq!((&told["ok"], &told["error"]["type"]), (&json!(false), &json!("invalid-input")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_host_is_called_over_rest() {
    let upstreams = (Upstream::echo().await, Upstream::echo().await);
    let callers = "
        [callers.ci]
        key.hash = 'HASH'
        plugins = ['*']
        effects = ['read-only', 'write', 'destructive']
    ";
    let shell = Shell::new();
    let made = shell.run(&["key", "new", "ci"]).await;
    let key = made.err.split_whitespace().find(|it| it.starts_with("airlock_")).expect("a key").to_owned();
    let hash = made.out.split('"').find(|it| it.starts_with("sha256:")).expect("a hash");
    let host = Setup::providers(&upstreams.0, &upstreams.1).config(&callers.replace("HASH", hash)).start().await;
    let url = host.rest_url("");
    let shell = shell.file("key", &key);
    let call = ["call", "--url", url.as_str()];
    let with_key = |rest: &[&'static str]| [&call[..], &["--key-file", "key"], rest].concat();

    let list =
        ["m3ter-orgusers.listorgusers", "--arg", "orgId=o", "--arg", "pageSize=2", "--arg", "ids=a", "--arg", "ids=b"];
    shell.run(&with_key(&list)).await.check(0, &["/organizations/o/users?pageSize=2&ids=a&ids=b"], &[]);
    let put = ["putorguser", "--arg", "orgId=o", "--arg", "id=u", "--arg", r#"body={"version": 1}"#, "--json"];
    let said = shell.run(&with_key(&put)).await;
    said.check(0, &[], &[]);
    assert_eq!(parsed(&said.out)["status"], 200);
    let sent = upstreams.0.texts();
    assert!(sent[1].starts_with("PUT /organizations/o/users/u") && sent[1].contains("{\"version\":1}"), "{sent:?}");

    // By the environment, without it, and what the host says of a wrong input.
    let mut command = shell.command(&[&call[..], &["findusers"]].concat());
    let said = within_patience("a call", command.env("AIRLOCK_KEY", &key).output()).await.expect("airlock runs");
    assert_eq!(said.status.code(), Some(0), "{}", String::from_utf8_lossy(&said.stderr));
    shell.run(&[&call[..], &["findusers"]].concat()).await.check(
        4,
        &["unauthenticated"],
        &["the host answered with status 401"],
    );
    let wrong = ["findusers", "--arg", "per_page=0"];
    shell.run(&with_key(&wrong)).await.check(4, &["invalid-input"], &["status 400"]);
    shell.run(&with_key(&["nothing"])).await.check(
        2,
        &[],
        &["no such operation over REST: nothing", "metal-users.findusers"],
    );
    assert!(!shell.run(&with_key(&list)).await.out.contains(&key));
}

#[tokio::test]
async fn a_key_is_not_sent_in_the_clear_to_another_machine() {
    let shell = Shell::new().file("key", "airlock_0123456789");
    for (url, said) in [
        ("http://host.test:8080", "the key isn't sent in the clear"),
        ("ftp://127.0.0.1", "not the address of a host"),
        ("127.0.0.1:8080", "--url 127.0.0.1:8080"),
    ] {
        shell.run(&["call", "--url", url, "--key-file", "key", "getthing"]).await.check(2, &[], &[said]);
    }
    shell.run(&["call", "getthing"]).await.check(2, &[], &["<FILE>"]);
    shell.run(&["call", "--url", "http://127.0.0.1:9", "getthing"]).await.check(4, &[], &["http://127.0.0.1:9"]);
}

#[tokio::test]
async fn a_new_document_is_right_as_it_is_and_nothing_is_overwritten() {
    let shell = Shell::new();
    shell.run(&["new", "my-items"]).await.check(0, &["my-items.yaml", "airlock check --strict my-items.yaml"], &[]);
    let said = shell.run(&["check", "--strict", "my-items.yaml"]).await;
    said.check(0, &["my-items.yaml: ok", "secrets.MY_ITEMS_API_KEY"], &[]);
    assert_eq!(said.err, "");
    let text = fs::read_to_string(shell.path("my-items.yaml")).expect("the document");
    assert!(text.starts_with("# yaml-language-server: $schema=./airlock.schema.json\n"), "{text}");
    let schema = parsed(&fs::read_to_string(shell.path("airlock.schema.json")).expect("the schema"));
    let value: Value = serde_saphyr::from_str(&text).expect("YAML");
    assert!(jsonschema::is_valid(&schema, &value), "the document is as the schema says");
    assert_eq!(
        shell.run(&["schema"]).await.out,
        fs::read_to_string(shell.path("airlock.schema.json")).expect("the schema")
    );

    fs::write(shell.path("my-items.yaml"), "mine").expect("a file");
    shell.run(&["new", "my-items"]).await.check(1, &[], &["my-items.yaml: is there already, and isn't overwritten"]);
    assert_eq!(fs::read_to_string(shell.path("my-items.yaml")).expect("the document"), "mine");
    shell.run(&["new", "others"]).await.check(0, &[], &[]);
    fs::create_dir(shell.path("taken")).expect("a folder");
    shell.run(&["new", "taken", "--rust"]).await.check(1, &[], &["taken: is there already"]);
    shell.run(&["new", "../a"]).await.check(2, &[], &["expected small letters"]);
}

/// The crate is built as its author would build it; what the machine has fetched for this repository is enough.
async fn build(shell: &Shell, name: &str) {
    fs::copy(path("../Cargo.lock"), shell.path(name).join("Cargo.lock")).expect("the versions that are here");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--target", "wasm32-wasip2", "--offline"]).current_dir(shell.path(name));
    // One folder for all of them: the library is the same.
    cargo.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("new")).kill_on_drop(true);
    let built = cargo.output().await.expect("cargo runs");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_provider_builds_with_its_own_copy_of_the_library_or_with_this_one() {
    let shell = Shell::new();
    let sdk = path("../plugins/sdk");
    let sdk = sdk.to_str().expect("UTF-8");
    let built = Path::new(env!("CARGO_TARGET_TMPDIR")).join("new/wasm32-wasip2/debug");
    for (name, arguments) in [("my-items", vec![]), ("other-items", vec!["--sdk", sdk])] {
        shell.run(&[&["new", name, "--rust"][..], &arguments].concat()).await.check(0, &["cargo build"], &[]);
        build(&shell, name).await;
        let wasm = format!("{name}.wasm");
        fs::copy(built.join(format!("{}.wasm", name.replace('-', "_"))), shell.path(&wasm)).expect("the component");
        let said = shell.run(&["check", "--strict", &wasm]).await;
        said.check(0, &["getitem  GET /v1/items/{id}  get-item", "hosts = [\"https://api.example.com\"]"], &[]);
        let said = shell.run(&["call", &wasm, "getitem", "--arg", "id=a/b", "--dry-run"]).await;
        said.check(0, &["GET https://api.example.com/v1/items/a%2Fb\n", "Authorization: Bearer ••••"], &[]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_inspected_without_a_grant() {
    let shell = Shell::new().file("m3ter-orgusers.yaml", M3TER).file("hostile.wasm", fixture::HOSTILE);
    let said = shell.run(&["inspect", "m3ter-orgusers.yaml"]).await;
    said.check(
        0,
        &[
            "m3ter-orgusers.yaml: document, ",
            "airlock:capability/provider@0.1.0",
            "airlock:capability/fetch@0.1.0",
            "https://api.m3ter.com  GET, ",
            "M3TER_API_KEY (header authorization)",
            "listorgusers  GET /v1/organizations/{orgid}/users  list-orgusers  read-only",
        ],
        &[],
    );
    let seen = parsed(&shell.run(&["inspect", "hostile.wasm", "--json"]).await.out);
    assert_eq!((&seen["kind"], &seen["bytes"]), (&json!("component"), &json!(fixture::HOSTILE.len())));
    assert_eq!((&seen["sha256"], &seen["bytes"]), (&seen["component"]["sha256"], &seen["component"]["bytes"]));
    assert_eq!(seen["sha256"].as_str().map(str::len), Some(64));
    let operations = seen["operations"].as_array().expect("operations");
    assert!(operations.iter().all(|it| it["inputSchema"]["type"] == "object"), "{operations:?}");
    // The same document is the same component.
    let twice = [
        shell.run(&["inspect", "m3ter-orgusers.yaml", "--json"]).await.out,
        shell.run(&["inspect", "m3ter-orgusers.yaml", "--json"]).await.out,
    ];
    assert_eq!(twice[0], twice[1]);
    shell.run(&["inspect", "none.wasm"]).await.check(1, &[], &["none.wasm"]);
}

/// Examples of the document of the first provider: one of each kind that passes.
const EXAMPLES: &str = r#"
- name: a page of users
  operation: listorgusers
  input: { orgId: o, pageSize: 2, ids: [a, b] }
  request:
    method: GET
    url: https://api.m3ter.com/organizations/o/users?pageSize=2&ids=a&ids=b
    headers: { Authorization: Bearer •••• }
  answer:
    body: { data: [{ id: a }, { id: b }] }
  status: 200
  result: { data: [{ id: a }, { id: b }] }
- operation: putorguser
  input: { orgId: o, id: u, body: { version: 1 } }
  request: { method: PUT, url: 'https://api.m3ter.com/organizations/o/users/u', body: { version: 1 } }
  answer: { status: 409, body: { message: version } }
  status: 409
  result: { message: version }
- name: an input that is refused
  operation: listorgusers
  input: { orgId: o, pageSize: 0 }
  error: invalid-input
"#;

#[tokio::test(flavor = "multi_thread")]
async fn recorded_examples_are_replayed_without_a_network() {
    let shell = Shell::new().file("m3ter-orgusers.yaml", M3TER).file("m3ter-orgusers.tests.yaml", EXAMPLES);
    for file in ["m3ter-orgusers.yaml", "."] {
        let said = shell.run(&["test", file]).await;
        said.check(0, &["  ok      a page of users", "  ok      putorguser", "3 passed"], &[]);
    }
    let wrong = EXAMPLES
        .replace("users?pageSize=2", "users?pageSize=3")
        .replacen("result: { data: [{ id: a }", "result: { data: [{ id: c }", 1)
        .replace("error: invalid-input", "error: denied");
    let shell = shell.file("m3ter-orgusers.tests.yaml", wrong);
    let said = shell.run(&["test", "m3ter-orgusers.yaml"]).await;
    said.check(
        1,
        &[
            "  FAILED  a page of users",
            "    request.url\n      expected  https://api.m3ter.com/organizations/o/users?pageSize=3&ids=a&ids=b\n      got       \
             https://api.m3ter.com/organizations/o/users?pageSize=2&ids=a&ids=b\n",
            "    result.data[0].id\n      expected  \"c\"\n      got       \"a\"\n",
            "    error\n      expected  denied\n      got       invalid-input\n",
        ],
        &["2 of 3 examples failed"],
    );
    let shell = shell.file("m3ter-orgusers.tests.yaml", "- { operation: nothing }");
    shell.run(&["test", "m3ter-orgusers.yaml"]).await.check(2, &[], &["no such operation: nothing"]);
    let shell = shell.file("m3ter-orgusers.tests.yaml", "- { operation: listorgusers, reqest: {} }");
    shell.run(&["test", "m3ter-orgusers.yaml"]).await.check(1, &[], &["m3ter-orgusers.tests.yaml", "reqest"]);
    let empty = Shell::new();
    empty.run(&["test", "."]).await.check(2, &[], &["no examples; expected them beside the file, in NAME.tests.yaml"]);
}
