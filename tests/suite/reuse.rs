//! Instances that serve more than one call, where a grant lets them.

use serde_json::json;

use crate::harness::{Setup, TestHost, Upstream};

async fn start(upstream: &Upstream, limits: &str) -> TestHost {
    Setup::hostile(&upstream.url(), "no-secret-of-this-test", limits).start().await
}

/// Which call of its instance it was.
async fn count(host: &TestHost) -> u64 {
    host.get("/hostile/count").await.ok().as_u64().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_serves_as_many_calls_as_its_grant_says() {
    let upstream = Upstream::echo().await;
    for (limits, expected) in [("", [1, 1, 1, 1]), ("calls_per_instance = 3", [1, 2, 3, 1])] {
        let host = start(&upstream, limits).await;
        for expected in expected {
            assert_eq!(count(&host).await, expected, "{limits}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_guest_that_is_as_it_was_serves_another_call() {
    let upstream = Upstream::echo().await;
    let host = start(&upstream, "calls_per_instance = 1000, cpu_ms = 1000, memory_mb = 16").await;
    let large = json!({"head": "\"", "repeat": "x".repeat(1000), "times": 6000, "tail": "\""});
    for (operation, input, status, goes_on) in [
        // It says what is wrong, and stands where it stood.
        ("invalid-input", json!({}), 400, true),
        ("fetch", json!({"url": "http://upstream.test/"}), 200, true),
        ("fetch", json!({"url": "http://elsewhere.test/"}), 403, true),
        ("trap", json!({}), 500, false),
        ("loop", json!({}), 500, false),
        ("eat-memory", json!({}), 500, false),
        // More memory than may wait for a call that perhaps never comes.
        ("reply", large, 200, false),
    ] {
        let before = count(&host).await;
        let answer = host.post(&format!("/hostile/{operation}"), &input).await;
        assert_eq!(answer.status, status, "{operation}: {answer:?}");
        let expected = if goes_on { before + 1 } else { 1 };
        assert_eq!(count(&host).await, expected, "after {operation}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_call_has_its_limits_to_itself() {
    let upstream = Upstream::echo().await;
    let host = start(&upstream, "calls_per_instance = 1000, requests = 1").await;
    for number in 1..=5 {
        assert_eq!(count(&host).await, number);
        let answer = host.post("/hostile/fetch", &json!({"url": format!("http://upstream.test/{number}")})).await;
        assert_eq!(answer.ok()["target"], format!("/{number}"));
    }
}
