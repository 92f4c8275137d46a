//! What plugins offer besides operations, side by side: what one of them does wrong, the others' callers don't notice.

use serde_json::{Value, json};

use crate::harness::{Mcp, Setup, TestHost, fixture};

/// The neighbour is asked before the others: its name comes first.
async fn start() -> TestHost {
    let grants = "[grants.a-neighbour]\n[grants.conformance]\n[grants.z-neighbour]\n";
    let setup = Setup::default().config(grants).file("a-neighbour.wasm", fixture::NEIGHBOUR);
    setup.file("conformance.wasm", fixture::CONFORMANCE).start().await
}

/// A client that can be asked.
fn reader(host: &TestHost) -> Mcp {
    host.mcp().able(json!({"elicitation": {}}))
}

#[tokio::test(flavor = "multi_thread")]
async fn resources_that_fail_hide_no_others() {
    let host = start().await;
    for (method, member) in [("resources/list", "resources"), ("resources/templates/list", "resourceTemplates")] {
        let listed = host.mcp().request(method, json!({})).await;
        assert_ne!(listed[member], json!([]), "{method}");
        let own = host.mcp_at("/mcp/a-neighbour").request(method, json!({})).await;
        assert_eq!(own[member], json!([]), "{method}");
    }
    let uri = "test://static-text";
    let read = reader(&host).request("resources/read", json!({"uri": uri})).await;
    assert_eq!(read["contents"][0]["text"], "This is the content of the static text resource.");
    // What nobody has failed to be read where it might have been.
    let uri = "test://nowhere";
    let (code, message) = reader(&host).refused("resources/read", json!({"uri": uri})).await;
    assert_eq!((code, message.as_str()), (-32603, "the plugin failed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_for_the_plugin_that_has_asked() {
    let host = start().await;
    let uri = "test://asks";
    let reader = reader(&host);
    let state = reader.asked("resources/read", json!({"uri": uri})).await["requestState"].clone();
    let answers = json!({"confirm": {"action": "accept", "content": {}}});
    let answered = json!({"uri": uri, "inputResponses": answers, "requestState": state});
    let read = reader.request("resources/read", answered.clone()).await;
    assert_eq!(read["contents"][0]["text"], "answered");

    let refused = async |request: Value| {
        let (code, message) = reader.refused("resources/read", request).await;
        assert!(code == -32602 && message.contains("requestState"), "{message}");
    };
    // Without a state it isn't known whose questions they are the answers to.
    refused(json!({"uri": uri, "inputResponses": answers})).await;
    // Another plugin that asks the same would take them for its own.
    host.changed_by(|folder| std::fs::remove_file(folder.join("a-neighbour.wasm")).expect("it is there")).await;
    host.changed_by(|folder| std::fs::write(folder.join("z-neighbour.wasm"), fixture::NEIGHBOUR).expect("a file"))
        .await;
    refused(answered).await;
    reader.asked("resources/read", json!({"uri": uri})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_prompts_end_though_a_name_is_there_twice() {
    let host = start().await;
    let mcp = host.mcp_at("/mcp/a-neighbour");
    let (mut names, mut cursor) = (Vec::new(), json!({}));
    for _ in 0..3 {
        let page = mcp.request("prompts/list", cursor).await;
        let prompts = page["prompts"].as_array().expect("a list");
        names.extend(prompts.iter().map(|it| it["name"].as_str().expect("a name").to_owned()));
        cursor = json!({"cursor": page["nextCursor"]});
        if page["nextCursor"].is_null() {
            break;
        }
    }
    assert_eq!(cursor, json!({"cursor": null}), "the pages don't end");
    assert_eq!(names.len(), 599);
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 599, "each prompt once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_that_the_plugin_takes_does_not_stand_for_another() {
    let host = start().await;
    let put = async |headers: &[(&str, &str)]| host.rest().raw("PUT", "/neighbour/guarded", headers, "").await;
    let taken = ("if-match", "\"v1\"");
    assert_eq!(put(&[taken]).await.ok(), json!({"version": "\"v1\""}));
    for other in [("if-none-match", "*"), ("if-unmodified-since", "Sun, 06 Nov 1994 08:49:37 GMT")] {
        put(&[taken, other]).await.problem(412, "condition-unsupported");
        put(&[other]).await.problem(412, "condition-unsupported");
    }
}
