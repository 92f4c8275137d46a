//! The sections of callers and issuers: raw TOML becomes validated settings.

use std::{collections::BTreeMap, ops::RangeInclusive};

use jsonwebtoken::Algorithm;
use serde::Deserialize;
use url::{Host, Url};

use super::Reader;
use crate::callers::{CallerSettings, IssuerSettings, KeyHash, KnownBy, Rules, Settings, TokenSettings};

/// The rates that a caller can have. A million calls a second is more than one process serves.
const RATES: RangeInclusive<u32> = 1..=1_000_000;

/// The longest name of a caller: each line of the audit has it.
const MAX_NAME: usize = 64;

/// The signatures that can be believed. None that is made with what verifies it: whoever has that, which is public, could sign.
const ALGORITHMS: [(&str, Algorithm); 9] = [
    ("RS256", Algorithm::RS256),
    ("RS384", Algorithm::RS384),
    ("RS512", Algorithm::RS512),
    ("PS256", Algorithm::PS256),
    ("PS384", Algorithm::PS384),
    ("PS512", Algorithm::PS512),
    ("ES256", Algorithm::ES256),
    ("ES384", Algorithm::ES384),
    ("EdDSA", Algorithm::EdDSA),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCaller {
    key: Option<RawKey>,
    token: Option<RawToken>,
    plugins: Vec<String>,
    #[serde(default = "any")]
    operations: Vec<String>,
    #[serde(default = "reading")]
    effects: Vec<String>,
    requests_per_second: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKey {
    hash: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawToken {
    issuer: String,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    claims: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawIssuer {
    issuer: String,
    audience: Audience,
    #[serde(default = "common")]
    algorithms: Vec<String>,
}

/// One, or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Any(Vec<String>),
}

fn any() -> Vec<String> {
    vec!["*".to_owned()]
}

/// What does no harm where somebody forgets to say it.
fn reading() -> Vec<String> {
    vec!["read-only".to_owned()]
}

/// What issuers sign with that weren't told otherwise.
fn common() -> Vec<String> {
    ["RS256", "ES256"].map(str::to_owned).to_vec()
}

impl Reader {
    pub(super) fn callers(
        &mut self,
        callers: BTreeMap<String, RawCaller>,
        issuers: BTreeMap<String, RawIssuer>,
    ) -> Settings {
        let issuers = issuers.into_iter();
        let issuers: BTreeMap<String, Option<IssuerSettings>> =
            issuers.map(|(name, raw)| (name.clone(), self.issuer(&format!("issuers.{name}"), raw))).collect();
        if let (Some(name), true) = (issuers.keys().next(), callers.is_empty()) {
            self.problems.push(format!(
                "issuers.{name}: without [callers.<name>] nobody is asked for a token, and everybody may do everything; expected callers"
            ));
        }
        let callers = callers.into_iter();
        let settings = Settings {
            callers: callers.filter_map(|(name, raw)| self.caller(name, raw, &issuers)).collect(),
            issuers: issuers.into_iter().filter_map(|(name, issuer)| Some((name, issuer?))).collect(),
        };
        self.twins(&settings);
        settings
    }

    /// Of two with the same key or the same issuer, one would be passed over in silence.
    fn twins(&mut self, settings: &Settings) {
        let mut seen: Vec<(&KeyHash, &str)> = Vec::new();
        for caller in &settings.callers {
            let KnownBy::Key(hash) = &caller.known_by else { continue };
            match seen.iter().find(|(other, _)| other.is(hash).into()) {
                Some((_, other)) => self.problems.push(format!(
                    "callers.{}.key.hash: callers.{other} has the same key; expected a key of its own: `airlock key new {}`",
                    caller.name, caller.name
                )),
                None => seen.push((hash, &caller.name)),
            }
        }
        let mut addresses: BTreeMap<&str, &str> = BTreeMap::new();
        for (name, issuer) in &settings.issuers {
            if let Some(other) = addresses.insert(&issuer.issuer, name) {
                self.problems.push(format!(
                    "issuers.{name}.issuer: issuers.{other} has the same; expected one section, whose audience is a list"
                ));
            }
        }
    }

    fn caller(
        &mut self,
        name: String,
        raw: RawCaller,
        issuers: &BTreeMap<String, Option<IssuerSettings>>,
    ) -> Option<CallerSettings> {
        let key = format!("callers.{name}");
        if let Err(expected) = caller_name(&name) {
            self.problems.push(format!("{key}: {expected}"));
        }
        if let Some(rate) = raw.requests_per_second.filter(|rate| !RATES.contains(rate)) {
            let (least, most) = (RATES.start(), RATES.end());
            self.problems.push(format!("{key}.requests_per_second: {rate}: expected {least} to {most}"));
        }
        let rules = Rules {
            plugins: self.each(&format!("{key}.plugins"), &raw.plugins),
            operations: self.each(&format!("{key}.operations"), &raw.operations),
            effects: self.each(&format!("{key}.effects"), &raw.effects),
        };
        let known_by = match (raw.key, raw.token) {
            (Some(raw), None) => raw.hash.parse().map(KnownBy::Key).map_err(|e| format!("{key}.key.hash: {e}")),
            (None, Some(raw)) => self.token(&format!("{key}.token"), raw, issuers).map(KnownBy::Token),
            _ => Err(format!(
                "{key}: expected one of key and token; `airlock key new {name}` makes a key and prints its lines"
            )),
        };
        let known_by = known_by.map_err(|problem| self.problems.push(problem)).ok()?;
        Some(CallerSettings { name, known_by, rules, requests_per_second: raw.requests_per_second })
    }

    fn token(
        &mut self,
        key: &str,
        raw: RawToken,
        issuers: &BTreeMap<String, Option<IssuerSettings>>,
    ) -> Result<TokenSettings, String> {
        let RawToken { issuer, scopes, claims } = raw;
        if !issuers.contains_key(&issuer) {
            let lines = format!("[issuers.{issuer}] with issuer = \"https://…\" and audience = \"…\"");
            return Err(format!("{key}.issuer: {issuer:?}: there is no such issuer; add {lines}"));
        }
        // RFC 6749, section 3.3; a scope stands in quotes in a header field.
        let is_scope = |it: &str| !it.is_empty() && it.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\');
        for scope in scopes.iter().filter(|scope| !is_scope(scope)) {
            self.problems.push(format!("{key}.scopes: {scope:?}: expected one scope, without spaces and quotes"));
        }
        match scopes.is_empty() && claims.is_empty() {
            true => Err(format!(
                "{key}: whoever has a token of this issuer would be this caller; expected scopes or claims, such as scopes = [\"airlock\"]"
            )),
            false => Ok(TokenSettings { issuer, scopes, claims }),
        }
    }

    fn issuer(&mut self, key: &str, raw: RawIssuer) -> Option<IssuerSettings> {
        let algorithms: Vec<Algorithm> = raw.algorithms.iter().filter_map(|name| self.algorithm(key, name)).collect();
        if raw.algorithms.is_empty() {
            self.problems.push(format!("{key}.algorithms: expected at least one of {}", known()));
        }
        let audiences = match raw.audience {
            Audience::One(audience) => vec![audience],
            Audience::Any(audiences) => audiences,
        };
        if audiences.is_empty() || audiences.iter().any(String::is_empty) {
            self.problems.push(format!("{key}.audience: expected what the issuer writes into tokens for this host"));
        }
        let metadata = metadata(&raw.issuer).or_else(|| {
            let expected = "expected https://…, or http:// on loopback, without query, fragment, user and password";
            self.problems.push(format!("{key}.issuer: can't be used; {expected}"));
            None
        })?;
        Some(IssuerSettings { issuer: raw.issuer, metadata, audiences, algorithms })
    }

    fn algorithm(&mut self, key: &str, name: &str) -> Option<Algorithm> {
        let known_one = ALGORITHMS.iter().find(|(it, _)| *it == name);
        if known_one.is_none() {
            self.problems.push(format!("{key}.algorithms: {name:?}: expected one of {}", known()));
        }
        known_one.map(|(_, algorithm)| *algorithm)
    }
}

fn known() -> String {
    ALGORITHMS.map(|(name, _)| name).join(", ")
}

/// Checks the name of a caller.
///
/// # Errors
/// What was expected.
pub fn caller_name(name: &str) -> Result<(), String> {
    let is_usable = |it: char| it.is_ascii_alphanumeric() || "-_.".contains(it);
    match (1..=MAX_NAME).contains(&name.len()) && name.chars().all(is_usable) {
        true => Ok(()),
        false => Err(format!("expected a name of at most {MAX_NAME} letters, digits, - _ .")),
    }
}

/// Where an issuer's metadata is (OpenID Connect Discovery 1.0, section 4).
fn metadata(issuer: &str) -> Option<Url> {
    let url = Url::parse(issuer).ok()?;
    let is_bare =
        url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    let is_safe = match url.scheme() {
        "https" => true,
        "http" => is_loopback(&url),
        _ => false,
    };
    let metadata = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    (is_bare && is_safe).then(|| Url::parse(&metadata).ok())?
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{config::Config, contract::Effect};

    fn parse(text: &str) -> Result<Settings, String> {
        let parsed = Config::parse(text, Path::new("/etc/airlock/airlock.toml"));
        parsed.map(|config| config.callers).map_err(|e| e.to_string())
    }

    const HASH: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn callers_and_issuers_are_read() {
        let settings = parse(&format!(
            r#"
            [callers.ci]
            key.hash = "{HASH}"
            plugins = ["m3ter-*"]
            [callers.people]
            token = {{ issuer = "corp", scopes = ["airlock:read"], claims = {{ groups = "platform" }} }}
            plugins = ["*"]
            operations = ["list*"]
            effects = ["read-only", "destructive"]
            requests_per_second = 5
            [issuers.corp]
            issuer = "https://login.example.com/realms/corp/"
            audience = ["https://airlock.example.com/mcp", "https://airlock.example.com/mcp/m3ter-orgusers"]
            algorithms = ["ES256", "EdDSA"]
            [issuers.local]
            issuer = "http://127.0.0.1:8443"
            audience = "airlock"
            "#
        ))
        .unwrap();
        let [ci, people] = &settings.callers[..] else { panic!("two callers: {settings:?}") };
        assert_eq!((ci.name.as_str(), ci.requests_per_second), ("ci", None));
        assert!(matches!(ci.known_by, KnownBy::Key(_)));
        let globs = |texts: &[&str]| texts.iter().map(|it| it.parse().unwrap()).collect::<Vec<_>>();
        let forgotten =
            Rules { plugins: globs(&["m3ter-*"]), operations: globs(&["*"]), effects: vec![Effect::ReadOnly] };
        assert_eq!(ci.rules, forgotten, "what isn't said is what does least harm");
        let KnownBy::Token(token) = &people.known_by else { panic!("a token: {people:?}") };
        assert_eq!((token.issuer.as_str(), &token.scopes[..]), ("corp", &["airlock:read".to_owned()][..]));
        assert_eq!(token.claims["groups"], "platform");
        assert_eq!(people.rules.effects, [Effect::ReadOnly, Effect::Destructive]);
        assert_eq!(people.requests_per_second, Some(5));
        let corp = &settings.issuers["corp"];
        assert_eq!(corp.issuer, "https://login.example.com/realms/corp/");
        assert_eq!(corp.metadata.as_str(), "https://login.example.com/realms/corp/.well-known/openid-configuration");
        assert_eq!(corp.algorithms, [Algorithm::ES256, Algorithm::EdDSA]);
        assert_eq!(settings.issuers["local"].algorithms, [Algorithm::RS256, Algorithm::ES256]);
    }

    #[test]
    fn everything_wrong_is_told_with_its_key() {
        let told = parse(
            r#"
            [callers."a b"]
            key.hash = "airlock_the-key-itself"
            plugins = ["m3ter orgusers"]
            operations = ["get?"]
            effects = ["all"]
            requests_per_second = 0
            [callers.both]
            plugins = []
            [callers.lost]
            token = { issuer = "corp", scopes = ["a"] }
            plugins = ["*"]
            [callers.everybody]
            token = { issuer = "weak" }
            plugins = ["*"]
            [callers.quoted]
            token = { issuer = "weak", scopes = ["a b", "a\"", ""] }
            plugins = ["*"]
            [issuers.weak]
            issuer = "http://login.example.com"
            audience = ""
            algorithms = ["none", "HS256", "RS256"]
            [issuers.empty]
            issuer = "https://user:secret@login.example.com?x=y"
            audience = "a"
            algorithms = []
            "#,
        )
        .unwrap_err();
        for expected in [
            "callers.a b: expected a name of at most 64 letters",
            "callers.a b.key.hash: expected sha256: and 64 hexadecimal digits",
            "callers.a b.plugins: \"m3ter orgusers\": expected a name",
            "callers.a b.operations: \"get?\": expected a name",
            "callers.a b.effects: \"all\": expected one of: read-only, write, destructive",
            "callers.a b.requests_per_second: 0: expected 1 to 1000000",
            "callers.both: expected one of key and token; `airlock key new both` makes a key",
            "callers.lost.token.issuer: \"corp\": there is no such issuer; add [issuers.corp]",
            "callers.everybody.token: whoever has a token of this issuer would be this caller",
            "callers.quoted.token.scopes: \"a b\": expected one scope",
            "callers.quoted.token.scopes: \"a\\\"\": expected one scope",
            "callers.quoted.token.scopes: \"\": expected one scope",
            "issuers.weak.issuer: can't be used; expected https://…, or http:// on loopback",
            "issuers.weak.audience: expected what the issuer writes",
            "issuers.weak.algorithms: \"none\": expected one of RS256, ",
            "issuers.weak.algorithms: \"HS256\": expected one of RS256, ",
            "issuers.empty.issuer: can't be used",
            "issuers.empty.algorithms: expected at least one of RS256",
        ] {
            assert!(told.contains(expected), "{expected}\n\n{told}");
        }
        assert!(!told.contains("the-key-itself") && !told.contains("secret"), "{told}");
    }

    #[test]
    fn nothing_is_passed_over_in_silence() {
        let issuer =
            |name: &str| format!("[issuers.{name}]\nissuer = 'https://login.example.com'\naudience = ['a', 'b']\n");
        let caller = |name: &str| format!("[callers.{name}]\nkey.hash = '{HASH}'\nplugins = ['*']\n");
        for (text, expected) in [
            (issuer("corp"), "issuers.corp: without [callers.<name>] nobody is asked for a token"),
            (
                caller("a") + &issuer("one") + &issuer("two"),
                "issuers.two.issuer: issuers.one has the same; expected one section",
            ),
            (caller("a") + &caller("b"), "callers.b.key.hash: callers.a has the same key; expected a key of its own"),
        ] {
            let told = parse(&text).unwrap_err();
            assert!(told.contains(expected), "{told}");
        }
    }

    #[test]
    fn a_caller_says_which_plugins() {
        let told = parse(&format!("[callers.a]\nkey.hash = '{HASH}'")).unwrap_err();
        assert!(told.contains("missing field `plugins`"), "{told}");
    }
}
