//! Bodies of every kind: what a caller gives arrives in them, and nothing that it gives ends its place.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{Setup, TestHost, Upstream, path};

async fn start() -> (TestHost, Upstream) {
    let upstream = Upstream::echo().await;
    let document = fs::read_to_string(path("cases/bodies.yaml")).expect("a document");
    let grant = format!(
        "[grants.bodies]\nhosts = [\"https://api.test\"]\nupstreams.\"https://api.test\" = \"{}\"\n",
        upstream.url()
    );
    (Setup::default().file("bodies.yaml", document).config(&grant).start().await, upstream)
}

/// What the upstream has received: method, type and body.
async fn sent(host: &TestHost, upstream: &Upstream, method: &str, path: &str, input: &Value) -> String {
    host.rest().send(method, path, Some(input)).await.ok();
    let seen = upstream.requests().remove(0);
    let content_type = seen.headers["content-type"].to_str().expect("text");
    assert_eq!(seen.headers.get_all("content-type").iter().count(), 1, "{seen}");
    format!("{} {content_type}\n{}", seen.method, String::from_utf8_lossy(&seen.body))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_body_arrives_as_its_document_says() {
    let (host, upstream) = start().await;
    for (method, path, input, expected) in [
        (
            "POST",
            "/json",
            json!({"title": "a\"b", "tags": [1, 2.5], "count": 7}),
            "POST application/json\n{\"title\":\"a\\\"b\",\"note\":\"about a\\\"b\",\"tags\":[[1,2.5],\"fixed\"],\"deep\":{\"count\":7,\"none\":null}}",
        ),
        ("POST", "/json", json!({}), "POST application/json\n{\"tags\":[\"fixed\"],\"deep\":{\"none\":null}}"),
        (
            "PUT",
            "/json",
            json!({"user": "x\", \"limit\": 9, \"y\": \"", "limit": 3}),
            "PUT application/json\n{\"query\":\"user:x\\\", \\\"limit\\\": 9, \\\"y\\\": \\\"\",\"limit\":3}",
        ),
        ("POST", "/text", json!({"name": "<Ann> & \"Bo\""}), "POST text/plain; charset=utf-8\nDear <Ann> & \"Bo\""),
        (
            "POST",
            "/xml",
            json!({"name": "\"><x/>&"}),
            "POST application/xml\n<u name=\"&quot;&gt;&lt;x/&gt;&amp;\">&quot;&gt;&lt;x/&gt;&amp;</u>",
        ),
        ("PUT", "/xml", json!({"name": "</u>"}), "PUT application/soap+xml; action=u\n<u>&lt;/u&gt;</u>"),
        (
            "POST",
            "/sparql",
            json!({"name": "\" } ; DROP ALL #", "n": 3}),
            "POST application/sparql-query\nSELECT * { ?s ?p \"\\\" } ; DROP ALL #\" } LIMIT 3",
        ),
        (
            "POST",
            "/form",
            json!({"name": "a&grant=b c"}),
            "POST application/x-www-form-urlencoded\ngrant=a+b&name=a%26grant%3Db+c",
        ),
        (
            "PUT",
            "/form",
            json!({"name": "a&grant=b"}),
            "PUT application/x-www-form-urlencoded\ngrant=a&name=a%26grant%3Db",
        ),
    ] {
        assert_eq!(sent(&host, &upstream, method, path, &input).await, expected, "{method} {path} {input}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_sends_the_same_body() {
    let (host, upstream) = start().await;
    let result = host.mcp().call("send-json", json!({"title": "t"})).await;
    assert!(!result.is_error, "{result:?}");
    let seen = upstream.requests().remove(0);
    assert_eq!(seen.body, "{\"title\":\"t\",\"note\":\"about t\",\"tags\":[\"fixed\"],\"deep\":{\"none\":null}}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_a_form_stays_what_it_is() {
    let (host, upstream) = start().await;
    let hostile = "x\r\n--airlock-0000000000000000\r\ncontent-disposition: form-data; name=\"admin\"\r\n\r\n1";
    let input = json!({"note": hostile, "file": "a,b", "filename": "q\".csv"});
    let got = sent(&host, &upstream, "POST", "/multipart", &input).await;
    let (head, body) = got.split_once('\n').expect("a body");
    let boundary = head.strip_prefix("POST multipart/form-data; boundary=").expect("a boundary");
    let parts: Vec<&str> = body.split(&format!("--{boundary}")).collect();
    assert_eq!(
        parts,
        [
            "",
            &format!("\r\ncontent-disposition: form-data; name=\"note\"\r\n\r\n{hostile}\r\n"),
            "\r\ncontent-disposition: form-data; name=\"file\"; filename=\"q%22.csv\"\r\ncontent-type: text/csv\r\n\r\na,b\r\n",
            "--\r\n",
        ]
    );
    let line_break = json!({"note": "", "file": "a", "filename": "a\r\nx: y"});
    host.post("/multipart", &line_break).await.problem(400, "invalid-input");
    assert_eq!(upstream.texts(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_text_needs_is_asked_for() {
    let (host, upstream) = start().await;
    for (path, input) in [("/text", json!({})), ("/text", json!({"name": 7})), ("/xml", json!({"name": null}))] {
        host.post(path, &input).await.problem(400, "invalid-input");
    }
    host.post("/xml", &json!({"name": "\u{1}"})).await.problem(400, "invalid-input");
    assert_eq!(upstream.texts(), [""; 0]);
}
