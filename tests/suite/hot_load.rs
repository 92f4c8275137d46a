//! The plugin folder while the host runs: what is put there serves, what is broken changes nothing, and no caller notices.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::sync::watch;

use crate::harness::{Rest, Setup, TestHost, Upstream, within_patience};

/// A document with one operation, `GET /v1/thing` and the tool `thing`, whose upstream request tells its version.
pub fn document(base: &str, version: &str) -> String {
    format!(
        r#"
naftiko: 1.0.0-alpha2
info: {{ label: Versions, description: Tells which version serves. }}
capability:
  consumes:
  - type: http
    namespace: api
    baseUri: {base}
    description: An API.
    resources:
    - name: thing
      path: /versions/{version}/thing
      operations:
      - name: getthing
        method: GET
        description: Gets the thing.
        outputRawFormat: json
        outputParameters: [{{ name: result, type: object, value: $. }}]
  exposes:
  - type: rest
    namespace: versions-rest
    port: 8080
    resources:
    - path: /v1/thing
      name: thing
      description: The thing.
      operations:
      - method: GET
        name: getthing
        description: Gets the thing.
        call: api.getthing
        outputParameters: [{{ type: object, mapping: $. }}]
  - type: mcp
    namespace: versions-mcp
    port: 9090
    transport: http
    description: The thing.
    tools:
    - name: thing
      description: Gets the thing.
      hints: {{ readOnly: true, destructive: false, idempotent: true }}
      call: api.getthing
      outputParameters: [{{ type: object, mapping: $. }}]
"#
    )
}

const BASE: &str = "http://upstream.test";
const FILE: &str = "versions.yaml";

fn version(number: u32) -> String {
    document(BASE, &number.to_string())
}

fn setup(upstream: &Upstream) -> Setup {
    let to = upstream.url();
    Setup::default().config(&format!("[grants.versions]\nhosts = [\"{BASE}\"]\nupstreams.\"{BASE}\" = \"{to}\"\n"))
}

async fn start(upstream: &Upstream) -> TestHost {
    setup(upstream).file(FILE, version(1)).start().await
}

/// The version that has answered.
fn served(answer: &Value) -> u32 {
    let target = answer["target"].as_str().expect("an echo");
    let number = target.strip_prefix("/versions/").and_then(|it| it.strip_suffix("/thing"));
    number.and_then(|it| it.parse().ok()).unwrap_or_else(|| panic!("{target}"))
}

async fn serves(host: &TestHost) -> u32 {
    served(&host.get("/v1/thing").await.ok())
}

/// The ways in which editors and tools save a file.
mod save {
    use std::{
        fs::{self, File},
        io::Write,
        path::Path,
    };

    use super::FILE;

    pub const ALL: [fn(&Path, &str); 4] = [truncate_and_write, write_in_pieces, write_and_rename, move_away_and_write];

    fn truncate_and_write(folder: &Path, text: &str) {
        fs::write(folder.join(FILE), text).expect("the file can be written");
    }

    fn write_in_pieces(folder: &Path, text: &str) {
        let mut file = File::create(folder.join(FILE)).expect("the file can be written");
        for piece in text.as_bytes().chunks(100) {
            file.write_all(piece).expect("the file can be written");
            file.sync_all().expect("the file can be written");
        }
    }

    fn write_and_rename(folder: &Path, text: &str) {
        let unfinished = folder.join(".versions.yaml.tmp");
        fs::write(&unfinished, text).expect("a new file");
        fs::rename(&unfinished, folder.join(FILE)).expect("one file system");
    }

    /// As vim does with a backup.
    fn move_away_and_write(folder: &Path, text: &str) {
        let backup = folder.join("versions.yaml~");
        fs::rename(folder.join(FILE), &backup).expect("one file system");
        fs::write(folder.join(FILE), text).expect("a new file");
        fs::remove_file(&backup).expect("it was there");
    }
}

/// Calls again and again until it is told to stop, and gives the versions that have answered. Every call must succeed.
async fn call_on(rest: Rest, answered: watch::Sender<usize>, stop: Arc<AtomicBool>) -> Vec<u32> {
    /// 200 a second.
    const PACE: Duration = Duration::from_millis(5);
    let mut pace = tokio::time::interval(PACE);
    let mut versions = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        pace.tick().await;
        versions.push(served(&rest.get("/v1/thing").await.ok()));
        answered.send_replace(versions.len());
    }
    versions
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_replaced_twenty_times_and_broken_five_times_and_no_call_fails() {
    let upstream = Upstream::echo().await;
    let host = start(&upstream).await;
    let stop = Arc::new(AtomicBool::new(false));
    let (answered, mut answers) = watch::channel(0);
    let calling = tokio::spawn(call_on(host.rest(), answered, stop.clone()));
    for number in 2..=21 {
        let save = save::ALL[number as usize % save::ALL.len()];
        host.changed_by(|folder| save(folder, &version(number))).await;
        // However busy the machine is, there is traffic between two changes.
        let before = *answers.borrow();
        within_patience("answers", answers.wait_for(|it| *it > before + 5)).await.expect("no call failed");
        // From now on every call is answered by the new version.
        assert_eq!(serves(&host).await, number);
        let status =
            host.file_when(FILE, |it| it.as_ref().is_some_and(|it| it.state == "loaded")).await.expect("a file");
        if number % 4 == 0 {
            let broken = format!("{}\n  oops: [", version(number + 1000));
            save(&host.plugins(), &broken);
            let refused =
                host.file_when(FILE, |it| it.as_ref().is_some_and(|it| it.state == "outdated")).await.expect("a file");
            assert_ne!(refused.version, status.version);
            assert_ne!(refused.error, "");
            assert_eq!(serves(&host).await, number);
        }
    }
    stop.store(true, Ordering::Relaxed);
    let versions = calling.await.expect("no call failed");
    assert!(versions.is_sorted(), "an older version never answers after a newer one: {versions:?}");
    assert!(versions.iter().all(|it| *it <= 21), "a broken version never answers: {versions:?}");
    assert!((2..=21).all(|it| versions.contains(&it)), "each version has answered: {versions:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_file_serves_and_a_removed_one_does_not() {
    let upstream = Upstream::echo().await;
    let host = setup(&upstream).start().await;
    host.get("/v1/thing").await.problem(404, "no-such-route");
    let add = |folder: &Path| fs::write(folder.join(FILE), version(1)).expect("a new file");
    let remove = |folder: &Path| fs::remove_file(folder.join(FILE)).expect("it was there");
    for _ in 0..2 {
        host.changed_by(add).await;
        assert_eq!(serves(&host).await, 1);
        assert_eq!(host.mcp().call("thing", json!({})).await.ok()["target"], "/versions/1/thing");
        host.changed_by(remove).await;
        host.get("/v1/thing").await.problem(404, "no-such-route");
        assert_eq!(host.mcp().refused("tools/call", json!({"name": "thing"})).await.0, -32602);
        assert_eq!(host.file_when(FILE, Option::is_none).await, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_broken_from_the_start_serves_when_it_is_mended() {
    let upstream = Upstream::echo().await;
    let host = setup(&upstream).file(FILE, "naftiko: [").start().await;
    assert_eq!(host.file(FILE).await.expect("a file").state, "failed");
    assert_eq!(host.control("/health/ready").await.status, 503);
    host.changed_by(|folder| fs::write(folder.join(FILE), version(3)).expect("the file can be written")).await;
    assert_eq!(serves(&host).await, 3);
    host.file_when(FILE, |it| it.as_ref().is_some_and(|it| it.state == "loaded")).await;
    assert_eq!(host.control("/health/ready").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_in_flight_finishes_on_the_version_that_it_began_with() {
    let (upstream, gate) = Upstream::gated().await;
    let host = start(&upstream).await;
    let rest = host.rest();
    let waiting = tokio::spawn(async move { rest.get("/v1/thing").await.ok() });
    upstream.has_seen(1).await;
    host.changed_by(|folder| fs::write(folder.join(FILE), version(2)).expect("the file can be written")).await;
    host.changed_by(|folder| fs::remove_file(folder.join(FILE)).expect("it was there")).await;
    gate.open();
    assert_eq!(served(&waiting.await.expect("the call ends")), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_both_eras_are_told_that_the_tools_have_changed() {
    const CHANGED: &str = "notifications/tools/list_changed";
    let upstream = Upstream::echo().await;
    let host = setup(&upstream).start().await;
    let session = host.mcp().session().await;
    let mut legacy = session.stream().await;
    let mut modern = host.mcp().listen().await;
    for number in 1..=3 {
        host.changed_by(|folder| fs::write(folder.join(FILE), version(number)).expect("the file can be written")).await;
        legacy.until(CHANGED).await;
        modern.until(CHANGED).await;
        let tools = host.mcp().tools().await;
        assert_eq!(tools.len(), 1, "whoever lists the tools upon the news sees the new ones");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_in_flight_are_answered_when_the_host_stops() {
    let (upstream, gate) = Upstream::gated().await;
    let host = start(&upstream).await;
    let rest = host.rest();
    let waiting = tokio::spawn(async move { rest.get("/v1/thing").await.ok() });
    let mcp = host.mcp();
    let calling = tokio::spawn(async move { mcp.call("thing", json!({})).await });
    upstream.has_seen(2).await;
    let stopping = tokio::spawn(host.stop());
    gate.open();
    assert_eq!(served(&waiting.await.expect("the call ends")), 1);
    assert_eq!(served(calling.await.expect("the call ends").ok()), 1);
    stopping.await.expect("the host stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_can_not_be_read_any_more_leaves_its_plugin_serving() {
    let upstream = Upstream::echo().await;
    let host = start(&upstream).await;
    let file = host.plugins().join(FILE);
    fs::remove_file(&file).expect("it is there");
    fs::create_dir(&file).expect("a folder in its place");
    let status = host.file_when(FILE, |it| it.as_ref().is_some_and(|it| it.state == "outdated")).await;
    let error = status.expect("a file").error;
    assert!(error.contains("can't be read: it is not a regular file"), "{error}");
    assert_eq!(serves(&host).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_another_ending_takes_the_plugin_over() {
    let upstream = Upstream::echo().await;
    let host = start(&upstream).await;
    fs::write(host.plugins().join(".versions.json.new"), version(2)).expect("written");
    fs::remove_file(host.plugins().join(FILE)).expect("it is there");
    fs::rename(host.plugins().join(".versions.json.new"), host.plugins().join("versions.json")).expect("renamed");
    host.file_when("versions.json", |it| it.as_ref().is_some_and(|it| it.state == "loaded")).await;
    host.file_when(FILE, Option::is_none).await;
    assert_eq!(serves(&host).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_name_is_no_plugins_name_is_told() {
    let upstream = Upstream::echo().await;
    let host = setup(&upstream).file("my api.yaml", version(1)).start().await;
    let status = host.file("my api.yaml").await.expect("a file");
    assert_eq!(status.state, "failed");
    assert!(status.error.contains("rename the file"), "{}", status.error);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_can_not_take_the_qualified_name_of_another() {
    let upstream = Upstream::echo().await;
    let named = |number: u32, tool: &str| {
        let path = format!("/v1/thing{number}");
        version(number)
            .replace("- name: thing\n      description", &format!("- name: {tool}\n      description"))
            .replace("path: /v1/thing", &format!("path: {path}"))
    };
    let to = upstream.url();
    let grant = |name: &str| format!("[grants.{name}]\nhosts = [\"{BASE}\"]\nupstreams.\"{BASE}\" = \"{to}\"\n");
    let grants: String = ["a", "b", "evil"].map(grant).concat();
    let files = Setup::default().file("a.yaml", named(1, "thing")).file("b.yaml", named(2, "thing"));
    let host = files.file("evil.yaml", named(3, "a.thing")).config(&grants).start().await;
    for (tool, version) in [("a.thing", 1), ("b.thing", 2), ("evil.a.thing", 3)] {
        assert_eq!(served(host.mcp().call(tool, json!({})).await.ok()), version, "{tool}");
    }
}
