//! Credentials that depend on what the upstream says: basic, digest, and what is told where they can't be made.

use http_body_util::Full;
use tokio::sync::mpsc;

use super::*;
use crate::grant::Pattern;

const UNAUTHORIZED: &str = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 6\r\nwww-authenticate: ";

fn account(placement: Placement) -> Credential {
    Credential { placement, value: "{{USER}}:{{PASSWORD}}".to_owned() }
}

/// A plugin that names itself to `base_url` with an account.
fn with_account(base_url: &str, placement: Placement) -> Egress {
    let secrets = [("USER", "Mufasa:".trim_end_matches(':')), ("PASSWORD", "Circle:of/Life")];
    let secrets = secrets.map(|(name, value)| (name.to_owned(), Source::value(Secret::new(value.to_owned()))));
    let grant = Grant { hosts: vec![at(base_url).into()], secrets: secrets.into(), ..Grant::default() };
    Egress::new("demo", &grant, &[declared(base_url, vec![account(placement)])]).unwrap()
}

/// The value of a header in the text of a request.
fn header<'r>(request: &'r str, name: &str) -> Option<&'r str> {
    request.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn parameter(request: &str, name: &str) -> String {
    let digest = header(request, "authorization").unwrap_or_default();
    let mut pairs = digest.trim_start_matches("Digest ").split(", ").filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value.trim_matches('"').to_owned()).unwrap_or_default()
}

fn post(url: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::post(url).body(Full::new(body.into())).unwrap()
}

#[tokio::test]
async fn basic() {
    let fake = Fake::start(echo).await;
    let echoed = text(get(&with_account(&fake.url(""), Placement::Basic), &fake.url("/x")).await).await.unwrap();
    // `Mufasa:Circle:of/Life`
    assert_eq!(header(&fake.last_request(), "authorization"), Some("Basic TXVmYXNhOkNpcmNsZTpvZi9MaWZl"));
    assert!(echoed.contains("authorization: Basic TXVmYXNhOk[redacted]"), "{echoed}");
}

/// An upstream that lets a nonce be used `uses` times and then says that it is too old.
async fn digesting(uses: u32) -> Fake {
    Fake::start(move |request| {
        let count = u32::from_str_radix(&parameter(request, "nc"), 16).unwrap_or(0);
        let nonce: u32 = parameter(request, "nonce").parse().unwrap_or(0);
        if (1..=uses).contains(&count) {
            return echo(request);
        }
        let next = nonce + 1;
        let stale = if count > uses { ", stale=true" } else { "" };
        let challenge = |algorithm: &str| {
            format!("Digest realm=\"r\", qop=\"auth\", nonce=\"{next}\", algorithm={algorithm}{stale}")
        };
        let challenges = format!("{}, {}", challenge("MD5"), challenge("SHA-256"));
        Reply::Answer(format!("{UNAUTHORIZED}{challenges}\r\n\r\nunused").into())
    })
    .await
}

#[tokio::test]
async fn digest() {
    let fake = digesting(3).await;
    let egress = with_account(&fake.url(""), Placement::Digest);
    let echoed =
        text(egress.send(post(&fake.url("/x?a=b"), "the body"), Patience::default(), later()).await).await.unwrap();
    assert!(echoed.ends_with("the body"), "{echoed}");
    for _ in 0..3 {
        text(get(&egress, &fake.url("/y")).await).await.unwrap();
    }
    let seen = fake.requests.lock().unwrap().clone();
    let sent: Vec<_> =
        seen.iter().map(|request| ["nonce", "nc", "uri", "algorithm"].map(|name| parameter(request, name))).collect();
    let answer = |nonce: &str, count: &str, uri: &str| [nonce, count, uri, "SHA-256"].map(str::to_owned);
    assert_eq!(
        sent,
        [
            [""; 4].map(str::to_owned),
            answer("1", "00000001", "/x?a=b"),
            answer("1", "00000002", "/y"),
            answer("1", "00000003", "/y"),
            // One use too many: a new nonce, and the request once more.
            answer("1", "00000004", "/y"),
            answer("2", "00000001", "/y"),
        ]
    );
    assert!(seen.iter().take(2).all(|request| request.ends_with("the body")), "{seen:?}");
    assert!(seen.iter().all(|request| !request.contains("Circle")), "{seen:?}");
}

#[tokio::test]
async fn a_wrong_password_is_tried_once() {
    let fake = digesting(0).await;
    let answer = get(&with_account(&fake.url(""), Placement::Digest), &fake.url("/")).await.unwrap();
    assert_eq!(answer.status(), 401);
    assert_eq!(text(Ok(answer)).await.unwrap(), "unused");
    assert_eq!(fake.requests.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_challenge_that_is_not_for_the_credential_changes_nothing() {
    for challenge in ["Digest realm=\"r\", nonce=\"1\", qop=\"auth\"", "Bearer", "\"", ""] {
        let fake = Fake::fixed(&format!("{UNAUTHORIZED}{challenge}\r\n\r\nunused")).await;
        for egress in [plain(&fake.url("")), with_secret(&fake.url("")), with_account(&fake.url(""), Placement::Basic)]
        {
            assert_eq!(get(&egress, &fake.url("/")).await.unwrap().status(), 401);
        }
        assert_eq!(fake.requests.lock().unwrap().len(), 3, "{challenge}");
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_to_be_kept_is_sent_once() {
    let fake = digesting(9).await;
    let egress = with_account(&fake.url(""), Placement::Digest);
    let large = vec![b'x'; 100_000];
    let answer = egress.send(post(&fake.url("/"), large.clone()), Patience::default(), later()).await.unwrap();
    assert_eq!(answer.status(), 401);
    // The challenge is known now.
    assert_eq!(egress.send(post(&fake.url("/"), large), Patience::default(), later()).await.unwrap().status(), 200);
    let seen = fake.requests.lock().unwrap().clone();
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|request| request.len() > 100_000));
}

#[tokio::test(start_paused = true)]
async fn the_deadline_holds_for_a_body_that_is_kept() {
    let egress = with_account("http://127.0.0.1:9", Placement::Digest);
    // Its end never comes.
    let (_sender, mut receiver) = mpsc::channel::<Bytes>(1);
    let frames = futures::stream::poll_fn(move |context| {
        receiver.poll_recv(context).map(|chunk| chunk.map(|chunk| Ok::<_, BoxError>(http_body::Frame::data(chunk))))
    });
    let request = Request::post("http://127.0.0.1:9/").body(http_body_util::StreamBody::new(frames)).unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    assert_eq!(egress.send(request, Patience::default(), until(deadline)).await.err().unwrap(), Refusal::RequestBroken);
    assert_eq!(Instant::now(), deadline);
}

#[test]
fn what_is_missing_is_told_all_at_once() {
    let credential = Credential { placement: Placement::Header("x-key".into()), value: "{{KEY}}".into() };
    let upstreams = [
        declared("https://a.example", vec![credential.clone()]),
        declared("https://b.example", vec![credential, account(Placement::Digest)]),
        declared("https://not-granted.example", vec![account(Placement::Basic)]),
    ];
    let hosts = vec![at("https://a.example").into(), at("https://b.example").into()];
    let password = Source::Stored(crate::grant::Stored::File("/nowhere/password".into()));
    let secrets = [("PASSWORD".to_owned(), password)].into();
    let grant = Grant { hosts, secrets, ..Grant::default() };
    let error = Egress::new("demo", &grant, &upstreams).err().unwrap();
    assert_eq!(
        error.to_string(),
        "plugin can't use its grant: demo\n  secret is not granted: KEY\n  secret is not granted: USER\n  secret has no value: \
         PASSWORD: secret file /nowhere/password: No such file or directory (os error 2)\nadd to airlock.toml:\n[grants.demo]\n\
         secrets.KEY = { env = \"KEY\" }\nsecrets.USER = { env = \"USER\" }"
    );
}

#[tokio::test]
async fn each_host_behind_a_star_poses_its_own_challenge() {
    let (one, other) = (digesting(9).await, digesting(9).await);
    let hosts = ["one.api.example", "two.api.example"];
    let to = |host: &str, fake: &Fake| Rewrite { from: at(&format!("http://{host}")), to: at(&fake.url("")) };
    let mut grant = Grant { hosts: vec![Pattern::parse("http://*.api.example").unwrap()], ..Grant::default() };
    grant.rewrites = vec![to(hosts[0], &one), to(hosts[1], &other)];
    grant.secrets = ["USER", "PASSWORD"]
        .map(|name| (name.to_owned(), Source::value(Secret::new(format!("the value of {name}")))))
        .into();
    let upstream = declared("http://*.api.example", vec![account(Placement::Digest)]);
    let egress = Egress::new("demo", &grant, &[upstream]).unwrap();
    for _ in 0..3 {
        for host in hosts {
            assert_eq!(get(&egress, &format!("http://{host}/")).await.unwrap().status(), 200);
        }
    }
    for fake in [&one, &other] {
        let seen = fake.requests.lock().unwrap().clone();
        let counts: Vec<_> = seen.iter().map(|request| parameter(request, "nc")).collect();
        assert_eq!(counts, ["", "00000001", "00000002", "00000003"]);
    }
}
