//! What clients are told about what is there: MCP's tool lists, against goldens, and `/plugins`.

use std::{env, fs};

use serde_json::{Value, json};

use crate::harness::{Setup, TestHost, Upstream, path};

async fn start() -> (TestHost, Upstream) {
    let upstream = Upstream::echo().await;
    (Setup::providers(&upstream, &upstream).start().await, upstream)
}

/// Compares with a checked-in file. `AIRLOCK_BLESS=1` writes the file instead: the difference is then up to `git diff`.
pub(crate) fn check_golden(name: &str, actual: &Value) {
    let path = path("goldens").join(name);
    let actual = serde_json::to_string_pretty(actual).expect("JSON") + "\n";
    if env::var_os("AIRLOCK_BLESS").is_some() {
        return fs::write(&path, actual).expect("goldens can be written");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    let differs = expected.lines().zip(actual.lines()).find(|(expected, actual)| expected != actual);
    assert!(
        expected == actual,
        "{} differs, first at {differs:?}; if that is right, run the tests with AIRLOCK_BLESS=1",
        path.display()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tools_of_both_providers_are_listed_as_in_the_golden() {
    let (host, _upstream) = start().await;
    let tools = host.mcp().tools().await;
    assert_eq!(tools, host.mcp().tools().await, "the order is the same each time");
    check_golden("tools.json", &tools.into());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_two_plugins_use_is_qualified_for_both_and_plain_at_their_own_endpoints() {
    let (host, _upstream) = start().await;
    let names = async |path: &str| -> Vec<String> {
        let tools = host.mcp_at(path).tools().await;
        tools.iter().map(|it| it["name"].as_str().expect("a name").to_owned()).collect()
    };
    let all = names("/mcp").await;
    assert_eq!(all.len(), 14);
    let shared: Vec<&String> = all.iter().filter(|it| it.ends_with("retrieve-current-user")).collect();
    assert_eq!(shared, ["m3ter-orgusers.retrieve-current-user", "metal-users.retrieve-current-user"]);
    for plugin in ["m3ter-orgusers", "metal-users"] {
        let own = names(&format!("/mcp/{plugin}")).await;
        assert_eq!(own.len(), 7, "{own:?}");
        assert!(own.contains(&"retrieve-current-user".to_owned()), "{own:?}");
    }
    let result = host.mcp_at("/mcp/metal-users").call("retrieve-current-user", json!({})).await;
    assert_eq!(result.ok()["target"], "/metal/v1/user");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_control_listener_tells_every_operation_and_every_file() {
    let (host, _upstream) = start().await;
    let told = host.told().await;
    let operations = |plugin: usize| told["plugins"][plugin]["operations"].as_array().expect("a list").len();
    assert_eq!((operations(0), operations(1)), (7, 7));
    let first = &told["plugins"][0]["operations"][0];
    assert_eq!(
        first,
        &json!({"name": "listorgusers", "route": "GET /v1/organizations/{orgid}/users", "tool": "list-orgusers"})
    );
    for file in ["m3ter-orgusers.yaml", "metal-users.yaml"] {
        assert_eq!(host.file(file).await.expect("a file").state, "loaded");
    }
    assert_eq!(host.control("/health/ready").await.ok(), json!({"status": "ready"}));
    assert_eq!(host.control("/health/live").await.ok(), json!({"status": "live"}));
    let metrics = host.control("/metrics").await;
    assert!(metrics.text().contains("\nairlock_plugins 2\n"), "{}", metrics.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn management_is_not_on_the_ports_that_agents_reach() {
    let (host, _upstream) = start().await;
    for path in ["/plugins", "/metrics", "/health/live"] {
        assert_eq!(host.get(path).await.status, 404, "{path}");
        assert_eq!(host.mcp_at(path).post_raw(&[], "{}").await.status, 404, "{path}");
    }
}
