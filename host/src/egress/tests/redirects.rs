//! Redirects: where they are followed, each hop is a request like every other.

use http_body_util::Full;
use tracing::Level;

use super::{log::Log, *};

fn redirect(status: u16, location: &str) -> Reply {
    Reply::Answer(format!("HTTP/1.1 {status} x\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n").into())
}

/// The first lines of what a fake was asked for.
fn asked(fake: &Fake) -> Vec<String> {
    fake.requests.lock().unwrap().iter().map(|it| it.split(" HTTP").next().unwrap().to_owned()).collect()
}

/// A plugin that declares and is granted these, each with a credential of its own, and has this many redirects followed.
fn following(redirects: usize, upstreams: &[(&str, &str)]) -> Egress {
    let secrets =
        upstreams.iter().map(|(_, secret)| (secret.to_string(), Source::value(Secret::new(format!("{secret}-value")))));
    let hosts = upstreams.iter().map(|(base_url, _)| at(base_url).into()).collect();
    let grant = Grant { hosts, secrets: secrets.collect(), redirects, ..Grant::default() };
    let credential = |secret: &str| Credential {
        placement: Placement::Header("authorization".into()),
        value: format!("Bearer {{{{{secret}}}}}"),
    };
    let upstreams: Vec<_> =
        upstreams.iter().map(|(base_url, secret)| declared(base_url, vec![credential(secret)])).collect();
    Egress::new("demo", &grant, &upstreams).unwrap()
}

#[tokio::test]
async fn a_hop_has_the_credentials_of_its_own_upstream_and_nothing_that_tells_of_the_caller() {
    let second = Fake::start(echo).await;
    let there = second.url("/b/there?x=1#frag");
    let first = Fake::start(move |_| redirect(302, &there)).await;
    let egress = following(1, &[(&first.url(""), "first-key"), (&second.url("/b"), "second-key")]);
    let log = Log::start(Level::INFO);

    let mut request = request("GET", &first.url("/here"));
    for (name, value) in [("cookie", "session=1"), ("x-api-key", "mine"), ("accept", "text/plain")] {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    text(egress.send(request, Patience::default(), later()).await).await.unwrap();
    assert!(first.last_request().contains("authorization: Bearer first-key-value\r\n"));
    assert!(first.last_request().contains("cookie: session=1\r\n"));
    let seen = second.last_request();
    assert!(seen.starts_with("GET /b/there?x=1 HTTP/1.1\r\n"), "{seen}");
    let mut names: Vec<&str> = seen.lines().skip(1).filter_map(|line| Some(line.split_once(": ")?.0)).collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "accept-encoding", "authorization", "host", "user-agent"]);
    assert!(seen.contains("authorization: Bearer second-key-value\r\n"), "{seen}");

    let (from, to) = (first.address, second.address);
    let bytes = seen.len();
    assert_eq!(
        log.audit(),
        [
            format!(
                r#"hop=0 attempt=1 method="GET" host="127.0.0.1" path="/here" address="{from}" decision="permitted" outcome="redirected" status=302 bytes=0"#
            ),
            format!(
                r#"hop=1 attempt=1 method="GET" host="127.0.0.1" path="/b/there" address="{to}" decision="permitted" outcome="complete" status=200 bytes={bytes}"#
            ),
        ]
    );
}

#[tokio::test]
async fn a_hop_is_denied_like_any_request() {
    let fake =
        Fake::start(|request| redirect(307, request.split("to=").nth(1).unwrap().split(' ').next().unwrap())).await;
    let egress = following(5, &[(&fake.url("/v1"), "some-secret")]);
    let log = Log::start(Level::INFO);
    for (location, rule, shown) in [
        ("http://169.254.169.254/latest/meta-data", "host-not-declared", "http://169.254.169.254/latest/meta-data"),
        ("http://0xa9fea9fe/latest", "host-not-declared", "http://169.254.169.254/latest"),
        ("http://[::ffff:169.254.169.254]/", "host-not-declared", "http://[::ffff:a9fe:a9fe]/"),
        ("http://localhost:1/", "host-not-declared", "http://localhost/"),
        ("../v2/users", "path-not-declared", "http://127.0.0.1/v2/users"),
        ("/v1/%2e%2e/admin", "path-not-declared", "http://127.0.0.1/admin"),
        ("/v1/..%2fadmin", "path-forbidden", "http://127.0.0.1/v1/..%2fadmin"),
        ("http://user:pass@127.0.0.1/v1", "userinfo-forbidden", "http://127.0.0.1/v1"),
        ("https://127.0.0.1/v1", "scheme-not-declared", "https://127.0.0.1/v1"),
        ("ftp://127.0.0.1/v1", "scheme-not-supported", "ftp://127.0.0.1/v1"),
        ("javascript:alert(1)", "scheme-not-supported", "://javascript"),
    ] {
        let refusal = get(&egress, &fake.url(&format!("/v1/go?to={location}"))).await.err().unwrap();
        assert_eq!(refusal.name(), rule, "{location}");
        let told = format!("redirect denied by rule {rule}: GET {shown}");
        assert!(refusal.to_string().starts_with(&told), "{refusal}");
        let line = log.audit().pop().unwrap();
        let denied = format!(r#"decision="{rule}" outcome="denied" bytes=0"#);
        assert!(line.starts_with("hop=1 attempt=1 ") && line.ends_with(&denied), "{line}");
    }
}

#[tokio::test]
async fn a_hop_to_a_name_with_a_private_address_is_denied() {
    let fake =
        Fake::fixed("HTTP/1.1 302 Found\r\nlocation: http://metadata.example/latest\r\ncontent-length: 0\r\n\r\n")
            .await;
    let metadata = SocketAddr::from(([169, 254, 169, 254], 80));
    let bases = [fake.url(""), "http://metadata.example".to_owned()];
    let grant = Grant { hosts: bases.iter().map(|base| at(base).into()).collect(), redirects: 1, ..Grant::default() };
    let upstreams = bases.map(|base| declared(&base, vec![]));
    let resolver = FixedResolver { answers: Mutex::new(vec![vec![metadata]]) };
    let egress = Egress::with_resolver("demo", &grant, &upstreams, Arc::new(resolver)).unwrap();
    let log = Log::start(Level::INFO);
    let refusal = get(&egress, &fake.url("/")).await.err().unwrap();
    assert!(
        refusal
            .to_string()
            .starts_with("redirect denied by rule private-address: GET http://metadata.example/latest\n")
    );
    assert!(log.audit()[1].starts_with(
        r#"hop=1 attempt=1 method="GET" host="metadata.example" path="/latest" address="169.254.169.254" "#
    ));
    assert!(log.audit()[1].ends_with(r#"decision="private-address" outcome="denied" bytes=0"#));
}

#[tokio::test]
async fn a_loop_ends() {
    let fake = Fake::start(|_| redirect(302, "/again")).await;
    let log = Log::start(Level::INFO);
    for redirects in [1, 3] {
        let refusal =
            get(&following(redirects, &[(&fake.url(""), "some-secret")]), &fake.url("/")).await.err().unwrap();
        assert_eq!(refusal, unavailable(Fault::TooManyRedirects));
    }
    assert_eq!(fake.requests.lock().unwrap().len(), 2 + 4);
    let outcomes: Vec<String> =
        log.audit().iter().map(|line| line.split("outcome=").nth(1).unwrap().to_owned()).collect();
    let (followed, last) = (r#""redirected" status=302 bytes=0"#, r#""too-many-redirects" status=302 bytes=0"#);
    assert_eq!(outcomes, [followed, last, followed, followed, followed, last]);
    // Where none is followed, none is too many.
    assert_eq!(get(&following(0, &[(&fake.url(""), "some-secret")]), &fake.url("/")).await.unwrap().status(), 302);
}

#[tokio::test]
async fn a_body_goes_along_or_not() {
    let large = Bytes::from(vec![b'x'; 70_000]);
    for (status, body, expected) in [
        (303, Bytes::from("hello"), vec!["POST /", "GET /next"]),
        (303, large.clone(), vec!["POST /", "GET /next"]),
        (302, Bytes::from("hello"), vec!["POST /", "GET /next"]),
        (307, Bytes::from("hello"), vec!["POST /", "POST /next"]),
        (308, Bytes::from("hello"), vec!["POST /", "POST /next"]),
        // It was too large to be kept, so the redirect is the answer.
        (307, large, vec!["POST /"]),
    ] {
        let fake = Fake::start(move |it| if it.contains("/next") { echo(it) } else { redirect(status, "/next") }).await;
        let egress = following(1, &[(&fake.url(""), "some-secret")]);
        let request = Request::post(fake.url("/")).header("content-type", "text/plain").body(Full::new(body)).unwrap();
        let answer = egress.send(request, Patience::default(), later()).await.unwrap();
        assert_eq!(asked(&fake), expected, "{status}");
        match *expected.last().unwrap() {
            "POST /" => assert_eq!(
                (answer.status().as_u16(), &answer.headers()["location"]),
                (status, &"/next".parse().unwrap())
            ),
            "GET /next" => assert!(!fake.last_request().contains("content-"), "{}", fake.last_request()),
            _ => assert!(fake.last_request().ends_with("\r\n\r\nhello"), "{}", fake.last_request()),
        }
    }
}

#[tokio::test]
async fn a_secret_in_an_address_is_not_followed_but_added_anew() {
    // The upstream repeats the query that it got, with the credential in it.
    let fake = Fake::start(|request| match request.split([' ', '?']).nth(2) {
        Some(query) if request.starts_with("GET /?") => redirect(302, &format!("/next?{query}&a=1")),
        _ => echo(request),
    })
    .await;
    let mut egress = with_secret(&fake.url(""));
    egress.redirects = 1;
    text(get(&egress, &fake.url("/?b=2")).await).await.unwrap();
    assert_eq!(asked(&fake), ["GET /?b=2&key=s3cr3t%2Fvalue%2B1", "GET /next?b=2&a=1&key=s3cr3t%2Fvalue%2B1"]);
}

#[tokio::test]
async fn a_secret_in_the_path_of_a_redirect_goes_nowhere() {
    let fake = Fake::start(|it| match it.contains(" /next") {
        true => echo(it),
        false => redirect(302, "/next/s3cr3t%2Fvalue%2B1"),
    })
    .await;
    let mut egress = with_secret(&fake.url(""));
    egress.redirects = 1;
    let log = Log::start(Level::TRACE);
    text(get(&egress, &fake.url("/")).await).await.unwrap();
    assert!(fake.last_request().starts_with("GET /next/[redacted]?key="), "{}", fake.last_request());
    assert!(log.audit()[1].contains(r#"path="/next/[redacted]" "#), "{:?}", log.audit());
    assert!(!log.text().contains("s3cr3t"));
}

#[tokio::test]
async fn a_redirect_that_leads_nowhere_is_an_answer() {
    for header in ["", "location: /a\r\nlocation: /b\r\n", "location: http://[::1\r\n"] {
        let fake = Fake::fixed(&format!("HTTP/1.1 302 Found\r\n{header}content-length: 0\r\n\r\n")).await;
        let answer = get(&following(3, &[(&fake.url(""), "some-secret")]), &fake.url("/")).await.unwrap();
        assert_eq!(answer.status(), 302, "{header}");
    }
}

#[tokio::test]
async fn a_rewritten_upstream_redirects_within_the_address_that_the_guest_knows() {
    let fake = Fake::start(|it| if it.contains("/next") { echo(it) } else { redirect(302, "next") }).await;
    let rewrites = vec![Rewrite { from: at("https://api.example/v1"), to: at(&fake.url("/simulator")) }];
    let grant = Grant { hosts: vec![at("https://api.example/v1").into()], rewrites, redirects: 1, ..Grant::default() };
    let egress = Egress::new("demo", &grant, &[declared("https://api.example/v1", vec![])]).unwrap();
    text(get(&egress, "https://api.example/v1/users/1").await).await.unwrap();
    assert_eq!(asked(&fake), ["GET /simulator/users/1", "GET /simulator/users/next"]);
}
