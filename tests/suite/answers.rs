//! What documents make of an upstream's answer, over both doors: results of every shape, in every raw format, mocks, and errors, of
//! which nothing is made.

use axum::{body::Body, response::Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use crate::harness::{Seen, Setup, TestHost, Upstream, json_answer};

/// The path of each resource, what its upstream has, and as which media type.
const FILES: [(&str, &str, &str); 10] = [
    ("/json", "application/json", r#"{"data": [{"id": 7, "name": "Ada", "on": "true"}, {"id": 8}], "n": 1.50}"#),
    ("/xml", "application/xml", "<r><user id='7'><name>A&amp;B</name></user></r>"),
    ("/csv", "text/csv", "id,name\n7,\"x, y\"\n8,z\n"),
    ("/psv", "text/plain", "id|name\n7|x\n"),
    ("/yaml", "application/yaml", "a: [1, x]\nb: {c: true}\n"),
    ("/markdown", "text/markdown", "# One\ntext\n## Two\n| a |\n|---|\n| 1 |\n"),
    (
        "/html",
        "text/html",
        "<p>open<table><tr><th>a</table><div id=x><table class=t><tr><th>id<th>name<tr><td>7<td>A&amp;B<tr><td>8</table>",
    ),
    ("/text", "text/plain", "plain \"text\""),
    ("/picture", "application/octet-stream", "not really a picture"),
    ("/wrong", "application/json", "<html>"),
];

fn answer(seen: Seen) -> Response {
    let Some((_, media_type, body)) = FILES.into_iter().find(|(path, ..)| *path == seen.target) else {
        return match seen.target.as_str() {
            "/empty" => status(StatusCode::NO_CONTENT),
            _ => json_answer(StatusCode::CONFLICT, &json!({"data": "an error"})),
        };
    };
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

fn status(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// A document with one operation for each row, over REST and as a tool: its name, which is the path, what is said about the consumed
/// operation, and what about the exposed one.
fn document(rows: &[(&str, &str, &str)]) -> String {
    let part = |line: &dyn Fn(&(&str, &str, &str)) -> String| rows.iter().map(line).collect::<String>();
    let consumed = part(&|(name, raw, _)| {
        let path = name.split('-').next().expect("a first part");
        format!("        - {{path: /{path}, operations: [{{name: {name}, method: GET{raw}}}]}}\n")
    });
    let rest = part(&|(name, _, outputs)| {
        format!("        - {{path: /{name}, operations: [{{method: GET, call: up.{name}{outputs}}}]}}\n")
    });
    let tools = part(&|(name, _, outputs)| {
        format!("        - {{name: {name}, description: Gets it, call: up.{name}{outputs}}}\n")
    });
    format!(
        "naftiko: 1.0.0-alpha2\ncapability:\n  consumes:\n    - type: http\n      namespace: up\n      baseUri: http://up.test\n      \
         resources:\n{consumed}  exposes:\n    - type: rest\n      namespace: rest\n      resources:\n{rest}    - type: mcp\n      \
         namespace: tools\n      tools:\n{tools}"
    )
}

async fn start(document: &str, limits: &str) -> (TestHost, Upstream) {
    let upstream = Upstream::answering(answer).await;
    let to = upstream.url();
    let grant = format!(
        "[grants.up]\nhosts = [\"http://up.test\"]\nupstreams.\"http://up.test\" = \"{to}\"\nlimits = {{ {limits} }}\n"
    );
    (Setup::default().file("up.yaml", document).config(&grant).start().await, upstream)
}

/// Each operation's result, the same over REST and as structured content of the tool.
async fn check(rows: &[(&str, &str, &str, Value)]) {
    let plain: Vec<_> = rows.iter().map(|(name, raw, outputs, _)| (*name, *raw, *outputs)).collect();
    let (host, _upstream) = start(&document(&plain), "").await;
    for (name, _, _, expected) in rows {
        assert_eq!(&host.get(&format!("/{name}")).await.ok(), expected, "{name} over REST");
        let result = host.mcp().call(name, json!({})).await;
        assert_eq!(result.ok(), expected, "{name} over MCP");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn results_are_made_by_mappings() {
    let users = "{type: array, mapping: $.data, items: {type: object, properties: {name: {type: string}, id: {type: string}, on: {type: boolean}}}}";
    check(&[
        ("json-selected", "", ", outputParameters: [{type: object, mapping: '$.data[0]'}]", json!({"id": 7, "name": "Ada", "on": "true"})),
        ("json-users", "", &format!(", outputParameters: [{{type: object, properties: {{users: {users}, n: {{type: integer}}}}}}]"), json!({
            "users": [{"name": "Ada", "id": "7", "on": true}, {"name": null, "id": "8", "on": null}],
            "n": null,
        })),
        ("json-named", "", ", outputParameters: [{name: ids, type: array, mapping: '$.data[*].id'}, {name: x, type: string, const: y}]", json!({"ids": [7, 8], "x": "y"})),
        ("json-other", "", ", outputParameters: [{type: string, mapping: $.none}, {type: object, mapping: '$.data[?@.name]'}]", json!({"id": 7, "name": "Ada", "on": "true"})),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn raw_formats_become_json() {
    let rows = ", outputParameters: [{type: object, properties: {rows: {type: array, mapping: $}}}]";
    check(&[
        ("xml", ", outputRawFormat: xml", ", outputParameters: [{type: object, properties: {users: {type: array, mapping: $.user, items: {type: object, properties: {id: {type: integer}, name: {type: string}}}}}}]", json!({"users": [{"id": 7, "name": "A&B"}]})),
        ("csv", ", outputRawFormat: csv", rows, json!({"rows": [{"id": "7", "name": "x, y"}, {"id": "8", "name": "z"}]})),
        ("psv", ", outputRawFormat: psv", rows, json!({"rows": [{"id": "7", "name": "x"}]})),
        ("yaml", ", outputRawFormat: yaml", "", json!({"a": [1, "x"], "b": {"c": true}})),
        ("markdown", ", outputRawFormat: markdown, outputSchema: '## '", "", json!({
            "frontMatter": {},
            "tables": [[{"a": "1"}]],
            "sections": [{"heading": "Two", "level": 2, "content": ""}],
        })),
        ("html", ", outputRawFormat: html", "", json!({"tables": [[], [{"id": "7", "name": "A&B"}, {"id": "8"}]]})),
        ("html-chosen", ", outputRawFormat: html, outputSchema: '#x table.t'", ", outputParameters: [{type: array, mapping: '$.tables[0]', items: {type: object, properties: {id: {type: integer}}}}]", json!([{"id": 7}, {"id": 8}])),
        ("text", ", outputRawFormat: text", ", outputParameters: [{type: object, properties: {said: {type: string, mapping: $}}}]", json!({"said": "plain \"text\""})),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_shaped_comes_as_it_is() {
    let document = document(&[
        ("json", "", ", outputParameters: [{type: object, mapping: $.}]"),
        ("text", ", outputRawFormat: text", ""),
        ("picture", ", outputRawFormat: binary, outputMediaType: image/png, maxBinarySize: 1KiB", ""),
        ("picture-large", ", outputRawFormat: binary, maxBinarySize: 5B", ""),
    ]);
    let (host, _upstream) = start(&document, "").await;
    assert_eq!(host.get("/json").await.text(), FILES[0].2);
    assert_eq!(host.get("/text").await.text(), "plain \"text\"");
    let picture = host.get("/picture").await;
    assert_eq!((picture.header("content-type"), picture.text()), ("image/png", "not really a picture"));
    let large = host.get("/picture-large").await.problem(502, "upstream-unavailable");
    assert!(large.to_string().contains("of 20 bytes, and maxBinarySize allows 5"), "{large}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_made_of_errors() {
    let data = ", outputParameters: [{type: object, properties: {data: {type: string}}}]";
    let document = document(&[("none", "", data), ("wrong", "", data), ("empty", "", data)]);
    let (host, _upstream) = start(&document, "").await;
    let conflict = host.get("/none").await;
    assert_eq!((conflict.status, conflict.json()), (409, json!({"data": "an error"})));
    assert!(host.mcp().call("none", json!({})).await.error().contains("409"));
    let wrong = host.get("/wrong").await.problem(502, "upstream-unavailable");
    assert!(wrong.to_string().contains("the upstream's answer is not JSON"), "{wrong}");
    let empty = host.get("/empty").await;
    assert_eq!((empty.status, empty.text()), (204, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_of_what_is_made_is_published() {
    let document = document(&[(
        "json",
        "",
        ", outputParameters: [{name: n, type: number}, {name: s, type: string, mapping: $.n}]",
    )]);
    let (host, _upstream) = start(&document, "").await;
    let expected = json!({
        "type": "object",
        "properties": {"n": {"type": ["number", "null"]}, "s": {"type": ["string", "null"]}},
        "required": ["n", "s"],
    });
    assert_eq!(host.mcp().tools().await[0]["outputSchema"], expected);
    let openapi = host.get("/openapi.json").await.ok().to_string();
    assert!(openapi.contains(r#"{"type":["number","null"]}"#), "{openapi}");
}

#[tokio::test(flavor = "multi_thread")]
async fn mocks_answer_by_themselves() {
    let document = "naftiko: 1.0.0-alpha2
capability:
  consumes:
    - {type: http, namespace: up, baseUri: 'http://up.test', resources: [{path: /json, operations: [{name: json, method: GET}]}]}
  exposes:
    - type: rest
      namespace: rest
      resources:
        - {path: /json, operations: [{method: GET, call: up.json}]}
        - path: /users/{id}
          operations:
            - method: GET
              name: mock-user
              outputParameters:
                - {name: id, type: integer, value: '{{id}}'}
                - {name: greeting, type: string, value: 'Hello, {{id}}'}
                - {name: admin, type: boolean, value: true}
    - type: mcp
      namespace: tools
      tools:
        - name: mock-tool
          description: An example
          inputParameters: [{name: who, type: string, description: Whom}]
          outputParameters: [{name: said, type: string, value: 'to {{who}}'}]
";
    let (host, upstream) = start(document, "").await;
    let got = host.get("/users/7").await.ok();
    assert_eq!(got, json!({"id": 7, "greeting": "Hello, 7", "admin": true}));
    assert_eq!(host.get("/users/x").await.ok()["id"], Value::Null);
    assert_eq!(host.mcp().call("mock-tool", json!({"who": "Ada"})).await.ok(), &json!({"said": "to Ada"}));
    assert_eq!(upstream.texts(), [""; 0]);
}
