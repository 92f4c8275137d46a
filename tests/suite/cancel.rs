//! Clients that go away, or take back what they asked for, while a call is running: nothing goes on for them.

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::harness::{Mcp, Session, TestHost, Upstream, start_hostile};

/// Within the time that a test has, nothing ends a call but its client.
const LIMITS: &str = "wall_ms = 600000, cpu_ms = 600000";

async fn start(upstream: &Upstream) -> TestHost {
    start_hostile(upstream, LIMITS).await
}

fn call(client: Mcp, tool: &'static str) -> JoinHandle<()> {
    tokio::spawn(async move { drop(client.call(tool, json!({})).await) })
}

fn call_in(session: Session, tool: &'static str) -> JoinHandle<()> {
    tokio::spawn(async move { drop(session.call(tool, json!({})).await) })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_leaves_no_upstream_request_open() {
    let upstream = Upstream::silent().await;
    let host = start(&upstream).await;
    let calling = call(host.mcp(), "sleepy");
    upstream.has_seen(1).await;
    calling.abort();
    upstream.has_lost(1).await;
    host.when_running(0).await;

    let calling = call_in(host.mcp().session().await, "sleepy");
    upstream.has_seen(2).await;
    calling.abort();
    upstream.has_lost(2).await;
    host.when_running(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_stops_a_guest_that_computes() {
    let host = start(&Upstream::echo().await).await;
    let session = host.mcp().session().await;
    for calling in [|it: &TestHost, _: Session| call(it.mcp(), "loop"), |_: &TestHost, it: Session| call_in(it, "loop")]
    {
        let calling = calling(&host, session.clone());
        host.when_running(1).await;
        calling.abort();
        host.when_running(0).await;
    }
    assert_eq!(session.call("count", json!({})).await.text, "1", "the session goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_taken_back_is_stopped() {
    let upstream = Upstream::silent().await;
    let host = start(&upstream).await;
    let session = host.mcp().session().await;
    let calling = call_in(session.clone(), "sleepy");
    upstream.has_seen(1).await;
    session.notify("notifications/cancelled", json!({"requestId": 1})).await;
    upstream.has_lost(1).await;
    host.when_running(0).await;
    calling.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_stops_listening_keeps_no_other_from_being_told() {
    let upstream = Upstream::echo().await;
    let host = start(&upstream).await;
    let (gone, mut stays) = (host.mcp().listen().await, host.mcp().listen().await);
    drop(gone);
    host.changed_by(|folder| std::fs::remove_file(folder.join("hostile.wasm")).expect("it is there")).await;
    let told: Value = stays.next().await;
    assert_eq!(told["method"], "notifications/tools/list_changed", "{told}");
    let id = &told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"];
    assert!(id.is_number(), "{told}");
}
