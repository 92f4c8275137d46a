//! Callers: who is known by what, what each of them sees and may call, the same at every door.

use airlock::callers::KeyHash;
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{Answer, Issuer, Log, Mcp, Rest, Setup, TestHost, Upstream, fixture, json_answer, random_text};

const USERS: &str = "/v1/organizations/o/users";
pub const USER: &str = "/v1/organizations/o/users/u";

/// The tools of m3ter-orgusers that read, as they are listed beside those of metal-users.
pub const READING: [&str; 5] = [
    "list-orgusers",
    "m3ter-orgusers.retrieve-current-user",
    "retrieve-orguser",
    "retrieve-orguser-permissions",
    "retrieve-orguser-groups",
];

/// A host of both providers that knows a reader of one, a writer of a few operations, and somebody who may do everything; by keys.
struct Known {
    host: TestHost,
    upstream: Upstream,
    reader: String,
    writer: String,
    everything: String,
}

impl Known {
    async fn start() -> Self {
        Self::start_with("").await
    }

    async fn start_with(more: &str) -> Self {
        let upstream = Upstream::echo().await;
        let [reader, writer, everything] = [(); 3].map(|()| random_text());
        let hash = KeyHash::of;
        let config = format!(
            r#"
            [callers.reader]
            key.hash = "{}"
            plugins = ["m3ter-*"]
            [callers.writer]
            key.hash = "{}"
            plugins = ["*"]
            operations = ["*orguser", "listorgusers"]
            effects = ["write"]
            [callers.everything]
            key.hash = "{}"
            plugins = ["*"]
            effects = ["read-only", "write", "destructive"]
            "#,
            hash(&reader),
            hash(&writer),
            hash(&everything)
        );
        let host = Setup::providers(&upstream, &upstream).config(&config).config(more).start().await;
        Self { host, upstream, reader, writer, everything }
    }

    async fn get(&self, key: &str, path: &str) -> Answer {
        ask(&self.host.rest(), "GET", path, key).await
    }

    async fn put(&self, key: &str) -> Answer {
        let bearer = format!("Bearer {key}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        self.host.rest().raw("PUT", USER, &headers, r#"{"version":1,"permissionPolicy":[]}"#).await
    }

    fn mcp(&self, key: &str, path: &str) -> Mcp {
        mcp(&self.host, key, path)
    }
}

/// A request without a body.
pub async fn ask(rest: &Rest, method: &str, path: &str, key: &str) -> Answer {
    rest.raw(method, path, &[("authorization", &format!("Bearer {key}"))], "").await
}

/// An MCP client with a key or token.
pub fn mcp(host: &TestHost, key: &str, path: &str) -> Mcp {
    host.mcp_at(path).with(&[("authorization", &format!("Bearer {key}"))])
}

fn names(tools: &[Value]) -> Vec<&str> {
    tools.iter().map(|it| it["name"].as_str().expect("a name")).collect()
}

/// A request without a session to the MCP listener, as it is, with these header fields.
pub async fn post(mcp: Mcp, headers: &[(&str, &str)], method: &str, name: Option<&str>) -> Answer {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {},
    });
    let mut params = json!({"_meta": meta});
    let mut all = vec![("mcp-protocol-version", "2026-07-28"), ("mcp-method", method)];
    if let Some(name) = name {
        params["name"] = name.into();
        params["arguments"] = json!({"orgId": "o", "id": "u", "body": {"version": 1, "permissionPolicy": []}});
        all.push(("mcp-name", name));
    }
    all.extend_from_slice(headers);
    mcp.post_raw(&all, &json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_known_gets_in_nowhere() {
    let it = Known::start().await;
    let rest = it.host.rest();
    let (wrong, good) = (random_text(), format!("Bearer {}", it.everything));
    let (wrong_bearer, basic) = (format!("Bearer {wrong}"), format!("Basic {}", it.everything));
    let hash = format!("Bearer {}", KeyHash::of(&it.everything));
    let twice = [("authorization", good.as_str()), ("x-api-key", it.everything.as_str())];
    for (headers, status, kind, challenge) in [
        (&[][..], 401, "unauthenticated", "Bearer realm=\"airlock\""),
        (
            &[("authorization", &*wrong_bearer)],
            401,
            "unauthenticated",
            "Bearer realm=\"airlock\", error=\"invalid_token\"",
        ),
        (&[("x-api-key", &*wrong)], 401, "unauthenticated", "Bearer realm=\"airlock\", error=\"invalid_token\""),
        (&[("authorization", &*hash)], 401, "unauthenticated", "Bearer realm=\"airlock\", error=\"invalid_token\""),
        (&[("authorization", &*basic)], 401, "unauthenticated", "Bearer realm=\"airlock\""),
        (&[("cookie", &*good)], 401, "unauthenticated", "Bearer realm=\"airlock\""),
        (&twice, 400, "ambiguous-credentials", ""),
    ] {
        // What isn't served is told to nobody who isn't known.
        for (method, path) in [("GET", USERS), ("GET", "/nowhere"), ("OPTIONS", USERS), ("DELETE", USERS), ("GET", "/")]
        {
            let answer = rest.raw(method, path, headers, "").await;
            answer.problem(status, kind);
            assert_eq!(answer.header("www-authenticate"), challenge, "{answer:?}");
        }
        for path in ["/mcp", "/mcp/m3ter-orgusers", "/mcp/nowhere"] {
            let answer = post(it.host.mcp_at(path), headers, "tools/list", None).await;
            assert_eq!((answer.status, answer.header("www-authenticate")), (status, challenge), "{answer:?}");
        }
    }
    let query = rest.raw("GET", &format!("{USERS}?access_token={}", it.everything), &[], "").await;
    query.problem(401, "unauthenticated");
    assert_eq!(it.upstream.texts(), [""; 0]);
    for headers in [[("authorization", good.as_str())], [("x-api-key", it.everything.as_str())]] {
        rest.raw("GET", USERS, &headers, "").await.ok();
        assert_eq!(post(it.host.mcp(), &headers, "tools/list", None).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn over_rest_what_is_hidden_is_not_there_and_what_is_forbidden_is_said_so() {
    let it = Known::start().await;
    it.get(&it.reader, USER).await.ok();
    it.put(&it.writer).await.ok();
    assert_eq!(it.upstream.requests().len(), 2);
    // Another plugin's, another operation's: the same words as about a path that nobody serves.
    for (key, path) in
        [(&it.reader, "/v1/user"), (&it.writer, "/v1/user"), (&it.writer, "/v1/organizations/o/users/me")]
    {
        let hidden = it.get(key, path).await.problem(404, "no-such-route");
        let missing = it.get(key, "/v1/nowhere").await.problem(404, "no-such-route");
        let same = |problem: &Value| problem["detail"].as_str().expect("text").replace(path, "/v1/nowhere");
        assert_eq!(same(&hidden), same(&missing));
        assert_eq!(hidden.as_object().map(|it| it.len()), missing.as_object().map(|it| it.len()), "no more is told");
    }
    // Seen, but not to be called: putorguser writes, getorguser reads.
    let forbidden = it.put(&it.reader).await;
    let problem = forbidden.problem(403, "forbidden");
    assert_eq!(forbidden.header("www-authenticate"), "", "no other token would do");
    assert!(problem["detail"].as_str().is_some_and(|it| it.contains("write operation")), "{problem}");
    it.get(&it.writer, USER).await.problem(403, "forbidden");
    // Before the input is looked at: a caller who may not call learns nothing about what would be right.
    let bearer = format!("Bearer {}", it.reader);
    let headers = [("authorization", bearer.as_str()), ("content-type", "text/plain")];
    it.host.rest().raw("PUT", USER, &headers, "nonsense").await.problem(403, "forbidden");
    // The methods of a path are those that are seen.
    let allow = async |key: &str, path| ask(&it.host.rest(), "DELETE", path, key).await.header("allow").to_owned();
    assert_eq!(allow(&it.everything, USER).await, "GET, HEAD, OPTIONS, PUT");
    assert_eq!(allow(&it.writer, "/v1/organizations/o/users/u/password/resend").await, "");
    let options = ask(&it.host.rest(), "OPTIONS", "/v1/user", &it.reader).await;
    options.problem(404, "no-such-route");
    assert_eq!(it.upstream.texts(), [""; 0], "nothing of this has reached the upstream");
}

#[tokio::test(flavor = "multi_thread")]
async fn over_mcp_lists_have_what_may_be_called_and_calls_obey_the_same_rules() {
    let it = Known::start().await;
    let reader = it.mcp(&it.reader, "/mcp");
    let listed = reader.tools().await;
    assert_eq!(names(&listed), READING);
    assert_eq!(names(&it.mcp(&it.writer, "/mcp").tools().await), ["update-orguser"]);
    assert_eq!(it.mcp(&it.everything, "/mcp").tools().await.len(), 14);
    // What may be called is; what is forbidden says so to the model; what is hidden is unknown, and not even suggested.
    reader.call("retrieve-orguser", json!({"orgId": "o", "id": "u"})).await.ok();
    assert_eq!(it.upstream.requests().len(), 1);
    let arguments = json!({"orgId": "o", "id": "u", "body": {"version": 1, "permissionPolicy": []}});
    let forbidden = reader.call("update-orguser", arguments).await;
    assert!(forbidden.error().starts_with("not allowed: this is a write operation"), "{forbidden:?}");
    for name in ["retrieve-user", "create-user", "metal-users.retrieve-current-user", "frobnicate"] {
        let (code, text) = reader.refused("tools/call", json!({"name": name, "arguments": {}})).await;
        assert_eq!(code, -32602, "{text}");
        assert!(text.starts_with(&format!("unknown tool: {name};")), "{text}");
        let suggested = text.split_once(';').expect("what to do").1;
        assert!(!suggested.contains("metal-users.") && !suggested.contains(" retrieve-user,"), "{text}");
        assert!(!suggested.ends_with(" retrieve-user"), "{text}");
    }
    // A plugin of which nothing is the caller's has no endpoint for the caller.
    let answer = post(it.mcp(&it.reader, "/mcp/metal-users"), &[], "tools/list", None).await;
    let missing = post(it.mcp(&it.reader, "/mcp/nowhere"), &[], "tools/list", None).await;
    assert_eq!((answer.status, answer.text().replace("metal-users", "nowhere")), (404, missing.text().to_owned()));
    assert_eq!(it.mcp(&it.reader, "/mcp/m3ter-orgusers").tools().await.len(), listed.len());
    assert_eq!(it.upstream.texts(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_caller_is_told_about_the_host_is_about_the_callers_plugins() {
    let it = Known::start().await;
    for (key, m3ter, metal) in [(&it.reader, true, false), (&it.everything, true, true)] {
        let discovered = it.mcp(key, "/mcp").request("server/discover", json!({})).await;
        let instructions = discovered["instructions"].as_str().expect("text");
        let tells = |name: &str| instructions.contains(&format!("({name})"));
        assert_eq!((tells("m3ter-orgusers"), tells("metal-users")), (m3ter, metal), "{instructions}");
        assert_eq!(discovered["cacheScope"], "private", "it depends on the caller");
    }
    let listed = it.mcp(&it.reader, "/mcp").request("tools/list", json!({})).await;
    assert_eq!(listed["cacheScope"], "private", "it depends on the caller");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_gives_nobody_the_rights_of_who_began_it() {
    let it = Known::start().await;
    let session = it.mcp(&it.everything, "/mcp").session().await;
    session.call("retrieve-user", json!({"id": "u"})).await.ok();
    let stolen = session.of(it.mcp(&it.reader, "/mcp"));
    // As if there were none of this id, also for what the host says unasked. Without the tag it is nobody's either.
    let bare = session.without_tag();
    for (session, status) in
        [(&stolen, 404), (&bare, 404), (&bare.of(it.mcp(&it.reader, "/mcp")), 404), (&session.of(it.host.mcp()), 401)]
    {
        assert_eq!(session.status("retrieve-user", json!({"id": "u"})).await, status);
        assert_eq!(session.stream_status("GET").await, status);
        // It ends no session, whatever the answer.
        session.stream_status("DELETE").await;
    }
    session.stream().await;
    session.call("retrieve-user", json!({"id": "u"})).await.ok();
    assert_eq!(it.upstream.requests().len(), 2);
    assert_eq!(session.stream_status("DELETE").await, 204);
    assert_eq!(session.status("retrieve-user", json!({"id": "u"})).await, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_cache_gives_an_answer_to_anybody_else() {
    let answer = |_| {
        let mut answer = json_answer(StatusCode::OK, &json!({}));
        answer.headers_mut().insert("cache-control", HeaderValue::from_static("public, max-age=60"));
        answer
    };
    let upstream = Upstream::answering(answer).await;
    let key = random_text();
    let callers = format!("[callers.reader]\nkey.hash = '{}'\nplugins = ['*']", KeyHash::of(&key));
    let host = Setup::providers(&upstream, &upstream).config(&callers).start().await;
    for path in [USERS, "/openapi.json"] {
        let answer = ask(&host.rest(), "GET", path, &key).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let directives = answer.header("cache-control");
        assert!(directives.contains("private") && !directives.contains("public"), "{path}: {directives}");
        let varies = answer.headers.get_all("vary").iter().any(|it| it == "authorization, x-api-key");
        assert!(varies, "{path}: {answer:?}");
    }
    let open = Setup::providers(&upstream, &upstream).start().await;
    assert_eq!(open.get(USERS).await.header("cache-control"), "public, max-age=60");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_or_token_reaches_an_upstream_or_the_log() {
    let log = Log::listen();
    let issuer = Issuer::start().await;
    let section = issuer.section();
    let it = Known::start_with(&format!(
        "{section}[callers.people]\ntoken = {{ issuer = 'corp', scopes = ['read'] }}\nplugins = ['*']"
    ))
    .await;
    let token = issuer.token(&json!({"scope": "read"}));
    for key in [&it.everything, &token] {
        it.get(key, USER).await.ok();
        it.host.rest().raw("GET", USER, &[("x-api-key", key)], "").await.ok();
        it.mcp(key, "/mcp").call("retrieve-orguser", json!({"orgId": "o", "id": "u"})).await.ok();
        let session = it.mcp(key, "/mcp").session().await;
        session.call("retrieve-orguser", json!({"orgId": "o", "id": "u"})).await.ok();
    }
    let wrong = format!("{}x", it.everything);
    it.get(&wrong, USER).await.problem(401, "unauthenticated");
    let seen = it.upstream.requests();
    assert_eq!(seen.len(), 8);
    let (key, signature) = (it.everything.clone(), token.rsplit('.').next().expect("a signature").to_owned());
    it.host.stop().await;
    let lines = log.lines();
    let audited = |name: &str| lines.iter().filter(|it| it.contains(&format!("from 127.0.0.1 as {name}"))).count();
    assert!(audited("everything") >= 4 && audited("people (alice)") >= 4, "the audit names who asked");
    for text in seen.iter().map(|it| format!("{it:?}")).chain(lines) {
        assert!(!text.contains(&key) && !text.contains(&signature), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_are_held_to_their_rates() {
    let upstream = Upstream::echo().await;
    let (slow, other) = (random_text(), random_text());
    let config = format!(
        "[callers.slow]\nkey.hash = \"{}\"\nplugins = [\"*\"]\nrequests_per_second = 1\n\
         [callers.other]\nkey.hash = \"{}\"\nplugins = [\"*\"]\n",
        KeyHash::of(&slow),
        KeyHash::of(&other)
    );
    let host = Setup::providers(&upstream, &upstream).config(&config).start().await;
    // At the same time, and many more than the seconds that it can take.
    let mut calls = JoinSet::new();
    for _ in 0..40 {
        let (rest, key) = (host.rest(), slow.clone());
        calls.spawn(async move { ask(&rest, "GET", USER, &key).await });
    }
    let answers = calls.join_all().await;
    let (good, late): (Vec<_>, Vec<_>) = answers.iter().partition(|it| it.status == 200);
    assert!(!good.is_empty() && !late.is_empty(), "{} good", good.len());
    for answer in &late {
        answer.problem(429, "too-many-calls");
        assert_eq!(answer.header("retry-after"), "1");
    }
    assert_eq!(upstream.requests().len(), good.len(), "who is late reaches nobody");
    // One rate for all doors, and one caller's isn't another's.
    let mut calls = JoinSet::new();
    for _ in 0..40 {
        let client = mcp(&host, &slow, "/mcp");
        calls.spawn(async move { client.call("retrieve-orguser", json!({"orgId": "o", "id": "u"})).await });
    }
    let late = calls.join_all().await;
    let late: Vec<_> = late.iter().filter(|it| it.is_error).collect();
    assert!(!late.is_empty());
    late.iter().for_each(|it| assert_eq!(it.error(), "you are over your rate of calls; try again in 1 s"));
    for _ in 0..20 {
        ask(&host.rest(), "GET", USER, &other).await.ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_control_listener_has_a_token_of_its_own() {
    let upstream = Upstream::echo().await;
    let (key, token) = (random_text(), random_text());
    let caller = format!("[callers.a]\nkey.hash = \"{}\"\nplugins = [\"*\"]\n", KeyHash::of(&key));
    let setup = Setup::providers(&upstream, &upstream)
        .listen("control_token = { file = \"secrets/CONTROL\" }\n")
        .secret("CONTROL", &format!("{token}\n"))
        .file("broken.yaml", "nonsense")
        .config(&caller);
    let host = setup.start().await;
    let [rest, _, control] = host.listeners();
    let get = async |path: &str, token: Option<&str>| {
        let authorization = token.map(|it| format!("authorization: Bearer {it}\r\n")).unwrap_or_default();
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{authorization}connection: close\r\n\r\n");
        control.talk(&request).await
    };
    for path in ["/plugins", "/metrics"] {
        for wrong in [None, Some(key.as_str()), Some(""), Some(&token[1..])] {
            let heard = get(path, wrong).await;
            assert!(heard.starts_with("HTTP/1.1 401"), "{heard}");
            assert!(heard.contains("www-authenticate: Bearer realm=\"airlock control\""), "{heard}");
            assert!(!heard.contains("m3ter"), "{heard}");
        }
        assert!(get(path, Some(&token)).await.starts_with("HTTP/1.1 200"), "{path}");
    }
    // Health is for balancers, which have no token: the state and no names.
    assert!(get("/health/live", None).await.starts_with("HTTP/1.1 200"));
    let ready = get("/health/ready", None).await;
    assert!(ready.starts_with("HTTP/1.1 503") && !ready.contains("broken.yaml"), "{ready}");
    assert!(get("/health/ready", Some(&token)).await.contains("broken.yaml"));
    // Who manages doesn't call.
    ask(&rest, "GET", USER, &token).await.problem(401, "unauthenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documents_of_rest_have_what_may_be_called() {
    let it = Known::start().await;
    for (key, plugins, operations) in [
        (&it.reader, &["m3ter-orgusers"][..], 5),
        (&it.writer, &["m3ter-orgusers"], 1),
        (&it.everything, &["m3ter-orgusers", "metal-users"], 14),
        // What was rendered for one isn't given to another.
        (&it.reader, &["m3ter-orgusers"], 5),
    ] {
        let document = it.get(key, "/openapi.json").await.ok();
        let items = document["paths"].as_object().expect("paths").values();
        assert_eq!(items.map(|it| it.as_object().expect("operations").len()).sum::<usize>(), operations);
        assert_eq!(names(document["tags"].as_array().expect("a list")), plugins);
        assert_eq!(document["security"], json!([{"bearer": []}, {"key": []}]));
        let links = it.get(key, "/.well-known/api-catalog").await;
        let links = links.json()["linkset"][0]["service-desc"].as_array().expect("links").len();
        assert_eq!(links, 1 + plugins.len());
    }
    let hidden = it.get(&it.reader, "/openapi/metal-users.json").await.problem(404, "no-such-route");
    let missing = it.get(&it.reader, "/openapi/nowhere.json").await.problem(404, "no-such-route");
    let text = |problem: &Value| problem["detail"].as_str().expect("text").replace("metal-users", "nowhere");
    assert_eq!(text(&hidden), text(&missing));
    for path in ["/openapi.json", "/openapi/m3ter-orgusers.json", "/docs", "/.well-known/api-catalog"] {
        it.host.rest().raw("GET", path, &[], "").await.problem(401, "unauthenticated");
        assert_eq!(it.get(&it.reader, path).await.status, 200, "{path}");
    }
}

/// Some callers of a plugin that has resources, prompts and suggestions: who may read all of it; who may not; a key for each.
async fn readers() -> (TestHost, [String; 2], [String; 3]) {
    let (readers, others) = ([(); 2].map(|()| random_text()), [(); 3].map(|()| random_text()));
    let section = |name: &str, key: &str, rules: &str| {
        format!("[callers.{name}]\nkey.hash = \"{}\"\n{rules}\n", KeyHash::of(key))
    };
    let config = [
        section("reader", &readers[0], "plugins = ['conf*']"),
        section("second", &readers[1], "plugins = ['*']\neffects = ['read-only', 'write', 'destructive']"),
        section("foreign", &others[0], "plugins = ['other']"),
        section("narrow", &others[1], "plugins = ['*']\noperations = ['test_*']"),
        section("writer", &others[2], "plugins = ['*']\neffects = ['write']"),
    ];
    let setup = Setup::default().file("conformance.wasm", fixture::CONFORMANCE).config("[grants.conformance]\n");
    (setup.config(&config.concat()).start().await, readers, others)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_plugins_offer_besides_operations_is_for_who_may_read_all_of_them() {
    const LISTS: [(&str, &str); 3] = [
        ("prompts/list", "prompts"),
        ("resources/list", "resources"),
        ("resources/templates/list", "resourceTemplates"),
    ];
    let (host, readers, others) = readers().await;
    let prompt = json!({"name": "test_simple_prompt"});
    let resource = json!({"uri": "test://static-text"});
    let typed = json!({
        "ref": {"type": "ref/prompt", "name": "test_prompt_with_arguments"}, "argument": {"name": "arg1", "value": ""},
    });
    for key in &readers {
        let client = mcp(&host, key, "/mcp");
        for (method, member) in LISTS {
            let listed = client.request(method, json!({})).await;
            assert!(!listed[member].as_array().expect("a list").is_empty(), "{method}");
        }
        client.request("prompts/get", prompt.clone()).await;
        client.request("resources/read", resource.clone()).await;
        let suggested = client.request("completion/complete", typed.clone()).await;
        assert_ne!(suggested["completion"]["values"], json!([]));
    }
    for key in &others {
        let client = mcp(&host, key, "/mcp");
        for (method, member) in LISTS {
            assert_eq!(client.request(method, json!({})).await[member], json!([]), "{method}");
        }
        let (_, text) = client.refused("prompts/get", prompt.clone()).await;
        assert!(text.starts_with("unknown prompt"), "{text}");
        let (_, text) = client.refused("resources/read", resource.clone()).await;
        assert!(text.starts_with("unknown resource"), "{text}");
        let suggested = client.request("completion/complete", typed.clone()).await;
        assert_eq!(suggested["completion"]["values"], json!([]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_is_of_no_use_to_another_caller() {
    let (host, [first, second], _) = readers().await;
    let call = json!({"name": "test_input_required_result_request_state", "arguments": {}});
    let client = |key: &str| mcp(&host, key, "/mcp").able(json!({"elicitation": {}}));
    let state = client(&first).asked("tools/call", call.clone()).await["requestState"].clone();
    let mut answered = call;
    answered["inputResponses"] = json!({"confirm": {"action": "accept", "content": {"ok": true}}});
    answered["requestState"] = state;
    let (code, text) = client(&second).refused("tools/call", answered.clone()).await;
    assert!(code == -32602 && text.contains("requestState"), "{text}");
    client(&first).request("tools/call", answered).await;
}
