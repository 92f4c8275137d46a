//! Fetches one access token with client credentials (RFC 6749, section 4.4).
//!
//! Nothing is kept here: when a token is fetched, and how often, is decided in `token`. What an endpoint says beyond the token
//! goes nowhere, neither to callers nor into the log.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use serde::Deserialize;
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

use super::{
    Context, Patience,
    audit::{Audit, Step},
    clients::Client,
    credentials::{Account, basic},
    refusal::TokenFault,
    spellings::form_encoded,
    transport::{Failure, RequestBody, Transport},
};
use crate::grant::{ClientAuthentication, Secret};

/// The whole exchange with an endpoint. 10 s: endpoints answer in well under one, and callers of an API are waiting for it.
pub(super) const TOKEN_TIMEOUT: Duration = Duration::from_secs(10);

/// An endpoint's answer. 64 KB: tokens with all their claims have a few KB.
const MAX_ANSWER: usize = 64 << 10;

/// A token. 8 KB: what common servers take as one header line; a longer one could be fetched but not used.
const MAX_TOKEN: usize = 8 << 10;

/// The lifetime of a token whose answer doesn't tell it. 5 minutes: shorter than what endpoints give by default; a token that is
/// refused earlier is replaced then.
const UNKNOWN_LIFETIME: Duration = Duration::from_secs(300);

/// The longest lifetime that is believed. A day: a client that has been blocked at the endpoint should notice within a day.
const MAX_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// What an endpoint has given.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) token: Secret,
    /// Counted from before the request was sent.
    pub(super) lifetime: Duration,
}

/// Asks an endpoint for a token, on behalf of what `context` names: it has a line of its own in the audit.
pub(super) async fn fetch(
    plugin: &Arc<str>,
    transport: &Transport,
    client: &Client,
    account: &Account,
    context: &Context,
) -> Result<Fetched, TokenFault> {
    let request = request(client, account);
    let mut audit = Audit::begin(plugin, context, Step { hop: 0, attempt: 1 }, request.method(), request.uri());
    let fetched = ask(transport, request, context.deadline, &mut audit).await;
    match &fetched {
        Ok(_) => audit.ended("complete"),
        Err(fault @ TokenFault::PrivateAddress) => audit.denied(fault.name()),
        Err(fault) => audit.ended(fault.name()),
    }
    fetched
}

async fn ask(
    transport: &Transport,
    request: Request<RequestBody>,
    deadline: Instant,
    audit: &mut Audit,
) -> Result<Fetched, TokenFault> {
    let sent = transport.send(request, Patience::default(), deadline).await;
    audit.sent(&sent);
    let answer = sent.answer.map_err(|failure| match failure {
        Failure::NotPublic(_) | Failure::DeniedAddress(_) => TokenFault::PrivateAddress,
        Failure::Unavailable(fault) => TokenFault::Unavailable(fault),
        Failure::TimedOut(_) => TokenFault::TimedOut,
        Failure::RequestBroken => TokenFault::Malformed,
    })?;
    audit.answered(answer.status().as_u16());
    if !answer.status().is_success() {
        return Err(TokenFault::Status(answer.status().as_u16()));
    }
    let body = timeout_at(deadline, Limited::new(answer.into_body(), MAX_ANSWER).collect()).await;
    let body = body.map_err(|_| TokenFault::TimedOut)?.map_err(|_| TokenFault::Malformed)?.to_bytes();
    audit.received(body.len());
    read(&body).ok_or(TokenFault::Malformed)
}

fn request(client: &Client, account: &Account) -> Request<RequestBody> {
    let mut form = Zeroizing::new("grant_type=client_credentials".to_owned());
    let mut add = |name: &str, value: &str| {
        form.push_str(&format!("&{name}={}", *form_encoded(value)));
    };
    for (name, value) in [("scope", &client.scope), ("audience", &client.audience), ("resource", &client.resource)] {
        if let Some(value) = value {
            add(name, value);
        }
    }
    if client.authentication == ClientAuthentication::Body {
        add("client_id", account.user.expose());
        add("client_secret", account.password.expose());
    }
    let mut request =
        Request::new(Full::from(Bytes::from(form.as_bytes().to_vec())).map_err(|e| match e {}).boxed_unsync());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri(client);
    let headers = request.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(header::USER_AGENT, super::headers::USER_AGENT);
    if client.authentication == ClientAuthentication::Basic {
        // RFC 6749, 2.3.1: both parts are encoded as in a form first, so that a colon in the name can't end it.
        let value = basic(&form_encoded(account.user.expose()), &form_encoded(account.password.expose()));
        headers.insert(header::AUTHORIZATION, value);
    }
    request
}

fn uri(client: &Client) -> Uri {
    let origin = client.token_url.origin();
    Uri::builder()
        .scheme(origin.scheme.as_str())
        .authority(origin.authority())
        .path_and_query(client.token_url.target())
        .build()
        .expect("a token URL has been checked when it was read")
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    token_type: String,
    expires_in: Option<serde_json::Value>,
}

/// Reads an endpoint's answer. Why it can't be read isn't told: the reason could quote the token.
fn read(body: &[u8]) -> Option<Fetched> {
    let answer: Answer = serde_json::from_slice(body).ok()?;
    let token = Secret::new(answer.access_token);
    let is_usable = (1..=MAX_TOKEN).contains(&token.expose().len())
        && token.expose().bytes().all(is_of_token)
        && answer.token_type.eq_ignore_ascii_case("bearer");
    is_usable
        .then(|| Fetched { token, lifetime: answer.expires_in.as_ref().and_then(lifetime).unwrap_or(UNKNOWN_LIFETIME) })
}

/// RFC 6750 allows fewer. What JSON and HTML are built of isn't among them: a token is cut out of every answer, and an endpoint could have
/// pieces of others' answers cut out by calling them its token.
fn is_of_token(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\"\\{}[]<>,".contains(&byte)
}

/// Some endpoints write the number as a text.
fn lifetime(expires_in: &serde_json::Value) -> Option<Duration> {
    let seconds = expires_in.as_f64().or_else(|| expires_in.as_str()?.trim().parse().ok())?;
    // Not a number, negative: nothing that can be believed.
    (seconds >= 0.0).then(|| Duration::try_from_secs_f64(seconds).unwrap_or(MAX_LIFETIME).min(MAX_LIFETIME))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{egress::clients::ClientAccount, grant::TokenUrl};

    #[test]
    fn answers() {
        let token = |expires_in: &str| format!(r#"{{"access_token":"abc","token_type":"bearer"{expires_in}}}"#);
        for (answer, expected) in [
            (token(r#","expires_in":60,"scope":"x""#), Some(60)),
            (token(r#","expires_in":"60""#), Some(60)),
            (token(r#","expires_in":60.9"#), Some(60)),
            (token(r#","expires_in":0"#), Some(0)),
            (token(""), Some(300)),
            (token(r#","expires_in":null"#), Some(300)),
            (token(r#","expires_in":-5"#), Some(300)),
            (token(r#","expires_in":"soon""#), Some(300)),
            (token(r#","expires_in":"NaN""#), Some(300)),
            (token(r#","expires_in":1e300"#), Some(86_400)),
            (token(r#","expires_in":"inf""#), Some(86_400)),
            (token("").replace("bearer", "Bearer"), Some(300)),
            (token("").replace("bearer", "mac"), None),
            (token("").replace("abc", ""), None),
            (token("").replace("abc", "a b"), None),
            (token("").replace("abc", "a\\r\\nx: y"), None),
            (token("").replace("abc", "é"), None),
            (token("").replace("abc", &"x".repeat(MAX_TOKEN)), Some(300)),
            (token("").replace("abc", &"x".repeat(MAX_TOKEN + 1)), None),
            (r#"{"access_token":"abc"}"#.to_owned(), None),
            (r#"{"token_type":"bearer"}"#.to_owned(), None),
            ("access_token=abc&token_type=bearer".to_owned(), None),
            (String::new(), None),
        ] {
            let seconds = read(answer.as_bytes()).map(|fetched| fetched.lifetime.as_secs());
            assert_eq!(seconds, expected, "{}", &answer[..answer.len().min(100)]);
        }
    }

    #[tokio::test]
    async fn requests() {
        let client = |authentication, scope: Option<&str>, audience: Option<&str>| Client {
            token_url: TokenUrl::parse("https://a.example/o/token/?p=1").unwrap(),
            account: ClientAccount::Granted { id: "my:id".to_owned() },
            host: "a.example".to_owned(),
            scope: scope.map(str::to_owned),
            resource: audience.map(|it| format!("{it}/v1")),
            audience: audience.map(str::to_owned),
            authentication,
        };
        use ClientAuthentication::{Basic, Body};
        for (client, authorization, body) in [
            // `my%3Aid:a%2Fb+c%25`
            (client(Basic, None, None), Some("Basic bXklM0FpZDphJTJGYitjJTI1"), "grant_type=client_credentials"),
            (
                client(Body, Some("read write"), Some("https://api.example")),
                None,
                "grant_type=client_credentials&scope=read+write&audience=https%3A%2F%2Fapi.example&\
                 resource=https%3A%2F%2Fapi.example%2Fv1&client_id=my%3Aid&\
                 client_secret=a%2Fb+c%25",
            ),
        ] {
            let secret = |text: &str| Secret::new(text.to_owned());
            let request = request(&client, &Account { user: secret("my:id"), password: secret("a/b c%") });
            assert_eq!(
                (request.method(), request.uri().to_string().as_str()),
                (&Method::POST, "https://a.example/o/token/?p=1")
            );
            let sent = request.headers().get("authorization");
            assert_eq!(sent.map(|value| value.to_str().unwrap()), authorization);
            assert!(sent.is_none_or(HeaderValue::is_sensitive));
            assert_eq!(request.into_body().collect().await.unwrap().to_bytes(), body);
        }
    }
}
