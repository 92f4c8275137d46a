//! The mediator as a whole, against upstreams on 127.0.0.1. Here is what the tests share.

mod answers;
mod authentication;
mod connections;
mod declared_tokens;
pub(crate) mod fake;
mod hostile;
mod log;
mod properties;
mod redirects;
mod requests;
mod retries;
mod rotation;
mod tls;
mod tokens;

use std::{net::SocketAddr, sync::Mutex, time::Duration};

use http_body_util::{BodyExt, Empty};

use self::fake::{Fake, FixedResolver, Reply};
use super::*;
use crate::{
    contract::{Credential, Placement},
    grant::{Destination, Grant, Limits, Pattern, Rewrite, Secret, Source},
};

const SECRET: &str = "s3cr3t/value+1";

fn at(text: &str) -> Destination {
    Destination::parse(text).unwrap()
}

fn declared(base_url: &str, credentials: Vec<Credential>) -> Upstream {
    let methods = ["GET", "HEAD", "POST"].map(String::from).into();
    Upstream { base_url: base_url.to_owned(), methods, credentials, name: None }
}

/// A plugin that declares and is granted `base_url`, without credentials.
fn plain(base_url: &str) -> Egress {
    let grant = Grant { hosts: vec![at(base_url).into()], ..Grant::default() };
    Egress::new("demo", &grant, &[declared(base_url, vec![])]).unwrap()
}

/// The same within these limits.
fn limited(base_url: &str, limits: Limits) -> Egress {
    let grant = Grant { hosts: vec![at(base_url).into()], limits, ..Grant::default() };
    Egress::new("demo", &grant, &[declared(base_url, vec![])]).unwrap()
}

/// The same with the secret in a header and in the query.
fn with_secret(base_url: &str) -> Egress {
    let credentials = vec![
        Credential { placement: Placement::Header("Authorization".into()), value: "Bearer {{KEY}}".into() },
        Credential { placement: Placement::Query("key".into()), value: "{{KEY}}".into() },
    ];
    let secrets = [("KEY".to_owned(), Source::value(Secret::new(SECRET.to_owned())))].into();
    let grant = Grant { hosts: vec![at(base_url).into()], secrets, ..Grant::default() };
    Egress::new("demo", &grant, &[declared(base_url, credentials)]).unwrap()
}

/// Longer than any test takes; with the paused clock, longer than every other limit.
fn later() -> Context {
    until(Instant::now() + Duration::from_secs(3600))
}

fn until(deadline: Instant) -> Context {
    Context { operation: "list-users".into(), caller: "tester".into(), deadline }
}

fn request(method: &str, url: &str) -> Request<Empty<Bytes>> {
    Request::builder().method(method).uri(url).body(Empty::new()).unwrap()
}

async fn get(egress: &Egress, url: &str) -> Result<Response<Body>, Refusal> {
    egress.send(request("GET", url), Patience::default(), later()).await
}

/// The whole answer as text, or why it broke off.
async fn text(answer: Result<Response<Body>, Refusal>) -> Result<String, Refusal> {
    let bytes = answer?.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8(bytes.to_vec()).unwrap())
}

fn unavailable(fault: Fault) -> Refusal {
    Refusal::Unavailable { host: "127.0.0.1".to_owned(), fault }
}

fn timed_out(wait: Wait) -> Refusal {
    Refusal::TimedOut { host: "127.0.0.1".to_owned(), wait }
}

fn echo(request: &str) -> Reply {
    let first = request.lines().next().unwrap_or_default();
    Reply::Answer(
        format!("HTTP/1.1 200 OK\r\nx-echo: {first}\r\ncontent-length: {}\r\n\r\n{request}", request.len()).into(),
    )
}

fn resolving(answers: Vec<Vec<SocketAddr>>, base_url: &str, rewrites: Vec<Rewrite>) -> Egress {
    let grant = Grant { hosts: vec![at(base_url).into()], rewrites, ..Grant::default() };
    let resolver = FixedResolver { answers: Mutex::new(answers) };
    Egress::with_resolver("demo", &grant, &[declared(base_url, vec![])], Arc::new(resolver)).unwrap()
}
