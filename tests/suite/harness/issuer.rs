//! An issuer of tokens on loopback: its metadata, its keys, and tokens that are right or wrong as tests want them.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use http::StatusCode;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

use super::{Upstream, json_answer};

/// The name of its key.
const KEY: &str = "key-1";

/// For whom its tokens are unless a test says otherwise.
const AUDIENCE: &str = "https://airlock.example.com/mcp";

/// An issuer. Dropping it stops it.
pub struct Issuer {
    server: Upstream,
    signer: Ed25519KeyPair,
}

impl Issuer {
    pub async fn start() -> Self {
        let signer = Ed25519KeyPair::from_seed_unchecked(&[3; 32]).expect("a seed");
        let x = BASE64_URL_SAFE_NO_PAD.encode(signer.public_key().as_ref());
        let own = json!({"kty": "OKP", "crv": "Ed25519", "kid": KEY, "use": "sig", "alg": "EdDSA", "x": x});
        // Keys of kinds that nobody here knows don't keep the others from being read.
        let keys = json!({"keys": [{"kty": "new", "kid": "other"}, own]});
        let server = Upstream::answering(move |seen| {
            let issuer = format!("http://{}", seen.headers["host"].to_str().expect("text"));
            let document = match seen.target.as_str() {
                "/.well-known/openid-configuration" => {
                    json!({"issuer": issuer, "jwks_uri": format!("{issuer}/keys"), "token_endpoint": "https://x.example"})
                }
                "/keys" => keys.clone(),
                _ => return json_answer(StatusCode::NOT_FOUND, &json!({})),
            };
            json_answer(StatusCode::OK, &document)
        });
        Self { server: server.await, signer }
    }

    /// Its address.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// What it has been asked.
    pub fn asked(&self) -> Vec<String> {
        self.server.requests().into_iter().map(|seen| seen.target).collect()
    }

    /// The section of `airlock.toml` that trusts it.
    pub fn section(&self) -> String {
        let url = self.url();
        format!("\n[issuers.corp]\nissuer = \"{url}\"\naudience = \"{AUDIENCE}\"\nalgorithms = [\"EdDSA\"]\n")
    }

    /// A token with these claims besides, or instead of, those of a good one.
    pub fn token(&self, claims: &Value) -> String {
        self.token_by(&json!({"alg": "EdDSA", "kid": KEY}), claims)
    }

    /// The same with another header.
    pub fn token_by(&self, header: &Value, changes: &Value) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        let mut claims = json!({"iss": self.url(), "aud": AUDIENCE, "sub": "alice", "iat": now, "exp": now + 600});
        for (name, value) in changes.as_object().expect("claims") {
            claims[name] = value.clone();
        }
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(&claims));
        let signature = BASE64_URL_SAFE_NO_PAD.encode(self.signer.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }
}
