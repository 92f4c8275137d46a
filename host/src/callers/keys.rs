//! The public keys of an issuer: fetched when they are needed, kept, and fetched again when they are old or a token names another.
//!
//! One fetch at a time, and at most one in a while, whatever callers send: a key that doesn't exist is asked for by anybody.

use std::{pin::Pin, sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use jsonwebtoken::jwk::Jwk;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};
use url::Url;

use crate::egress;

/// How old keys may get before they are fetched again. 10 minutes: a key that an issuer withdraws is of no use any more after that.
const FRESH: Duration = Duration::from_secs(10 * 60);

/// How old keys may get where they can't be fetched again. An hour: an issuer's outage isn't ours at once, and keys aren't believed
/// for ever.
const USABLE: Duration = Duration::from_secs(60 * 60);

/// The least time between two fetches. 10 s: a new key is known soon after its first token, and an issuer isn't asked more often
/// than it would notice, however many tokens with unknown keys come.
const INTERVAL: Duration = Duration::from_secs(10);

/// How long an issuer may take for either document.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The largest document. 256 KB: those of the largest issuers have 10.
const MAX_DOCUMENT: usize = 256 << 10;

/// The keys of an issuer, as far as they can be read: what is meant for others may be of kinds unknown here.
type KeySet = Vec<Jwk>;

/// Fetches the keys; why it can't is for the log.
pub(super) type Fetch = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<KeySet, String>> + Send>> + Send + Sync>;

/// What becomes of a search for a key.
#[derive(Debug, PartialEq)]
pub(super) enum Lookup {
    /// Here it is.
    Found(Box<Jwk>),
    /// The issuer has no such key.
    Unknown,
    /// There are no keys to look into.
    Unavailable,
}

/// The keys of one issuer.
pub(super) struct Keys {
    fetch: Fetch,
    fetched: ArcSwapOption<Fetched>,
    /// When the last fetch ended. Held while one is under way: those who wait for it find what it has brought.
    attempted: Mutex<Option<Instant>>,
}

struct Fetched {
    keys: KeySet,
    at: Instant,
}

impl Keys {
    pub(super) fn new(fetch: Fetch) -> Arc<Self> {
        Arc::new(Self { fetch, fetched: ArcSwapOption::empty(), attempted: Mutex::new(None) })
    }

    /// The key of this name; of a token that names none, the only one.
    pub(super) async fn find(self: &Arc<Self>, kid: Option<&str>) -> Lookup {
        if let Lookup::Found(key) = self.look(kid, FRESH) {
            return Lookup::Found(key);
        }
        // In a task of its own: a caller who goes away doesn't stop what others wait for.
        let refreshing = tokio::spawn(refresh(self.clone()));
        if refreshing.await.is_err() {
            return Lookup::Unavailable;
        }
        match self.look(kid, USABLE) {
            // Whether there is a new key of this name isn't known while the issuer can't be asked.
            Lookup::Unknown if self.look(kid, INTERVAL) == Lookup::Unavailable => Lookup::Unavailable,
            found => found,
        }
    }

    fn look(&self, kid: Option<&str>, age: Duration) -> Lookup {
        let fetched = self.fetched.load();
        let Some(fetched) = fetched.as_ref().filter(|it| it.at.elapsed() < age) else {
            return Lookup::Unavailable;
        };
        let found = match (kid, &fetched.keys[..]) {
            (Some(_), keys) => keys.iter().find(|key| key.common.key_id.as_deref() == kid),
            (None, [only]) => Some(only),
            (None, _) => None,
        };
        found.map_or(Lookup::Unknown, |key| Lookup::Found(Box::new(key.clone())))
    }
}

async fn refresh(keys: Arc<Keys>) {
    let mut attempted = keys.attempted.lock().await;
    if attempted.is_some_and(|at| at.elapsed() < INTERVAL) {
        return;
    }
    match (keys.fetch)().await {
        Ok(fetched) => keys.fetched.store(Some(Arc::new(Fetched { keys: fetched, at: Instant::now() }))),
        Err(reason) => tracing::warn!(reason, "the keys of an issuer can't be fetched"),
    }
    *attempted = Some(Instant::now());
}

/// Fetches the keys by the issuer's metadata (OpenID Connect Discovery 1.0). Redirects aren't followed.
pub(super) async fn fetch(issuer: String, metadata: Url) -> Result<KeySet, String> {
    #[derive(Deserialize)]
    struct Metadata {
        issuer: String,
        jwks_uri: String,
    }
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<Value>,
    }
    let found: Metadata = get(&metadata).await?;
    if found.issuer != issuer {
        return Err(format!("{metadata}: is the metadata of another issuer; expected {issuer} to the letter"));
    }
    let keys = Url::parse(&found.jwks_uri).map_err(|e| format!("{metadata}: jwks_uri: {e}"))?;
    // What is fetched in the clear, an issuer on this machine alone may give, and it gives its own.
    if keys.scheme() != "https" && keys.origin() != metadata.origin() {
        return Err(format!("{metadata}: jwks_uri is {keys}; expected https"));
    }
    let set: Set = get(&keys).await?;
    Ok(set.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).collect())
}

async fn get<T: DeserializeOwned>(url: &Url) -> Result<T, String> {
    let asked = timeout(TIMEOUT, ask(url)).await.unwrap_or_else(|_| Err(format!("no answer within {TIMEOUT:?}")));
    let body = asked.map_err(|reason| format!("{url}: {reason}"))?;
    serde_json::from_slice(&body).map_err(|e| format!("{url}: {e}"))
}

async fn ask(url: &Url) -> Result<Bytes, String> {
    let connector = HttpsConnectorBuilder::new().with_tls_config(egress::plain_tls()).https_or_http().enable_http1();
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build(connector.build());
    let uri: Uri = url.as_str().parse().map_err(|_| "not an address".to_owned())?;
    let request = Request::get(uri).header(header::ACCEPT, "application/json").body(Empty::new());
    let answer = client.request(request.map_err(|e| e.to_string())?).await.map_err(|e| e.to_string())?;
    if answer.status() != StatusCode::OK {
        return Err(format!("answered with status {}", answer.status().as_u16()));
    }
    let body = Limited::new(answer.into_body(), MAX_DOCUMENT).collect().await;
    Ok(body.map_err(|e| e.to_string())?.to_bytes())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use serde_json::json;

    use super::*;

    fn key(kid: &str) -> Jwk {
        serde_json::from_value(json!({"kty": "OKP", "crv": "Ed25519", "x": "AA", "kid": kid})).unwrap()
    }

    /// Keys whose n-th fetch brings this, and how often they have been fetched.
    fn keys(brings: fn(usize) -> Result<KeySet, String>) -> (Arc<Keys>, Arc<AtomicUsize>) {
        let count = Arc::<AtomicUsize>::default();
        let counted = count.clone();
        let fetch: Fetch = Box::new(move || {
            let number = counted.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                brings(number)
            })
        });
        (Keys::new(fetch), count)
    }

    #[tokio::test(start_paused = true)]
    async fn an_unknown_key_is_asked_for_once_in_a_while() {
        let (keys, count) = keys(|number| Ok((0..=number).map(|it| key(&it.to_string())).collect()));
        assert_eq!(keys.find(Some("0")).await, Lookup::Found(Box::new(key("0"))));
        assert_eq!(keys.find(Some("0")).await, Lookup::Found(Box::new(key("0"))));
        for _ in 0..100 {
            assert_eq!(keys.find(Some("1")).await, Lookup::Unknown);
        }
        assert_eq!(count.load(Ordering::Relaxed), 1);
        tokio::time::advance(INTERVAL).await;
        assert_eq!(keys.find(Some("1")).await, Lookup::Found(Box::new(key("1"))), "the issuer has a new key");
        assert_eq!(keys.find(Some("0")).await, Lookup::Found(Box::new(key("0"))), "and still the old one");
        assert_eq!(count.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn many_who_need_keys_wait_for_one_fetch() {
        let (keys, count) = keys(|_| Ok(vec![key("a")]));
        let found = futures::future::join_all((0..50).map(|_| keys.find(Some("a")))).await;
        assert!(found.iter().all(|it| *it == Lookup::Found(Box::new(key("a")))));
        assert_eq!(count.load(Ordering::Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_who_leaves_does_not_stop_the_fetch() {
        let (keys, count) = keys(|_| Ok(vec![key("a")]));
        let left = timeout(Duration::from_millis(1), keys.find(Some("a"))).await;
        assert!(left.is_err());
        assert_eq!(keys.find(Some("a")).await, Lookup::Found(Box::new(key("a"))));
        assert_eq!(count.load(Ordering::Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn old_keys_are_used_for_an_hour_where_there_are_no_new_ones() {
        let (keys, count) = keys(|number| match number {
            0 => Ok(vec![key("a")]),
            _ => Err("unreachable".to_owned()),
        });
        assert_eq!(keys.find(Some("a")).await, Lookup::Found(Box::new(key("a"))));
        tokio::time::advance(FRESH).await;
        assert_eq!(keys.find(Some("a")).await, Lookup::Found(Box::new(key("a"))));
        assert_eq!(keys.find(Some("new")).await, Lookup::Unavailable);
        assert_eq!(count.load(Ordering::Relaxed), 2);
        tokio::time::advance(USABLE - FRESH).await;
        assert_eq!(keys.find(Some("a")).await, Lookup::Unavailable);
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_that_is_withdrawn_is_gone_with_the_next_fetch() {
        let (keys, _) = keys(|number| Ok(if number == 0 { vec![key("a"), key("b")] } else { vec![key("b")] }));
        assert_eq!(keys.find(Some("a")).await, Lookup::Found(Box::new(key("a"))));
        tokio::time::advance(FRESH).await;
        assert_eq!(keys.find(Some("a")).await, Lookup::Unknown);
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_without_a_key_name_is_for_the_only_key() {
        let (one, _) = keys(|_| Ok(vec![key("a")]));
        assert_eq!(one.find(None).await, Lookup::Found(Box::new(key("a"))));
        let (two, _) = keys(|_| Ok(vec![key("a"), key("b")]));
        assert_eq!(two.find(None).await, Lookup::Unknown);
        let (none, _) = keys(|_| Err("unreachable".to_owned()));
        assert_eq!(none.find(None).await, Lookup::Unavailable);
    }
}
