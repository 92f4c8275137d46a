//! The credentials of one declared upstream: made whenever a secret has a new value, added to each finished request.
//!
//! Which request may carry them is decided in `policy`, where the values come from in `vault`. A digest is left to `digest`: it
//! is another one for each request.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use zeroize::Zeroizing;

use super::{grant_error::Problem, headers};
use crate::{
    contract::{Credential, Placement},
    grant::{MissingSecret, Secret},
};

/// The values of a grant's secrets, by the names that the plugin uses.
pub(super) type Secrets = BTreeMap<String, Result<Secret, MissingSecret>>;

/// Everything but what RFC 3986 calls unreserved: no server can read a value encoded this way differently.
pub(crate) const NOT_UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What is added to each request to one declared upstream. Printing it shows no value.
#[derive(Debug, Default)]
pub(super) struct Credentials {
    /// The values are marked as sensitive: neither `Debug` nor a header table of HTTP/2 holds them.
    headers: Vec<(HeaderName, HeaderValue)>,
    query: Vec<QueryCredential>,
    account: Option<Account>,
}

#[derive(Debug)]
struct QueryCredential {
    key: String,
    /// `key=value`, both percent-encoded.
    pair: Secret,
}

/// A user or a client, and what says so: what a digest is made of.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) user: Secret,
    pub(super) password: Secret,
}

impl Credentials {
    /// Fills the secrets into what the plugin declares. All problems are reported, not the first only.
    pub(super) fn expand(declared: &[Credential], secrets: &Secrets) -> Result<Self, Vec<Problem>> {
        let mut credentials = Self::default();
        let mut problems = Vec::new();
        for credential in declared {
            problems.extend(credentials.place(credential, secrets).err().into_iter().flatten());
        }
        if problems.is_empty() { Ok(credentials) } else { Err(problems) }
    }

    fn place(&mut self, credential: &Credential, secrets: &Secrets) -> Result<(), Vec<Problem>> {
        match &credential.placement {
            Placement::Header(name) => {
                let value = fill(&credential.value, secrets)?;
                let header = HeaderName::try_from(name)
                    .ok()
                    .filter(headers::may_hold_credential)
                    .ok_or_else(|| vec![Problem::CredentialHeader { header: name.clone() }])?;
                let value =
                    HeaderValue::from_bytes(value.as_bytes()).map_err(|_| vec![illegal(name.clone(), credential)])?;
                self.put(header, value);
            }
            Placement::Query(key) => {
                let value = fill(&credential.value, secrets)?;
                let encoded_key = utf8_percent_encode(key, NOT_UNRESERVED);
                let encoded_value = Zeroizing::new(utf8_percent_encode(&value, NOT_UNRESERVED).to_string());
                let pair = Secret::new(format!("{encoded_key}={}", *encoded_value));
                self.query.push(QueryCredential { key: key.clone(), pair });
            }
            Placement::Basic => {
                let Account { user, password } = Account::fill(credential, secrets)?;
                self.put(header::AUTHORIZATION, basic(user.expose(), password.expose()));
            }
            Placement::Digest => self.account = Some(Account::fill(credential, secrets)?),
            // The value names the token by now, see `clients`.
            Placement::OAuth2(_) => {
                let bearer = Zeroizing::new(format!("Bearer {}", *fill(&credential.value, secrets)?));
                let value = HeaderValue::from_bytes(bearer.as_bytes())
                    .map_err(|_| vec![illegal(header::AUTHORIZATION.to_string(), credential)])?;
                self.put(header::AUTHORIZATION, value);
            }
        }
        Ok(())
    }

    fn put(&mut self, name: HeaderName, mut value: HeaderValue) {
        value.set_sensitive(true);
        self.headers.push((name, value));
    }

    /// What a digest is made of, where one is asked for.
    pub(super) fn account(&self) -> Option<&Account> {
        self.account.as_ref()
    }

    /// Adds them to a request that is finished otherwise, and gives the query to send. The guest's own header or query key of a
    /// credential's name is dropped: it could only confuse the upstream about who is calling.
    pub(super) fn add_to(&self, headers: &mut HeaderMap, query: Option<&str>) -> Option<Zeroizing<String>> {
        for (name, value) in &self.headers {
            headers::remove_where(headers, |guests| headers::is_taken_for(guests, name.as_str()));
            headers.insert(name, value.clone());
        }
        if self.query.is_empty() {
            return query.map(|query| Zeroizing::new(query.to_owned()));
        }
        // Some servers split at semicolons too.
        let holds_key = |pair: &str| pair.split(';').any(|part| self.holds_key_of(part));
        let guests = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty() && !holds_key(pair));
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

impl Account {
    /// Of an OAuth 2.0 client, whose name may be anything: it is encoded before it is sent.
    pub(super) fn of_client(id: &str, secret: &str, secrets: &Secrets) -> Result<Self, Vec<Problem>> {
        match (fill(id, secrets), fill(secret, secrets)) {
            (Ok(id), Ok(secret)) => {
                Ok(Self { user: Secret::new(id.to_string()), password: Secret::new(secret.to_string()) })
            }
            (id, secret) => Err([id.err(), secret.err()].into_iter().flatten().flatten().collect()),
        }
    }

    /// The template is split before it is filled: a password may have a colon in it, a user's name can't.
    fn fill(credential: &Credential, secrets: &Secrets) -> Result<Self, Vec<Problem>> {
        let Some((user, password)) = split_at_colon(&credential.value) else {
            return Err(vec![Problem::NoColon]);
        };
        let (user, password) = match (fill(user, secrets), fill(password, secrets)) {
            (Ok(user), Ok(password)) => (user, password),
            (user, password) => return Err([user.err(), password.err()].into_iter().flatten().flatten().collect()),
        };
        if user.contains(':') {
            return Err(vec![Problem::ColonInUser { names: names(credential) }]);
        }
        // RFC 7617 forbids them, and an upstream that decodes base64 into its log would have lines forged there.
        if user.chars().chain(password.chars()).any(char::is_control) {
            return Err(vec![illegal(header::AUTHORIZATION.to_string(), credential)]);
        }
        Ok(Self { user: Secret::new(user.to_string()), password: Secret::new(password.to_string()) })
    }
}

fn illegal(header: String, credential: &Credential) -> Problem {
    Problem::SecretIllegal { header, names: names(credential) }
}

fn names(credential: &Credential) -> String {
    credential.secret_names().collect::<Vec<_>>().join(", ")
}

/// A template cut at its first colon outside of `{{NAME}}`.
fn split_at_colon(template: &str) -> Option<(&str, &str)> {
    let mut searched = 0;
    loop {
        let rest = &template[searched..];
        let colon = rest.find(':')?;
        match next_placeholder(rest) {
            Some((text, (_, after))) if text.len() < colon => searched = template.len() - after.len(),
            _ => return Some((&template[..searched + colon], &template[searched + colon + 1..])),
        }
    }
}

/// What `Authorization` holds by RFC 7617, marked as sensitive.
pub(super) fn basic(user: &str, password: &str) -> HeaderValue {
    let both = Zeroizing::new(format!("{user}:{password}"));
    let text = Zeroizing::new(format!("Basic {}", *Zeroizing::new(STANDARD.encode(&*both))));
    let mut value = HeaderValue::from_str(&text).expect("base64 is legal in a header");
    value.set_sensitive(true);
    value
}

/// A template with each `{{NAME}}` replaced. A secret's own braces are not looked at again.
fn fill(template: &str, secrets: &Secrets) -> Result<Zeroizing<String>, Vec<Problem>> {
    let mut filled = Zeroizing::new(String::new());
    let mut problems = Vec::new();
    let mut rest = template;
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
            ("COLON", Ok("a:b")),
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
    fn accounts() {
        for (template, user, password) in [
            ("me:{{KEY}}", "me", "s3cr3t-value-1"),
            ("{{KEY}}:{{COLON}}", "s3cr3t-value-1", "a:b"),
            ("x{{ KEY }}y:a:{{COLON}}:b", "xs3cr3t-value-1y", "a:a:b:b"),
            (":{{KEY}}", "", "s3cr3t-value-1"),
            ("me:", "me", ""),
            ("{{no name:x", "{{no name", "x"),
        ] {
            let basic = Credentials::expand(&[credential(Placement::Basic, template)], &secrets()).unwrap();
            let mut headers = HeaderMap::new();
            basic.add_to(&mut headers, None);
            let expected = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
            assert_eq!(headers["authorization"], expected, "{template}");
            assert!(headers["authorization"].is_sensitive());
            let digest = Credentials::expand(&[credential(Placement::Digest, template)], &secrets()).unwrap();
            let account = digest.account().unwrap();
            assert_eq!((account.user.expose(), account.password.expose()), (user, password), "{template}");
        }
        // A name with a colon in it is never granted, but must not be cut in two either.
        assert_eq!(split_at_colon("{{a:b}}:c"), Some(("{{a:b}}", "c")));
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
            credential(Placement::Basic, "{{KEY}}"),
            credential(Placement::Digest, "{{COLON}}:{{KEY}}"),
            credential(Placement::Basic, "{{UNKNOWN}}:{{GONE}}"),
            credential(Placement::Digest, "me:{{BROKEN}}"),
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
                "credential has no colon between user name and password, expected `user:password`",
                "user name has a colon in it: credential made of COLON, KEY",
                "secret is not granted: UNKNOWN",
                "secret has no value: GONE: environment variable GONE is not set (or empty)",
                "value can't be sent in header authorization: credential made of BROKEN",
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
            (Some("a=1;k=2&b=1;kk=2"), "b=1;kk=2&"),
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
        let declared = [
            header("Authorization", "{{KEY}}"),
            query("k", "{{KEY}}"),
            credential(Placement::Basic, "{{KEY}}:{{KEY}}"),
            credential(Placement::Digest, "{{KEY}}:{{KEY}}"),
        ];
        let credentials = Credentials::expand(&declared, &secrets()).unwrap();
        let printed = format!("{credentials:?}");
        assert!(!printed.contains("s3cr3t"), "{printed}");
    }
}
