//! Bad input from callers, authors and operators: a clear error that says what to do, and nothing lost.

use serde_json::{Value, json};

use crate::{
    harness::{Rest, Setup, TestHost, Upstream, fixture},
    hot_load::document,
};

const USERS: &str = "/v1/organizations/o/users";
const USER: &str = "/v1/organizations/o/users/u";

async fn start() -> (TestHost, Upstream) {
    let upstream = Upstream::echo().await;
    let host = Setup::providers(&upstream, &upstream).start().await;
    (host, upstream)
}

/// The inputs that are named as wrong.
fn at_fault(problem: &Value) -> Vec<&str> {
    let errors = problem["errors"].as_array().expect("a list").iter();
    errors.map(|it| it["parameter"].as_str().unwrap_or("-")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_input_that_does_not_fit_is_refused_by_name_before_anything_is_sent() {
    let (host, upstream) = start().await;
    let rest: Rest = host.rest();
    let json_type: &[(&str, &str)] = &[("content-type", "application/json")];
    for (method, path, headers, body, names) in [
        ("GET", &*format!("{USERS}?pageSize=ten"), &[][..], "", vec!["pageSize"]),
        ("GET", &format!("{USERS}?pageSize=0"), &[], "", vec!["pageSize"]),
        ("GET", &format!("{USERS}?pageSize=201"), &[], "", vec!["pageSize"]),
        ("GET", &format!("{USERS}?pageSize=1&pageSize=2"), &[], "", vec!["pageSize"]),
        ("GET", &format!("{USERS}?pagesize=1"), &[], "", vec!["pagesize"]),
        ("GET", &format!("{USERS}?nextToken=%ff"), &[], "", vec!["nextToken"]),
        ("GET", &format!("{USERS}?pageSize=x&other=1"), &[], "", vec!["pageSize", "other"]),
        ("GET", USERS, json_type, "{}", vec!["-"]),
        ("PUT", USER, json_type, "not JSON", vec!["-"]),
        ("PUT", USER, json_type, "{\"version\": 1", vec!["-"]),
        ("PUT", USER, json_type, "[]", vec!["body"]),
        ("PUT", USER, json_type, "7", vec!["body"]),
        ("PUT", USER, json_type, "", vec!["body"]),
        ("PUT", USER, &[], "", vec!["body"]),
        ("PUT", USER, json_type, "{\"version\": \"one\"}", vec!["body/version"]),
        ("PUT", USER, json_type, "{\"dtEndAccess\": \"tomorrow\"}", vec!["body/dtEndAccess"]),
        (
            "PUT",
            USER,
            json_type,
            "{\"permissionPolicy\": [{\"effect\": \"allow\", \"action\": [1]}]}",
            vec!["body/permissionPolicy/0/action/0", "body/permissionPolicy/0/resource"],
        ),
    ] {
        let problem = rest.raw(method, path, headers, body.to_owned()).await.problem(400, "invalid-input");
        let mut found = at_fault(&problem);
        found.sort_unstable();
        let mut names = names;
        names.sort_unstable();
        assert_eq!(found, names, "{method} {path} {body}: {problem}");
    }
    assert_eq!(upstream.texts(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_another_kind_is_refused() {
    let (host, upstream) = start().await;
    let rest = host.rest();
    rest.raw("PUT", USER, &[("content-type", "text/plain")], "{}").await.problem(415, "unsupported-media-type");
    rest.raw("PUT", USER, &[], "{}").await.problem(415, "unsupported-media-type");
    let compressed = [("content-type", "application/json"), ("content-encoding", "gzip")];
    rest.raw("PUT", USER, &compressed, "{}").await.problem(415, "unsupported-content-encoding");
    assert_eq!(upstream.texts(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_announced_as_too_large_is_refused_before_it_is_sent() {
    let (host, _upstream) = start().await;
    let head = format!(
        "PUT {USER} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 5000000\r\n\r\n"
    );
    let said = host.rest().talk(&head).await;
    assert!(said.starts_with("HTTP/1.1 413 "), "{said}");
    assert!(said.contains("urn:airlock:problem:body-too-large") && said.contains("4194304 bytes"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_text_that_would_become_much_is_refused_at_every_door() {
    let (host, upstream) = start().await;
    // 600 kB.
    let many = format!("[{}0]", "0,".repeat(300_000));
    let answer = host.rest().raw("PUT", USER, &[("content-type", "application/json")], many.clone()).await;
    let problem = answer.problem(413, "body-too-large");
    let said = "more JSON values than 33554432 bytes of memory hold: send fewer at once";
    assert!(problem["detail"].as_str().unwrap_or_default().contains(said), "{problem}");
    let answer = host.mcp().post_raw(&[], &many).await;
    assert_eq!(answer.status, 413, "{answer:?}");
    assert!(answer.text().contains(said), "{answer:?}");
    assert_eq!(upstream.texts(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_origin_cannot_call_tools() {
    let (host, upstream) = start().await;
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "metal-users.retrieve-current-user"}});
    let answer = host.mcp().post_raw(&[("origin", "http://evil.example")], &call.to_string()).await;
    assert_eq!(answer.status, 403, "{answer:?}");
    assert_eq!(upstream.texts(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn arguments_that_do_not_fit_are_told_to_the_model_by_name() {
    let (host, upstream) = start().await;
    let mcp = host.mcp();
    for (tool, arguments, said) in [
        ("list-orgusers", json!({}), "- orgId: is required and missing"),
        ("list-orgusers", json!({"orgId": 7}), "- orgId: "),
        ("list-orgusers", json!({"orgId": "o", "pageSize": "ten"}), "- pageSize: "),
        ("list-orgusers", json!({"orgId": "o", "pageSize": 500}), "- pageSize: "),
        ("list-orgusers", json!({"orgId": "o", "ids": "one"}), "- ids: "),
        ("list-orgusers", json!({"orgId": "o", "ids": [1]}), "- ids/0: "),
        ("list-orgusers", json!({"orgId": "o", "page": 1}), "page"),
        ("update-orguser", json!({"orgId": "o", "id": "u"}), "- body: is required and missing"),
        ("retrieve-orguser", json!({"orgId": "o", "id": ".."}), "- id: "),
        ("retrieve-orguser", json!({"orgId": "o", "id": ""}), "- id: "),
    ] {
        let result = mcp.call(tool, arguments.clone()).await;
        assert!(result.error().contains(said), "{tool} {arguments}: {result:?}");
    }
    assert_eq!(upstream.texts(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_tool_is_a_protocol_error_that_names_the_nearest() {
    let (host, _upstream) = start().await;
    for (name, said) in [
        ("no-such-thing-anywhere", "unknown tool: no-such-thing-anywhere"),
        ("list-orguser", "list-orgusers"),
        ("retrieve-current-user", "m3ter-orgusers.retrieve-current-user"),
    ] {
        let (code, message) = host.mcp().refused("tools/call", json!({"name": name, "arguments": {}})).await;
        assert_eq!(code, -32602, "{message}");
        assert!(message.contains(said), "{message}");
    }
    let answer = host.mcp().post_raw(&[], "this is no JSON").await;
    assert!((400..500).contains(&answer.status), "{answer:?}");
    assert_eq!(host.mcp_at("/mcp/nothing").post_raw(&[], "{}").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_nothing_serves_is_told_and_so_is_a_method() {
    let (host, upstream) = start().await;
    let rest = host.rest();
    for path in ["/", "/v1", "/v1/nothing", "/v1/users/a/b/c", "/v1/organizations//users"] {
        let problem = rest.get(path).await.problem(404, "no-such-route");
        assert!(problem["detail"].as_str().unwrap_or_default().contains(path), "{problem}");
    }
    for (method, path, allow) in [
        ("DELETE", "/v1/user", "GET, HEAD, OPTIONS, PUT"),
        ("PATCH", USER, "GET, HEAD, OPTIONS, PUT"),
        ("POST", "/v1/organizations/o/users/u/password/resend", "OPTIONS, PUT"),
    ] {
        let answer = rest.send(method, path, None).await;
        assert_eq!(answer.header("allow"), allow, "{method} {path}");
        answer.problem(405, "method-not-allowed");
        let options = rest.send("OPTIONS", path, None).await;
        assert_eq!((options.status, options.header("allow")), (204, allow), "{path}");
    }
    assert_eq!(upstream.texts(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_would_climb_out_of_its_segment_stays_in_it_or_is_refused() {
    let (host, upstream) = start().await;
    for value in ["..", ".", "%2e%2e"] {
        let answer = host.get(&format!("/v1/users/{value}")).await;
        assert!((400..500).contains(&answer.status), "{value}: {answer:?}");
    }
    assert_eq!(upstream.texts(), [""; 0]);
    let answer = host.get("/v1/users/a%2Fb%3Fc%3D1%23d").await.ok();
    assert_eq!(answer["target"], "/metal/v1/users/a%2Fb%3Fc%3D1%23d");
}

/// Files that can't be loaded: name, contents, grant, and what `/plugins` says.
fn bad_files() -> Vec<(&'static str, Vec<u8>, &'static str, Vec<&'static str>)> {
    let good = || document("http://upstream.test", "1").replace("/v1/thing", "/v1/other");
    let needs_secret = || {
        good().replace(
            "    resources:\n    - name: thing",
            "    authentication: { type: bearer, token: '{{env.KEY}}' }\n    resources:\n    - name: thing",
        ) + "binds:\n- namespace: env\n  keys: { KEY: KEY }\n"
    };
    let granted = "hosts = [\"http://upstream.test\"]";
    vec![
        (
            "no-grant.yaml",
            good().into(),
            "",
            vec!["no grant for plugin no-grant", "[grants.no-grant]", "hosts = [\"http://upstream.test\"]"],
        ),
        (
            "other-grant.yaml",
            good().into(),
            "hosts = [\"http://elsewhere.test\"]",
            vec!["http://upstream.test", "hosts = ["],
        ),
        ("unmapped-secret.yaml", needs_secret().into(), granted, vec!["KEY", "secrets.KEY"]),
        (
            "missing-secret.yaml",
            needs_secret().into(),
            "hosts = [\"http://upstream.test\"]\nsecrets.KEY = { file = \"secrets/NONE\" }",
            vec!["KEY", "secrets/NONE", "No such file"],
        ),
        (
            "unset-secret.yaml",
            needs_secret().into(),
            "hosts = [\"http://upstream.test\"]\nsecrets.KEY = { env = \"AIRLOCK_TEST_UNSET\" }",
            vec!["KEY", "environment variable AIRLOCK_TEST_UNSET is not set"],
        ),
        (
            "collides.yaml",
            good().replace("/v1/other", "/v1/thing").into(),
            granted,
            vec!["GET /v1/thing is served by plugin a-good-one already", "collides (operation"],
        ),
        ("broken.yaml", "naftiko: 1.0.0-alpha2\ncapability: [".into(), granted, vec!["error"]),
        ("no-document.yaml", "just: some\nother: yaml\n".into(), granted, vec!["error"]),
        (
            "unknown-call.yaml",
            good().replace("call: api.getthing", "call: api.nothing").into(),
            granted,
            vec!["api.nothing"],
        ),
        ("not-utf8.yaml", vec![0xff, 0xfe, 0x00], granted, vec!["not UTF-8"]),
        ("text.wasm", "hello".into(), granted, vec!["not a WebAssembly component"]),
        ("core.wasm", b"\0asm\x01\0\0\0".to_vec(), granted, vec!["core module", "wasm32-wasip2"]),
        (
            "other-world.wasm",
            fixture::OTHER_WORLD.to_vec(),
            granted,
            vec!["another world", "airlock:capability/provider@0.1.0", "acme:greeter/greeting@2.1.0"],
        ),
        (
            "unknown-import.wasm",
            fixture::UNKNOWN_IMPORT.to_vec(),
            granted,
            vec!["imports what no host offers: acme:db/query@1.0.0", "wit/README.md"],
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_loaded_says_why_and_keeps_no_other_from_serving() {
    let upstream = Upstream::echo().await;
    let to = upstream.url();
    let mut setup = Setup::default().file("a-good-one.yaml", document("http://upstream.test", "1")).config(&format!(
        "[grants.a-good-one]\nhosts = [\"http://upstream.test\"]\nupstreams.\"http://upstream.test\" = \"{to}\"\n"
    ));
    for (file, contents, grant, _) in bad_files() {
        setup = setup.file(file, contents);
        if !grant.is_empty() {
            let plugin = file.split('.').next().expect("a stem");
            setup = setup.config(&format!("[grants.{plugin}]\n{grant}\n"));
        }
    }
    let host = setup.start().await;
    let metrics = host.control("/metrics").await.text().to_owned();
    for (file, _, _, expected) in bad_files() {
        let status = host.file(file).await.unwrap_or_else(|| panic!("{file} is told"));
        assert_eq!(status.state, "failed", "{file}: {status:?}");
        for text in expected {
            assert!(status.error.contains(text), "{file}: {text:?} in {:?}", status.error);
        }
        let counted = format!("airlock_plugin_load_failures_total{{file=\"{file}\"}} 1");
        assert!(metrics.contains(&counted), "{counted} in {metrics}");
    }
    assert_eq!(host.serving().await, ["a-good-one"]);
    assert_eq!(host.get("/v1/thing").await.ok()["target"], "/versions/1/thing");
    let ready = host.control("/health/ready").await;
    assert_eq!((ready.status, ready.json()["see"].as_str()), (503, Some("/plugins")));
    assert_eq!(host.control("/health/live").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_files_with_one_plugin_name_the_first_serves_and_the_second_is_told() {
    let upstream = Upstream::echo().await;
    let to = upstream.url();
    let host = Setup::default()
        .file("twin.yaml", document("http://upstream.test", "1"))
        .file("twin.yml", document("http://upstream.test", "2"))
        .config(&format!(
            "[grants.twin]\nhosts = [\"http://upstream.test\"]\nupstreams.\"http://upstream.test\" = \"{to}\"\n"
        ))
        .start()
        .await;
    let refused = host.file("twin.yml").await.expect("a file");
    assert_eq!(refused.state, "failed");
    assert!(refused.error.contains("twin.yaml has the same plugin name"), "{refused:?}");
    assert_eq!(host.get("/v1/thing").await.ok()["target"], "/versions/1/thing");
}
