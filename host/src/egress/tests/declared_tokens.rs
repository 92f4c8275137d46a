//! Tokens that a plugin declares: from where the operator lets the host ask, made of the secrets that the operator grants.

use std::{
    fs,
    sync::atomic::{AtomicUsize, Ordering},
};

use super::*;
use crate::{contract::TokenRequest, grant::Stored};

const ENDPOINT: &str = "https://id.example/oauth/token/?p=1";

fn credential(url: &str, client_id: &str, secret: &str) -> Credential {
    let request = TokenRequest {
        url: url.to_owned(),
        client_id: client_id.to_owned(),
        scope: Some("read write".to_owned()),
        audience: None,
        resource: None,
    };
    Credential { placement: Placement::OAuth2(request), value: secret.to_owned() }
}

fn source(value: &str) -> Source {
    Source::value(Secret::new(value.to_owned()))
}

/// A grant of `https://api.example` and of the endpoint, both led to fakes.
fn grant(upstream: &Fake, endpoint: &Fake) -> Grant {
    let lead = |from: &str, to: String| Rewrite { from: at(from), to: at(&to) };
    Grant {
        hosts: vec![at("https://api.example").into(), at("https://id.example/oauth").into()],
        rewrites: vec![
            lead("https://api.example", upstream.url("")),
            lead("https://id.example/oauth", endpoint.url("/staging")),
        ],
        secrets: [("ID".to_owned(), source("my:id")), ("SECRET".to_owned(), source("client secret/of+mine"))].into(),
        ..Grant::default()
    }
}

async fn endpoint() -> Fake {
    let count = AtomicUsize::new(0);
    Fake::start(move |_| {
        let number = count.fetch_add(1, Ordering::SeqCst) + 1;
        let token = format!(r#"{{"access_token":"token-number-{number}","token_type":"Bearer","expires_in":3600}}"#);
        Reply::Answer(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{token}", token.len()).into())
    })
    .await
}

fn refused(grant: &Grant, credentials: Vec<Credential>) -> String {
    let upstream = declared("https://api.example", credentials);
    Egress::new("demo", grant, &[upstream]).err().expect("it isn't loaded").to_string()
}

#[tokio::test]
async fn a_declared_token_is_fetched_once_from_where_the_operator_leads() {
    let (upstream, endpoint) = (Fake::start(echo).await, endpoint().await);
    let oauth2 = || vec![credential(ENDPOINT, "{{ID}}", "{{SECRET}}")];
    let upstreams = [declared("https://api.example/a", oauth2()), declared("https://api.example/b", oauth2())];
    let egress = Egress::new("demo", &grant(&upstream, &endpoint), &upstreams).unwrap();
    for path in ["/a", "/b", "/a"] {
        let echoed = text(get(&egress, &format!("https://api.example{path}")).await).await.unwrap();
        assert!(echoed.contains("authorization: Bearer [redacted]\r\n"), "{echoed}");
    }
    for request in upstream.requests.lock().unwrap().iter() {
        assert!(request.contains("authorization: Bearer token-number-1\r\n"), "{request}");
    }
    let asked = endpoint.requests.lock().unwrap().clone();
    assert_eq!(asked.len(), 1, "both upstreams declare the same");
    assert!(asked[0].starts_with("POST /staging/token/?p=1 HTTP/1.1\r\n"), "{}", asked[0]);
    // `my%3Aid:client+secret%2Fof%2Bmine`
    assert!(asked[0].contains("authorization: Basic bXklM0FpZDpjbGllbnQrc2VjcmV0JTJGb2YlMkJtaW5l\r\n"), "{}", asked[0]);
    assert!(asked[0].ends_with("\r\n\r\ngrant_type=client_credentials&scope=read+write"), "{}", asked[0]);
}

#[tokio::test]
async fn the_secret_of_a_client_is_scrubbed_and_replaced_when_it_changes() {
    let upstream = Fake::start(echo).await;
    let endpoint =
        Fake::start(|_| Reply::Answer(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n".into())).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    fs::write(&file, "the first secret").unwrap();
    let mut grant = grant(&upstream, &endpoint);
    grant.secrets.insert("SECRET".to_owned(), Source::Stored(Stored::File(file.clone())));
    grant.hosts.push(at("https://other.example").into());
    grant.rewrites.push(Rewrite { from: at("https://other.example"), to: at(&upstream.url("")) });
    let upstreams = [
        declared("https://api.example", vec![credential(ENDPOINT, "{{ID}}", "{{SECRET}}")]),
        declared("https://other.example", vec![]),
    ];
    let egress = Egress::new("demo", &grant, &upstreams).unwrap();
    let refusal = get(&egress, "https://api.example/").await.err().unwrap();
    assert_eq!(refusal, Refusal::Token { host: "id.example".to_owned(), fault: TokenFault::Status(401) });
    assert_eq!(upstream.requests.lock().unwrap().len(), 0, "without a token nothing is sent");
    let echoed = text(get(&egress, "https://other.example/the+first+secret").await).await.unwrap();
    assert!(!echoed.contains("the+first+secret"), "{echoed}");

    fs::write(&file, "the second secret").unwrap();
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(2)).await;
    tokio::time::resume();
    // The pause after a failure is over with the secret that caused it.
    get(&egress, "https://api.example/").await.err().unwrap();
    let basic = |request: &str| request.lines().find(|it| it.starts_with("authorization")).map(str::to_owned);
    let asked: Vec<_> = endpoint.requests.lock().unwrap().iter().map(|it| basic(it)).collect();
    assert_eq!(asked.len(), 2);
    assert_ne!(asked[0], asked[1]);
}

#[tokio::test]
async fn what_the_grant_lacks_or_contradicts_is_told_with_its_line() {
    let fake = Fake::start(echo).await;
    let granted = grant(&fake, &fake);
    let oauth2 = || vec![credential(ENDPOINT, "{{ID}}", "{{SECRET}}")];

    let narrow = Grant { hosts: vec![at("https://api.example").into()], ..granted.clone() };
    assert_eq!(
        refused(&narrow, oauth2()),
        "plugin can't use its grant: demo\n  token endpoint is not granted: https://id.example/oauth/token\nadd to airlock.toml:\n\
         [grants.demo]\nhosts = [\"https://api.example\", \"https://id.example/oauth/token\"]"
    );
    let elsewhere = vec![credential("https://id.example/other", "{{ID}}", "{{SECRET}}")];
    assert!(refused(&granted, elsewhere).contains("token endpoint is not granted: https://id.example/other\n"));
    let starred = Grant {
        hosts: vec![at("https://api.example").into(), Pattern::parse("https://*.example.com").unwrap()],
        ..granted.clone()
    };
    assert!(refused(&starred, oauth2()).contains("token endpoint is not granted"));

    let without = Grant { secrets: [("ID".to_owned(), source("me"))].into(), ..granted.clone() };
    assert_eq!(
        refused(&without, oauth2()),
        "plugin can't use its grant: demo\n  secret is not granted: SECRET\nadd to airlock.toml:\n[grants.demo]\nsecrets.SECRET = { \
         env = \"SECRET\" }"
    );
    let nothing = Grant::default();
    assert!(
        refused(&nothing, oauth2()).ends_with("hosts = [\"https://api.example\", \"https://id.example/oauth/token\"]")
    );

    let client = crate::grant::ClientCredentials {
        token_url: crate::grant::TokenUrl::parse(ENDPOINT).unwrap(),
        client_id: "me".to_owned(),
        client_secret: Stored::Value(Secret::new("s".to_owned())),
        scope: None,
        audience: None,
        authentication: crate::grant::ClientAuthentication::Basic,
    };
    let mut contradicting = granted.clone();
    contradicting.secrets.insert("SECRET".to_owned(), Source::OAuth2(Box::new(client)));
    assert_eq!(
        refused(&contradicting, oauth2()),
        "plugin can't use its grant: demo\n  secret of an OAuth 2.0 client is a token that is fetched: SECRET\nadd to airlock.toml:\n\
         [grants.demo]\nsecrets.SECRET = { env = \"SECRET\" }"
    );
    let no_address = vec![credential("id.example", "{{ID}}", "{{SECRET}}")];
    assert!(refused(&granted, no_address).contains("declared token endpoint is not usable: id.example: no scheme"));
    // One that nothing is sent to needs neither endpoint nor secrets.
    let other = Grant { hosts: vec![at("https://other.example").into()], ..Grant::default() };
    let upstreams = [declared("https://other.example", vec![]), declared("https://api.example", oauth2())];
    assert!(Egress::new("demo", &other, &upstreams).is_ok());
}

#[tokio::test]
async fn a_declared_endpoint_behind_a_private_address_is_not_asked() {
    let fake = Fake::start(echo).await;
    let mut grant = grant(&fake, &fake);
    grant.rewrites.pop();
    let answers = Mutex::new(vec![vec![fake.address]]);
    let upstream = declared("https://api.example", vec![credential(ENDPOINT, "{{ID}}", "{{SECRET}}")]);
    let egress = Egress::with_resolver("demo", &grant, &[upstream], Arc::new(FixedResolver { answers })).unwrap();
    let refusal = get(&egress, "https://api.example/").await.err().unwrap();
    assert_eq!(refusal, Refusal::Token { host: "id.example".to_owned(), fault: TokenFault::PrivateAddress });
    assert_eq!(fake.requests.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn a_name_chooses_the_credentials_and_is_never_sent() {
    let fake = Fake::start(echo).await;
    let header = |secret: &str| {
        vec![Credential { placement: Placement::Header("x-key".into()), value: format!("{{{{{secret}}}}}") }]
    };
    let named =
        |name: &str, secret: &str| Upstream { name: Some(name.to_owned()), ..declared(&fake.url(""), header(secret)) };
    let upstreams = [named("api.admin", "ADMIN"), declared(&fake.url(""), header("KEY")), named("api.audit", "AUDIT")];
    let names = ["KEY", "ADMIN", "AUDIT"].map(|name| (name.to_owned(), source(&format!("the value of {name}"))));
    let grant = Grant { hosts: vec![at(&fake.url("")).into()], secrets: names.into(), ..Grant::default() };
    let egress = Egress::new("demo", &grant, &upstreams).unwrap();
    for (field, expected) in [
        (&[][..], "KEY"),
        (&["api.admin"], "ADMIN"),
        (&["api.audit"], "AUDIT"),
        (&["api.unknown"], "KEY"),
        (&["api.admin", "api.audit"], "KEY"),
    ] {
        let mut request = request("GET", &fake.url("/x"));
        for name in field {
            request.headers_mut().append("airlock-upstream", name.parse().unwrap());
        }
        text(egress.send(request, Patience::default(), later()).await).await.unwrap();
        let seen = fake.last_request();
        assert!(seen.contains(&format!("x-key: the value of {expected}\r\n")), "{field:?}: {seen}");
        assert!(!seen.contains("airlock-upstream"), "{seen}");
    }
}
