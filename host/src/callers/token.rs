//! Tokens: signed claims (JWT), checked by their issuer's key. Where that key comes from is `keys`' business.
//!
//! Form, times and audiences are read by `jsonwebtoken`; the signatures are checked by ring.

use std::collections::HashSet;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, DecodingKey, DecodingKeyKind, Header, Validation,
    crypto::{CryptoProvider, JwkUtils, JwtVerifier},
    dangerous::insecure_decode,
    decode, decode_header,
    errors::{ErrorKind, new_error},
    jwk::{Jwk, PublicKeyUse},
    signature::{self, Verifier},
};
use ring::{
    digest::{SHA256, digest},
    signature as by_ring,
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{IssuerSettings, Rejection, TokenSettings};

/// How far clocks may differ. 60 s: what the library and most issuers take; it is what a token that was revoked by expiry lives
/// longer.
const LEEWAY_SECONDS: u64 = 60;

/// How much of a subject is repeated in the log.
const MAX_SUBJECT: usize = 64;

/// What a token says about its issuer, unchecked; `None` when it is no token.
pub(super) fn issuer(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Issued {
        iss: String,
    }
    insecure_decode::<Issued>(token).ok().map(|token| token.claims.iss)
}

/// A token's header, if it is signed in a way that is believed.
pub(super) fn header(token: &str, algorithms: &[Algorithm]) -> Result<Header, Rejection> {
    let header = decode_header(token).map_err(|_| Rejection::BadToken("its header can't be read"))?;
    if header.crit.is_some() {
        // RFC 7515, section 4.1.11: what isn't understood may not be passed over.
        return Err(Rejection::BadToken("it demands extensions that are not known here"));
    }
    match algorithms.contains(&header.alg) {
        true => Ok(header),
        false => Err(Rejection::BadToken("it is signed with an algorithm that is not allowed")),
    }
}

/// A good token's claims.
#[derive(Debug)]
pub(super) struct Claims(Map<String, Value>);

/// Checks a token whose header is allowed with the key that the header names.
pub(super) fn check(token: &str, header: &Header, key: &Jwk, issuer: &IssuerSettings) -> Result<Claims, Rejection> {
    if !is_for(key, header.alg) {
        return Err(Rejection::BadToken("its key is for another purpose"));
    }
    let mut validation = Validation::new(header.alg);
    validation.leeway = LEEWAY_SECONDS;
    validation.validate_nbf = true;
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    validation.set_issuer(&[&issuer.issuer]);
    validation.set_audience(&issuer.audiences);
    let key = DecodingKey::from_jwk(key).map_err(|_| Rejection::BadToken("its key can't be used"))?;
    // Set by the first of us; nobody else in this process has tokens.
    let _ = RING.install_default();
    let claims = decode::<Map<String, Value>>(token, &key, &validation).map_err(|e| reason(e.kind()))?;
    Ok(Claims(claims.claims))
}

/// Whether a key may be used with an algorithm, by what is said about it.
fn is_for(key: &Jwk, algorithm: Algorithm) -> bool {
    let common = &key.common;
    let is_named = common.key_algorithm.is_none_or(|it| it.to_string() == format!("{algorithm:?}"));
    is_named && common.public_key_use.as_ref().is_none_or(|it| *it == PublicKeyUse::Signature)
}

fn reason(kind: &ErrorKind) -> Rejection {
    Rejection::BadToken(match kind {
        ErrorKind::ExpiredSignature => "it has expired",
        ErrorKind::ImmatureSignature => "it is not valid yet",
        ErrorKind::InvalidAudience => "it is for another audience",
        ErrorKind::InvalidIssuer => "it is from another issuer",
        ErrorKind::MissingRequiredClaim(_) => "it lacks one of exp, iss and aud",
        ErrorKind::InvalidSignature => "its signature is wrong",
        _ => "it can't be read",
    })
}

impl Claims {
    /// Whether there are the scopes that a caller is known by.
    pub(super) fn have_scopes(&self, wanted: &TokenSettings) -> bool {
        let scopes = self.scopes();
        wanted.scopes.iter().all(|scope| scopes.contains(scope.as_str()))
    }

    /// Whether there is everything else that a caller is known by.
    pub(super) fn have_claims(&self, wanted: &TokenSettings) -> bool {
        wanted.claims.iter().all(|(name, value)| self.has(name, value))
    }

    /// Whose the token is, told apart from everybody else's: the subject is its issuer's word for somebody. A token without one is
    /// its own.
    pub(super) fn principal(&self, issuer: &str, token: &str) -> String {
        let whose = match self.0.get("sub").and_then(Value::as_str) {
            Some(subject) => format!("sub {issuer} {subject}"),
            None => format!("token {token}"),
        };
        BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, whose.as_bytes()))
    }

    /// Who has the token, for the log.
    pub(super) fn subject(&self) -> String {
        let subject = self.0.get("sub").and_then(Value::as_str).unwrap_or("unnamed");
        // Quoted by nobody where it ends up: it can't bring line breaks or an end of the parenthesis.
        let shown = |it: char| if it.is_ascii_graphic() && !"()".contains(it) { it } else { '?' };
        subject.chars().take(MAX_SUBJECT).map(shown).collect()
    }

    fn has(&self, name: &str, wanted: &str) -> bool {
        match self.0.get(name) {
            Some(Value::String(value)) => value == wanted,
            Some(Value::Array(values)) => values.iter().any(|it| it == wanted),
            _ => false,
        }
    }

    /// `scope` is a list with spaces (RFC 8693); some issuers write `scp`, and a list of texts.
    fn scopes(&self) -> HashSet<&str> {
        let values = ["scope", "scp"].into_iter().filter_map(|name| self.0.get(name));
        let texts = values.flat_map(|value| match value {
            Value::Array(values) => values.iter().filter_map(Value::as_str).collect(),
            value => value.as_str().into_iter().collect::<Vec<_>>(),
        });
        texts.flat_map(str::split_ascii_whitespace).collect()
    }
}

/// ring as the library's cryptography. Tokens are only checked here, never made.
static RING: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(new_error(ErrorKind::InvalidAlgorithm)),
    verifier_factory: |algorithm, key| Ok(Box::new(ByRing { algorithm: *algorithm, key: key.clone() })),
    jwk_utils: JwkUtils::new_unimplemented(),
};

struct ByRing {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl JwtVerifier for ByRing {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl Verifier<Vec<u8>> for ByRing {
    /// A key of another kind than the algorithm's is refused: an RSA key has no algorithm among the others, and the other way round.
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        let checked = match self.key.kind() {
            DecodingKeyKind::RsaModulusExponent { n, e } => {
                let key = by_ring::RsaPublicKeyComponents { n, e };
                key.verify(rsa(self.algorithm).ok_or_else(signature::Error::new)?, message, signature)
            }
            DecodingKeyKind::SecretOrDer(bytes) => {
                let algorithm = curve(self.algorithm).ok_or_else(signature::Error::new)?;
                by_ring::UnparsedPublicKey::new(algorithm, bytes).verify(message, signature)
            }
        };
        checked.map_err(|_| signature::Error::new())
    }
}

fn rsa(algorithm: Algorithm) -> Option<&'static by_ring::RsaParameters> {
    match algorithm {
        Algorithm::RS256 => Some(&by_ring::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RS384 => Some(&by_ring::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::RS512 => Some(&by_ring::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::PS256 => Some(&by_ring::RSA_PSS_2048_8192_SHA256),
        Algorithm::PS384 => Some(&by_ring::RSA_PSS_2048_8192_SHA384),
        Algorithm::PS512 => Some(&by_ring::RSA_PSS_2048_8192_SHA512),
        _ => None,
    }
}

fn curve(algorithm: Algorithm) -> Option<&'static dyn by_ring::VerificationAlgorithm> {
    match algorithm {
        Algorithm::ES256 => Some(&by_ring::ECDSA_P256_SHA256_FIXED),
        Algorithm::ES384 => Some(&by_ring::ECDSA_P384_SHA384_FIXED),
        Algorithm::EdDSA => Some(&by_ring::ED25519),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
