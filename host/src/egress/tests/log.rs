//! What is logged: one line about each request, and no secret at any level.

use std::{
    io,
    sync::{Arc, Mutex},
};

use tracing::{Dispatch, subscriber::NoSubscriber};

use super::*;

/// Everything that is logged on this thread, by any crate, at any level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn each_request_is_one_line_in_the_log_and_no_secret_is_in_it() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .without_time()
        .with_writer(move || writer.clone())
        .finish();
    let subscriber = Dispatch::new(subscriber);
    // With a single subscriber in the process, tracing lets the thread that comes first to a log statement decide for all
    // threads whether it is on; the other tests' threads have no subscriber and would turn it off. With two it asks both.
    let _second = Dispatch::new(NoSubscriber::default());
    let _guard = tracing::dispatcher::set_default(&subscriber);

    let fake = Fake::start(echo).await;
    let egress = with_secret(&fake.url(""));
    let length = text(get(&egress, &fake.url("/whole?q=private")).await).await.unwrap().len();
    drop(get(&egress, &fake.url("/dropped")).await.unwrap());
    drop(get(&egress, "http://evil.example/denied").await);

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<&str> = log
        .lines()
        .filter_map(|line| line.split_once("airlock::audit: outbound request "))
        .filter_map(|(_, fields)| fields.split(" ms=").next())
        .collect();
    let received = fake.requests.lock().unwrap()[0].len();
    assert!(length < received, "secrets were removed");
    let answered = "decision=\"permitted\" outcome=";
    assert_eq!(
        lines,
        [
            format!(r#"plugin="demo" method="GET" host="127.0.0.1" path="/whole" {answered}"complete" status=200 bytes={received}"#),
            format!(r#"plugin="demo" method="GET" host="127.0.0.1" path="/dropped" {answered}"abandoned" status=200 bytes=0"#),
            r#"plugin="demo" method="GET" host="evil.example" path="/denied" decision="host-not-declared" outcome="denied" bytes=0"#.to_owned(),
        ]
    );
    assert!(log.contains("TRACE hyper_util"), "the libraries' lines are looked at too");
    for spelling in spellings::of(&Secret::new(SECRET.to_owned())) {
        assert!(!log.contains(spelling.as_str()), "{log}");
    }
}
