//! Instances that serve more than one call, where a grant lets them.

use http::StatusCode;
use serde_json::json;

use crate::{
    flows,
    harness::{TestHost, Upstream, json_answer, start_hostile},
};

/// Which call of its instance it was.
async fn count(host: &TestHost) -> u64 {
    host.get("/hostile/count").await.ok().as_u64().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_serves_as_many_calls_as_its_grant_says() {
    let upstream = Upstream::echo().await;
    for (limits, expected) in [("", [1, 1, 1, 1]), ("calls_per_instance = 3", [1, 2, 3, 1])] {
        let host = start_hostile(&upstream, limits).await;
        for expected in expected {
            assert_eq!(count(&host).await, expected, "{limits}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_guest_that_is_as_it_was_serves_another_call() {
    let upstream = Upstream::echo().await;
    let host =
        start_hostile(&upstream, "calls_per_instance = 1000, cpu_ms = 1000, wall_ms = 600000, memory_mb = 32").await;
    let large = json!({"head": "\"", "repeat": "x".repeat(1000), "times": 5000, "tail": "\""});
    for (operation, input, status, goes_on) in [
        // It says what is wrong, and stands where it stood.
        ("invalid-input", json!({}), 400, true),
        ("fetch", json!({"url": "http://upstream.test/"}), 200, true),
        ("fetch", json!({"url": "http://elsewhere.test/"}), 403, true),
        ("trap", json!({}), 500, false),
        ("loop", json!({}), 500, false),
        ("eat-memory", json!({}), 500, false),
        // It holds an answer of the host's.
        ("keep", json!({}), 200, false),
        // More memory than may wait for a call that perhaps never comes.
        ("reply", large, 200, false),
    ] {
        let before = count(&host).await;
        let path = format!("/hostile/{operation}");
        let answer = if input == json!({}) { host.get(&path).await } else { host.post(&path, &input).await };
        assert_eq!(answer.status, status, "{operation}: {answer:?}");
        let expected = if goes_on { before + 1 } else { 1 };
        assert_eq!(count(&host).await, expected, "after {operation}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_call_has_its_limits_to_itself() {
    let upstream = Upstream::echo().await;
    let host = start_hostile(&upstream, "calls_per_instance = 1000, requests = 1").await;
    for number in 1..=5 {
        assert_eq!(count(&host).await, number);
        let answer = host.post("/hostile/fetch", &json!({"url": format!("http://upstream.test/{number}")})).await;
        assert_eq!(answer.ok()["target"], format!("/{number}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_call_has_begun_to_say_is_not_in_the_next_ones_request() {
    let upstream = Upstream::echo().await;
    let host = start_hostile(&upstream, "calls_per_instance = 1000").await;
    for (operation, number) in [("begin-body", 1), ("fetch", 2)] {
        let input = json!({"url": "http://upstream.test/", "method": "PUT"});
        host.post(&format!("/hostile/{operation}"), &input).await.ok();
        assert_eq!(count(&host).await, number, "it is the same instance");
    }
    let sent = upstream.requests().pop().expect("the one of `fetch`");
    assert!(sent.body.is_empty(), "{sent:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_is_told_as_its_own_request_was_refused_whichever_call_it_is() {
    let upstream = Upstream::answering(|_| json_answer(StatusCode::OK, &json!({"id": 7}))).await;
    let host = flows::start(&upstream.url(), "limits = { requests = 1, calls_per_instance = 1000 }").await;
    for _ in 0..3 {
        let problem = host.get("/ships/7/crew").await.problem(403, "denied");
        assert!(problem["detail"].as_str().is_some_and(|it| it.starts_with("step `list-crew`: ")), "{problem}");
    }
}
