//! The credentials of one declared upstream: made once per plugin load, added to each finished request.
//!
//! Which request may carry them is decided in `policy`. Only plain values are made here: no base64 for `basic`, no tokens fetched.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use zeroize::Zeroizing;

use super::{grant_error::Problem, headers};
use crate::{
    contract::{Credential, Placement},
    grant::{MissingSecret, Secret},
};

/// The secrets of a grant, by the names that the plugin uses.
pub(super) type Secrets = BTreeMap<String, Result<Secret, MissingSecret>>;

/// Everything but what RFC 3986 calls unreserved: no server can read a value encoded this way differently.
pub(super) const NOT_UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What is added to each request to one declared upstream. Printing it shows no value.
#[derive(Debug, Default)]
pub(super) struct Credentials {
    /// The values are marked as sensitive: neither `Debug` nor a header table of HTTP/2 holds them.
    headers: Vec<(HeaderName, HeaderValue)>,
    query: Vec<QueryCredential>,
}

#[derive(Debug)]
struct QueryCredential {
    key: String,
    /// `key=value`, both percent-encoded.
    pair: Secret,
}

impl Credentials {
    /// Fills the secrets into what the plugin declares. All problems are reported, not the first only.
    pub(super) fn expand(declared: &[Credential], secrets: &Secrets) -> Result<Self, Vec<Problem>> {
        let mut credentials = Self::default();
        let mut problems = Vec::new();
        for credential in declared {
            let filled =
                fill(credential, secrets).and_then(|value| credentials.place(credential, &value).map_err(|e| vec![e]));
            problems.extend(filled.err().into_iter().flatten());
        }
        if problems.is_empty() { Ok(credentials) } else { Err(problems) }
    }

    fn place(&mut self, credential: &Credential, value: &str) -> Result<(), Problem> {
        match &credential.placement {
            Placement::Header(name) => {
                let header = HeaderName::try_from(name)
                    .ok()
                    .filter(headers::may_hold_credential)
                    .ok_or_else(|| Problem::CredentialHeader { header: name.clone() })?;
                let mut value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| Problem::SecretIllegal {
                    header: name.clone(),
                    names: credential.secret_names().collect::<Vec<_>>().join(", "),
                })?;
                value.set_sensitive(true);
                self.headers.push((header, value));
            }
            Placement::Query(key) => {
                let encoded_key = utf8_percent_encode(key, NOT_UNRESERVED);
                let encoded_value = Zeroizing::new(utf8_percent_encode(value, NOT_UNRESERVED).to_string());
                let pair = Secret::new(format!("{encoded_key}={}", *encoded_value));
                self.query.push(QueryCredential { key: key.clone(), pair });
            }
        }
        Ok(())
    }

    /// Adds them to a request that is finished otherwise, and gives the query to send. The guest's own header or query key of a
    /// credential's name is dropped: it could only confuse the upstream about who is calling.
    pub(super) fn add_to(&self, headers: &mut HeaderMap, query: Option<&str>) -> Option<Zeroizing<String>> {
        for (name, value) in &self.headers {
            headers.insert(name, value.clone());
        }
        if self.query.is_empty() {
            return query.map(|query| Zeroizing::new(query.to_owned()));
        }
        let guests = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty() && !self.holds_key_of(pair));
        let pairs: Vec<&str> = guests.chain(self.query.iter().map(|credential| credential.pair.expose())).collect();
        Some(Zeroizing::new(pairs.join("&")))
    }

    /// Whether a pair of a query has the key of a credential, however it is encoded.
    fn holds_key_of(&self, pair: &str) -> bool {
        let key = pair.split('=').next().unwrap_or_default().replace('+', " ");
        let key = percent_decode_str(&key).decode_utf8_lossy();
        self.query.iter().any(|credential| credential.key == key)
    }
}

/// The credential's value with each `{{NAME}}` replaced. A secret's own braces are not looked at again.
fn fill(credential: &Credential, secrets: &Secrets) -> Result<Zeroizing<String>, Vec<Problem>> {
    let mut filled = Zeroizing::new(String::new());
    let mut problems = Vec::new();
    let mut rest = credential.value.as_str();
    while let Some((text, (name, after))) = next_placeholder(rest) {
        filled.push_str(text);
        rest = after;
        match secrets.get(name) {
            Some(Ok(secret)) => filled.push_str(secret.expose()),
            Some(Err(reason)) => {
                problems.push(Problem::SecretMissing { name: name.to_owned(), reason: reason.clone() })
            }
            None => problems.push(Problem::SecretNotGranted { name: name.to_owned() }),
        }
    }
    filled.push_str(rest);
    if problems.is_empty() { Ok(filled) } else { Err(problems) }
}

/// The text before the first `{{NAME}}`, the name and the text after it.
fn next_placeholder(template: &str) -> Option<(&str, (&str, &str))> {
    let (text, rest) = template.split_once("{{")?;
    let (name, after) = rest.split_once("}}")?;
    Some((text, (name.trim(), after)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Secrets {
        let missing = MissingSecret::Env("GONE".into());
        [
            ("KEY", Ok("s3cr3t-value-1")),
            ("OTHER", Ok("a b&c={{KEY}}")),
            ("BROKEN", Ok("line\r\nx-evil: 1")),
            ("GONE", Err(missing)),
        ]
        .map(|(name, value)| (name.to_owned(), value.map(|value: &str| Secret::new(value.to_owned()))))
        .into()
    }

    fn credential(placement: Placement, value: &str) -> Credential {
        Credential { placement, value: value.to_owned() }
    }

    fn header(name: &str, value: &str) -> Credential {
        credential(Placement::Header(name.to_owned()), value)
    }

    fn query(name: &str, value: &str) -> Credential {
        credential(Placement::Query(name.to_owned()), value)
    }

    #[test]
    fn values_are_filled_in() {
        for (template, expected) in [
            ("Bearer {{KEY}}", "Bearer s3cr3t-value-1"),
            ("{{ KEY }}:{{OTHER}}", "s3cr3t-value-1:a b&c={{KEY}}"),
            ("plain", "plain"),
            ("{{KEY", "{{KEY"),
            ("{{KEY}}}}", "s3cr3t-value-1}}"),
        ] {
            let credentials = Credentials::expand(&[header("X-Key", template)], &secrets()).unwrap();
            let mut headers = HeaderMap::new();
            assert!(credentials.add_to(&mut headers, None).is_none());
            assert_eq!(headers["x-key"], expected, "{template}");
            assert!(headers["x-key"].is_sensitive());
        }
    }

    #[test]
    fn every_problem_is_told_by_name_and_never_by_value() {
        let declared = [
            header("X-Key", "{{NONE}} {{GONE}}"),
            header("X-Key", "a {{BROKEN}}"),
            header("Host", "{{KEY}}"),
            header("X-HTTP-Method-Override", "DELETE"),
            header("Proxy-Authorization", "{{KEY}}"),
            header("no header", "{{KEY}}"),
            query("key", "{{UNKNOWN}}"),
        ];
        let problems = Credentials::expand(&declared, &secrets()).unwrap_err();
        let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "secret is not granted: NONE",
                "secret has no value: GONE: environment variable GONE is not set (or empty)",
                "value can't be sent in header X-Key: credential made of BROKEN",
                "header can't hold a credential: Host",
                "header can't hold a credential: X-HTTP-Method-Override",
                "header can't hold a credential: Proxy-Authorization",
                "header can't hold a credential: no header",
                "secret is not granted: UNKNOWN",
            ]
        );
    }

    #[test]
    fn a_credential_takes_the_place_of_the_guests_own() {
        let declared = [header("Authorization", "{{KEY}}"), query("api key", "{{OTHER}}"), query("k", "{{KEY}}")];
        let credentials = Credentials::expand(&declared, &secrets()).unwrap();
        let added = "api%20key=a%20b%26c%3D%7B%7BKEY%7D%7D&k=s3cr3t-value-1";
        for (guests, kept) in [
            (None, ""),
            (Some(""), ""),
            (Some("a=1&b=%26"), "a=1&b=%26&"),
            (Some("api+key=x&a=1&api%20key&k=2&%6B=3&k"), "a=1&"),
            (Some("K=1&kk=2"), "K=1&kk=2&"),
        ] {
            let mut headers = HeaderMap::new();
            headers.append("authorization", HeaderValue::from_static("guest"));
            headers.append("authorization", HeaderValue::from_static("guest again"));
            let query = credentials.add_to(&mut headers, guests).unwrap();
            assert_eq!(*query, format!("{kept}{added}"), "{guests:?}");
            assert_eq!(headers.get_all("authorization").iter().collect::<Vec<_>>(), ["s3cr3t-value-1"]);
        }
    }

    #[test]
    fn printing_shows_no_value() {
        let declared = [header("Authorization", "{{KEY}}"), query("k", "{{KEY}}")];
        let credentials = Credentials::expand(&declared, &secrets()).unwrap();
        let printed = format!("{credentials:?}");
        assert!(!printed.contains("s3cr3t"), "{printed}");
    }
}
