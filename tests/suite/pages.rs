//! Lists in pages at the boundary: which pages an upstream is asked for, what callers get of all of them, and where it ends.

use axum::{body::Body, response::Response};
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Seen, Setup, TestHost, Upstream, json_answer};

/// One consumed operation for each way in which pages can follow each other, its path being its name.
const CONSUMED: [(&str, &str); 6] = [
    ("token", "type: token, items: $.data, parameter: p, next: $.next"),
    ("page", "type: page, items: $.data, parameter: p, sizeParameter: n, size: 2"),
    ("offset", "type: offset, items: $.data, parameter: p, total: $.total"),
    ("link", "type: link, items: $.data"),
    ("deaf", "type: page, items: $.data, parameter: p"),
    ("again", "type: token, items: $.data, parameter: p, next: $.next"),
];

fn document(paginate: &str, more: &str) -> String {
    let schema = "{type: object, properties: {data: {type: array, items: {type: integer}}}}";
    let parameters = "[{name: p, in: query}, {name: n, in: query}, {name: q, in: query}]";
    let part =
        |line: &dyn Fn(&str, &str) -> String| CONSUMED.iter().map(|(name, how)| line(name, how)).collect::<String>();
    let consumed = part(&|name, how| {
        format!(
            "        - path: /{name}\n          operations:\n            - {{name: {name}, method: GET, inputParameters: {parameters}, \
             outputSchema: {schema}, pagination: {{{how}}}}}\n"
        )
    });
    let exposed = format!("call: up.KEY, paginate: {{{paginate}}}{more}");
    let rest = part(&|name, _| {
        let exposed = exposed.replace("KEY", name);
        format!("        - {{path: /{name}, operations: [{{method: GET, {exposed}}}]}}\n")
    });
    let tools = part(&|name, _| {
        let exposed = exposed.replace("KEY", name);
        format!("        - {{name: {name}, description: Lists it, {exposed}}}\n")
    });
    format!(
        "naftiko: 1.0.0-alpha2\ncapability:\n  consumes:\n    - type: http\n      namespace: up\n      baseUri: http://up.test\n      \
         resources:\n{consumed}  exposes:\n    - type: rest\n      namespace: rest\n      resources:\n{rest}    - type: mcp\n      \
         namespace: tools\n      tools:\n{tools}"
    )
}

async fn start(
    document: &str,
    limits: &str,
    answer: impl Fn(Seen) -> Response + Clone + Send + Sync + 'static,
) -> (TestHost, Upstream) {
    let upstream = Upstream::answering(answer).await;
    let to = upstream.url();
    let grant = format!(
        "[grants.up]\nhosts = [\"http://up.test\"]\nupstreams.\"http://up.test\" = \"{to}\"\nretries.most = 0\nlimits = {{ {limits} }}\n"
    );
    (Setup::default().file("up.yaml", document).config(&grant).start().await, upstream)
}

/// The value of a key of the query.
fn key<'s>(seen: &'s Seen, name: &str) -> Option<&'s str> {
    let (_, query) = seen.target.split_once('?')?;
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// A list of 1 to 5, two by two, and what leads to the next page.
fn list(seen: Seen) -> Response {
    let (path, _) = seen.target.split_once('?').unwrap_or((&seen.target, ""));
    let p = key(&seen, "p").and_then(|it| it.trim_start_matches('t').parse::<usize>().ok());
    let first = match path {
        "/page" | "/deaf" => 2 * (p.unwrap_or(1) - 1),
        _ => p.unwrap_or(0),
    };
    let first = if path == "/deaf" { 0 } else { first };
    let data: Vec<usize> = (first + 1..=5).take(2).collect();
    let next = (first + 2 < 5).then_some(first + 2);
    match path {
        "/token" => page(&json!({"data": data, "next": next.map(|it| format!("t{it}"))})),
        "/again" => page(&json!({"data": data, "next": "t2"})),
        "/link" => {
            let link =
                next.map(|it| format!("<http://up.test/link?p={it}&q=a%20b>; rel=\"next\", </link>; rel=\"first\""));
            linked(&json!({"data": data}), link)
        }
        _ => page(&json!({"data": data, "total": 5})),
    }
}

fn page(body: &Value) -> Response {
    json_answer(StatusCode::OK, body)
}

fn linked(body: &Value, link: Option<String>) -> Response {
    let mut response = page(body);
    if let Some(link) = link {
        response.headers_mut().insert("link", HeaderValue::from_str(&link).expect("a header"));
    }
    response
}

#[tokio::test(flavor = "multi_thread")]
async fn all_pages_are_one_list_over_rest_and_mcp() {
    let (host, upstream) = start(&document("maxItems: 500", ""), "", list).await;
    for (name, asked) in [
        ("token", ["GET /token?q=a%20b", "GET /token?p=t2&q=a%20b", "GET /token?p=t4&q=a%20b"]),
        ("page", ["GET /page?p=1&n=2&q=a%20b", "GET /page?p=2&n=2&q=a%20b", "GET /page?p=3&n=2&q=a%20b"]),
        ("offset", ["GET /offset?p=0&q=a%20b", "GET /offset?p=2&q=a%20b", "GET /offset?p=4&q=a%20b"]),
        ("link", ["GET /link?q=a%20b", "GET /link?p=2&q=a%20b", "GET /link?p=4&q=a%20b"]),
    ] {
        assert_eq!(host.get(&format!("/{name}?q=a%20b")).await.ok(), json!([1, 2, 3, 4, 5]), "{name}");
        assert_eq!(upstream.texts(), asked);
        assert_eq!(host.mcp().call(name, json!({"q": "a b"})).await.ok(), &json!([1, 2, 3, 4, 5]), "{name}");
        assert_eq!(upstream.texts(), asked);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_are_told_of_a_list_and_give_nothing_that_turns_pages() {
    let (host, _upstream) = start(&document("maxItems: 500", ""), "", list).await;
    let tools = host.mcp().tools().await;
    let tool = |name: &str| tools.iter().find(|it| it["name"] == name).expect("the tool");
    let properties = |name: &str| {
        let properties = tool(name)["inputSchema"]["properties"].as_object().expect("an object");
        properties.keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!((properties("page"), properties("token")), (vec!["q".to_owned()], vec!["n".to_owned(), "q".to_owned()]));
    let schema = json!({"type": "array", "maxItems": 500, "items": {"type": "integer"}});
    assert_eq!(tool("page")["outputSchema"], schema);
    assert_eq!(host.get("/openapi.json").await.ok()["components"]["schemas"]["up.page.output"], schema);
    host.get("/page?p=2").await.problem(400, "invalid-input");
}

#[tokio::test(flavor = "multi_thread")]
async fn outputs_are_made_of_all_items() {
    let outputs = ", outputParameters: [{name: n, type: array, mapping: '$[?@ > 2]'}, {name: last, type: integer, mapping: '$[-1]'}]";
    let (host, _upstream) = start(&document("maxItems: 500", outputs), "", list).await;
    let expected = json!({"n": [3, 4, 5], "last": 5});
    assert_eq!(host.get("/token").await.ok(), expected);
    assert_eq!(host.mcp().call("token", json!({})).await.ok(), &expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_takes_a_part_for_the_whole() {
    let (host, upstream) = start(&document("maxItems: 3", ""), "", list).await;
    for name in ["token", "page", "offset", "link"] {
        let problem = host.get(&format!("/{name}")).await.problem(502, "upstream-unavailable").to_string();
        assert!(problem.contains("page 2: the list has more items than the 3 that `paginate` allows"), "{problem}");
        assert!(host.mcp().call(name, json!({})).await.error().contains("more items than the 3"));
        assert_eq!(upstream.requests().len(), 4);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_cut_where_the_document_says_so() {
    let (host, upstream) = start(&document("maxItems: 3, beyond: cut", ""), "", list).await;
    for name in ["token", "page", "offset", "link"] {
        assert_eq!(host.get(&format!("/{name}")).await.ok(), json!([1, 2, 3]), "{name}");
        assert_eq!(upstream.requests().len(), 2, "{name}");
    }
    let tools = host.mcp().tools().await;
    assert_eq!(tools[0]["outputSchema"]["maxItems"], 3, "who gets so many knows that there may be more");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_round_in_circles_ends() {
    let (host, upstream) = start(&document("maxItems: 500", ""), "", list).await;
    for (name, said) in [
        ("again", "page 2: the upstream leads to a page that was there"),
        ("deaf", "page 2: the upstream gives the same page again"),
    ] {
        let problem = host.get(&format!("/{name}")).await.problem(502, "upstream-unavailable").to_string();
        assert!(problem.contains(said), "{problem}");
        assert_eq!(upstream.requests().len(), 2, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_leads_nowhere_else() {
    const TARGETS: [&str; 5] = [
        "http://evil.test/link?p=2",
        "https://up.test/link?p=2",
        "/secret?p=2",
        "//evil.test/link",
        "http://up.test:81/link",
    ];
    let answer = |seen: Seen| {
        let target = TARGETS[key(&seen, "q").expect("which").parse::<usize>().expect("a number")];
        linked(&json!({"data": [1]}), Some(format!("<{target}>; rel=next")))
    };
    let (host, upstream) = start(&document("maxItems: 500", ""), "", answer).await;
    for (which, target) in TARGETS.into_iter().enumerate() {
        let problem = host.get(&format!("/link?q={which}")).await.problem(502, "upstream-unavailable").to_string();
        let said = format!("page 1: the upstream's next page is elsewhere than at http://up.test/link: {target}");
        assert!(problem.contains(&said), "{problem}");
        let result = host.mcp().call("link", json!({"q": which.to_string()})).await;
        assert!(result.error().contains(&said), "{result:?}");
        let asked = format!("GET /link?q={which}");
        assert_eq!(upstream.texts(), [asked.clone(), asked]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_fails_ends_the_call_as_a_single_request_would() {
    let answer = |seen: Seen| match (key(&seen, "p"), key(&seen, "q")) {
        (Some("t2"), Some("broken")) => Response::new(Body::from("<html>")),
        (Some("t2"), _) => json_answer(StatusCode::TOO_MANY_REQUESTS, &json!({"error": "slow down"})),
        _ => list(seen),
    };
    let (host, _upstream) = start(&document("maxItems: 500", ""), "", answer).await;
    let failed = host.get("/token").await;
    assert_eq!((failed.status, failed.json()), (429, json!({"error": "slow down"})));
    let result = host.mcp().call("token", json!({})).await;
    assert!(result.error().contains("429") && result.error().contains("slow down"), "{result:?}");
    let problem = host.get("/token?q=broken").await.problem(502, "upstream-unavailable").to_string();
    assert!(problem.contains("page 2: the upstream's answer is not JSON"), "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_of_requests_holds_and_is_named() {
    let (host, upstream) = start(&document("maxItems: 500", ""), "requests = 2", list).await;
    let problem = host.get("/token").await.problem(403, "denied");
    assert!(problem["detail"].as_str().expect("a text").starts_with("page 3: "), "{problem}");
    assert!(problem.to_string().contains("requests"), "{problem}");
    assert_eq!(upstream.requests().len(), 2);
}
