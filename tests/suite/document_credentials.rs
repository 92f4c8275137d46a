//! What a document says about credentials and addresses, at the boundary: access tokens that it declares, an operation with credentials
//! of its own, a host that only the operator knows.

use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    cli::Shell,
    harness::{Seen, Setup, TestHost, Upstream, json_answer},
};

const DEPOT: &str = r#"
ikanos: 1.0.0-beta5
info: { display: Depot, description: What is in stock. }
binds:
  env:
    keys: { DEPOT_HOST: DEPOT_HOST, CLIENT_ID: CLIENT_ID, CLIENT_SECRET: CLIENT_SECRET, ADMIN_KEY: ADMIN_KEY }
capability:
  consumes:
    depot:
      baseUri: 'https://{{env.DEPOT_HOST}}/v1'
      authentication:
        type: oauth2
        tokenEndpoint: https://id.example/oauth/token
        clientId: '{{env.CLIENT_ID}}'
        clientSecret: '{{env.CLIENT_SECRET}}'
        scopes: ['stock:read', 'stock:write']
      resources:
        stock:
          path: /stock/{id}
          inputParameters: { id: { in: path, description: Which. } }
          operations:
            get-stock: { method: GET, description: Gets it. }
            set-stock:
              method: PUT
              description: Sets it.
              authentication: { type: apikey, key: X-Admin, value: '{{env.ADMIN_KEY}}' }
              inputParameters: { count: { in: body, type: integer }, note: { in: body } }
  exposes:
    depot-rest:
      type: rest
      resources:
        stock:
          path: /stock/{id}
          operations:
            get: { method: GET, call: depot.get-stock }
            set: { method: PUT, call: depot.set-stock }
    depot-mcp:
      type: mcp
      tools:
        get-stock: { description: Gets it., call: depot.get-stock }
        set-stock: { description: Sets it., call: depot.set-stock }
    depot-control: { type: control, port: 9901, management: { health: true } }
"#;

const SECRETS: [(&str, &str); 3] =
    [("CLIENT_ID", "the:client"), ("CLIENT_SECRET", "the secret of the client"), ("ADMIN_KEY", "the-admin-key")];

/// Gives another token each time.
async fn endpoint() -> Upstream {
    let count = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    Upstream::answering(move |_| {
        let number = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
        let token = format!("the-token-number-{number}");
        json_answer(StatusCode::OK, &json!({"access_token": token, "token_type": "Bearer", "expires_in": 3600}))
    })
    .await
}

fn setup() -> Setup {
    SECRETS.iter().fold(Setup::default().file("depot.yaml", DEPOT), |setup, (name, value)| setup.secret(name, value))
}

fn secrets() -> String {
    SECRETS.map(|(name, _)| format!("secrets.{name} = {{ file = \"secrets/{name}\" }}\n")).concat()
}

async fn start(upstream: &Upstream, endpoint: &Upstream) -> TestHost {
    let grant = format!(
        "[grants.depot]\nhosts = [\"https://depot_host.invalid/v1\", \"https://id.example/oauth/token\"]\n\
         upstreams.\"https://depot_host.invalid\" = \"{}/eu\"\nupstreams.\"https://id.example\" = \"{}\"\n{}",
        upstream.url(),
        endpoint.url(),
        secrets()
    );
    setup().config(&grant).start().await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_has_the_credentials_that_the_document_declares_for_it() {
    let (upstream, endpoint) = (Upstream::echo().await, endpoint().await);
    let host = start(&upstream, &endpoint).await;
    let get = "GET /eu/v1/stock/a%2Fb\nauthorization: Bearer the-token-number-1";
    let set =
        "PUT /eu/v1/stock/7\ncontent-type: application/json\nx-admin: the-admin-key\n\n{\"count\":3,\"note\":\"n\"}";
    let mut told = Vec::new();
    for _ in 0..2 {
        told.push(host.get("/stock/a%2Fb").await.ok());
        told.push(host.put("/stock/7", &json!({"count": 3, "note": "n"})).await.ok());
        assert_eq!(upstream.texts(), [get, set]);
        told.push(host.mcp().call("get-stock", json!({"id": "a/b"})).await.ok().clone());
        told.push(host.mcp().call("set-stock", json!({"id": "7", "count": 3, "note": "n"})).await.ok().clone());
        assert_eq!(upstream.texts(), [get, set]);
    }
    // `the%3Aclient:the+secret+of+the+client`
    assert_eq!(
        endpoint.texts(),
        [
            "POST /oauth/token\nauthorization: Basic dGhlJTNBY2xpZW50OnRoZStzZWNyZXQrb2YrdGhlK2NsaWVudA==\ncontent-type: \
          application/x-www-form-urlencoded\n\ngrant_type=client_credentials&scope=stock%3Aread+stock%3Awrite"
        ],
        "one token for all"
    );
    for answer in told {
        let answer = answer.to_string();
        assert!(answer.contains("[redacted]"), "{answer}");
        for secret in ["the-token-number", "the-admin-key", "the secret", "the+secret", "airlock-upstream"] {
            assert!(!answer.contains(secret), "{answer}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declared_token_that_is_refused_is_replaced_once() {
    let endpoint = endpoint().await;
    let upstream = Upstream::answering(|seen: Seen| -> Response {
        let is_first = seen.headers.get("authorization").is_some_and(|it| it == "Bearer the-token-number-1");
        match is_first {
            true => json_answer(StatusCode::UNAUTHORIZED, &json!({"error": "expired"})),
            false => json_answer(StatusCode::OK, &json!({"count": 1})),
        }
    })
    .await;
    let host = start(&upstream, &endpoint).await;
    assert_eq!(host.get("/stock/1").await.ok(), json!({"count": 1}));
    assert_eq!((upstream.requests().len(), endpoint.requests().len()), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_cannot_be_had_is_told_without_the_endpoints_words() {
    let upstream = Upstream::echo().await;
    let endpoint = Upstream::answering(|_| {
        json_answer(StatusCode::BAD_REQUEST, &json!({"error": "invalid_client", "secret": "the secret of the client"}))
    })
    .await;
    let host = start(&upstream, &endpoint).await;
    let answer = host.get("/stock/1").await;
    assert_eq!(answer.status, 502, "{answer:?}");
    assert!(answer.text().contains("no access token") && !answer.text().contains("invalid_client"), "{answer:?}");
    assert_eq!(upstream.texts(), [""; 0]);
    // What has other credentials doesn't need it.
    host.put("/stock/1", &json!({"count": 1})).await.ok();
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_grant_lacks_keeps_the_plugin_from_serving_and_is_told_line_by_line() {
    let api = "hosts = [\"https://depot_host.invalid/v1\"]\n";
    let both = "hosts = [\"https://depot_host.invalid/v1\", \"https://id.example/oauth/token\"]";
    let secret = |name: &str| format!("secrets.{name} = {{ file = \"secrets/{name}\" }}\n");
    let some = secret("CLIENT_ID") + &secret("ADMIN_KEY");
    let token = "secrets.CLIENT_SECRET = { oauth2 = { token_url = \"https://id.example\", client_id = \"x\", client_secret = \
                 { file = \"secrets/CLIENT_SECRET\" } } }\n";
    for (grant, told) in [
        (String::new(), vec!["none of the declared upstreams is granted", both]),
        (
            format!("{api}{some}"),
            vec![
                "address of an upstream is missing: https://depot_host.invalid/v1",
                "token endpoint is not granted: https://id.example/oauth/token",
                "secret is not granted: CLIENT_SECRET",
                both,
                "upstreams.\"https://depot_host.invalid\" = \"https://…\"",
                "secrets.CLIENT_SECRET = { env = \"CLIENT_SECRET\" }",
            ],
        ),
        (
            format!("{both}\n{some}{token}"),
            vec!["secret of an OAuth 2.0 client is a token that is fetched: CLIENT_SECRET"],
        ),
    ] {
        let host = setup().config(&format!("[grants.depot]\n{grant}")).start().await;
        let file = host.file("depot.yaml").await.expect("the file is known");
        for text in told {
            assert!(file.error.contains(text), "{text}\n{}", file.error);
        }
        assert_eq!(host.serving().await, [""; 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_prints_the_grant_and_a_dry_run_what_would_be_sent() {
    let shell = Shell::new().file("depot.yaml", DEPOT);
    shell.run(&["check", "depot.yaml"]).await.check(
        0,
        &["[grants.depot]\nhosts = [\"https://depot_host.invalid/v1\", \"https://id.example/oauth/token\"]\n\
             upstreams.\"https://depot_host.invalid\" = \"https://…\"\nsecrets.CLIENT_ID = { env = \"CLIENT_ID\" }\n\
             secrets.CLIENT_SECRET = { env = \"CLIENT_SECRET\" }\nsecrets.ADMIN_KEY = { env = \"ADMIN_KEY\" }\n"],
        &[],
    );
    let said = shell.run(&["call", "depot.yaml", "get", "--arg", "id=7", "--dry-run"]).await;
    said.check(0, &["GET https://depot_host.invalid/v1/stock/7\n", "Authorization: Bearer ••••\n"], &[]);
    let set = ["call", "depot.yaml", "set", "--input", r#"{"id": "7", "count": 1}"#, "--dry-run"];
    let said = shell.run(&set).await;
    said.check(0, &["PUT https://depot_host.invalid/v1/stock/7\n", "X-Admin: ••••\n"], &[]);
    assert!(!said.out.to_ascii_lowercase().contains("authorization"), "{}", said.out);
    let inspected = shell.run(&["inspect", "depot.yaml", "--json"]).await;
    let inspected: Value = serde_json::from_str(&inspected.out).expect("JSON");
    let names: Vec<&Value> = inspected["upstreams"].as_array().expect("a list").iter().map(|it| &it["name"]).collect();
    assert_eq!(names, [&Value::Null, &json!("depot.set-stock")]);
    assert_eq!(
        inspected["upstreams"][0]["credentials"],
        json!([{"placement": "oauth2 from https://id.example/oauth/token", "secrets": ["CLIENT_ID", "CLIENT_SECRET"]}])
    );

    let example = r#"
- operation: get
  input: { id: '7' }
  request:
    method: GET
    url: https://depot_host.invalid/v1/stock/7
    headers: { authorization: Bearer •••• }
  answer: { status: 200, body: { count: 1 } }
  result: { count: 1 }
"#;
    let shell = shell.file("depot.tests.yaml", example);
    let said = shell.run(&["test", "depot.yaml"]).await;
    said.check(0, &[], &[]);
}
