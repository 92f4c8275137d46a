//! Callers with tokens: what makes one good, what is said about one that isn't, and where clients are told to get one.

use axum::{body::Body, response::Response};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    callers::{USER, ask, mcp, post},
    harness::{Issuer, Setup, TestHost, Upstream, json_answer},
};

/// A host that knows callers by the tokens of an issuer.
async fn with_tokens(issuer: &str) -> (TestHost, Upstream) {
    let upstream = Upstream::echo().await;
    let config = format!(
        r#"
        {issuer}
        [callers.reader]
        token = {{ issuer = "corp", scopes = ["users:read"] }}
        plugins = ["m3ter-*"]
        [callers.writer]
        token = {{ issuer = "corp", scopes = ["users:read", "users:write"], claims = {{ groups = "platform" }} }}
        plugins = ["m3ter-*"]
        effects = ["write"]
        "#
    );
    let host = Setup::providers(&upstream, &upstream).config(&config).start().await;
    (host, upstream)
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_are_known_by_the_tokens_of_an_issuer() {
    let issuer = Issuer::start().await;
    let (host, upstream) = with_tokens(&issuer.section()).await;
    let reader = issuer.token(&json!({"scope": "users:read openid"}));
    let writer = issuer.token(&json!({"scp": ["users:read", "users:write"], "groups": ["all", "platform"]}));
    let get = async |token: &str| ask(&host.rest(), "GET", USER, token).await;
    for _ in 0..5 {
        get(&reader).await.ok();
        mcp(&host, &reader, "/mcp").call("retrieve-orguser", json!({"orgId": "o", "id": "u"})).await.ok();
    }
    assert_eq!(issuer.asked(), ["/.well-known/openid-configuration", "/keys"], "keys are kept");
    // The writer's token makes a reader too: what any of the roles allows is allowed.
    get(&writer).await.ok();
    assert_eq!(mcp(&host, &writer, "/mcp").tools().await.len(), 7);
    assert!(mcp(&host, &reader, "/mcp").tools().await.len() < 7);
    upstream.requests();
    for (claims, header, why) in [
        (json!({"exp": 1000}), None, "it has expired"),
        (json!({"nbf": 99_999_999_999_u64}), None, "it is not valid yet"),
        (json!({"aud": "https://other.example.com"}), None, "it is for another audience"),
        (json!({"aud": null}), None, "it lacks one of exp, iss and aud"),
        (json!({}), Some(json!({"alg": "none"})), "is not known"),
        (json!({}), Some(json!({"alg": "HS256", "kid": "key-1"})), "an algorithm that is not allowed"),
        (json!({}), Some(json!({"alg": "RS256", "kid": "key-1"})), "an algorithm that is not allowed"),
        (json!({}), Some(json!({"alg": "EdDSA", "kid": "key-2"})), "its issuer has no such key"),
        (json!({}), Some(json!({"alg": "EdDSA", "kid": "key-1", "crit": ["b64"]})), "extensions that are not known"),
    ] {
        let mut all = json!({"scope": "users:read"});
        claims.as_object().expect("claims").iter().for_each(|(name, value)| all[name] = value.clone());
        let token = match &header {
            Some(header) => issuer.token_by(header, &all),
            None => issuer.token(&all),
        };
        let answer = get(&token).await;
        let problem = answer.problem(401, "unauthenticated");
        assert!(problem["detail"].as_str().is_some_and(|it| it.contains(why)), "{why}: {problem}");
        assert!(answer.header("www-authenticate").contains("error=\"invalid_token\""), "{answer:?}");
        assert_eq!(post(mcp(&host, &token, "/mcp"), &[], "tools/list", None).await.status, 401);
    }
    let changed = format!("{}AAAA", &reader[..reader.len() - 4]);
    assert!(
        get(&changed).await.problem(401, "unauthenticated")["detail"]
            .as_str()
            .is_some_and(|it| it.contains("signature"))
    );
    let foreign = Issuer::start().await.token(&json!({"scope": "users:read"}));
    get(&foreign).await.problem(401, "unauthenticated");
    assert_eq!(upstream.texts(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_not_enough_is_told_which_scopes_would_be() {
    let issuer = Issuer::start().await;
    let (host, upstream) = with_tokens(&issuer.section()).await;
    let nobody = issuer.token(&json!({"scope": "openid"}));
    let reader = issuer.token(&json!({"scope": "users:read", "groups": "platform"}));
    let challenge = "Bearer realm=\"airlock\", error=\"insufficient_scope\", scope=";
    let answer = ask(&host.rest(), "GET", USER, &nobody).await;
    answer.problem(403, "insufficient-scope");
    assert_eq!(answer.header("www-authenticate"), format!("{challenge}\"users:read\""));
    let answer = ask(&host.rest(), "PUT", USER, &reader).await;
    answer.problem(403, "forbidden");
    assert_eq!(answer.header("www-authenticate"), format!("{challenge}\"users:read users:write\""));
    // Scopes are no help to who isn't in the group, and whoever has them needn't be told to get them.
    let outsider = issuer.token(&json!({"scope": "users:read users:write"}));
    let answer = ask(&host.rest(), "PUT", USER, &outsider).await;
    let problem = answer.problem(403, "forbidden");
    assert!(
        problem["detail"].as_str().is_some_and(|it| it.ends_with("only the operator can change this")),
        "{problem}"
    );
    assert_eq!(answer.headers.get("www-authenticate"), None);

    let metadata = "resource_metadata=\"http://127.0.0.1/.well-known/oauth-protected-resource/mcp\"";
    let host_header = [("host", "127.0.0.1")];
    let answer = post(mcp(&host, &nobody, "/mcp"), &host_header, "tools/list", None).await;
    assert_eq!(answer.status, 403);
    assert_eq!(answer.header("www-authenticate"), format!("{challenge}\"users:read\", {metadata}"));
    let answer = post(mcp(&host, &reader, "/mcp"), &host_header, "tools/call", Some("update-orguser")).await;
    assert_eq!(answer.status, 403, "{answer:?}");
    assert_eq!(answer.header("www-authenticate"), format!("{challenge}\"users:read users:write\", {metadata}"));
    assert_eq!(answer.json()["result"]["isError"], true, "a client that doesn't ask for more hands this to its model");
    assert_eq!(upstream.texts(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn mcp_clients_are_told_where_tokens_come_from() {
    let issuer = Issuer::start().await;
    let (host, _upstream) = with_tokens(&issuer.section()).await;
    let [_, mcp_listener, _] = host.listeners();
    let get = async |path: &str| {
        let heard =
            mcp_listener.talk(&format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")).await;
        let (head, body) = heard.split_once("\r\n\r\n").expect("an answer");
        (head[9..12].to_owned(), body.to_owned())
    };
    for (path, resource) in [
        ("/.well-known/oauth-protected-resource", "http://localhost/mcp"),
        ("/.well-known/oauth-protected-resource/mcp", "http://localhost/mcp"),
        ("/.well-known/oauth-protected-resource/mcp/m3ter-orgusers", "http://localhost/mcp/m3ter-orgusers"),
    ] {
        let (status, body) = get(path).await;
        assert_eq!(status, "200", "{path}");
        let expected = json!({
            "resource": resource,
            "resource_name": "Airlock",
            "authorization_servers": [issuer.url()],
            "scopes_supported": ["users:read", "users:write"],
            "bearer_methods_supported": ["header"],
        });
        assert_eq!(serde_json::from_str::<Value>(&body).expect("JSON"), expected);
    }
    assert_eq!(get("/.well-known/oauth-protected-resource/elsewhere").await.0, "404");
    let challenge =
        "Bearer realm=\"airlock\", resource_metadata=\"http://localhost/.well-known/oauth-protected-resource";
    for path in ["/mcp", "/mcp/m3ter-orgusers"] {
        let heard = mcp_listener
            .talk(&format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"))
            .await;
        assert!(heard.starts_with("HTTP/1.1 401"), "{heard}");
        assert!(heard.contains(&format!("www-authenticate: {challenge}{path}\"")), "{heard}");
    }
    assert_eq!(issuer.asked(), [""; 0], "nobody has shown a token");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_cannot_be_asked_is_the_hosts_trouble_and_not_the_tokens() {
    let real = Issuer::start().await;
    let nowhere = Upstream::nowhere();
    let liar = Upstream::answering(|_| {
        let document = json!({"issuer": "https://other.example.com", "jwks_uri": "https://other.example.com/keys"});
        json_answer(StatusCode::OK, &document)
    });
    let liar = liar.await;
    let endless = Upstream::answering(|_| Response::new(Body::from(vec![b' '; 1 << 20]))).await;
    for address in [nowhere.url(), liar.url(), endless.url()] {
        let section = real.section().replace(&real.url(), &address);
        let (host, upstream) = with_tokens(&section).await;
        let token = real.token(&json!({"scope": "users:read", "iss": address}));
        let answer = ask(&host.rest(), "GET", USER, &token).await;
        answer.problem(503, "issuer-unavailable");
        assert_eq!(answer.header("retry-after"), "10");
        let answer = post(mcp(&host, &token, "/mcp"), &[], "tools/list", None).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, "10"));
        assert_eq!(upstream.texts(), [""; 0]);
    }
}
