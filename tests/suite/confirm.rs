//! Calls that a person has to agree to before they are carried out: at every door, and whatever a client makes up.

use airlock::callers::KeyHash;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    callers::mcp,
    harness::{Mcp, Setup, TestHost, Upstream, fixture, random_text},
};

const BASE: &str = "http://upstream.test";
const KEY: &str = "airlock.confirm";

/// Users that can be read, changed and deleted. `version` is told by the path of the upstream.
pub fn document(version: &str) -> String {
    let id = "inputParameters: [{ name: id, in: path, type: string }]";
    let consumed = |name: &str, method: &str| {
        format!(
            "{{ name: {name}, method: {method}, outputRawFormat: json, {id}, \
             outputParameters: [{{ name: result, type: object, value: $. }}] }}"
        )
    };
    let rest = |name: &str, method: &str| {
        format!("{{ method: {method}, name: {name}, call: api.{name}, with: {{ id: rest.id }} }}")
    };
    let tool = |name: &str, hints: &str| {
        format!(
            "{{ name: {name}, description: The author's word., {hints} call: api.{name}, with: {{ id: tools.id }} }}"
        )
    };
    format!(
        "naftiko: 1.0.0-alpha2
info: {{ label: Users, description: Users. }}
capability:
  consumes:
  - type: http
    namespace: api
    baseUri: {BASE}
    resources:
    - name: users
      path: /{version}/users/{{id}}
      operations: [{get}, {put}, {delete}]
  exposes:
  - type: rest
    namespace: users-rest
    resources:
    - path: /v1/users/{{id}}
      operations: [{get_rest}, {put_rest}, {delete_rest}]
  - type: mcp
    namespace: users-mcp
    tools: [{get_tool}, {put_tool}, {delete_tool}]
",
        get = consumed("getuser", "GET"),
        put = consumed("putuser", "PUT"),
        delete = consumed("deleteuser", "DELETE"),
        get_rest = rest("getuser", "GET"),
        put_rest = rest("putuser", "PUT"),
        delete_rest = rest("deleteuser", "DELETE"),
        get_tool = tool("getuser", ""),
        put_tool = tool("putuser", "hints: { destructive: false },"),
        delete_tool = tool("deleteuser", "title: \"Delete\\nfor good\","),
    )
}

/// The grant of `users.yaml`.
pub fn grant(upstream: &Upstream, confirm: &str) -> String {
    let to = upstream.url();
    format!("[grants.users]\nhosts = [\"{BASE}\"]\nupstreams.\"{BASE}\" = \"{to}\"\nconfirm = {confirm}\n")
}

struct Users {
    host: TestHost,
    upstream: Upstream,
}

impl Users {
    async fn start(confirm: &str) -> Self {
        Self::start_with(confirm, "").await
    }

    async fn start_with(confirm: &str, more: &str) -> Self {
        let upstream = Upstream::echo().await;
        let config = grant(&upstream, confirm) + more;
        let host = Setup::default().file("users.yaml", document("1")).config(&config).start().await;
        Self { host, upstream }
    }

    fn mcp(&self) -> Mcp {
        able(self.host.mcp())
    }

    /// What has been carried out since the last time.
    fn carried_out(&self) -> Vec<String> {
        self.upstream.requests().iter().map(|it| format!("{} {}", it.method, it.target)).collect()
    }
}

/// A client that can ask its user.
fn able(mcp: Mcp) -> Mcp {
    mcp.able(json!({"elicitation": {}}))
}

fn call(tool: &str, id: &str) -> Value {
    json!({"name": tool, "arguments": {"id": id}})
}

fn yes() -> Value {
    json!({"action": "accept", "content": {"confirm": true}})
}

/// The same request again, with an answer to the host and a state.
fn answered(request: &Value, answer: &Value, state: &Value) -> Value {
    let mut request = request.clone();
    request["inputResponses"] = json!({KEY: answer});
    request["requestState"] = state.clone();
    request
}

/// Asks for a call, and gives the state that comes with the host's question.
async fn state_of(mcp: &Mcp, request: &Value) -> Value {
    let asked = mcp.asked("tools/call", request.clone()).await;
    let keys: Vec<&String> = asked["inputRequests"].as_object().expect("questions").keys().collect();
    assert_eq!(keys, [KEY], "{asked}");
    asked["requestState"].clone()
}

/// The text of a call that fails as a tool does.
async fn failed(mcp: &Mcp, request: Value) -> String {
    let result = mcp.request("tools/call", request).await;
    assert_eq!(result["isError"], true, "{result}");
    result["content"][0]["text"].as_str().expect("a text").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_waits_for_a_yes_and_is_carried_out_once() {
    let users = Users::start("'destructive'").await;
    let mcp = users.mcp();
    let request = call("deleteuser", "7\u{202e}");
    let asked = mcp.asked("tools/call", request.clone()).await;
    let question = &asked["inputRequests"][KEY];
    assert_eq!((&question["method"], &question["params"]["mode"]), (&json!("elicitation/create"), &json!("form")));
    assert_eq!(
        question["params"]["message"],
        "Carry out deleteuser of plugin users? Without your agreement nothing is done.\n\
         Its author calls it: Delete\\nfor good\n\
         Its author says of it: The author's word.\n\
         Arguments:\n\
         - id: \"7\\u{202e}\""
    );
    assert_eq!(question["params"]["requestedSchema"]["required"], json!(["confirm"]));
    assert_eq!(users.carried_out(), [""; 0]);

    let again = answered(&request, &yes(), &asked["requestState"]);
    let done = mcp.request("tools/call", again.clone()).await;
    assert_eq!(done["isError"], false, "{done}");
    assert_eq!(users.carried_out(), ["DELETE /1/users/7%E2%80%AE"]);

    let text = failed(&mcp, again).await;
    assert!(text.starts_with("not carried out: an answer is good for one call"), "{text}");
    assert_eq!(users.carried_out(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_calls_with_one_agreement_one_is_carried_out() {
    let users = Users::start("'destructive'").await;
    let request = call("deleteuser", "7");
    let state = state_of(&users.mcp(), &request).await;
    let mut calls = JoinSet::new();
    for _ in 0..8 {
        let (mcp, again) = (users.mcp(), answered(&request, &yes(), &state));
        calls.spawn(async move { mcp.request("tools/call", again).await["isError"] == false });
    }
    let done = calls.join_all().await;
    assert_eq!(done.iter().filter(|it| **it).count(), 1, "{done:?}");
    assert_eq!(users.carried_out(), ["DELETE /1/users/7"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_grant_says_what_is_asked_about() {
    for (confirm, asked) in [
        ("'destructive'", &["deleteuser"][..]),
        ("'write'", &["putuser", "deleteuser"]),
        ("['getuser', 'putuser']", &["getuser", "putuser"]),
    ] {
        let users = Users::start(confirm).await;
        for tool in ["getuser", "putuser", "deleteuser"] {
            let request = call(tool, "7");
            match asked.contains(&tool) {
                true => {
                    state_of(&users.mcp(), &request).await;
                    assert_eq!(users.carried_out(), [""; 0]);
                }
                false => {
                    users.mcp().request("tools/call", request).await;
                    assert_eq!(users.carried_out().len(), 1, "{confirm} {tool}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_yes_nothing_is_done() {
    let users = Users::start("'destructive'").await;
    let mcp = users.mcp();
    let request = call("deleteuser", "7");
    let (no, cancelled) = ("the person who was asked said no", "closed the question without an answer");
    for (answer, told) in [
        (json!({"action": "decline"}), no),
        (json!({"action": "accept", "content": {"confirm": false}}), no),
        (json!({"action": "accept", "content": {}}), no),
        (json!({"action": "accept"}), no),
        (json!({"action": "cancel"}), cancelled),
        (json!({"roots": []}), cancelled),
    ] {
        let state = state_of(&mcp, &request).await;
        let text = failed(&mcp, answered(&request, &answer, &state)).await;
        assert!(text.starts_with("not carried out: ") && text.contains(told), "{text}");
        // It isn't taken back by a yes to the same question.
        let text = failed(&mcp, answered(&request, &yes(), &state)).await;
        assert!(text.starts_with("not carried out: an answer is good for one call"), "{text}");
    }
    // No answer is no no: the question is asked again.
    let state = state_of(&mcp, &request).await;
    let mut unanswered = answered(&request, &yes(), &state);
    unanswered["inputResponses"] = json!({"confirm": yes()});
    state_of(&mcp, &unanswered).await;
    assert_eq!(users.carried_out(), [""; 0]);
    let metrics = users.host.control("/metrics").await;
    let label = "airlock_call_failures_total{plugin=\"users\",cause=\"not-confirmed\"} 12";
    assert!(metrics.text().contains(label), "{}", metrics.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agreement_cannot_be_made_up_nor_be_taken_from_another_call() {
    let [key, other_key] = [random_text(), random_text()];
    let callers = [("a", &key), ("b", &other_key)].map(|(name, key)| {
        let hash = KeyHash::of(key);
        format!(
            "[callers.{name}]\nkey.hash = '{hash}'\nplugins = ['*']\neffects = ['read-only', 'write', 'destructive']\n"
        )
    });
    let users = Users::start_with("'write'", &callers.concat()).await;
    let mcp = able(mcp(&users.host, &key, "/mcp"));
    let request = call("deleteuser", "7");
    let state = state_of(&mcp, &request).await;

    // An answer without a state is an answer to nobody: the person is asked.
    let mut bare = answered(&request, &yes(), &state);
    bare.as_object_mut().expect("an object").remove("requestState");
    state_of(&mcp, &bare).await;

    let text = state.as_str().expect("a text");
    let sealed: Vec<&str> = text.split('.').collect();
    let [end, consent, kept, tag] = sealed[..] else { panic!("{text}") };
    assert!(consent.starts_with("asked-"), "{text}");
    let given = consent.replace("asked", "given");
    let next = consent.replace("-0", "-1");
    for (wrong, made_up) in [
        (answered(&call("deleteuser", "8"), &yes(), &state), "other arguments"),
        (answered(&call("putuser", "7"), &yes(), &state), "another operation"),
        (answered(&request, &yes(), &json!(format!("{end}.{given}.{kept}.{tag}"))), "given, not asked"),
        (answered(&request, &yes(), &json!(format!("{end}.{next}.{kept}.{tag}"))), "another number"),
        (answered(&request, &yes(), &json!(format!("9{end}.{consent}.{kept}.{tag}"))), "a longer life"),
        (answered(&request, &yes(), &json!(format!("{end}.{given}.{kept}."))), "no tag"),
        (answered(&request, &yes(), &json!(given)), "no seal"),
        (answered(&request, &yes(), &json!("")), "nothing"),
    ] {
        let (code, message) = mcp.refused("tools/call", wrong).await;
        assert_eq!(code, -32602, "{made_up}: {message}");
    }
    let other = able(crate::callers::mcp(&users.host, &other_key, "/mcp"));
    let (code, message) = other.refused("tools/call", answered(&request, &yes(), &state)).await;
    assert_eq!(code, -32602, "another caller: {message}");
    assert_eq!(users.carried_out(), [""; 0]);

    // After all that it is as good as it was.
    mcp.request("tools/call", answered(&request, &yes(), &state)).await;
    assert_eq!(users.carried_out(), ["DELETE /1/users/7"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_agreed_for_one_version_of_a_plugin_is_asked_anew_for_the_next() {
    let users = Users::start("'destructive'").await;
    let mcp = users.mcp();
    let request = call("deleteuser", "7");
    let state = state_of(&mcp, &request).await;
    users.host.changed_by(|folder| std::fs::write(folder.join("users.yaml"), document("2")).expect("a file")).await;
    let state = state_of(&mcp, &answered(&request, &yes(), &state)).await;
    assert_eq!(users.carried_out(), [""; 0]);
    mcp.request("tools/call", answered(&request, &yes(), &state)).await;
    assert_eq!(users.carried_out(), ["DELETE /2/users/7"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_asked_about_a_call_that_would_be_refused() {
    let users = Users::start("'destructive'").await;
    let text = failed(&users.mcp(), json!({"name": "deleteuser", "arguments": {"id": 7}})).await;
    assert!(text.starts_with("invalid input"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_asked_while_its_call_waits() {
    let users = Users::start("'destructive'").await;
    let session = users.mcp().session().await;
    let delete = json!({"id": "7"});
    let (asked, result) = session.answering("deleteuser", delete.clone(), |_| yes()).await;
    assert_eq!((asked.len(), &result["isError"]), (1, &json!(false)), "{result}");
    let message = asked[0]["message"].as_str().expect("a text");
    assert!(message.starts_with("Carry out deleteuser of plugin users?"), "{message}");
    assert_eq!(users.carried_out(), ["DELETE /1/users/7"]);
    // Once.
    let no = json!({"action": "decline"});
    for (answer, told) in [(no, "said no"), (json!({"action": "cancel"}), "without an answer")] {
        let (asked, result) = session.answering("deleteuser", delete.clone(), |_| answer.clone()).await;
        assert_eq!((asked.len(), &result["isError"]), (1, &json!(true)), "{result}");
        let text = result["content"][0]["text"].as_str().expect("a text");
        assert!(text.starts_with("not carried out: ") && text.contains(told), "{text}");
    }
    let (asked, _) = session.answering("getuser", delete, |_| yes()).await;
    assert_eq!(asked, [Value::Null; 0]);
    assert_eq!(users.carried_out(), ["GET /1/users/7"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_be_asked_is_refused_at_every_door() {
    let users = Users::start("'destructive'").await;
    let (code, message) = users.host.mcp().refused("tools/call", call("deleteuser", "7")).await;
    assert_eq!(code, -32021, "{message}");
    let session = users.host.mcp().session().await;
    let result = session.call("deleteuser", json!({"id": "7"})).await;
    assert!(result.error().contains("by a client that declares elicitation"), "{result:?}");
    let rest = users.host.rest();
    for headers in [&[][..], &[("x-airlock-confirm", "true"), ("prefer", "handling=lenient")]] {
        let problem = rest.raw("DELETE", "/v1/users/7", headers, "").await.problem(422, "input-required");
        assert!(problem["detail"].as_str().expect("a text").contains("call it over MCP"), "{problem}");
    }
    assert_eq!(users.carried_out(), [""; 0]);
    users.host.get("/v1/users/7").await.ok();
    assert_eq!(users.carried_out(), ["GET /1/users/7"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_names_what_is_not_there_loads_nothing() {
    let users = Users::start("['deleteusr', 'getuser', 'frobnicate']").await;
    let status = users.host.file("users.yaml").await.expect("the host knows it");
    assert_eq!(
        (status.state.as_str(), status.error.as_str()),
        (
            "failed",
            "grants.users.confirm in airlock.toml: no such operation: deleteusr; did you mean deleteuser?; \
             no such operation: frobnicate; there are: getuser, putuser, deleteuser"
        )
    );
}

/// The fixture whose operations ask back themselves.
async fn asking() -> TestHost {
    let confirm = "confirm = ['test_elicitation', 'test_input_required_result_multi_round']";
    let config = format!("[grants.conformance]\n{confirm}\n");
    Setup::default().file("conformance.wasm", fixture::CONFORMANCE).config(&config).start().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugins_own_questions_come_after_the_agreement() {
    let host = asking().await;
    let mcp = able(host.mcp());
    let request = json!({"name": "test_input_required_result_multi_round", "arguments": {}});
    let with = |key: &str, answer: Value, state: &Value| {
        let mut request = request.clone();
        request["inputResponses"] = json!({key: {"action": "accept", "content": answer}});
        request["requestState"] = state.clone();
        request
    };
    let state = state_of(&mcp, &request).await;
    let first = mcp.asked("tools/call", answered(&request, &yes(), &state)).await;
    assert!(first["inputRequests"]["step1"].is_object(), "{first}");
    let named = with("step1", json!({"name": "Ada"}), &first["requestState"]);
    let second = mcp.asked("tools/call", named.clone()).await;
    assert!(second["inputRequests"]["step2"].is_object(), "{second}");
    // Each round goes on once: nobody carries out twice what was agreed to once.
    let text = failed(&mcp, named).await;
    assert!(text.starts_with("not carried out: an answer is good for one call"), "{text}");
    let coloured = with("step2", json!({"color": "blue"}), &second["requestState"]);
    let done = mcp.request("tools/call", coloured.clone()).await;
    assert_eq!(done["content"][0]["text"], "Ada likes blue.");
    failed(&mcp, coloured).await;

    let session = mcp.session().await;
    let (asked, result) = session
        .answering("test_input_required_result_multi_round", json!({}), |question| {
            let message = question["message"].as_str().expect("a text");
            let answer = match message {
                "Step 1: What is your name?" => json!({"name": "Ada"}),
                "Step 2: What is your favorite color?" => json!({"color": "blue"}),
                _ => json!({"confirm": true}),
            };
            json!({"action": "accept", "content": answer})
        })
        .await;
    assert_eq!((asked.len(), &result["content"][0]["text"]), (3, &json!("Ada likes blue.")), "{asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_sees_nothing_of_the_hosts_question() {
    let host = asking().await;
    let mcp = able(host.mcp());
    let request = json!({"name": "test_elicitation", "arguments": {"message": "Who are you?"}});
    let state = state_of(&mcp, &request).await;
    // With the agreement, an answer that the plugin would take for one to its own question, had it asked already.
    let mut again = answered(&request, &yes(), &state);
    again["inputResponses"]["answer"] = json!({"action": "accept", "content": {"username": "made up"}});
    let asked = mcp.asked("tools/call", again).await;
    assert_eq!(asked["inputRequests"]["answer"]["params"]["message"], "Who are you?", "{asked}");
}
