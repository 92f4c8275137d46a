//! Large sets of tools: what is listed of them, what is found by words, and calls of what was found; for every caller the same as
//! if all were listed.

use std::{fs, path::Path};

use airlock::callers::KeyHash;
use serde_json::{Value, json};

use crate::{
    callers::{READING, mcp},
    harness::{Issuer, Log, Mcp, Session, Setup, TestHost, Upstream, fixture, random_text, start_hostile},
    hot_load::document,
};

const BASE: &str = "http://upstream.test";

/// A host of both providers, 14 tools, with this configuration.
async fn start(config: &str) -> (TestHost, Upstream) {
    let upstream = Upstream::echo().await;
    (Setup::providers(&upstream, &upstream).config(config).start().await, upstream)
}

/// A host whose tools come from the fixture of the conformance suite, and none of them is listed.
async fn conformance() -> TestHost {
    let setup = Setup::default().file("conformance.wasm", fixture::CONFORMANCE);
    setup.config("[grants.conformance]\n[mcp]\nlisted_tools = 2\n").start().await
}

fn names(tools: &Value) -> Vec<&str> {
    tools.as_array().expect("a list").iter().map(|it| it["name"].as_str().expect("a name")).collect()
}

async fn listed(mcp: &Mcp) -> Vec<String> {
    names(&mcp.tools().await.into()).into_iter().map(str::to_owned).collect()
}

/// What a search for these words gives.
async fn search(mcp: &Mcp, query: &str) -> Value {
    mcp.call("search_tools", json!({"query": query, "limit": 20})).await.ok().clone()
}

async fn found(mcp: &Mcp, query: &str) -> Vec<String> {
    names(&search(mcp, query).await["tools"]).into_iter().map(str::to_owned).collect()
}

fn by_call_tool(name: &str, arguments: &Value) -> Value {
    json!({"name": "call_tool", "arguments": {"name": name, "arguments": arguments}})
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_tools_are_listed_as_are_wanted() {
    let log = Log::listen();
    let (host, _upstream) = start("[mcp]\nlisted_tools = 14").await;
    let all = listed(&host.mcp()).await;
    assert_eq!(all.len(), 14);
    assert!(!all.iter().any(|it| it == "search_tools"), "{all:?}");
    let instructions = async |host: &TestHost, path| {
        let told = host.mcp_at(path).request("server/discover", json!({})).await;
        told["instructions"].as_str().expect("a text").contains("find them by search_tools and call them by call_tool")
    };
    assert!(!instructions(&host, "/mcp").await);

    let pinned = "['update-orguser', 'metal-users.retrieve-current-user', 'retrieve-orgusr-of-all']";
    let (host, _upstream) = start(&format!("[mcp]\nlisted_tools = 6\npinned = {pinned}")).await;
    let (search, call) = ("search_tools".to_owned(), "call_tool".to_owned());
    let few = |pinned: &[&str]| {
        [vec![search.clone(), call.clone()], pinned.iter().map(|it| (*it).to_owned()).collect()].concat()
    };
    for (path, pinned) in [
        ("/mcp", &["update-orguser", "metal-users.retrieve-current-user"][..]),
        ("/mcp/m3ter-orgusers", &["update-orguser"]),
        ("/mcp/metal-users", &["retrieve-current-user"]),
    ] {
        assert_eq!(listed(&host.mcp_at(path)).await, few(pinned), "{path}");
        let session = host.mcp_at(path).session().await;
        assert_eq!(names(&session.request("tools/list", json!({})).await["tools"]), few(pinned), "{path}");
        assert!(instructions(&host, path).await, "{path}");
    }
    let tools = host.mcp().tools().await;
    let hints = |at: usize| (&tools[at]["annotations"]["readOnlyHint"], &tools[at]["annotations"]["destructiveHint"]);
    assert_eq!(hints(0), (&json!(true), &json!(false)));
    assert_eq!(hints(1), (&json!(false), &json!(true)));
    let (code, text) = host.mcp().refused("tools/call", json!({"name": "frobnicate"})).await;
    assert_eq!((code, text.as_str()), (-32602, "unknown tool: frobnicate; find it by search_tools"));
    // A pin without a tool is no error, and is told once, with what may have been meant.
    let warning = log.line(|line| line.contains("mcp.pinned")).await;
    assert!(warning.starts_with("WARN") && warning.contains("unknown tool: retrieve-orgusr-of-all; "), "{warning}");
    assert_eq!(log.lines().iter().filter(|line| line.contains("mcp.pinned")).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_are_found_by_what_they_are_for() {
    let (host, _upstream) = start("[mcp]\nlisted_tools = 3\npinned = ['update-orguser']").await;
    for (query, best) in [
        ("update-orguser", "update-orguser"),
        ("metal-users.retrieve-current-user", "metal-users.retrieve-current-user"),
        ("resend a temporary password", "resend-temporary-password-user"),
        ("which groups is somebody in", "retrieve-orguser-groups"),
        ("Create Users", "create-user"),
        ("invitations", "retrieve-current-user-invitations"),
        ("custom metadata", "retrieve-custom-metadata-user"),
    ] {
        assert_eq!(found(&host.mcp(), query).await.first().map(String::as_str), Some(best), "{query}");
    }
    let elsewhere = found(&host.mcp_at("/mcp/metal-users"), "update-orguser").await;
    assert_eq!(elsewhere.first().map(String::as_str), Some("update-current-user"), "of this endpoint");
    let one = host.mcp().call("search_tools", json!({"query": "user", "limit": 1})).await.ok().clone();
    assert!(one["hint"].as_str().expect("a text").contains(" more match, the next are "), "{one}");
    let none = search(&host.mcp(), "frobnicate").await;
    assert_eq!(none, json!({"tools": [], "hint": "no tool matches; try other words of what is to be read or done"}));
    // What was found is all that is listed of a tool, but for what a caller doesn't need.
    let mut listed = host.mcp().tools().await.pop().expect("the pinned one");
    assert!(listed["outputSchema"].is_object());
    listed.as_object_mut().expect("an object").remove("outputSchema");
    assert_eq!(search(&host.mcp(), "update-orguser").await["tools"][0], listed);
    for (arguments, problem) in [
        (json!({}), "missing field `query`"),
        (json!({"query": "a", "limit": 21}), "limit: expected 1 to 20"),
        (json!({"query": "a".repeat(1001)}), "query: longer than 1000 characters"),
    ] {
        let result = host.mcp().call("search_tools", arguments).await;
        assert_eq!(result.error(), format!("invalid input; correct these arguments and call again:\n- {problem}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_found_is_called_as_if_it_were_listed() {
    let (host, upstream) = start("[mcp]\nlisted_tools = 2").await;
    let (mcp, session) = (host.mcp(), host.mcp().session().await);
    let good = json!({"orgId": "o", "id": "u/1"});
    let wrong = json!({"orgId": "o", "ID": "u"});
    let inner = |arguments: &Value| json!({"name": "retrieve-orguser", "arguments": arguments});
    let (direct, wrapped) =
        (mcp.call("retrieve-orguser", good.clone()).await, mcp.call("call_tool", inner(&good)).await);
    assert_eq!(direct.ok(), wrapped.ok());
    let direct_too = session.call("retrieve-orguser", good.clone()).await;
    assert_eq!(direct_too.ok(), session.call("call_tool", inner(&good)).await.ok());
    let seen = upstream.texts();
    assert_eq!((seen.len(), seen.iter().all(|it| *it == seen[0])), (4, true), "{seen:?}");
    // The same validation, and the same words about what isn't there.
    let refused = mcp.call("retrieve-orguser", wrong.clone()).await;
    assert_eq!(refused.error(), mcp.call("call_tool", inner(&wrong)).await.error());
    assert_eq!(refused.error(), session.call("call_tool", inner(&wrong)).await.error());
    for name in ["retrieve-org-user", "nothing", "retrieve-current-user"] {
        let direct = mcp.refused("tools/call", json!({"name": name, "arguments": {}})).await;
        assert_eq!(direct.0, -32602, "{direct:?}");
        assert_eq!(mcp.refused("tools/call", by_call_tool(name, &json!({}))).await, direct);
        assert_eq!(session.refused("call_tool", json!({"name": name})).await, direct);
    }
    for (arguments, problem) in [
        (json!({}), "missing field `name`"),
        (json!({"name": "retrieve-orguser", "input": {}}), "unknown field `input`, expected `name` or `arguments`"),
        (json!({"name": "retrieve-orguser", "arguments": []}), "invalid type: sequence, expected a map"),
        (json!({"name": "call_tool", "arguments": inner(&good)}), "name: call_tool is called directly"),
        (json!({"name": "search_tools"}), "name: search_tools is called directly"),
    ] {
        let result = mcp.call("call_tool", arguments).await;
        assert_eq!(result.error(), format!("invalid input; correct these arguments and call again:\n- {problem}"));
    }
    assert_eq!(upstream.texts(), [""; 0], "nothing of this has reached the upstream");
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_cross_a_call_by_way_of_another_tool() {
    let host = conformance().await;
    let mcp = host.mcp().able(json!({"elicitation": {}}));
    let name = "test_input_required_result_request_state";
    assert_eq!(found(&mcp, name).await[0], name);
    let mut request = by_call_tool(name, &json!({}));
    let asked = mcp.asked("tools/call", request.clone()).await;
    request["inputResponses"] = json!({"confirm": {"action": "accept", "content": {"ok": true}}});
    request["requestState"] = asked["requestState"].clone();
    assert_eq!(mcp.request("tools/call", request.clone()).await["content"][0]["text"], "state-ok");
    // The state is of the tool that has asked, not of the one that it was called by.
    request["arguments"]["name"] = "test_input_required_result_tampered_state".into();
    let (code, text) = mcp.refused("tools/call", request).await;
    assert!(code == -32602 && text.contains("requestState"), "{text}");
    let (code, _) = host.mcp().refused("tools/call", by_call_tool("test_missing_capability", &json!({}))).await;
    assert_eq!(code, -32021, "the client can't be asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn arguments_that_are_repeated_in_headers_are_not_passed_around_them() {
    let host = conformance().await;
    let arguments = json!({"region": "eu"});
    let result = host.mcp().call("call_tool", json!({"name": "test_x_mcp_header", "arguments": arguments})).await;
    assert!(result.error().contains("call test_x_mcp_header directly"), "{result:?}");
    // Clients with sessions have no such headers.
    let session = host.mcp().session().await;
    let result = session.call("call_tool", json!({"name": "test_x_mcp_header", "arguments": arguments})).await;
    assert_eq!((result.is_error, result.text.as_str()), (false, r#"{"region":"eu"}"#));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_goes_away_stops_what_was_called_by_way_of_another_tool() {
    let upstream = Upstream::silent().await;
    let host = start_hostile(&upstream, "wall_ms = 600000").await;
    let (client, session) = (host.mcp(), host.mcp().session().await);
    let arguments = json!({"name": "sleepy"});
    let given = arguments.clone();
    let calling = tokio::spawn(async move { drop(client.call("call_tool", given).await) });
    upstream.has_seen(1).await;
    calling.abort();
    upstream.has_lost(1).await;
    let calling = tokio::spawn(async move { drop(session.call("call_tool", arguments).await) });
    upstream.has_seen(2).await;
    calling.abort();
    upstream.has_lost(2).await;
    host.when_running(0).await;
}

fn caller(name: &str, key: &str, rules: &str) -> String {
    format!("[callers.{name}]\nkey.hash = \"{}\"\n{rules}\n", KeyHash::of(key))
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_finds_or_calls_what_is_hidden_from_them() {
    let [reader, everything] = [(); 2].map(|()| random_text());
    let callers = [
        caller("reader", &reader, "plugins = ['m3ter-*']"),
        caller("everything", &everything, "plugins = ['*']\neffects = ['read-only', 'write', 'destructive']"),
        "[mcp]\nlisted_tools = 2\npinned = []\n".to_owned(),
    ]
    .concat();
    let (host, upstream) = start(&callers).await;
    let client = mcp(&host, &reader, "/mcp");
    let unknown = client.refused("tools/call", by_call_tool("frobnicate-nothing", &json!({}))).await;
    for hidden in ["retrieve-user", "create-user", "metal-users.retrieve-current-user", "retrieve-all-users"] {
        assert_eq!(found(&mcp(&host, &everything, "/mcp"), hidden).await[0], hidden);
        let found = found(&client, hidden).await;
        assert!(found.iter().all(|it| READING.contains(&it.as_str())), "{found:?}");
        let text = search(&client, hidden).await.to_string();
        assert!(!text.contains("metal-users") && !text.contains("create-user"), "{text}");
        // The same answer as about what doesn't exist, by both ways.
        let (code, text) = client.refused("tools/call", by_call_tool(hidden, &json!({}))).await;
        assert_eq!(
            (code, client.refused("tools/call", json!({"name": hidden})).await),
            (unknown.0, (code, text.clone()))
        );
        assert!(text.starts_with(&format!("unknown tool: {hidden}; ")), "{text}");
    }
    // Seen, but not to be called: not found either, as it isn't listed; a call says why.
    assert!(!found(&client, "update-orguser").await.contains(&"update-orguser".to_owned()));
    let arguments = json!({"orgId": "o", "id": "u", "body": {"version": 1, "permissionPolicy": []}});
    let forbidden = client.call("call_tool", json!({"name": "update-orguser", "arguments": arguments})).await;
    assert!(forbidden.error().starts_with("not allowed: this is a write operation"), "{forbidden:?}");
    assert_eq!(upstream.texts(), [""; 0]);
    client.call("call_tool", json!({"name": "retrieve-orguser", "arguments": {"orgId": "o", "id": "u"}})).await.ok();
    assert_eq!(upstream.requests().len(), 1);
    // How tools are ranked doesn't tell of others: the order and the number are as if nothing else were there.
    let alone = Setup::default()
        .file("m3ter-orgusers.yaml", crate::harness::M3TER)
        .secret("M3TER_API_KEY", "m3ter-test-token")
        .config(&format!(
            "[grants.m3ter-orgusers]\nhosts = ['https://api.m3ter.com']\nsecrets.M3TER_API_KEY = {{ file = 'secrets/M3TER_API_KEY' }}\n\
             upstreams.'https://api.m3ter.com' = '{}'\n",
            upstream.url()
        ))
        .config(&callers)
        .start()
        .await;
    for query in ["current user", "retrieve groups of a user", "metadata", "invitations project", "list everybody"] {
        let plain = |names: Vec<String>| names.iter().map(|it| it.replace("m3ter-orgusers.", "")).collect::<Vec<_>>();
        let here = plain(found(&client, query).await);
        assert_eq!(here, plain(found(&mcp(&alone, &reader, "/mcp"), query).await), "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_not_enough_is_told_so_by_way_of_another_tool() {
    let issuer = Issuer::start().await;
    let config = format!(
        "{}[callers.reader]\ntoken = {{ issuer = 'corp', scopes = ['read'] }}\nplugins = ['*']\n\
         [callers.writer]\ntoken = {{ issuer = 'corp', scopes = ['write'] }}\nplugins = ['*']\neffects = ['write']\n\
         [mcp]\nlisted_tools = 2\n",
        issuer.section()
    );
    let (host, _upstream) = start(&config).await;
    let bearer = format!("Bearer {}", issuer.token(&json!({"scope": "read"})));
    let mut params = by_call_tool("update-orguser", &json!({}));
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {},
    });
    let headers = [
        ("authorization", bearer.as_str()),
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "call_tool"),
    ];
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).to_string();
    let answer = host.mcp().post_raw(&headers, &message).await;
    assert_eq!(answer.status, 403, "{answer:?}");
    assert!(answer.header("www-authenticate").contains("error=\"insufficient_scope\", scope=\"write\""), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_by_way_of_another_tool_counts_once_and_a_search_does_not() {
    let key = random_text();
    let config = caller("slow", &key, "plugins = ['*']\nrequests_per_second = 2");
    let (host, upstream) = start(&format!("{config}[mcp]\nlisted_tools = 2\n")).await;
    let client = mcp(&host, &key, "/mcp");
    for _ in 0..5 {
        search(&client, "user").await;
    }
    let call = || client.call("call_tool", json!({"name": "retrieve-orguser", "arguments": {"orgId": "o", "id": "u"}}));
    let (first, second) = tokio::join!(call(), call());
    assert_eq!((first.is_error, second.is_error), (false, false), "{first:?} {second:?}");
    assert_eq!(upstream.requests().len(), 2);
}

fn versions(tool: &str) -> String {
    let document = document(BASE, "1").replace("Gets the thing.", "Weighs a rhinoceros.");
    document.replace("- name: thing\n      description", &format!("- name: {tool}\n      description"))
}

fn grant(upstream: &Upstream, plugins: &[&str]) -> String {
    let to = upstream.url();
    let grant = |name: &&str| format!("[grants.{name}]\nhosts = [\"{BASE}\"]\nupstreams.\"{BASE}\" = \"{to}\"\n");
    plugins.iter().map(grant).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_is_found_and_what_goes_is_not() {
    let upstream = Upstream::echo().await;
    let setup = Setup::default().file("conformance.wasm", fixture::CONFORMANCE);
    let setup = setup.config("[grants.conformance]\n[mcp]\nlisted_tools = 2\n");
    let host = setup.config(&grant(&upstream, &["versions"])).start().await;
    let client = host.mcp();
    let mut told = client.listen().await;
    for _ in 0..2 {
        assert_eq!(found(&client, "rhinoceros").await, [""; 0]);
        let add = |folder: &Path| fs::write(folder.join("versions.yaml"), versions("thing")).expect("a new file");
        host.changed_by(add).await;
        told.until("notifications/tools/list_changed").await;
        assert_eq!(found(&client, "rhinoceros").await, ["thing"]);
        assert_eq!(client.call("call_tool", json!({"name": "thing"})).await.ok()["target"], "/versions/1/thing");
        host.changed_by(|folder| fs::remove_file(folder.join("versions.yaml")).expect("it was there")).await;
        assert_eq!(client.refused("tools/call", by_call_tool("thing", &json!({}))).await.0, -32602);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugins_tool_of_such_a_name_is_reached_and_takes_nobodys_place() {
    let upstream = Upstream::echo().await;
    for config in ["", "[mcp]\nlisted_tools = 2\n"] {
        let path =
            |number: u32, tool: &str| versions(tool).replace("path: /v1/thing", &format!("path: /v1/thing{number}"));
        let setup = Setup::default()
            .file("a.yaml", path(1, "search_tools"))
            .file("b.yaml", path(2, "call_tool"))
            .file("c.yaml", path(3, "thing"))
            .config(&grant(&upstream, &["a", "b", "c"]));
        let host = setup.config(config).start().await;
        for (at, name) in [
            ("/mcp", "a.search_tools"),
            ("/mcp/a", "a.search_tools"),
            ("/mcp", "b.call_tool"),
            ("/mcp/b", "b.call_tool"),
        ] {
            let client = host.mcp_at(at);
            assert_eq!(found(&client, name).await[0], name, "{at}");
            for result in [client.call(name, json!({})).await, client.call("call_tool", json!({"name": name})).await] {
                assert_eq!(result.ok()["target"], "/versions/1/thing");
            }
        }
        let session: Session = host.mcp().session().await;
        let ours = session.call("search_tools", json!({"query": "rhinoceros"})).await;
        assert_eq!(names(&ours.ok()["tools"]).len(), 3);
        assert_eq!(listed(&host.mcp()).await.len(), if config.is_empty() { 3 } else { 2 });
    }
}
