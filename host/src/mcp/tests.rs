//! The protocol over the router, without a socket and without a plugin: both eras, both refusals, the empty lists.

use axum::body::Body;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::Service;

use super::*;
use crate::callers::Callers;

/// An answer, read to its end.
struct Answer {
    status: u16,
    content_type: String,
    session: Option<String>,
    text: String,
}

impl Answer {
    /// The message, or the first one of a stream.
    fn json(&self) -> Value {
        match self.content_type.as_str() {
            "text/event-stream" => self.events().swap_remove(0),
            _ => serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text)),
        }
    }

    /// The messages of a stream. Its first event may carry none: it tells when to reconnect.
    fn events(&self) -> Vec<Value> {
        let data = self.text.lines().filter_map(|line| line.strip_prefix("data: "));
        data.filter_map(|json| serde_json::from_str(json).ok()).collect()
    }
}

struct Client {
    router: Router,
    shutdown: CancellationToken,
}

impl Client {
    fn new() -> Self {
        let shutdown = CancellationToken::new();
        let gate = Gate::new(Arc::new(Callers::new(callers::Settings::default())), None, "http");
        Self { router: router(Arc::new(Catalog::default()), Listing::default(), gate, shutdown.clone()), shutdown }
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Value) -> Answer {
        self.send_text(method, path, headers, body.to_string()).await
    }

    async fn send_text(&self, method: &str, path: &str, headers: &[(&str, &str)], body: String) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "127.0.0.1:9090")
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body)).expect("a request");
        let response = self.router.clone().call(request).await.expect("a router never fails");
        let header = |name| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
        Answer {
            status: response.status().as_u16(),
            content_type: header("content-type").unwrap_or_default(),
            session: header("mcp-session-id"),
            text: {
                let body = response.into_body().collect().await.expect("a whole body").to_bytes();
                String::from_utf8(body.into()).expect("text")
            },
        }
    }

    /// A request of a modern client.
    async fn modern(&self, path: &str, method: &str, params: Value) -> Answer {
        let name = params["name"].as_str().or(params["uri"].as_str()).unwrap_or_default().to_owned();
        let mut params = params;
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let mut headers = vec![("mcp-protocol-version", "2026-07-28"), ("mcp-method", method)];
        if !name.is_empty() {
            headers.push(("mcp-name", &name));
        }
        let message = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
        self.send("POST", path, &headers, message).await
    }
}

#[tokio::test]
async fn a_modern_client_is_answered_in_one_json_message() {
    let client = Client::new();
    for (method, params, expected) in [
        ("tools/list", json!({}), json!({"tools": [], "resultType": "complete", "ttlMs": 0, "cacheScope": "private"})),
        (
            "prompts/list",
            json!({}),
            json!({"prompts": [], "resultType": "complete", "ttlMs": 0, "cacheScope": "private"}),
        ),
        (
            "resources/list",
            json!({}),
            json!({"resources": [], "resultType": "complete", "ttlMs": 0, "cacheScope": "private"}),
        ),
    ] {
        let answer = client.modern("/mcp", method, params).await;
        assert_eq!((answer.status, answer.content_type.as_str()), (200, "application/json"));
        assert_eq!(answer.json(), json!({"jsonrpc": "2.0", "id": 7, "result": expected}));
    }
}

#[tokio::test]
async fn discovery_tells_who_we_are_and_what_we_can() {
    let result = Client::new().modern("/mcp", "server/discover", json!({})).await.json()["result"].take();
    assert_eq!(
        result["capabilities"],
        json!({
            "completions": {}, "logging": {}, "prompts": {"listChanged": true},
            "resources": {"listChanged": true, "subscribe": true}, "tools": {"listChanged": true},
        })
    );
    assert_eq!(result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "airlock");
    assert_eq!(result["instructions"], "No capability is loaded at the moment.");
    let versions = result["supportedVersions"].as_array().expect("a list");
    assert!(versions.contains(&json!("2026-07-28")) && versions.contains(&json!("2025-11-25")));
}

#[tokio::test]
async fn what_is_not_there_is_invalid_params() {
    let client = Client::new();
    for (method, params, message) in [
        ("tools/call", json!({"name": "nothing"}), "unknown tool: nothing; list the tools to see their names"),
        (
            "tools/list",
            json!({"cursor": "nonsense"}),
            "unknown cursor: it was never given out, or the list has changed since; list again from the start",
        ),
        (
            "resources/templates/list",
            json!({"cursor": ""}),
            "unknown cursor: it was never given out, or the list has changed since; list again from the start",
        ),
        ("prompts/get", json!({"name": "nothing"}), "unknown prompt: nothing; list the prompts to see their names"),
        ("resources/read", json!({"uri": "a:b"}), "unknown resource: a:b; list the resources to see their URIs"),
    ] {
        let mut expected = json!({"code": -32602, "message": message});
        if let Some(uri) = params.get("uri") {
            expected["data"] = json!({"uri": uri});
        }
        let error = client.modern("/mcp", method, params).await.json()["error"].take();
        assert_eq!(error, expected, "{method}");
    }
}

#[tokio::test]
async fn what_is_no_message_is_answered_by_an_error_of_the_protocol() {
    let client = Client::new();
    let nested = format!("{{\"id\":1,\"method\":\"a\",\"params\":{}{}}}", "[".repeat(200), "]".repeat(200));
    for (body, code, id) in [
        ("{broken", -32700, Value::Null),
        ("", -32700, Value::Null),
        ("[]", -32600, Value::Null),
        ("[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]", -32600, Value::Null),
        ("{\"id\":1,\"method\":\"tools/list\"}", -32600, json!(1)),
        ("{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":7}", -32600, json!("a")),
        (&nested, -32600, json!(1)),
    ] {
        let answer = client.send_text("POST", "/mcp", &[], body.to_owned()).await;
        assert_eq!((answer.status, answer.content_type.as_str()), (400, "application/json"), "{body}");
        let answer = answer.json();
        assert_eq!((answer["error"]["code"].as_i64(), &answer["id"]), (Some(code), &id), "{body}");
    }
}

#[tokio::test]
async fn a_method_is_refused_by_its_name_or_its_parameters() {
    let client = Client::new();
    for (method, params, status, code) in [
        ("no/method", json!({}), 404, -32601),
        ("ping", json!({}), 404, -32601),
        ("logging/setLevel", json!({"level": "info"}), 404, -32601),
        ("logging/setLevel", json!({}), 404, -32601),
        ("tools/call", json!({"arguments": {}}), 200, -32602),
        ("tools/call", json!({"name": "a", "arguments": []}), 200, -32602),
        ("resources/read", json!({}), 200, -32602),
        ("completion/complete", json!({"ref": {"type": "ref/tool"}}), 200, -32602),
    ] {
        let answer = client.modern("/mcp", method, params).await;
        assert_eq!((answer.status, answer.json()["error"]["code"].as_i64()), (status, Some(code)), "{}", answer.text);
    }
}

#[tokio::test]
async fn what_the_newest_version_requires_is_required() {
    let client = Client::new();
    let meta = |version: &str| {
        json!({
            "io.modelcontextprotocol/protocolVersion": version, "io.modelcontextprotocol/clientCapabilities": {},
        })
    };
    let version = ("mcp-protocol-version", "2026-07-28");
    let (list, call) = (("mcp-method", "tools/list"), ("mcp-method", "tools/call"));
    let unknown = ("mcp-protocol-version", "2099-01-01");
    for (headers, method, params, code) in [
        (vec![version], "tools/list", json!({"_meta": meta("2026-07-28")}), -32020),
        (vec![list], "tools/list", json!({"_meta": meta("2026-07-28")}), -32020),
        (vec![version, call], "tools/list", json!({"_meta": meta("2026-07-28")}), -32020),
        (vec![version, call], "tools/call", json!({"name": "a", "_meta": meta("2026-07-28")}), -32020),
        (vec![version, list], "tools/list", json!({}), -32602),
        (vec![unknown, list], "tools/list", json!({"_meta": meta("2099-01-01")}), -32022),
    ] {
        let message = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
        let answer = client.send("POST", "/mcp", &headers, message).await;
        let told = answer.json();
        assert_eq!((answer.status, told["error"]["code"].as_i64()), (400, Some(code)), "{headers:?}: {told}");
        assert_eq!(told["id"], 7);
    }
    let get = client.send("GET", "/mcp", &[version, ("accept", "text/event-stream")], Value::Null).await;
    assert_eq!(get.status, 405, "{}", get.text);
}

#[tokio::test]
async fn a_legacy_client_has_a_session_on_the_same_url() {
    let client = Client::new();
    let initialize = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"},
    }});
    let answer = client.send("POST", "/mcp", &[], initialize).await;
    let result = answer.json()["result"].take();
    assert_eq!(result["protocolVersion"], "2025-06-18");
    assert_eq!(result["serverInfo"]["name"], "airlock");
    assert_eq!(result["capabilities"]["tools"], json!({"listChanged": true}));

    let session = answer.session.expect("a session");
    let session = [("mcp-session-id", session.as_str()), ("mcp-protocol-version", "2025-06-18")];
    let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(client.send("POST", "/mcp", &session, initialized).await.status, 202);

    let list = || json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"});
    let answer = client.send("POST", "/mcp", &session, list()).await;
    assert_eq!(answer.json(), json!({"jsonrpc": "2.0", "id": 2, "result": {"tools": []}}));

    let call = json!({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": "x"}});
    let answer = client.send("POST", "/mcp", &session, call).await;
    assert_eq!(answer.json()["error"]["code"], -32602);

    for (method, params) in [
        ("ping", json!({})),
        ("logging/setLevel", json!({"level": "warning"})),
        ("resources/subscribe", json!({"uri": "a:b"})),
        ("resources/unsubscribe", json!({"uri": "a:b"})),
    ] {
        let request = json!({"jsonrpc": "2.0", "id": 4, "method": method, "params": params});
        let answer = client.send("POST", "/mcp", &session, request).await;
        assert_eq!(answer.json(), json!({"jsonrpc": "2.0", "id": 4, "result": {}}), "{method}");
    }

    assert_eq!(client.send("DELETE", "/mcp", &session, Value::Null).await.status, 204);
    assert_eq!(client.send("POST", "/mcp", &session, list()).await.status, 404);
}

#[tokio::test]
async fn a_plugin_that_is_not_loaded_has_no_endpoint() {
    let answer = Client::new().modern("/mcp/nothing", "tools/list", json!({})).await;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.text, "no plugin is loaded under this name: nothing");
}

#[tokio::test]
async fn a_subscription_is_to_so_many_resources_and_to_no_endless_names() {
    let client = Client::new();
    let uri = |n: usize| format!("test://{n}");
    let mut uris: Vec<String> = (0..2000).map(uri).collect();
    uris.insert(1, "x".repeat(session::MAX_URI + 1));
    let wanted = json!({"resourceSubscriptions": uris});
    let listening = client.modern("/mcp", "subscriptions/listen", json!({"notifications": wanted}));
    let (answer, ()) = tokio::join!(listening, async { client.shutdown.cancel() });
    let honoured: Vec<String> = (0..session::MAX_SUBSCRIPTIONS).map(uri).collect();
    assert_eq!(answer.events()[0]["params"]["notifications"], json!({"resourceSubscriptions": honoured}));
}

#[tokio::test]
async fn subscriptions_end_in_order_when_the_host_stops() {
    let client = Client::new();
    let wanted = json!({"toolsListChanged": true, "promptsListChanged": true, "resourceSubscriptions": ["a:b"]});
    let listening = client.modern("/mcp", "subscriptions/listen", json!({"notifications": wanted}));
    let stopping = async {
        // The subscription is polled first, and it stays open until it is told to end.
        tokio::task::yield_now().await;
        client.shutdown.cancel();
    };
    let (answer, ()) = tokio::join!(listening, stopping);
    let events = answer.events();
    assert_eq!(events.len(), 2, "{}", answer.text);
    assert_eq!(events[0]["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(events[0]["params"]["notifications"], wanted);
    assert_eq!(events[1]["result"]["resultType"], "complete");
}
