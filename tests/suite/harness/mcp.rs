//! A small MCP client of both eras that hides nothing: what the server owes on the wire is asserted here.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::{Answer, Http, within_patience};

/// The version without sessions.
const MODERN: &str = "2026-07-28";
/// The newest version with sessions.
const LEGACY: &str = "2025-11-25";

/// A client without a session. Its clones are the same client.
#[derive(Clone)]
pub struct Mcp {
    http: Http,
    url: String,
    ids: Arc<AtomicU64>,
    /// What is sent with every request that is posted.
    always: Vec<(String, String)>,
    /// What it can be asked.
    capabilities: Value,
}

/// The result of a tool.
#[derive(Debug)]
pub struct ToolResult {
    pub is_error: bool,
    /// The texts of all blocks.
    pub text: String,
    pub structured: Option<Value>,
}

impl ToolResult {
    fn of(result: &Value) -> Self {
        let blocks = result["content"].as_array().unwrap_or_else(|| panic!("no content: {result}"));
        let texts: Vec<&str> = blocks.iter().filter_map(|block| block["text"].as_str()).collect();
        let it = Self {
            is_error: result["isError"] == true,
            text: texts.join("\n"),
            structured: result.get("structuredContent").cloned(),
        };
        if let Some(structured) = &it.structured {
            // For clients that don't know structured content the same JSON is there as text.
            assert_eq!(&serde_json::from_str::<Value>(&it.text).expect("JSON"), structured);
        }
        it
    }

    /// The value of a success.
    pub fn ok(&self) -> &Value {
        assert!(!self.is_error, "{self:?}");
        self.structured.as_ref().unwrap_or_else(|| panic!("no structured content: {self:?}"))
    }

    /// The text of a failure.
    pub fn error(&self) -> &str {
        assert!(self.is_error && self.structured.is_none(), "{self:?}");
        &self.text
    }
}

impl Mcp {
    pub(super) fn new(http: Http, url: String) -> Self {
        Self { http, url, ids: Arc::default(), always: Vec::new(), capabilities: json!({}) }
    }

    /// The same client, with these header fields in every request that it posts.
    pub fn with(mut self, headers: &[(&str, &str)]) -> Self {
        self.always = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self
    }

    /// The same client, which can be asked this.
    pub fn able(mut self, capabilities: Value) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// Sends a request and gives the questions that it is answered by.
    pub async fn asked(&self, method: &str, params: Value) -> Value {
        let message = self.message(method, params).await;
        assert_eq!(message["result"]["resultType"], "input_required", "{method}: {message}");
        message["result"].clone()
    }

    /// Sends a request and gives the answer's `result`.
    pub async fn request(&self, method: &str, params: Value) -> Value {
        let message = self.message(method, params).await;
        assert!(message["error"].is_null(), "{method}: {message}");
        assert_eq!(message["result"]["resultType"], "complete", "{method}: {message}");
        message["result"].clone()
    }

    /// Sends a request and gives the answer's `error`: code and message.
    pub async fn refused(&self, method: &str, params: Value) -> (i64, String) {
        let message = self.message(method, params).await;
        let error = &message["error"];
        let text = error["message"].as_str().unwrap_or_else(|| panic!("no error: {message}"));
        (error["code"].as_i64().expect("a number"), text.to_owned())
    }

    /// Sends a request and gives the whole answer.
    pub async fn answer(&self, method: &str, params: Value) -> Value {
        self.message(method, params).await
    }

    /// The tools, as they are listed.
    pub async fn tools(&self) -> Vec<Value> {
        let result = self.request("tools/list", json!({})).await;
        assert!(result["ttlMs"].is_u64() && result["cacheScope"].is_string(), "{result}");
        result["tools"].as_array().expect("a list").clone()
    }

    /// Calls a tool.
    pub async fn call(&self, tool: &str, arguments: Value) -> ToolResult {
        ToolResult::of(&self.request("tools/call", json!({"name": tool, "arguments": arguments})).await)
    }

    /// Begins a session, as clients up to 2025-11-25 do.
    pub async fn session(&self) -> Session {
        let params = json!({
            "protocolVersion": LEGACY, "capabilities": self.capabilities, "clientInfo": {"name": "airlock-tests", "version": "0"},
        });
        let initialize = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
        let answer = self.post(&[], &initialize).await;
        let session = Session { client: self.clone(), id: answer.header("mcp-session-id").to_owned() };
        assert_eq!(answer.status, 200, "{answer:?}");
        let result = message(&answer)["result"].clone();
        assert_eq!(result["protocolVersion"], LEGACY, "{result}");
        assert_eq!(result["capabilities"]["tools"]["listChanged"], true, "{result}");
        session.notify("notifications/initialized", json!({})).await;
        session
    }

    /// Subscribes to changes of the tool list, as clients from 2026-07-28 on do. It has begun when this returns.
    pub async fn listen(&self) -> Events {
        let params = json!({"notifications": {"toolsListChanged": true}});
        let (headers, request) = self.modern("subscriptions/listen", params);
        let mut events = Events::of(self.http.open(self.build(&headers, &request)).await);
        let first = events.next().await;
        assert_eq!(first["method"], "notifications/subscriptions/acknowledged", "{first}");
        assert_eq!(first["params"]["notifications"], json!({"toolsListChanged": true}), "{first}");
        events
    }

    /// Sends a body that may be anything.
    pub async fn post_raw(&self, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::post(&self.url)
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        for (name, value) in &self.always {
            request = request.header(name, value);
        }
        self.http.send(request.body(Full::from(body.to_owned())).expect("a request")).await
    }

    async fn message(&self, method: &str, params: Value) -> Value {
        let (headers, request) = self.modern(method, params);
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = self.post(&headers, &request).await;
        let message = message(&answer);
        assert_eq!(answer.header("content-type"), "application/json", "a one-shot answer is no stream: {answer:?}");
        assert_eq!(message["id"], request["id"], "{message}");
        message
    }

    /// A request with all that the version demands: `_meta` in the body, and the headers that repeat parts of it.
    fn modern(&self, method: &str, mut params: Value) -> (Vec<(&'static str, String)>, Value) {
        let mut headers = vec![("mcp-protocol-version", MODERN.to_owned()), ("mcp-method", method.to_owned())];
        let name = params["name"].as_str().or(params["uri"].as_str());
        headers.extend(name.map(|name| ("mcp-name", name.to_owned())));
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientCapabilities": self.capabilities,
        });
        let id = self.ids.fetch_add(1, Ordering::Relaxed) + 1;
        (headers, json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))
    }

    async fn post(&self, headers: &[(&str, &str)], body: &Value) -> Answer {
        self.post_raw(headers, &body.to_string()).await
    }

    fn build(&self, headers: &[(&'static str, String)], body: &Value) -> Request<Full<bytes::Bytes>> {
        let mut request = Request::post(&self.url)
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        request.body(Full::from(body.to_string())).expect("a request")
    }
}

/// A session of a legacy client. Its clones are the same session.
#[derive(Clone)]
pub struct Session {
    client: Mcp,
    id: String,
}

impl Session {
    /// Calls a tool.
    pub async fn call(&self, tool: &str, arguments: Value) -> ToolResult {
        ToolResult::of(&message(&self.post(&call(tool, arguments)).await)["result"])
    }

    /// The session by what the library calls it, which isn't what a client gets.
    pub fn without_tag(&self) -> Self {
        let (id, _) = self.id.rsplit_once('.').expect("a tag");
        Self { client: self.client.clone(), id: id.to_owned() }
    }

    /// The same session in another client's hands.
    pub fn of(&self, client: Mcp) -> Self {
        Self { client, id: self.id.clone() }
    }

    /// Calls a tool and gives the answer's `error`: code and message.
    pub async fn refused(&self, tool: &str, arguments: Value) -> (i64, String) {
        let message = message(&self.post(&call(tool, arguments)).await);
        let text = message["error"]["message"].as_str().unwrap_or_else(|| panic!("no error: {message}"));
        (message["error"]["code"].as_i64().expect("a number"), text.to_owned())
    }

    /// Calls a tool and gives the status of the answer.
    pub async fn status(&self, tool: &str, arguments: Value) -> u16 {
        self.post(&call(tool, arguments)).await.status
    }

    /// Calls a tool and answers what its user is asked meanwhile. Gives the questions and the result.
    pub async fn answering(
        &self,
        tool: &str,
        arguments: Value,
        answer: impl Fn(&Value) -> Value,
    ) -> (Vec<Value>, Value) {
        let headers = [("mcp-session-id", self.id.clone()), ("mcp-protocol-version", LEGACY.to_owned())];
        let request = self.client.build(&headers, &call(tool, arguments));
        let mut events = Events::of(self.client.http.open(request).await);
        let mut asked = Vec::new();
        loop {
            let mut message = events.next().await;
            if message["method"] != "elicitation/create" {
                assert!(message["error"].is_null(), "{message}");
                return (asked, message["result"].take());
            }
            let answer = answer(&message["params"]);
            let answered = self.post(&json!({"jsonrpc": "2.0", "id": message["id"], "result": answer})).await;
            assert_eq!(answered.status, 202, "{answered:?}");
            asked.push(message["params"].take());
        }
    }

    /// Sends a request and gives the answer's `result`.
    pub async fn request(&self, method: &str, params: Value) -> Value {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let message = message(&self.post(&request).await);
        assert!(message["error"].is_null(), "{method}: {message}");
        message["result"].clone()
    }

    /// Opens the stream on which the server speaks unasked.
    pub async fn stream(&self) -> Events {
        Events::of(self.open("GET").await)
    }

    /// Asks for that stream, or for the session's end, and gives the status of the answer.
    pub async fn stream_status(&self, method: &str) -> u16 {
        self.open(method).await.status().as_u16()
    }

    async fn open(&self, method: &str) -> Response<Incoming> {
        let request = Request::builder().method(method).uri(&self.client.url);
        let request = request
            .header("accept", "text/event-stream")
            .header("mcp-session-id", &self.id)
            .header("mcp-protocol-version", LEGACY);
        let always = self.client.always.iter();
        let request = always.fold(request, |request, (name, value)| request.header(name, value));
        self.client.http.open(request.body(Full::default()).expect("a request")).await
    }

    /// Sends what isn't answered.
    pub async fn notify(&self, method: &str, params: Value) {
        let answer = self.post(&json!({"jsonrpc": "2.0", "method": method, "params": params})).await;
        assert_eq!(answer.status, 202, "{answer:?}");
    }

    async fn post(&self, body: &Value) -> Answer {
        let headers = [("mcp-session-id", self.id.as_str()), ("mcp-protocol-version", LEGACY)];
        self.client.post(&headers, body).await
    }
}

fn call(tool: &str, arguments: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}})
}

/// Server-sent events, as JSON messages.
pub struct Events {
    body: Incoming,
    received: String,
}

impl Events {
    fn of(response: Response<Incoming>) -> Self {
        assert_eq!(response.status(), 200, "{response:?}");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { body: response.into_body(), received: String::new() }
    }

    /// The next message.
    pub async fn next(&mut self) -> Value {
        within_patience("a message of the server", async {
            loop {
                if let Some((event, rest)) = self.received.split_once("\n\n") {
                    let json = data(event).map(|it| serde_json::from_str(&it).expect("JSON"));
                    self.received = rest.to_owned();
                    match json {
                        Some(json) => return json,
                        // A comment that keeps the connection alive, or an event that only sets the time to reconnect.
                        None => continue,
                    }
                }
                let frame = self.body.frame().await.expect("the stream goes on").expect("the stream is whole");
                let bytes = frame.into_data().expect("data");
                self.received.push_str(std::str::from_utf8(&bytes).expect("UTF-8"));
            }
        })
        .await
    }

    /// Waits for a notification.
    pub async fn until(&mut self, method: &str) {
        while self.next().await["method"] != method {}
    }
}

/// The message in an answer that is JSON, or a stream with one message.
fn message(answer: &Answer) -> Value {
    if !answer.header("content-type").starts_with("text/event-stream") {
        return answer.json();
    }
    let text = answer.text();
    let json = text.split("\n\n").find_map(data).unwrap_or_else(|| panic!("no message: {text}"));
    serde_json::from_str(&json).expect("JSON")
}

fn data(event: &str) -> Option<String> {
    let lines: Vec<&str> = event.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim).collect();
    let data = lines.join("\n");
    (!data.is_empty()).then_some(data)
}
