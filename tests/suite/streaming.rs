//! Answers of any size pass in constant memory, no faster than they are taken.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{Router, body::Body};
use bytes::Bytes;
use futures::{StreamExt, stream};
use http_body_util::BodyExt;
use serde_json::json;

use crate::harness::{Upstream, most_between, start_hostile, within_patience};

/// How large the answer is.
const SIZE: usize = 200 << 20;

const CHUNK: Bytes = Bytes::from_static(&[b'x'; 64 << 10]);

/// Answers with a body that is made as it is taken, and counts what has been made.
async fn source(made: Arc<AtomicUsize>) -> Upstream {
    let answer = move || async move {
        let chunks = stream::repeat(CHUNK).take(SIZE / CHUNK.len()).map(move |chunk| {
            made.fetch_add(chunk.len(), SeqCst);
            Ok::<_, Infallible>(chunk)
        });
        ([("content-type", "application/octet-stream")], Body::from_stream(chunks))
    };
    Upstream::of(Router::new().fallback(answer)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_200_mb_passes_no_faster_than_it_is_taken() {
    let made = Arc::<AtomicUsize>::default();
    let most = most_between(SIZE);
    let upstream = source(made.clone()).await;
    let limits = "response_mb = 1000, wall_ms = 600000, cpu_ms = 600000";
    let mut host = start_hostile(&upstream, limits).await;
    for is_http2 in [false, true] {
        if is_http2 {
            host = host.over_http2();
        }
        made.store(0, SeqCst);
        let answer = host.rest().open("POST", "/hostile/fetch", &json!({"url": "http://upstream.test/"})).await;
        assert_eq!(answer.status(), 200);
        let mut body = answer.into_body();
        let mut taken = 0;
        within_patience("200 MB", async {
            while let Some(frame) = body.frame().await {
                let before = taken;
                taken += frame.expect("a whole answer").into_data().expect("data").len();
                // Eight times the client has something else to do; what isn't held back fills memory meanwhile.
                if before / (SIZE / 8) != taken / (SIZE / 8) {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                let between = made.load(SeqCst) - taken;
                assert!(between <= most, "{between} bytes after {taken}");
            }
        })
        .await;
        assert_eq!(taken, SIZE);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_in_the_middle_ends_the_upstreams_answer() {
    let upstream = Upstream::beginning(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nbeginning").await;
    let limits = "wall_ms = 600000, cpu_ms = 600000";
    let mut host = start_hostile(&upstream, limits).await;
    for count in [1, 2] {
        let mut body =
            host.rest().open("POST", "/hostile/fetch", &json!({"url": "http://upstream.test/"})).await.into_body();
        let first = within_patience("the beginning", body.frame()).await.expect("no end").expect("no error");
        assert_eq!(first.into_data().expect("data"), "beginning");
        drop(body);
        upstream.has_lost(count).await;
        host.when_running(0).await;
        host = host.over_http2();
    }
}
