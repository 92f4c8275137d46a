//! Plugins that ask back, and what else they offer over MCP: what the official suite doesn't look at.

use serde_json::{Value, json};

use crate::harness::{Mcp, Setup, TestHost, fixture};

async fn start() -> TestHost {
    Setup::default().file("conformance.wasm", fixture::CONFORMANCE).config("[grants.conformance]\n").start().await
}

fn call(tool: &str) -> Value {
    json!({"name": tool, "arguments": {}})
}

/// The same request again, with an answer and a state.
fn answered(mut request: Value, state: &Value) -> Value {
    request["inputResponses"] = json!({"confirm": {"action": "accept", "content": {"ok": true}}});
    request["requestState"] = state.clone();
    request
}

async fn refused(mcp: &Mcp, request: Value) {
    let (code, message) = mcp.refused("tools/call", request).await;
    assert_eq!(code, -32602, "{message}");
    assert!(message.contains("requestState"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_comes_back_for_its_own_request_only() {
    let host = start().await;
    let mcp = host.mcp().able(json!({"elicitation": {}}));
    let request = call("test_input_required_result_request_state");
    let state = mcp.asked("tools/call", request.clone()).await["requestState"].clone();
    let done = mcp.request("tools/call", answered(request.clone(), &state)).await;
    assert_eq!(done["content"][0]["text"], "state-ok");

    // The same plugin with another operation, which would take this state for its own.
    refused(&mcp, answered(call("test_input_required_result_tampered_state"), &state)).await;
    let text = state.as_str().expect("a text");
    let (end, rest) = text.split_once('.').expect("an end");
    let later = format!("{}.{rest}", end.parse::<u64>().expect("a number") + 1);
    for tampered in [json!(later), json!(&text[..text.len() - 1]), json!("")] {
        refused(&mcp, answered(request.clone(), &tampered)).await;
    }
    let other_host = start().await;
    refused(&other_host.mcp().able(json!({"elicitation": {}})), answered(request, &state)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_be_asked_is_told_what_it_would_have_to_declare() {
    let host = start().await;
    let mcp = host.mcp().able(json!({"sampling": {}}));
    let (code, message) = mcp.refused("tools/call", call("test_input_required_result_elicitation")).await;
    assert_eq!(code, -32021, "{message}");
    let session = host.mcp().session().await;
    let result = session.call("test_input_required_result_elicitation", json!({})).await;
    assert!(result.error().contains("by a client that declares elicitation"), "{result:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_has_its_own_plugins_prompts_and_resources() {
    let host = start().await;
    let count = async |path: &str, method: &str, member: &str| -> usize {
        host.mcp_at(path).request(method, json!({})).await[member].as_array().expect("a list").len()
    };
    for (method, member) in [
        ("prompts/list", "prompts"),
        ("resources/list", "resources"),
        ("resources/templates/list", "resourceTemplates"),
    ] {
        let all = count("/mcp", method, member).await;
        assert!(all > 0, "{method}");
        assert_eq!(count("/mcp/conformance", method, member).await, all);
        let (code, message) = host.mcp().refused(method, json!({"cursor": "bm90IG91cnM"})).await;
        assert_eq!(code, -32602, "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_the_plugins_is_told_for_every_list() {
    let host = start().await;
    let session = host.mcp().session().await;
    session.request("resources/subscribe", json!({"uri": "test://static-text"})).await;
    let mut told = session.stream().await;
    host.changed_by(|folder| std::fs::remove_file(folder.join("conformance.wasm")).expect("it is there")).await;
    for method in ["tools/list_changed", "prompts/list_changed", "resources/list_changed", "resources/updated"] {
        told.until(&format!("notifications/{method}")).await;
    }
}
