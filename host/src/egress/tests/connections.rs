//! Where connections go, how they fail and how often they are used.

use std::{io, net::SocketAddr};

use futures::future::BoxFuture;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpSocket},
};

use super::*;
use crate::grant::{Addresses, parse_range};

#[tokio::test]
async fn a_public_name_with_a_private_address_is_refused() {
    let fake = Fake::fixed("HTTP/1.1 204 No Content\r\n\r\n").await;
    let base = format!("http://api.example:{}", fake.address.port());
    let public = SocketAddr::from(([8, 8, 8, 8], 80));
    for addresses in [vec![fake.address], vec![public, fake.address], vec![fake.address, public]] {
        let refusal = get(&resolving(vec![addresses], &base, vec![]), &format!("{base}/x")).await.err().unwrap();
        assert_eq!(
            refusal.to_string(),
            format!(
                "request denied by rule private-address: GET http://api.example/x\nthe name resolves to a private address; if that is \
                 right, add the address or its network to addresses.allow of the plugin's grant, or vouch for this name, whatever it \
                 resolves to, by adding to airlock.toml:\n[grants.demo]\nupstreams.\"{base}\" = \"{base}\""
            )
        );
    }
    assert_eq!(fake.connections(), 0);
}

#[tokio::test]
async fn a_denied_address_is_refused_whoever_named_it() {
    let fake = Fake::fixed("HTTP/1.1 204 No Content\r\n\r\n").await;
    let name = format!("http://api.example:{}", fake.address.port());
    let addresses = || Addresses { allow: vec![], deny: vec![parse_range("127.0.0.0/8").unwrap()] };
    for (base, rewrites) in
        [(fake.url(""), vec![]), (name.clone(), vec![Rewrite { from: at(&name), to: at(&fake.url("")) }])]
    {
        let grant = Grant { hosts: vec![at(&base).into()], addresses: addresses(), rewrites, ..Grant::default() };
        let egress = Egress::new("demo", &grant, &[declared(&base, vec![])]).unwrap();
        let refusal = get(&egress, &format!("{base}/x")).await.err().unwrap();
        assert_eq!(refusal.name(), "denied-address");
        assert!(refusal.to_string().ends_with(
            "\nits address lies in a range that airlock.toml denies, under addresses.deny in [grants.demo]"
        ));
        // Addresses are for the log.
        assert!(!refusal.to_string().contains("127.0.0.0"), "{refusal}");
    }
    assert_eq!(fake.connections(), 0);
}

#[tokio::test]
async fn a_name_may_resolve_into_an_allowed_range() {
    let fake = Fake::fixed("HTTP/1.1 204 No Content\r\n\r\n").await;
    let base = format!("http://api.example:{}", fake.address.port());
    let allow = vec![parse_range("127.0.0.0/24").unwrap()];
    let addresses = Addresses { allow, deny: vec![] };
    let grant = Grant { hosts: vec![at(&base).into()], addresses, ..Grant::default() };
    let resolver = FixedResolver { answers: Mutex::new(vec![vec![fake.address]]) };
    let egress = Egress::with_resolver("demo", &grant, &[declared(&base, vec![])], Arc::new(resolver)).unwrap();
    assert_eq!(get(&egress, &format!("{base}/x")).await.unwrap().status(), 204);
}

#[tokio::test]
async fn the_checked_address_is_the_one_that_is_used() {
    let fake = Fake::fixed("HTTP/1.1 204 No Content\r\n\r\n").await;
    let base = format!("http://api.example:{}", fake.address.port());
    let vouched = vec![Rewrite { from: at(&base), to: at(&base) }];
    // A second lookup would fail.
    let egress = resolving(vec![vec![fake.address]], &base, vouched);
    assert_eq!(get(&egress, &format!("{base}/x")).await.unwrap().status(), 204);
    assert!(fake.last_request().contains(&format!("host: api.example:{}\r\n", fake.address.port())));
}

#[tokio::test]
async fn a_name_that_does_not_resolve() {
    for answers in [vec![], vec![vec![]]] {
        let refusal =
            get(&resolving(answers, "http://api.example", vec![]), "http://api.example/").await.err().unwrap();
        assert_eq!(refusal, Refusal::Unavailable { host: "api.example".into(), fault: Fault::Resolve });
    }
}

#[tokio::test(start_paused = true)]
async fn connecting_takes_ten_seconds_at_most() {
    let grant = Grant { hosts: vec![at("https://api.example").into()], ..Grant::default() };
    let upstreams = [declared("https://api.example", vec![])];
    let egress = Egress::with_resolver("demo", &grant, &upstreams, Arc::new(SilentResolver)).unwrap();
    let started = Instant::now();
    let refusal = get(&egress, "https://api.example/").await.err().unwrap();
    assert_eq!(refusal, Refusal::TimedOut { host: "api.example".into(), wait: Wait::Connect });
    assert_eq!(started.elapsed().as_secs(), 10);
}

#[tokio::test]
async fn an_upstream_that_can_not_be_reached() {
    // Nothing listens on the port, and nobody else can while we hold it.
    let held = TcpSocket::new_v4().unwrap();
    held.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}/", held.local_addr().unwrap());
    assert_eq!(text(get(&plain(&url), &url).await).await.unwrap_err(), unavailable(Fault::Connect));

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { drop(listener.accept().await.unwrap().0.write_all(b"plain text\r\n").await) });
    assert_eq!(text(get(&plain(&url), &url).await).await.unwrap_err(), unavailable(Fault::Tls));
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let fake = Fake::fixed("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let egress = plain(&fake.url(""));
    for _ in 0..3 {
        assert_eq!(text(get(&egress, &fake.url("/")).await).await.unwrap(), "ok");
    }
    assert_eq!(fake.connections(), 1);
    // Another plugin has its own.
    assert_eq!(text(get(&plain(&fake.url("")), &fake.url("/")).await).await.unwrap(), "ok");
    assert_eq!(fake.connections(), 2);
}

#[tokio::test]
async fn calls_share_the_mediator() {
    let fake = Fake::start(echo).await;
    let egress = Arc::new(with_secret(&fake.url("")));
    let calls = (0..20).map(|call| {
        let (egress, url) = (Arc::clone(&egress), fake.url(&format!("/{call}")));
        tokio::spawn(async move { text(get(&egress, &url).await).await.unwrap() })
    });
    for (call, answer) in futures::future::join_all(calls).await.into_iter().enumerate() {
        assert!(answer.unwrap().starts_with(&format!("GET /{call}?key=[redacted] ")));
    }
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_does_no_harm() {
    let fake = Fake::start(|_| Reply::Close(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_vec())).await;
    let egress = plain(&fake.url(""));
    for _ in 0..5 {
        assert_eq!(text(get(&egress, &fake.url("/")).await).await.unwrap(), "ok");
    }
}

/// Never answers.
struct SilentResolver;

impl Resolve for SilentResolver {
    fn resolve(&self, _: String, _: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test(start_paused = true)]
async fn a_plugin_may_be_less_patient_than_its_grant_and_never_more() {
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    let limits = Limits { first_byte: seconds(20), idle: Duration::from_secs(20), ..Limits::default() };
    let once = Retries { most: 0, ..Retries::default() };
    let half = || Reply::Hang(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf".to_vec());
    for (asked, after) in [(None, 20), (seconds(3), 3), (seconds(3600), 20), (Some(Duration::MAX), 20)] {
        let silent = Fake::start(|_| Reply::Hang(Vec::new())).await;
        let stopping = Fake::start(move |_| half()).await;
        for (fake, patience, wait) in [
            (&silent, Patience { first_byte: asked, ..Patience::default() }, Wait::FirstByte),
            (&stopping, Patience { idle: asked, ..Patience::default() }, Wait::Idle),
        ] {
            let started = Instant::now();
            let hosts = vec![at(&fake.url("")).into()];
            let grant = Grant { hosts, limits: limits.clone(), retries: once.clone(), ..Grant::default() };
            let egress = Egress::new("demo", &grant, &[declared(&fake.url(""), vec![])]).unwrap();
            let answer = egress.send(request("GET", &fake.url("/")), patience, later()).await;
            assert_eq!(text(answer).await.unwrap_err(), timed_out(wait), "{asked:?}");
            assert_eq!(started.elapsed().as_secs(), after, "{asked:?}");
        }
    }
    for (asked, after) in [(None, 10), (seconds(3), 3), (seconds(3600), 10)] {
        let grant = Grant { hosts: vec![at("https://api.example").into()], ..Grant::default() };
        let upstreams = [declared("https://api.example", vec![])];
        let egress = Egress::with_resolver("demo", &grant, &upstreams, Arc::new(SilentResolver)).unwrap();
        let started = Instant::now();
        let patience = Patience { connect: asked, ..Patience::default() };
        let refusal = egress.send(request("GET", "https://api.example/"), patience, later()).await.err().unwrap();
        assert_eq!(refusal, Refusal::TimedOut { host: "api.example".into(), wait: Wait::Connect });
        assert_eq!(started.elapsed().as_secs(), after, "{asked:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn requests_end_before_their_call_and_a_hanging_upstream_has_the_blame() {
    for (wall_ms, left_ms) in [(30_000, 29_950), (500, 450), (100, 90), (1, 0)] {
        let context = Context::begin("op".into(), "me".into(), Duration::from_millis(wall_ms));
        assert_eq!((context.deadline - Instant::now()).as_millis(), left_ms);
    }
    let fake = Fake::start(|_| Reply::Hang(Vec::new())).await;
    let egress = plain(&fake.url(""));
    let ask = async || {
        let context = Context::begin("op".into(), "me".into(), Duration::from_secs(1));
        egress.send(request("GET", &fake.url("/")), Patience::default(), context).await.err().unwrap()
    };
    let wall = Duration::from_secs(1);
    for _ in 0..20 {
        assert_eq!(tokio::time::timeout(wall, ask()).await, Ok(timed_out(Wait::Call)));
    }
    assert_eq!(ask().await.name(), "circuit-open");
}
