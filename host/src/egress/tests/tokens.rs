//! OAuth 2.0: tokens are fetched once, kept, renewed, thrown away, and never seen by anyone but the upstream.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use futures::future::join_all;
use tokio::{net::TcpListener, sync::Notify};

use super::*;
use crate::grant::{ClientAuthentication, ClientCredentials, MissingSecret, Stored, TokenUrl};

const CLIENT_SECRET: &str = "client secret/of+mine";

/// How a plugin gets its token; the upstream is `base_url`.
fn grant(base_url: &str, token_url: &str, authentication: ClientAuthentication) -> Grant {
    let client = ClientCredentials {
        token_url: TokenUrl::parse(token_url).unwrap(),
        client_id: "my:id".to_owned(),
        client_secret: Stored::Value(Secret::new(CLIENT_SECRET.to_owned())),
        scope: Some("read write".to_owned()),
        audience: None,
        authentication,
    };
    let secrets = [("TOKEN".to_owned(), Source::OAuth2(Box::new(client)))].into();
    Grant { hosts: vec![at(base_url).into()], secrets, ..Grant::default() }
}

fn bearer(base_url: &str) -> Upstream {
    let value = "Bearer {{TOKEN}}".to_owned();
    declared(base_url, vec![Credential { placement: Placement::Header("authorization".into()), value }])
}

fn egress(upstream: &Fake, endpoint: &Fake) -> Arc<Egress> {
    let grant = grant(&upstream.url(""), &endpoint.url("/token"), ClientAuthentication::Basic);
    Arc::new(Egress::new("demo", &grant, &[bearer(&upstream.url(""))]).unwrap())
}

fn json(status: &str, body: &str) -> Reply {
    Reply::Answer(format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into())
}

/// An endpoint that gives another token each time: `token-number-1`.
async fn endpoint(seconds: u64) -> Fake {
    let count = AtomicUsize::new(0);
    Fake::start(move |_| {
        let number = count.fetch_add(1, Ordering::SeqCst) + 1;
        let token =
            format!(r#"{{"access_token":"token-number-{number}","token_type":"Bearer","expires_in":{seconds}}}"#);
        json("200 OK", &token)
    })
    .await
}

/// An upstream that echoes, but refuses the tokens that `refuses` says.
async fn upstream(refuses: impl Fn(&str) -> bool + Send + Sync + 'static) -> Fake {
    Fake::start(move |request| if refuses(&token(request)) { json("401 Unauthorized", "no") } else { echo(request) })
        .await
}

fn token(request: &str) -> String {
    let line = request.lines().find_map(|line| line.strip_prefix("authorization: Bearer "));
    line.unwrap_or_default().to_owned()
}

fn tokens(fake: &Fake) -> Vec<String> {
    fake.requests.lock().unwrap().iter().map(|request| token(request)).collect()
}

fn count(fake: &Fake) -> usize {
    fake.requests.lock().unwrap().len()
}

fn no_token(fault: TokenFault) -> Refusal {
    Refusal::Token { host: "127.0.0.1".to_owned(), fault }
}

async fn advance(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn both_client_authentications() {
    for (authentication, authorization, body) in [
        (
            // `my%3Aid:client+secret%2Fof%2Bmine`
            ClientAuthentication::Basic,
            Some("authorization: Basic bXklM0FpZDpjbGllbnQrc2VjcmV0JTJGb2YlMkJtaW5l"),
            "grant_type=client_credentials&scope=read+write",
        ),
        (
            ClientAuthentication::Body,
            None,
            "grant_type=client_credentials&scope=read+write&client_id=my%3Aid&client_secret=client+secret%2Fof%2Bmine",
        ),
    ] {
        let (upstream, endpoint) = (upstream(|_| false).await, endpoint(3600).await);
        let grant = grant(&upstream.url(""), &endpoint.url("/o/token/?p=1"), authentication);
        let egress = Egress::new("demo", &grant, &[bearer(&upstream.url(""))]).unwrap();
        let echoed = text(get(&egress, &upstream.url("/x")).await).await.unwrap();
        assert_eq!(token(&upstream.last_request()), "token-number-1");
        assert!(echoed.contains("authorization: Bearer [redacted]\r\n"), "{echoed}");

        let asked = endpoint.last_request();
        assert!(asked.starts_with("POST /o/token/?p=1 HTTP/1.1\r\n"), "{asked}");
        assert_eq!(asked.lines().find(|line| line.starts_with("authorization")), authorization);
        assert!(asked.contains("\r\ncontent-type: application/x-www-form-urlencoded\r\n"), "{asked}");
        assert!(asked.ends_with(&format!("\r\n\r\n{body}")), "{asked}");
    }
}

#[tokio::test]
async fn a_token_is_kept_over_requests_and_renewed_before_its_end() {
    let (upstream, endpoint) = (upstream(|_| false).await, endpoint(100).await);
    let egress = egress(&upstream, &endpoint);
    for _ in 0..3 {
        text(get(&egress, &upstream.url("/")).await).await.unwrap();
    }
    assert_eq!(count(&endpoint), 1);
    // Old, but still good: this request goes with it, and a new one is fetched meanwhile.
    advance(75).await;
    text(get(&egress, &upstream.url("/")).await).await.unwrap();
    while tokens(&upstream).last().unwrap() == "token-number-1" {
        text(get(&egress, &upstream.url("/")).await).await.unwrap();
    }
    assert_eq!(tokens(&upstream)[3], "token-number-1");
    assert_eq!(count(&endpoint), 2);
    // No good any more: the request waits for a new one.
    advance(99).await;
    text(get(&egress, &upstream.url("/")).await).await.unwrap();
    assert_eq!(tokens(&upstream).last().unwrap(), "token-number-3");
}

#[tokio::test]
async fn parallel_requests_wait_for_one_token() {
    let (upstream, endpoint) = (upstream(|token| token == "token-number-1").await, endpoint(3600).await);
    let egress = egress(&upstream, &endpoint);
    let calls = (0..16).map(|_| {
        let (egress, url) = (Arc::clone(&egress), upstream.url("/"));
        tokio::spawn(async move { get(&egress, &url).await.unwrap().status() })
    });
    for status in join_all(calls).await {
        assert_eq!(status.unwrap(), 200);
    }
    // One token for all, and one more for all when that was refused.
    assert_eq!(count(&endpoint), 2);
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_and_then_the_refusal_is_handed_on() {
    let (upstream, endpoint) = (upstream(|_| true).await, endpoint(3600).await);
    let egress = egress(&upstream, &endpoint);
    let answer = get(&egress, &upstream.url("/")).await.unwrap();
    assert_eq!(answer.status(), 401);
    assert_eq!(text(Ok(answer)).await.unwrap(), "no");
    assert_eq!(tokens(&upstream), ["token-number-1", "token-number-2"]);
    // An upstream that refuses them all doesn't have a token fetched for each request.
    for _ in 0..3 {
        assert_eq!(get(&egress, &upstream.url("/")).await.unwrap().status(), 401);
    }
    assert_eq!((count(&upstream), count(&endpoint)), (5, 2));
    advance(10).await;
    assert_eq!(get(&egress, &upstream.url("/")).await.unwrap().status(), 401);
    assert_eq!((count(&upstream), count(&endpoint)), (7, 3));
}

#[tokio::test]
async fn where_no_new_token_can_be_had_the_refusal_is_handed_on() {
    let upstream = upstream(|_| true).await;
    let count_asked = AtomicUsize::new(0);
    let endpoint = Fake::start(move |_| match count_asked.fetch_add(1, Ordering::SeqCst) {
        0 => json("200 OK", r#"{"access_token":"token-number-1","token_type":"bearer"}"#),
        _ => json("500 Oops", ""),
    })
    .await;
    assert_eq!(get(&egress(&upstream, &endpoint), &upstream.url("/")).await.unwrap().status(), 401);
    assert_eq!((count(&upstream), count(&endpoint)), (1, 2));
}

#[tokio::test]
async fn an_endpoint_that_fails_is_left_alone_for_a_while() {
    let upstream = upstream(|_| false).await;
    let endpoint = Fake::fixed("HTTP/1.1 503 No\r\ncontent-length: 9\r\n\r\nits words").await;
    let egress = egress(&upstream, &endpoint);
    let check = async || {
        let refusal = text(get(&egress, &upstream.url("/")).await).await.unwrap_err();
        assert_eq!(refusal, no_token(TokenFault::Status(503)));
        assert_eq!(refusal.name(), "no-token");
        assert_eq!(refusal.to_string(), "no access token for the upstream: 127.0.0.1: answered with status 503");
    };
    for (pause, asked) in [(0, 1), (1, 2), (2, 3), (4, 4)] {
        advance(pause).await;
        check().await;
        // Nobody is asked again as long as no time passes.
        tokio::time::pause();
        check().await;
        check().await;
        tokio::time::resume();
        assert_eq!(count(&endpoint), asked);
    }
    assert_eq!(count(&upstream), 0);
}

#[tokio::test]
async fn answers_of_an_endpoint_that_are_no_token() {
    let large = "x".repeat(65 << 10);
    let long = format!(r#"{{"access_token":"{}","token_type":"bearer"}}"#, "x".repeat(9 << 10));
    for (answer, fault) in [
        ("HTTP/1.1 302 Found\r\nlocation: /next\r\ncontent-length: 0\r\n\r\n".to_owned(), TokenFault::Status(302)),
        ("HTTP/1.1 400 Bad\r\ncontent-length: 0\r\n\r\n".to_owned(), TokenFault::Status(400)),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_owned(), TokenFault::Malformed),
        (format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{large}", large.len()), TokenFault::Malformed),
        (format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{long}", long.len()), TokenFault::Malformed),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf".to_owned(), TokenFault::Malformed),
        ("SSH-2.0\r\n".to_owned(), TokenFault::Unavailable(Fault::Malformed)),
    ] {
        let upstream = upstream(|_| false).await;
        let shown = answer[..answer.len().min(60)].to_owned();
        let endpoint = Fake::start(move |_| Reply::Close(answer.clone().into())).await;
        let refusal = text(get(&egress(&upstream, &endpoint), &upstream.url("/")).await).await.unwrap_err();
        assert_eq!(refusal, no_token(fault), "{shown}");
        assert_eq!((count(&upstream), count(&endpoint)), (0, 1));
    }
}

#[tokio::test]
async fn an_endpoint_with_a_public_name_and_a_private_address_is_refused() {
    let upstream = upstream(|_| false).await;
    let grant = grant(&upstream.url(""), "http://localhost.example/token", ClientAuthentication::Basic);
    let private = FixedResolver { answers: Mutex::new(vec![vec![upstream.address]]) };
    let egress = Egress::with_resolver("demo", &grant, &[bearer(&upstream.url(""))], Arc::new(private)).unwrap();
    let refusal = text(get(&egress, &upstream.url("/")).await).await.unwrap_err();
    assert_eq!(refusal, Refusal::Token { host: "localhost.example".into(), fault: TokenFault::PrivateAddress });
    assert_eq!(count(&upstream), 0);
}

#[tokio::test]
async fn a_call_that_gives_up_does_not_end_the_refresh_of_others() {
    let release = Arc::new(Notify::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let token_url = format!("http://{}/token", listener.local_addr().unwrap());
    let (asked, released) = (Arc::new(Notify::new()), Arc::clone(&release));
    let asking = Arc::clone(&asked);
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut stream, _) = listener.accept().await.unwrap();
        assert_ne!(stream.read(&mut [0; 4096]).await.unwrap(), 0);
        asking.notify_one();
        released.notified().await;
        let body = r#"{"access_token":"token-number-1","token_type":"bearer"}"#;
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
        std::future::pending::<()>().await;
    });
    let upstream = upstream(|_| false).await;
    let grant = grant(&upstream.url(""), &token_url, ClientAuthentication::Basic);
    let egress = Arc::new(Egress::new("demo", &grant, &[bearer(&upstream.url(""))]).unwrap());
    let start = |deadline| {
        let (egress, url) = (Arc::clone(&egress), upstream.url("/"));
        tokio::spawn(async move { text(egress.send(request("GET", &url), Patience::default(), deadline).await).await })
    };
    let cancelled = start(later());
    asked.notified().await;
    let patient = start(later());
    cancelled.abort();
    assert!(cancelled.await.unwrap_err().is_cancelled());
    // Its deadline is over: it doesn't wait.
    assert_eq!(start(until(Instant::now())).await.unwrap().unwrap_err(), no_token(TokenFault::TimedOut));
    release.notify_one();
    assert!(patient.await.unwrap().unwrap().contains("Bearer [redacted]"));
    assert_eq!(tokens(&upstream), ["token-number-1"]);
}

#[tokio::test]
async fn a_silent_endpoint_costs_ten_seconds() {
    let upstream = upstream(|_| false).await;
    let silent = Fake::start(|_| Reply::Hang(vec![])).await;
    let egress = egress(&upstream, &silent);
    let before = Instant::now();
    let call = {
        let (egress, url) = (Arc::clone(&egress), upstream.url("/"));
        tokio::spawn(async move { text(get(&egress, &url).await).await })
    };
    while count(&silent) == 0 {
        tokio::task::yield_now().await;
    }
    tokio::time::pause();
    let asked = Instant::now();
    assert_eq!(call.await.unwrap().unwrap_err(), no_token(TokenFault::TimedOut));
    let (since_before, since_asked) = (before.elapsed().as_secs_f64(), asked.elapsed().as_secs_f64());
    assert!(since_before >= 10.0 && since_asked.round() <= 10.0, "{since_before} {since_asked}");
}

#[tokio::test]
async fn a_changed_client_secret_is_tried_at_once() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, "wrong-client-secret\n").unwrap();
    let upstream = upstream(|_| false).await;
    let endpoint = Fake::start(|request| match request.ends_with("client_secret=right-client-secret") {
        true => json("200 OK", r#"{"access_token":"token-number-1","token_type":"bearer"}"#),
        false => json("401 No", r#"{"error":"invalid_client"}"#),
    })
    .await;
    let mut grant = grant(&upstream.url(""), &endpoint.url("/"), ClientAuthentication::Body);
    let Some(Source::OAuth2(client)) = grant.secrets.get_mut("TOKEN") else { panic!("it is OAuth2") };
    client.client_secret = Stored::File(path.clone());
    let egress = Egress::new("demo", &grant, &[bearer(&upstream.url(""))]).unwrap();
    let ask = async || text(get(&egress, &upstream.url("/")).await).await;
    for pause in [0, 1, 2, 4] {
        advance(pause).await;
        assert_eq!(ask().await.unwrap_err(), no_token(TokenFault::Status(401)));
    }
    // The pause is eight seconds by now, but files are looked at each second.
    std::fs::write(&path, "right-client-secret").unwrap();
    advance(1).await;
    assert!(ask().await.unwrap().contains("Bearer [redacted]"));
    assert_eq!(count(&endpoint), 5);
}

#[tokio::test]
async fn tokens_and_client_secrets_are_scrubbed_from_what_is_repeated() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let endpoint = endpoint(3600).await;
    let all = Mutex::new(String::new());
    let upstream = Fake::start(move |request| {
        let mut all = all.lock().unwrap();
        all.push_str(&token(request));
        all.push(' ');
        // Its first answer is a refusal, so that it has seen two tokens then.
        let status = if all.contains("number-2") { "200 OK" } else { "401 No" };
        let encoded = STANDARD.encode(format!("id:{CLIENT_SECRET}"));
        let form = "bXklM0FpZDpjbGllbnQrc2VjcmV0JTJGb2YlMkJtaW5l";
        let body =
            format!("{all}{CLIENT_SECRET} client%20secret%2Fof%2Bmine {encoded} {form} {}", STANDARD.encode(&*all));
        let head = format!("x-token: {}\r\nlink: <{}>", token(request), token(request));
        Reply::Answer(format!("HTTP/1.1 {status}\r\n{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into())
    })
    .await;
    let egress = egress(&upstream, &endpoint);
    let answer = get(&egress, &upstream.url("/")).await.unwrap();
    assert_eq!(tokens(&upstream), ["token-number-1", "token-number-2"]);
    assert_eq!(answer.headers()["x-token"], "[redacted]");
    assert_eq!(answer.headers()["link"], "<[redacted]>");
    let echoed = text(Ok(answer)).await.unwrap();
    assert!(echoed.starts_with("[redacted] [redacted] [redacted] [redacted] "), "{echoed}");
    for trace in ["token-number", "client secret", "Y2xpZW50", "NsaWVud", "jbGllbn", "dG9rZW4tbnVtYmVy"] {
        assert!(!echoed.contains(trace), "{trace} in {echoed}");
    }
}

#[test]
fn a_client_secret_that_is_missing_is_told() {
    let mut grant = grant("https://a.example", "https://t.example/", ClientAuthentication::Basic);
    let Some(Source::OAuth2(client)) = grant.secrets.get_mut("TOKEN") else { panic!("it is OAuth2") };
    assert!(!format!("{client:?}").contains("client secret"));
    client.client_secret = Stored::Missing(MissingSecret::Env("GONE".to_owned()));
    let error = Egress::new("demo", &grant, &[bearer("https://a.example")]).err().unwrap();
    let told = "secret has no value: TOKEN: environment variable GONE is not set (or empty)";
    assert!(error.to_string().contains(told), "{error}");
}
