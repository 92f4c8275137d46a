//! Documents that ask for known callers: who gets at their operations in a host that knows callers, and in one that knows none.

use airlock::callers::KeyHash;
use serde_json::json;

use crate::{
    callers::{ask, mcp},
    cli::Shell,
    harness::{Log, Setup, Upstream, random_text},
    hot_load::document,
};

const GUARDED: &str = "http://guarded.test";
const OPEN: &str = "http://open.test";

/// The document with `authentication` on both of its exposes.
fn for_known_callers() -> String {
    let source = document(GUARDED, "1").replace("/v1/thing", "/v1/guarded");
    ["versions-rest", "versions-mcp"].iter().fold(source, |source, namespace| {
        let line = format!("namespace: {namespace}");
        assert!(source.contains(&line));
        source.replace(&line, &format!("{line}\n    authentication: {{ type: bearer }}"))
    })
}

fn grants(to: &str) -> String {
    let grant = |name, origin| format!("[grants.{name}]\nhosts = [\"{origin}\"]\nupstreams.\"{origin}\" = \"{to}\"\n");
    grant("guarded", GUARDED) + &grant("open", OPEN)
}

fn setup(upstream: &Upstream) -> Setup {
    let both = Setup::default().file("guarded.yaml", for_known_callers()).file("open.yaml", document(OPEN, "1"));
    both.config(&grants(&upstream.url()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_knows_no_callers_serves_them_to_nobody_and_says_so() {
    let upstream = Upstream::echo().await;
    let log = Log::listen();
    let host = setup(&upstream).start().await;
    log.line(|line| line.contains("guarded") && line.contains("airlock key new")).await;
    assert!(!log.lines().iter().any(|line| line.contains("open") && line.contains("airlock key new")));

    assert_eq!(host.get("/v1/thing").await.status, 200);
    assert_eq!(host.get("/v1/guarded").await.status, 404);
    let openapi = host.get("/openapi.json").await.json();
    assert_eq!(openapi["paths"].as_object().expect("an object").keys().collect::<Vec<_>>(), ["/v1/thing"]);
    assert_eq!(host.get("/openapi/guarded.json").await.status, 404);
    let tools = host.mcp().tools().await;
    assert_eq!(tools.len(), 1, "{tools:?}");
    let (code, _) = host.mcp().refused("tools/call", json!({"name": "guarded.thing", "arguments": {}})).await;
    assert_eq!(code, -32602);
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn known_callers_get_at_them_by_their_rules() {
    let upstream = Upstream::echo().await;
    let [of_guarded, of_open] = [random_text(), random_text()];
    let caller = |name, key: &str| {
        let hash = KeyHash::of(key);
        format!("[callers.{name}]\nkey.hash = \"{hash}\"\nplugins = [\"{name}\"]\n")
    };
    let callers = caller("guarded", &of_guarded) + &caller("open", &of_open);
    let host = setup(&upstream).config(&callers).start().await;
    for (key, path, status) in [
        (&of_guarded, "/v1/guarded", 200),
        (&of_guarded, "/v1/thing", 404),
        (&of_open, "/v1/guarded", 404),
        (&of_open, "/v1/thing", 200),
    ] {
        assert_eq!(ask(&host.rest(), "GET", path, key).await.status, status, "{path}");
    }
    assert_eq!(host.get("/v1/guarded").await.status, 401);
    let result = mcp(&host, &of_guarded, "/mcp/guarded").call("thing", json!({})).await;
    assert!(!result.is_error, "{}", result.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_calls_them_and_is_told_what_they_need() {
    let upstream = Upstream::echo().await;
    let shell = Shell::new().file("guarded.yaml", for_known_callers()).file("airlock.toml", grants(&upstream.url()));
    shell.run(&["call", "guarded.yaml", "getthing"]).await.check(0, &["/versions/1/thing"], &[]);
    let said = shell.run(&["check", "guarded.yaml"]).await;
    said.check(0, &["# 1 of its operations are for known callers", "[callers.NAME]", "plugins = [\"guarded\"]"], &[]);
}
