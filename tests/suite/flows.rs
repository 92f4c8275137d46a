//! Flows of documents at the boundary: what upstreams are asked and in which order, what callers get, and whose step has failed.

use std::sync::Arc;

use axum::{Router, body::Body, response::Response};
use http::{Request, StatusCode};
use serde_json::{Value, json};
use tokio::sync::Barrier;

use crate::harness::{Seen, Setup, TestHost, Upstream, json_answer};

const SHIPS: &str = include_str!("../cases/ships.yaml");

/// The host with the document, both of whose APIs are this upstream.
pub async fn start(upstream: &str, more: &str) -> TestHost {
    start_with(SHIPS, upstream, more).await
}

async fn start_with(document: &str, upstream: &str, more: &str) -> TestHost {
    let grant = format!(
        r#"
        [grants.ships]
        hosts = ["https://registry.example", "https://people.example"]
        upstreams."https://registry.example" = "{upstream}"
        upstreams."https://people.example" = "{upstream}"
        {more}
        "#
    );
    Setup::default().file("ships.yaml", document).config(&grant).start().await
}

fn registry(target: &str) -> Value {
    match target {
        "/crew" => json!([
            {"id": 1, "name": "Ada", "age": 50},
            {"id": 2, "name": "Bo", "age": 17},
            {"id": 3, "name": "Cy", "age": 20},
        ]),
        "/v1/ports/DE%2FHAM" => json!({"name": "Hamburg", "depth": 1.50}),
        _ => json!({"id": 7, "name": "Albatross", "crew": [2, 9, 1], "port": {"code": "DE/HAM"}, "captain": {"id": 1}}),
    }
}

fn answer(seen: Seen) -> Response {
    json_answer(StatusCode::OK, &registry(&seen.target))
}

fn crew() -> Value {
    json!({"name": "Albatross", "crew": {"captain": "Bo", "all": ["Bo", "Ada"], "adults": ["Ada", "Cy"]}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_joins_upstreams_and_is_the_same_over_rest_and_mcp() {
    let upstream = Upstream::answering(answer).await;
    let host = start(&upstream.url(), "").await;
    assert_eq!(host.get("/ships/7/crew").await.ok(), crew());
    assert_eq!(host.mcp().call("ship-crew", json!({"imo": "7"})).await.ok(), &crew());
    let mut asked = upstream.texts();
    asked.sort_unstable();
    assert_eq!(asked, ["GET /crew", "GET /crew", "GET /v1/ships/7", "GET /v1/ships/7"]);
    assert_eq!(host.mcp().call("my-ship-crew", json!({})).await.ok(), &crew());
    upstream.has_seen(6).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_that_need_nothing_of_each_other_run_side_by_side() {
    // Nobody is answered before both have asked.
    let both = Arc::new(Barrier::new(2));
    let router = Router::new().fallback(async move |request: Request<Body>| {
        both.wait().await;
        json_answer(StatusCode::OK, &registry(&request.uri().to_string()))
    });
    let upstream = Upstream::of(router).await;
    let host = start(&upstream.url(), "").await;
    assert_eq!(host.get("/ships/7/crew").await.ok(), crew());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_made_of_the_last_answer_may_hold_what_other_steps_have_led_to() {
    let last = "with: {port: \"{{get-ship.port.code}}\"}}\n";
    assert!(SHIPS.contains(last));
    let outputs = "              outputParameters:
                - {name: of, type: string, value: '{{get-ship.name}} {{imo}}'}
                - {name: crew, type: array, value: '{{get-ship.crew[*]}}'}
                - {name: port, type: string, mapping: $.name}\n";
    let document = SHIPS.replacen(last, &format!("{last}{outputs}"), 1);
    let upstream = Upstream::answering(answer).await;
    let host = start_with(&document, &upstream.url(), "").await;
    let made = json!({"of": "Albatross 7", "crew": [2, 9, 1], "port": "Hamburg"});
    assert_eq!(host.get("/ships/7/port").await.ok(), made);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_uses_what_another_has_led_to_and_the_last_answer_is_handed_on() {
    let upstream = Upstream::answering(answer).await;
    let host = start(&upstream.url(), "").await;
    let port = host.get("/ships/7/port").await;
    assert_eq!(port.ok(), json!({"name": "Hamburg", "depth": 1.5}));
    assert_eq!(upstream.texts(), ["GET /v1/ships/7", "GET /v1/ports/DE%2FHAM"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_something_keeps_its_place() {
    let upstream = Upstream::answering(answer).await;
    let host = start(&upstream.url(), "").await;
    let body = json!({"id": 12345678901234567890_u64});
    assert_eq!(host.put("/ships/7/captain", &body).await.ok(), json!({"captain": {"id": 1}}));
    let put =
        "PUT /v1/ships/7\ncontent-type: application/json\n\n{\"captain\":{\"id\":12345678901234567890},\"checked\":7}";
    assert_eq!(upstream.texts(), ["GET /v1/ships/7", put, "GET /v1/ships/7"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_fails_ends_the_flow_and_is_named() {
    for (status, body, expected, kind, said) in [
        (404, r#"{"message": "no such ship"}"#, 404, "upstream-error", r#"step `check`: {"message": "no such ship"}"#),
        (503, "sorry", 503, "upstream-error", "step `check`: sorry"),
        (200, "<html>", 502, "upstream-unavailable", "step `check`: the upstream's answer is not JSON"),
    ] {
        let upstream = Upstream::answering(move |_| {
            let mut response = Response::new(Body::from(body));
            *response.status_mut() = StatusCode::from_u16(status).expect("a status");
            response
        })
        .await;
        let host = start(&upstream.url(), "").await;
        let problem = host.put("/ships/7/captain", &json!({})).await.problem(expected, kind);
        let detail = problem["detail"].as_str().expect("a text");
        assert!(detail.contains(said), "{detail}");
        // The mediator may ask again. Nothing is changed behind a step that has failed.
        let asked = upstream.texts();
        assert!(!asked.is_empty() && asked.iter().all(|it| it == "GET /v1/ships/7"), "{asked:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_whose_request_gets_no_answer_is_named() {
    let dead = Upstream::nowhere();
    let nowhere = start(&dead.url(), "").await;
    let problem = nowhere.get("/ships/7/port").await.problem(502, "upstream-unavailable");
    let detail = problem["detail"].as_str().expect("a text");
    assert!(detail.starts_with("step `get-ship`: upstream is unavailable: registry.example"), "{detail}");

    // What is forbidden is told with its rule, though the other step's answer comes later.
    let upstream = Upstream::answering(answer).await;
    let host = start(&upstream.url(), "limits = { requests = 1 }").await;
    for _ in 0..5 {
        let problem = host.get("/ships/7/crew").await.problem(403, "denied");
        let detail = problem["detail"].as_str().expect("a text");
        assert!(detail.starts_with("step `list-crew`: "), "{detail}");
        assert!(problem["hint"].is_string(), "{problem}");
        let result = host.mcp().call("ship-crew", json!({"imo": "7"})).await;
        assert!(result.error().contains("step `list-crew`: "), "{result:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_finds_nothing_to_go_on_with_is_named() {
    let upstream = Upstream::answering(|_| json_answer(StatusCode::OK, &json!({"crew": 7}))).await;
    let host = start(&upstream.url(), "").await;
    let detail = |problem: Value| problem["detail"].as_str().expect("a text").to_owned();
    let port = host.get("/ships/7/port").await.problem(502, "upstream-unavailable");
    let expected =
        "step `get-port`: $.port.code in the result of step `get-ship` is part of the path and must be given";
    assert!(detail(port.clone()).contains(expected), "{port}");
    assert_eq!(upstream.texts(), ["GET /v1/ships/7"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn annotations_follow_from_semantics_and_hints() {
    let upstream = Upstream::answering(answer).await;
    let host = start(&upstream.url(), "").await;
    let tools = host.mcp().tools().await;
    let tool = |name: &str| tools.iter().find(|it| it["name"] == name).expect("the tool");
    let shared = json!({"readOnlyHint": true, "destructiveHint": false, "idempotentHint": true, "openWorldHint": true});
    let annotations = |name: &str| {
        let mut annotations = tool(name)["annotations"].clone();
        annotations.as_object_mut().expect("an object").remove("title");
        annotations
    };
    assert_eq!(annotations("ship-crew"), shared);
    assert_eq!(annotations("my-ship-crew")["openWorldHint"], false);
    assert_eq!(tool("ship-crew")["inputSchema"]["required"], json!(["imo"]));
    assert_eq!(tool("my-ship-crew")["inputSchema"]["properties"], json!({}));
    assert_eq!(tool("ship-crew")["description"], "A ship with the names of its crew");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_cannot_check_what_a_request_depends_on() {
    let upstream = Upstream::answering(answer).await;
    let host = start(&upstream.url(), "").await;
    let fields = [("content-type", "application/json"), ("if-match", "\"v1\"")];
    let refused = host.rest().raw("PUT", "/ships/7/captain", &fields, "{}").await;
    refused.problem(412, "condition-unsupported");
    assert_eq!(upstream.texts(), [""; 0]);
    // What only spares an answer is ignored: it isn't about any one of the requests.
    host.rest().raw("GET", "/ships/7/crew", &[("if-none-match", "\"v1\"")], "").await.ok();
    let seen = upstream.requests();
    assert!(seen.len() == 2 && seen.iter().all(|it| !it.headers.contains_key("if-none-match")), "{seen:?}");
}
