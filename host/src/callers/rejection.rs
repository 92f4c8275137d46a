//! Why a request doesn't get in for lack of a known caller, and the challenge that is the answer. Each door renders it in its own form.

use http::{HeaderValue, StatusCode};

/// Why nobody is known by what a request presents.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Nothing is presented.
    #[error("no key or token: send authorization: Bearer <key or token>, or x-api-key: <key>")]
    Missing,
    /// Something for another scheme.
    #[error("another scheme than Bearer: send authorization: Bearer <key or token>")]
    OtherScheme,
    /// Two of them; they could be two callers.
    #[error("more than one key or token: send one of authorization and x-api-key, once")]
    Ambiguous,
    /// It is no key, and no token of a known issuer.
    #[error("the key or token is not known")]
    Unknown,
    /// It is a token of a known issuer, but not a good one.
    #[error("the token is not valid: {0}")]
    BadToken(&'static str),
    /// The token is good and gives nobody any role.
    #[error("the token is valid, but none of the callers of this host is known by its scopes and claims")]
    NoRole {
        /// Scopes that would do.
        scopes: Vec<String>,
    },
    /// Whether the token is good can't be said without the issuer.
    #[error("the token can't be checked: the keys of its issuer can't be had at the moment; try again")]
    NoKeys,
}

/// When to try again where an issuer can't be asked: by then it is asked again.
pub const RETRY_AFTER: &str = "10";

impl Rejection {
    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Missing | Self::OtherScheme | Self::Unknown | Self::BadToken(_) => StatusCode::UNAUTHORIZED,
            Self::Ambiguous => StatusCode::BAD_REQUEST,
            Self::NoRole { .. } => StatusCode::FORBIDDEN,
            Self::NoKeys => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The challenge (RFC 6750, section 3), where a client could do better. `metadata` is where the host says which issuers it
    /// trusts (RFC 9728).
    pub fn challenge(&self, metadata: Option<&str>) -> Option<HeaderValue> {
        let (error, scopes): (_, &[String]) = match self {
            // RFC 6750: who presents nothing is told no error.
            Self::Missing | Self::OtherScheme => (None, &[]),
            Self::Unknown | Self::BadToken(_) => (Some("invalid_token"), &[]),
            Self::NoRole { scopes } => (Some("insufficient_scope"), scopes),
            Self::Ambiguous | Self::NoKeys => return None,
        };
        Some(challenge(error, scopes, metadata))
    }
}

/// The challenge of a call that a token with other scopes could make.
pub fn insufficient_scope(scopes: &[String], metadata: Option<&str>) -> HeaderValue {
    challenge(Some("insufficient_scope"), scopes, metadata)
}

fn challenge(error: Option<&str>, scopes: &[String], metadata: Option<&str>) -> HeaderValue {
    let scopes = (!scopes.is_empty()).then(|| scopes.join(" "));
    let mut text = "Bearer realm=\"airlock\"".to_owned();
    for (name, value) in [("error", error), ("scope", scopes.as_deref()), ("resource_metadata", metadata)] {
        if let Some(value) = value {
            text.push_str(&format!(", {name}=\"{value}\""));
        }
    }
    HeaderValue::try_from(text).expect("scopes and addresses are checked when they are read")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_answered() {
        let address = "http://localhost/.well-known/oauth-protected-resource/mcp";
        let scopes = vec!["read".to_owned(), "write".to_owned()];
        for (rejection, metadata, status, expected) in [
            (Rejection::Missing, None, 401, Some("Bearer realm=\"airlock\"".to_owned())),
            (
                Rejection::Missing,
                Some(address),
                401,
                Some(format!("Bearer realm=\"airlock\", resource_metadata=\"{address}\"")),
            ),
            (Rejection::OtherScheme, None, 401, Some("Bearer realm=\"airlock\"".to_owned())),
            (Rejection::Ambiguous, None, 400, None),
            (Rejection::Unknown, None, 401, Some("Bearer realm=\"airlock\", error=\"invalid_token\"".to_owned())),
            (
                Rejection::BadToken("it has expired"),
                None,
                401,
                Some("Bearer realm=\"airlock\", error=\"invalid_token\"".to_owned()),
            ),
            (
                Rejection::NoRole { scopes },
                None,
                403,
                Some("Bearer realm=\"airlock\", error=\"insufficient_scope\", scope=\"read write\"".to_owned()),
            ),
            (Rejection::NoKeys, Some(address), 503, None),
        ] {
            assert_eq!(rejection.status(), status, "{rejection:?}");
            let challenge = rejection.challenge(metadata);
            assert_eq!(challenge.map(|it| it.to_str().unwrap().to_owned()), expected, "{rejection:?}");
        }
    }
}
