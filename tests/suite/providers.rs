//! The two providers against simulators of their APIs: every operation over both doors, and the requests that it makes upstream,
//! one by one.

use std::fs;

use airlock::demo::{
    Demo,
    m3ter::{self, CURRENT_USER, LEAVING_USER, ORGANIZATION},
    metal,
};
use http::StatusCode;
use serde_json::{Value, json};

use crate::harness::{Setup, TestHost, Upstream, json_answer};

/// One operation: how it is asked for over each door, what the upstream sees of it, and something in the answer.
struct Case {
    /// `METHOD /path?query`.
    rest: String,
    tool: &'static str,
    /// The tool's arguments; `body` is REST's body too.
    arguments: Value,
    status: u16,
    /// Method and target.
    upstream: String,
    /// Where to look in the answer, and what should be there.
    answer: (&'static str, Value),
}

fn m3ter_cases() -> Vec<Case> {
    let org = ORGANIZATION;
    // The token after the second user; `+`, `/` and `=` have to arrive as they are.
    let token = "092a4f3e6b1da8e9d3c414b72000c0f5+/==";
    let encoded = "092a4f3e6b1da8e9d3c414b72000c0f5%2B%2F%3D%3D";
    vec![
        Case {
            rest: format!("GET /v1/organizations/{org}/users"),
            tool: "list-orgusers",
            arguments: json!({"orgId": org}),
            status: 200,
            upstream: format!("GET /organizations/{org}/users"),
            answer: ("/data/6/firstName", json!("Lucie")),
        },
        Case {
            rest: format!("GET /v1/organizations/{org}/users?pageSize=2&nextToken={encoded}"),
            tool: "list-orgusers",
            arguments: json!({"orgId": org, "pageSize": 2, "nextToken": token}),
            status: 200,
            upstream: format!("GET /organizations/{org}/users?pageSize=2&nextToken={encoded}"),
            answer: ("/data/0/firstName", json!("Ingrid")),
        },
        Case {
            rest: format!("GET /v1/organizations/{org}/users?ids={CURRENT_USER}&ids={LEAVING_USER}"),
            tool: "list-orgusers",
            arguments: json!({"orgId": org, "ids": [CURRENT_USER, LEAVING_USER]}),
            status: 200,
            upstream: format!("GET /organizations/{org}/users?ids={CURRENT_USER}&ids={LEAVING_USER}"),
            answer: ("/data/1/firstName", json!("Tomasz")),
        },
        Case {
            rest: format!("GET /v1/organizations/{org}/users/me"),
            tool: "m3ter-orgusers.retrieve-current-user",
            arguments: json!({"orgId": org}),
            status: 200,
            upstream: format!("GET /organizations/{org}/users/me"),
            answer: ("/user/firstName", json!("Noor")),
        },
        Case {
            rest: format!("GET /v1/organizations/{org}/users/{LEAVING_USER}"),
            tool: "retrieve-orguser",
            arguments: json!({"orgId": org, "id": LEAVING_USER}),
            status: 200,
            upstream: format!("GET /organizations/{org}/users/{LEAVING_USER}"),
            answer: ("/dtEndAccess", json!("2026-12-31T23:59:59Z")),
        },
        Case {
            rest: format!("PUT /v1/organizations/{org}/users/{LEAVING_USER}"),
            tool: "update-orguser",
            arguments: json!({
                "orgId": org, "id": LEAVING_USER,
                "body": {"version": 1, "dtEndAccess": "2027-01-31T00:00:00Z"},
            }),
            status: 200,
            upstream: format!("PUT /organizations/{org}/users/{LEAVING_USER}"),
            answer: ("/version", json!(2)),
        },
        Case {
            rest: format!("PUT /v1/organizations/{org}/users/{LEAVING_USER}/password/resend"),
            tool: "resend-temporary-password-user",
            arguments: json!({"orgId": org, "id": LEAVING_USER}),
            status: 204,
            upstream: format!("PUT /organizations/{org}/users/{LEAVING_USER}/password/resend"),
            answer: ("", Value::Null),
        },
        Case {
            rest: format!("GET /v1/organizations/{org}/users/{CURRENT_USER}/permissions?pageSize=1"),
            tool: "retrieve-orguser-permissions",
            arguments: json!({"orgId": org, "id": CURRENT_USER, "pageSize": 1}),
            status: 200,
            upstream: format!("GET /organizations/{org}/users/{CURRENT_USER}/permissions?pageSize=1"),
            answer: ("/data/0/name", json!("Read Only")),
        },
        Case {
            rest: format!("GET /v1/organizations/{org}/users/{CURRENT_USER}/usergroups?inherited=true"),
            tool: "retrieve-orguser-groups",
            arguments: json!({"orgId": org, "id": CURRENT_USER, "inherited": true}),
            status: 200,
            upstream: format!("GET /organizations/{org}/users/{CURRENT_USER}/usergroups?inherited=true"),
            answer: ("/data/2/name", json!("Head Office")),
        },
    ]
}

fn metal_cases() -> Vec<Case> {
    let user = metal::CURRENT_USER;
    vec![
        Case {
            rest: "GET /v1/invitations?include=project&include=user&page=1&per_page=2".to_owned(),
            tool: "retrieve-current-user-invitations",
            arguments: json!({"include": ["project", "user"], "page": 1, "per_page": 2}),
            status: 200,
            upstream: "GET /metal/v1/invitations?include=project,user&page=1&per_page=2".to_owned(),
            answer: ("/invitations/1/project/name", json!("telemetry")),
        },
        Case {
            rest: "GET /v1/user?include=emails,projects&exclude=emails".to_owned(),
            tool: "metal-users.retrieve-current-user",
            arguments: json!({"include": ["emails", "projects"], "exclude": ["emails"]}),
            status: 200,
            upstream: "GET /metal/v1/user?include=emails,projects&exclude=emails".to_owned(),
            answer: ("/full_name", json!("Priya Raman")),
        },
        Case {
            rest: "PUT /v1/user?include=emails".to_owned(),
            tool: "update-current-user",
            arguments: json!({"include": ["emails"], "body": {"first_name": "Pia", "customdata": {"floor": 3}}}),
            status: 200,
            upstream: "PUT /metal/v1/user?include=emails".to_owned(),
            answer: ("/full_name", json!("Pia Raman")),
        },
        Case {
            rest: "GET /v1/users?page=2&per_page=5".to_owned(),
            tool: "retrieve-all-users",
            arguments: json!({"page": 2, "per_page": 5}),
            status: 200,
            upstream: "GET /metal/v1/users?page=2&per_page=5".to_owned(),
            answer: ("/meta/total", json!(metal::USERS)),
        },
        Case {
            rest: "POST /v1/users".to_owned(),
            tool: "create-user",
            arguments: json!({"body": {
                "emails": [{"address": "neu@x.example", "default": true}],
                "first_name": "Änne", "last_name": "Groß",
            }}),
            status: 201,
            upstream: "POST /metal/v1/users".to_owned(),
            answer: ("/full_name", json!("Änne Groß")),
        },
        Case {
            rest: format!("GET /v1/users/{user}?include=emails"),
            tool: "retrieve-user",
            arguments: json!({"id": user, "include": ["emails"]}),
            status: 200,
            upstream: format!("GET /metal/v1/users/{user}?include=emails"),
            answer: ("/emails/0/address", json!("priya.raman@northlight.example")),
        },
        Case {
            rest: format!("GET /v1/users/{user}/customdata"),
            tool: "retrieve-custom-metadata-user",
            arguments: json!({"id": user}),
            status: 200,
            upstream: format!("GET /metal/v1/users/{user}/customdata"),
            // As the update before has left it.
            answer: ("/floor", json!(3)),
        },
    ]
}

impl Case {
    /// The request that the upstream should see, with its credential, its body and nothing else.
    fn seen(&self, credential: &str) -> String {
        let target = &self.upstream;
        match self.arguments.get("body") {
            None => format!("{target}\n{credential}"),
            Some(body) if credential < "content-type" => {
                format!("{target}\n{credential}\ncontent-type: application/json\n\n{body}")
            }
            Some(body) => format!("{target}\ncontent-type: application/json\n{credential}\n\n{body}"),
        }
    }

    fn check(&self, answer: &Value) {
        let (pointer, expected) = &self.answer;
        assert_eq!(answer.pointer(pointer), Some(expected), "{}: {answer}", self.rest);
    }
}

const M3TER_CREDENTIAL: &str = "authorization: Bearer m3ter-test-token";
const METAL_CREDENTIAL: &str = "x-auth-token: metal-test-token";

/// A host with both providers, and the simulators behind it.
async fn start() -> (TestHost, Upstream, Upstream) {
    let m3ter = Upstream::of(m3ter::router("m3ter-test-token")).await;
    let metal = Upstream::of(metal::router("metal-test-token")).await;
    (Setup::providers(&m3ter, &metal).start().await, m3ter, metal)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_answers_over_rest_and_makes_the_documented_request() {
    let (host, m3ter, metal) = start().await;
    for (cases, upstream, credential) in
        [(m3ter_cases(), m3ter, M3TER_CREDENTIAL), (metal_cases(), metal, METAL_CREDENTIAL)]
    {
        for case in cases {
            let (method, path) = case.rest.split_once(' ').expect("METHOD /path");
            let answer = host.rest().send(method, path, case.arguments.get("body")).await;
            assert_eq!(answer.status, case.status, "{}: {answer:?}", case.rest);
            assert_eq!(upstream.texts(), [case.seen(credential)]);
            match case.status {
                204 => assert_eq!(answer.text(), ""),
                _ => case.check(&answer.json()),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_answers_over_mcp_and_makes_the_documented_request() {
    let (host, m3ter, metal) = start().await;
    let mcp = host.mcp();
    let tools = mcp.tools().await;
    for (cases, upstream, credential) in
        [(m3ter_cases(), m3ter, M3TER_CREDENTIAL), (metal_cases(), metal, METAL_CREDENTIAL)]
    {
        for case in cases {
            let result = mcp.call(case.tool, case.arguments.clone()).await;
            assert_eq!(upstream.texts(), [case.seen(credential)]);
            if case.status == 204 {
                assert!(!result.is_error && result.structured.is_none(), "{result:?}");
                continue;
            }
            case.check(result.ok());
            let tool = tools.iter().find(|it| it["name"] == case.tool).expect("a listed tool");
            let schema = jsonschema::validator_for(&tool["outputSchema"]).expect("a schema");
            let faults: Vec<String> = schema.iter_errors(result.ok()).map(|e| e.to_string()).collect();
            assert_eq!(faults, [""; 0], "{}", case.tool);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_over_one_door_is_seen_by_the_next_read_over_the_other() {
    let (host, _m3ter, _metal) = start().await;
    let user = format!("/v1/organizations/{ORGANIZATION}/users/{CURRENT_USER}");
    let before = host.get(&user).await.ok();
    let change = json!({"version": before["version"], "dtEndAccess": "2030-01-01T00:00:00Z"});
    host.put(&user, &change).await.ok();
    let arguments = json!({"orgId": ORGANIZATION, "id": CURRENT_USER});
    let read = host.mcp().call("retrieve-orguser", arguments).await;
    assert_eq!(read.ok()["dtEndAccess"], "2030-01-01T00:00:00Z");

    let change = json!({"body": {"last_name": "Berg"}});
    host.mcp().call("update-current-user", change).await.ok();
    assert_eq!(host.get("/v1/user").await.ok()["last_name"], "Berg");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstreams_error_keeps_its_status_and_its_words() {
    let (host, _m3ter, _metal) = start().await;
    let missing = format!("/v1/organizations/{ORGANIZATION}/users/nobody");
    let answer = host.get(&missing).await;
    assert_eq!((answer.status, answer.json()), (404, json!({"message": "user not found"})));
    let result = host.mcp().call("retrieve-orguser", json!({"orgId": ORGANIZATION, "id": "nobody"})).await;
    assert!(result.error().contains("404") && result.error().contains("user not found"), "{result:?}");

    let user = format!("/v1/organizations/{ORGANIZATION}/users/{CURRENT_USER}");
    let answer = host.put(&user, &json!({"version": 41})).await;
    assert_eq!(answer.status, 409, "{answer:?}");
    assert_eq!(answer.json()["message"], "version 41 is not the current version 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_the_promised_schema_is_no_structured_result() {
    let upstream = Upstream::answering(|_| json_answer(StatusCode::OK, &json!({"id": 7, "name": "a stranger"}))).await;
    let host = Setup::providers(&upstream, &upstream).start().await;
    // REST promises nothing about it: the caller gets what the upstream says.
    let user = format!("/v1/organizations/{ORGANIZATION}/users/{CURRENT_USER}");
    assert_eq!(host.get(&user).await.ok()["id"], 7);
    let result = host.mcp().call("retrieve-orguser", json!({"orgId": ORGANIZATION, "id": CURRENT_USER})).await;
    assert!(result.error().contains("output schema") && result.error().contains("a stranger"), "{result:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_with_a_session_is_served_as_well() {
    let (host, _m3ter, _metal) = start().await;
    let session = host.mcp().session().await;
    let result = session.call("retrieve-orguser", json!({"orgId": ORGANIZATION, "id": CURRENT_USER})).await;
    assert_eq!(result.ok()["firstName"], "Noor");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_provider_written_by_hand_joins_four_requests_into_one_answer() {
    let upstream = Upstream::of(m3ter::router("m3ter-test-token")).await;
    // The binary carries the component; the demo lays it out.
    let demo = Demo::start().await.expect("the demo starts");
    let component = fs::read(demo.plugins().join("m3ter-user-access.wasm")).expect("the demo has it");
    let to = upstream.url();
    let host = Setup::default().file("access.wasm", component).secret("KEY", "m3ter-test-token").config(&format!(
        r#"
        [grants.access]
        hosts = ["https://api.m3ter.com"]
        secrets.M3TER_API_KEY = {{ file = "secrets/KEY" }}
        upstreams."https://api.m3ter.com" = "{to}"
        "#
    ));
    let host = host.start().await;
    let user = format!("/organizations/{ORGANIZATION}/users/{CURRENT_USER}");
    let over_rest = host.get(&format!("/v1{user}/access")).await.ok();
    let requests = [
        format!("GET {user}\n{M3TER_CREDENTIAL}"),
        format!("GET {user}/permissions?pageSize=200\n{M3TER_CREDENTIAL}"),
        format!("GET {user}/usergroups?inherited=true&pageSize=200\n{M3TER_CREDENTIAL}"),
        format!("GET {user}/usergroups?inherited=false&pageSize=200\n{M3TER_CREDENTIAL}"),
    ];
    assert_eq!(upstream.texts(), requests);
    assert_eq!(over_rest["groups"][0]["membership"], "direct", "{over_rest}");
    assert_eq!(over_rest["groups"][2]["membership"], "inherited", "{over_rest}");

    let arguments = json!({"orgId": ORGANIZATION, "id": CURRENT_USER});
    assert_eq!(host.mcp().call("review-user-access", arguments).await.ok(), &over_rest);
    assert_eq!(upstream.texts(), requests);

    // It reads answers itself, so it tells an upstream's error in its own words, with the upstream's status.
    let problem = host.get(&format!("/v1/organizations/{ORGANIZATION}/users/nobody/access")).await;
    let problem = problem.problem(404, "upstream-error");
    assert!(problem["detail"].as_str().unwrap_or_default().contains("user not found"), "{problem}");
}
