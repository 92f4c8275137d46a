//! Documents that import from other files, and secrets from where documents suppose them: over a running host, and at the command line.

use std::fs;

use serde_json::Value;

use crate::{
    cli::Shell,
    harness::{Setup, TestHost, Upstream},
};

const BASE: &str = "http://upstream.test";

/// What `things.yaml` imports: an API whose upstream path tells the version.
fn shared(version: u32) -> String {
    format!(
        r#"# Shared by several capabilities.
ikanos: 1.0.0-beta5
consumes:
  - namespace: api
    type: http
    baseUri: {BASE}
    authentication: {{ type: apikey, key: x-key, value: "{{{{API_KEY}}}}" }}
    resources:
      thing:
        path: /versions/{version}/thing
        operations:
          getthing: {{ method: GET }}
"#
    )
}

const THINGS: &str = r#"ikanos: 1.0.0-beta5
info: { display: Things, description: Tells which version serves. }
binds:
  - namespace: vault
    location: file:///./secrets.json
    keys: { API_KEY: upstream }
capability:
  consumes:
    - { from: ./shared/api.yaml, import: api, as: things }
  exposes:
    - type: rest
      namespace: rest
      resources:
        thing: { path: /v1/thing, operations: { getthing: { method: GET, call: things.getthing } } }
"#;

const SECRETS: &str = r#"{"upstream": "the-key-of-this-test", "other": "x"}"#;

fn grant(upstream: &Upstream) -> String {
    let to = upstream.url();
    format!(
        "[grants.things]\nhosts = [\"{BASE}\"]\nsecrets.API_KEY = {{ file = \"secrets/all.json\", key = \"upstream\" \
         }}\nupstreams.\"{BASE}\" = \"{to}\"\n"
    )
}

fn setup(upstream: &Upstream) -> Setup {
    Setup::default().file("things.yaml", THINGS).secret("all.json", SECRETS).config(&grant(upstream))
}

async fn serves(host: &TestHost) -> Value {
    host.get("/v1/thing").await.ok()["target"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_loaded_anew_when_a_file_changes_that_it_imports_from() {
    let upstream = Upstream::echo().await;
    let host = setup(&upstream).start().await;
    let status = host.file("things.yaml").await.expect("a file");
    assert_eq!(status.state, "failed");
    assert!(status.error.contains("No such file"), "{}", status.error);

    let folder = host.plugins().join("shared");
    fs::create_dir(&folder).expect("a new folder");
    fs::write(folder.join("api.yaml"), shared(1)).expect("a new file");
    host.file_when("things.yaml", |it| it.as_ref().is_some_and(|it| it.state == "loaded")).await;
    assert_eq!(serves(&host).await, "/versions/1/thing");
    assert_eq!(upstream.requests().last().expect("a request").headers["x-key"], "the-key-of-this-test");

    for version in 2..=4 {
        host.changed_by(|plugins| fs::write(plugins.join("shared/api.yaml"), shared(version)).expect("written")).await;
        assert_eq!(serves(&host).await, format!("/versions/{version}/thing"));
    }
    fs::write(folder.join("api.yaml"), shared(5).replace("GET", "FETCH")).expect("written");
    // A moment before, it may be outdated by the empty file that the new one begins as.
    let is_told = |error: &str| error.contains("shared/api.yaml:12:") && error.contains("FETCH");
    host.file_when("things.yaml", |it| it.as_ref().is_some_and(|it| it.state == "outdated" && is_told(&it.error)))
        .await;
    assert_eq!(serves(&host).await, "/versions/4/thing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_parts_in_the_plugin_folder_is_no_plugin_and_no_error() {
    let upstream = Upstream::echo().await;
    let things = THINGS.replace("./shared/api.yaml", "the.api.yaml");
    let host = setup(&upstream).file("things.yaml", things).file("the.api.yaml", shared(1)).start().await;
    assert_eq!(serves(&host).await, "/versions/1/thing");
    let status = host.file("the.api.yaml").await.expect("a file");
    assert_eq!((status.state.as_str(), status.error.as_str()), ("imported only", ""));
    assert_eq!(host.control("/health/ready").await.status, 200);
    host.changed_by(|plugins| fs::write(plugins.join("the.api.yaml"), shared(2)).expect("written")).await;
    assert_eq!(serves(&host).await, "/versions/2/thing");
    // What was a capability and is none any more doesn't serve.
    host.changed_by(|plugins| fs::write(plugins.join("things.yaml"), shared(3)).expect("written")).await;
    host.get("/v1/thing").await.problem(404, "no-such-route");
    host.file_when("things.yaml", |it| it.as_ref().is_some_and(|it| it.state == "imported only")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn check_prints_the_grant_that_says_what_the_document_supposes() {
    let shell = Shell::new().file("things.yaml", THINGS).file("secrets.json", SECRETS);
    fs::create_dir(shell.path("shared")).expect("a new folder");
    fs::write(shell.path("shared/api.yaml"), shared(1)).expect("a new file");
    let said = shell.run(&["check", "things.yaml", "shared/api.yaml"]).await;
    let file = shell.path("secrets.json");
    let line = format!("secrets.API_KEY = {{ file = \"{}\", key = \"upstream\" }}", file.display());
    said.check(0, &["things.yaml: ok", &line, "shared/api.yaml: ok, for documents to import from"], &[]);
    // So does whoever refuses it for want of one.
    shell.run(&["call", "things.yaml", "getthing"]).await.check(1, &[], &["no grant for plugin things", &line]);
    // Ready to use, in whichever folder: the host finds the value where the line says.
    let upstream = Upstream::echo().await;
    let grant = said.out.split_once("airlock.toml\n").expect("a grant").1;
    let grant = grant.split("\n\n").next().expect("a grant");
    let config = format!("{grant}\nupstreams.\"{BASE}\" = \"{}\"\n", upstream.url());
    fs::create_dir(shell.path("config")).expect("a new folder");
    fs::write(shell.path("config/airlock.toml"), config).expect("a new file");
    shell.run(&["call", "--config", "config/airlock.toml", "things.yaml", "getthing"]).await.check(
        0,
        &["/versions/1/thing"],
        &[],
    );
    assert_eq!(upstream.requests().last().expect("a request").headers["x-key"], "the-key-of-this-test");

    fs::write(shell.path("shared/api.yaml"), shared(1).replace("GET", "FETCH")).expect("written");
    let said = shell.run(&["check", "things.yaml"]).await;
    said.check(1, &[], &["shared/api.yaml:12:31: error[AL007]", "getthing: { method: FETCH }"]);
    // A file that is none of parts may be anything: nothing of it is shown.
    let leak = THINGS.replacen("binds:\n", "binds:\n  - { from: ./secrets.json, import: x }\n", 1);
    fs::write(shell.path("leak.yaml"), leak).expect("written");
    let said = shell.run(&["check", "leak.yaml"]).await;
    said.check(1, &[], &["leak.yaml:4:13: error[AL050]", "no file of parts"]);
    assert!(!said.err.contains("the-key-of-this-test"), "{}", said.err);
    fs::write(shell.path("things.yaml"), THINGS.replace("./shared/", "../shared/")).expect("written");
    shell.run(&["check", "things.yaml"]).await.check(1, &[], &["things.yaml:9:15: error[AL050]", "outside"]);
}

#[tokio::test]
async fn migrate_writes_the_newest_shape() {
    let old = crate::hot_load::document(BASE, "1").replace("naftiko:", "# Kept.\nnaftiko:");
    let shell = Shell::new().file("old.yaml", &old).file("broken.yaml", old.replace("method: GET", "method: FETCH"));
    let said = shell.run(&["migrate", "old.yaml"]).await;
    said.check(0, &["# Kept.\nikanos: 1.0.0-beta5", "      thing:\n", "        getthing:\n"], &[]);
    shell.run(&["migrate", "old.yaml", "-o", "new.yaml"]).await.check(0, &[], &[]);
    assert_eq!(fs::read_to_string(shell.path("new.yaml")).expect("a file"), said.out);
    let operations = |out: &str| out.lines().find(|line| line.contains("GET /v1/thing")).map(str::to_owned);
    let [before, after] = [shell.run(&["check", "old.yaml"]).await, shell.run(&["check", "new.yaml"]).await];
    assert_eq!(operations(&before.out), operations(&after.out));
    shell.run(&["migrate", "broken.yaml"]).await.check(1, &[], &["broken.yaml:", "AL007", "mend it"]);
}
