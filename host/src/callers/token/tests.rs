//! Tokens that were signed by another implementation (Python's `cryptography`, that is OpenSSL), and tokens that are made wrong.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::{
    hmac,
    signature::{Ed25519KeyPair, KeyPair},
};
use serde_json::json;
use url::Url;

use super::*;

const ALL: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

fn issuer(algorithms: &[Algorithm]) -> IssuerSettings {
    let issuer = "https://login.example.com";
    IssuerSettings {
        issuer: issuer.to_owned(),
        metadata: Url::parse(issuer).unwrap(),
        audiences: vec!["airlock".to_owned()],
        algorithms: algorithms.to_vec(),
    }
}

fn jwk(key: &Value) -> Jwk {
    serde_json::from_value(key.clone()).unwrap()
}

/// Header and signature, as a request with this token has them looked at.
fn examine(token: &str, key: &Jwk, issuer: &IssuerSettings) -> Result<Claims, Rejection> {
    check(token, &header(token, &issuer.algorithms)?, key, issuer)
}

fn vectors() -> Value {
    serde_json::from_str(include_str!("vectors.json")).unwrap()
}

#[test]
fn each_algorithm_is_checked_with_its_own_kind_of_key_and_no_other() {
    let vectors = vectors();
    let keys = vectors["keys"].as_object().unwrap();
    let tokens = vectors["tokens"].as_array().unwrap();
    assert_eq!(tokens.len(), ALL.len());
    for it in tokens {
        let token = it["token"].as_str().unwrap();
        for (name, key) in keys {
            let is_own = it["key"] == **name;
            assert_eq!(examine(token, &jwk(key), &issuer(&ALL)).is_ok(), is_own, "{token} {name}");
        }
        // One bit of the claims, one of the signature.
        let (claims_at, signature_at) = (token.find('.').unwrap() + 20, token.len() - 20);
        for at in [claims_at, signature_at] {
            let other = if &token[at..=at] == "A" { "B" } else { "A" };
            let changed = format!("{}{other}{}", &token[..at], &token[at + 1..]);
            assert!(examine(&changed, &jwk(&keys[it["key"].as_str().unwrap()]), &issuer(&ALL)).is_err(), "{changed}");
        }
    }
}

#[test]
fn only_the_algorithms_of_the_list_are_believed() {
    let vectors = vectors();
    for (at, it) in vectors["tokens"].as_array().unwrap().iter().enumerate() {
        let token = it["token"].as_str().unwrap();
        let key = jwk(&vectors["keys"][it["key"].as_str().unwrap()]);
        for (allowed, algorithm) in ALL.iter().enumerate() {
            let examined = examine(token, &key, &issuer(&[*algorithm]));
            assert_eq!(examined.is_ok(), allowed == at, "{algorithm:?} {token}");
        }
    }
}

/// An issuer whose tokens are made here.
struct Signer(Ed25519KeyPair);

impl Signer {
    fn new() -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap())
    }

    fn key(&self, more: Value) -> Jwk {
        let x = BASE64_URL_SAFE_NO_PAD.encode(self.0.public_key().as_ref());
        let mut key = json!({"kty": "OKP", "crv": "Ed25519", "x": x});
        more.as_object().unwrap().iter().for_each(|(name, value)| key[name] = value.clone());
        jwk(&key)
    }

    fn token(&self, header: &Value, claims: &Value) -> String {
        let message = message(header, claims);
        let signature = BASE64_URL_SAFE_NO_PAD.encode(self.0.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }
}

fn message(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Good claims, but for these; null takes one away.
fn claims(changes: Value) -> Value {
    let mut claims = json!({"iss": "https://login.example.com", "aud": "airlock", "exp": now() + 600});
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

#[test]
fn which_claims_are_good() {
    let (signer, now) = (Signer::new(), now());
    let key = signer.key(json!({}));
    for (changes, expected) in [
        (json!({}), Ok(())),
        (json!({"aud": ["other", "airlock"]}), Ok(())),
        (json!({"aud": "other"}), Err("it is for another audience")),
        (json!({"aud": ["other"]}), Err("it is for another audience")),
        (json!({"aud": []}), Err("it is for another audience")),
        (json!({"aud": "Airlock"}), Err("it is for another audience")),
        (json!({"aud": null}), Err("it lacks one of exp, iss and aud")),
        (json!({"aud": 5}), Err("it lacks one of exp, iss and aud")),
        (json!({"iss": "https://login.example.com/"}), Err("it is from another issuer")),
        (json!({"iss": null}), Err("it lacks one of exp, iss and aud")),
        (json!({"exp": null}), Err("it lacks one of exp, iss and aud")),
        (json!({"exp": "tomorrow"}), Err("it lacks one of exp, iss and aud")),
        // Clocks differ, by a minute.
        (json!({"exp": now - 50}), Ok(())),
        (json!({"exp": now - 70}), Err("it has expired")),
        (json!({"exp": 0}), Err("it has expired")),
        (json!({"nbf": now + 50}), Ok(())),
        (json!({"nbf": now + 70}), Err("it is not valid yet")),
        (json!({"nbf": now - 1000}), Ok(())),
        (json!({"nbf": "yesterday"}), Err("it can't be read")),
    ] {
        let token = signer.token(&json!({"alg": "EdDSA"}), &claims(changes.clone()));
        let found = examine(&token, &key, &issuer(&ALL)).map(|_| ());
        assert_eq!(found, expected.map_err(Rejection::BadToken), "{changes}");
    }
}

#[test]
fn headers_that_would_get_around_the_signature_are_refused() {
    let signer = Signer::new();
    let (key, claims) = (signer.key(json!({"alg": "EdDSA", "use": "sig"})), claims(json!({})));
    let good = signer.token(&json!({"alg": "EdDSA"}), &claims);
    assert!(examine(&good, &key, &issuer(&ALL)).is_ok());
    // Unsigned, in all spellings.
    for none in ["none", "None", "NONE", "nOnE", "", "null"] {
        for end in ["", "."] {
            let token = format!("{}{end}", message(&json!({"alg": none}), &claims));
            assert!(examine(&token, &key, &issuer(&ALL)).is_err(), "{token}");
        }
    }
    let unsigned = &good[..=good.rfind('.').unwrap()];
    assert!(examine(unsigned, &key, &issuer(&ALL)).is_err());
    // Signed with what everybody knows: the public key as the secret of an HMAC.
    let message = message(&json!({"alg": "HS256"}), &claims);
    let secret = hmac::Key::new(hmac::HMAC_SHA256, signer.0.public_key().as_ref());
    let tag = BASE64_URL_SAFE_NO_PAD.encode(hmac::sign(&secret, message.as_bytes()));
    let forged = format!("{message}.{tag}");
    assert!(examine(&forged, &key, &issuer(&ALL)).is_err());
    // Even where somebody has got the list wrong: no algorithm of that family can be checked here.
    assert!(examine(&forged, &signer.key(json!({})), &issuer(&[Algorithm::HS256])).is_err());
    let symmetric = jwk(&json!({"kty": "oct", "k": BASE64_URL_SAFE_NO_PAD.encode(signer.0.public_key().as_ref())}));
    assert!(examine(&forged, &symmetric, &issuer(&[Algorithm::HS256])).is_err());
    for header in [
        json!({"alg": "EdDSA", "crit": ["exp"], "exp": 1}),
        json!({"alg": "ES256"}),
        json!({"alg": "RS256"}),
        json!({"typ": "JWT"}),
    ] {
        assert!(examine(&signer.token(&header, &claims), &key, &issuer(&ALL)).is_err(), "{header}");
    }
    // A key that the header brings along, or names, is not looked at.
    let other = json!({"kty": "OKP", "crv": "Ed25519", "x": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"});
    let header =
        json!({"alg": "EdDSA", "jwk": other, "jku": "https://evil.example/keys", "x5u": "https://evil.example"});
    assert!(examine(&signer.token(&header, &claims), &jwk(&other), &issuer(&ALL)).is_err());
    for purpose in [json!({"use": "enc"}), json!({"alg": "ES256"}), json!({"alg": "RSA-OAEP"})] {
        let found = examine(&good, &signer.key(purpose.clone()), &issuer(&ALL)).map(|_| ());
        assert_eq!(found, Err(Rejection::BadToken("its key is for another purpose")), "{purpose}");
    }
}

#[test]
fn what_is_no_token_has_no_issuer() {
    for text in ["", ".", "..", "a.b.c", "airlock_key", "{}.{}.{}", "e30.e30.", "e30.WzFd.e30"] {
        assert_eq!(issuer_of(text), None, "{text}");
    }
    let token = message(&json!({"alg": "EdDSA"}), &json!({"iss": "https://login.example.com"})) + ".";
    assert_eq!(issuer_of(&token).as_deref(), Some("https://login.example.com"));
}

fn issuer_of(token: &str) -> Option<String> {
    super::issuer(token)
}

#[test]
fn what_callers_are_known_by() {
    let claims = |value: Value| Claims(value.as_object().unwrap().clone());
    let wanted = |scopes: &[&str], more: &[(&str, &str)]| TokenSettings {
        issuer: "corp".to_owned(),
        scopes: scopes.iter().map(|it| (*it).to_owned()).collect(),
        claims: more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>(),
    };
    for (found, scopes, more, is_known) in [
        (json!({"scope": "read write"}), &["read"][..], &[][..], true),
        (json!({"scope": "read write"}), &["write", "read"], &[], true),
        (json!({"scope": "read"}), &["read", "write"], &[], false),
        (json!({"scope": "reader"}), &["read"], &[], false),
        (json!({"scp": "read write"}), &["write"], &[], true),
        (json!({"scp": ["read", "write"]}), &["write"], &[], true),
        (json!({}), &["read"], &[], false),
        (json!({"scope": {"read": true}}), &["read"], &[], false),
        (json!({"groups": ["all", "platform"]}), &[], &[("groups", "platform")], true),
        (json!({"groups": "platform"}), &[], &[("groups", "platform")], true),
        (json!({"groups": "platforms"}), &[], &[("groups", "platform")], false),
        (json!({"groups": [["platform"]]}), &[], &[("groups", "platform")], false),
        (json!({"groups": {"platform": 1}}), &[], &[("groups", "platform")], false),
        (json!({"admin": true}), &[], &[("admin", "true")], false),
        (json!({"scope": "read", "team": "a"}), &["read"], &[("team", "a")], true),
        (json!({"scope": "read", "team": "b"}), &["read"], &[("team", "a")], false),
    ] {
        let (claims, wanted) = (claims(found.clone()), wanted(scopes, more));
        assert_eq!(claims.have_scopes(&wanted) && claims.have_claims(&wanted), is_known, "{found} {scopes:?} {more:?}");
    }
}

#[test]
fn a_subject_can_forge_no_line() {
    let long = "x".repeat(1000);
    for (found, shown) in [
        (json!({"sub": "alice@example.com"}), "alice@example.com"),
        (json!({"sub": "a\n b) as root (ä"}), "a??b??as?root???"),
        (json!({"sub": long}), &long[..MAX_SUBJECT]),
        (json!({"sub": 5}), "unnamed"),
        (json!({}), "unnamed"),
    ] {
        assert_eq!(Claims(found.as_object().unwrap().clone()).subject(), shown);
    }
}
