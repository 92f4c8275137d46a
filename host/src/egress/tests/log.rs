//! What is logged: a line about each request, no secret at any level, and nothing that a stranger could forge.

use std::{
    io,
    sync::{Arc, Mutex},
};

use tracing::{Dispatch, Level, dispatcher::DefaultGuard, subscriber::NoSubscriber};
use tracing_subscriber::fmt::MakeWriter;

use super::*;
use crate::grant::{ClientAuthentication, ClientCredentials, Stored, TokenUrl};

fn with_token(base_url: &str, token_url: &str, authentication: ClientAuthentication, client_secret: &str) -> Egress {
    let client = token_client(token_url, authentication, client_secret);
    Egress::new("demo", &granting(base_url, client), &[bearer(base_url)]).unwrap()
}

fn token_client(token_url: &str, authentication: ClientAuthentication, client_secret: &str) -> ClientCredentials {
    ClientCredentials {
        token_url: TokenUrl::parse(token_url).unwrap(),
        client_id: "me".to_owned(),
        client_secret: Stored::Value(Secret::new(client_secret.to_owned())),
        scope: None,
        audience: None,
        authentication,
    }
}

fn granting(base_url: &str, client: ClientCredentials) -> Grant {
    let secrets = [("TOKEN".to_owned(), Source::OAuth2(Box::new(client)))].into();
    Grant { hosts: vec![at(base_url).into()], secrets, ..Grant::default() }
}

fn bearer(base_url: &str) -> Upstream {
    let value = "Bearer {{TOKEN}}".to_owned();
    declared(base_url, vec![Credential { placement: Placement::Header("authorization".into()), value }])
}

/// Everything that is logged on this thread, by any crate, from the time when it was started.
pub(super) struct Log {
    text: Text,
    _subscriber: DefaultGuard,
    /// With a single subscriber in the process, tracing lets the thread that comes first to a log statement decide for all
    /// threads whether it is on; the other tests' threads have no subscriber and would turn it off. With two it asks both.
    _second: Dispatch,
}

#[derive(Clone, Default)]
struct Text(Arc<Mutex<Vec<u8>>>);

impl io::Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Text {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl Log {
    pub(super) fn start(level: Level) -> Self {
        let text = Text::default();
        let format = tracing_subscriber::fmt().with_ansi(false).without_time();
        Self::with(text.clone(), Dispatch::new(format.with_max_level(level).with_writer(text).finish()))
    }

    fn json() -> Self {
        let text = Text::default();
        Self::with(text.clone(), Dispatch::new(tracing_subscriber::fmt().json().with_writer(text).finish()))
    }

    fn with(text: Text, subscriber: Dispatch) -> Self {
        let second = Dispatch::new(NoSubscriber::default());
        Self { text, _subscriber: tracing::dispatcher::set_default(&subscriber), _second: second }
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8(self.text.0.lock().unwrap().clone()).unwrap()
    }

    /// The audit's lines from the hop on, without their times.
    pub(super) fn audit(&self) -> Vec<String> {
        let text = self.text();
        let lines = text.lines().filter_map(|line| line.split_once("airlock::audit: outbound request "));
        let begun = r#"plugin="demo" operation="list-users" caller="tester" "#;
        let fields = lines.map(|(_, fields)| fields.strip_prefix(begun).unwrap_or(fields));
        fields.filter_map(|fields| fields.split(" ms=").next()).map(str::to_owned).collect()
    }
}

#[tokio::test]
async fn each_request_is_one_line_in_the_log_and_no_secret_is_in_it() {
    let log = Log::start(Level::TRACE);
    let fake = Fake::start(echo).await;
    let egress = with_secret(&fake.url(""));
    let length = text(get(&egress, &fake.url("/whole?q=private")).await).await.unwrap().len();
    drop(get(&egress, &fake.url("/dropped")).await.unwrap());
    drop(get(&egress, "http://evil.example/denied").await);

    let received = fake.requests.lock().unwrap()[0].len();
    assert!(length < received, "secrets were removed");
    // The second request has another connection's place in the pool, so its address comes from the pool.
    let address = fake.address;
    assert_eq!(fake.connections(), 1);
    let answered = format!(r#"address="{address}" decision="permitted" outcome="#);
    assert_eq!(
        log.audit(),
        [
            format!(r#"hop=0 attempt=1 method="GET" host="127.0.0.1" path="/whole" {answered}"complete" status=200 bytes={received}"#),
            format!(r#"hop=0 attempt=1 method="GET" host="127.0.0.1" path="/dropped" {answered}"abandoned" status=200 bytes=0"#),
            r#"hop=0 attempt=1 method="GET" host="evil.example" path="/denied" decision="host-not-declared" outcome="denied" bytes=0"#.to_owned(),
        ]
    );
    let log = log.text();
    assert!(log.contains(r#"plugin="demo" operation="list-users" caller="tester" hop=0"#), "{log}");
    check_hidden(&log, SECRET);
}

fn check_hidden(log: &str, secret: &str) {
    assert!(
        log.lines().any(|line| line.contains("TRACE") && line.contains(" hyper_util::")),
        "the libraries' lines are looked at too"
    );
    for spelling in spellings::of(&Secret::new(secret.to_owned())) {
        assert!(!log.contains(spelling.as_str()), "{spelling:?} in {log}");
    }
}

#[tokio::test]
async fn each_token_request_is_one_line_in_the_log_and_neither_token_nor_client_secret_is_in_it() {
    let (client_secret, token) = ("client/secret+value", "the-token-of-the-client");
    let answer = format!(r#"{{"access_token":"{token}","token_type":"bearer"}}"#);
    let endpoint = Fake::fixed(&format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{answer}", answer.len())).await;
    let fake = Fake::start(echo).await;
    for authentication in [ClientAuthentication::Basic, ClientAuthentication::Body] {
        let log = Log::start(Level::TRACE);
        let egress = with_token(&fake.url(""), &endpoint.url("/token"), authentication, client_secret);
        text(get(&egress, &fake.url("/")).await).await.unwrap();
        assert!(fake.last_request().contains(token));
        let line = format!(
            r#"airlock::audit: outbound request plugin="demo" operation="token:TOKEN" caller="host" hop=0 attempt=1 method="POST" host="127.0.0.1" path="/token" address="{}" decision="permitted" outcome="complete" status=200 bytes={} ms="#,
            endpoint.address,
            answer.len()
        );
        let log = log.text();
        assert_eq!(log.matches(&line).count(), 1, "{log}");
        for secret in [client_secret, "client%2Fsecret%2Bvalue", token] {
            check_hidden(&log, secret);
        }
    }
}

#[tokio::test]
async fn a_token_request_that_fails_has_its_line_too() {
    let no = |status: &str| format!("HTTP/1.1 {status}\r\ncontent-length: 4\r\n\r\nnope");
    for (answer, told) in [
        (no("401 Unauthorized"), r#"decision="permitted" outcome="no-token" status=401 bytes=0"#),
        (no("200 OK"), r#"decision="permitted" outcome="no-token" status=200 bytes=4"#),
        ("SSH-2.0\r\n".to_owned(), r#"decision="permitted" outcome="unavailable" bytes=0"#),
    ] {
        let endpoint = Fake::fixed(&answer).await;
        let log = Log::start(Level::INFO);
        let base = "http://127.0.0.1:9";
        let egress = with_token(base, &endpoint.url("/token?not=told"), ClientAuthentication::Basic, "unused");
        get(&egress, base).await.err().unwrap();
        let line = format!(r#"path="/token" address="{}" {told} ms="#, endpoint.address);
        assert_eq!(log.text().matches(&line).count(), 1, "{}", log.text());
    }
}

#[tokio::test]
async fn a_token_request_to_a_private_address_is_told_with_the_address() {
    let fake = Fake::fixed("HTTP/1.1 204 No Content\r\n\r\n").await;
    let resolver = FixedResolver { answers: Mutex::new(vec![vec![fake.address]]) };
    let base = "http://127.0.0.1:9";
    let client = token_client("http://login.example/token", ClientAuthentication::Basic, "unused");
    let log = Log::start(Level::INFO);
    let (grant, upstream) = (granting(base, client), bearer(base));
    let egress = Egress::with_resolver("demo", &grant, &[upstream], Arc::new(resolver)).unwrap();
    get(&egress, base).await.err().unwrap();
    let line =
        r#"host="login.example" path="/token" address="127.0.0.1" decision="private-address" outcome="denied" bytes=0"#;
    assert_eq!(log.text().matches(line).count(), 1, "{}", log.text());
    assert_eq!(fake.connections(), 0);
}

const FORGED: &str = "x\" decision=\"permitted\"\n INFO airlock::audit: outbound request\r\u{1b}[2K\u{2028}\u{202e}\0";

async fn ask_with_a_forged_name() {
    let context = Context { operation: FORGED.into(), caller: FORGED.into(), ..later() };
    let egress = Egress::new(FORGED, &Grant::default(), &[]).unwrap();
    drop(egress.send(request("GET", "http://evil.example/"), Patience::default(), context).await);
}

#[tokio::test]
async fn a_line_can_not_be_forged() {
    let log = Log::start(Level::INFO);
    ask_with_a_forged_name().await;
    let text = log.text();
    assert_eq!(text.lines().count(), 1, "{text}");
    let line = text.strip_suffix('\n').unwrap();
    assert!(!line.chars().any(|it| it.is_control() || "\u{2028}\u{202e}".contains(it)), "{line:?}");
    assert_eq!(line.matches(r#" decision=""#).count(), 1, "{line}");
    let escaped = r#"caller="x\" decision=\"permitted\"\n INFO airlock::audit: outbound request\r\u{1b}[2K\u{2028}\u{202e}\0" hop=0"#;
    assert!(line.contains(escaped), "{line}");
}

#[tokio::test]
async fn a_line_of_json_can_not_be_forged() {
    let log = Log::json();
    ask_with_a_forged_name().await;
    let text = log.text();
    assert_eq!(text.lines().count(), 1, "{text}");
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    let fields = &line["fields"];
    for name in ["plugin", "operation", "caller"] {
        assert_eq!(fields[name], FORGED);
    }
    assert_eq!((&fields["decision"], &fields["outcome"]), (&"host-not-declared".into(), &"denied".into()));
}
