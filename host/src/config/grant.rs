//! The section of a grant: raw TOML becomes a validated [`Grant`].

use std::{collections::BTreeMap, env, path::PathBuf, time::Duration};

use ipnet::IpNet;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{
    Reader,
    confirm::RawConfirm,
    outbound::{RawRetries, RawTls},
};
use crate::{
    grant::{
        Addresses, BadDestination, ClientAuthentication, ClientCredentials, Destination, Grant, Limits, MissingSecret,
        Pattern, Rewrite, Secret, Source, Stored, TokenUrl, parse_range,
    },
    sandbox::{MAX_INSTANCES, MAX_MEMORY},
};

/// The longest that a grant can let a call take: an hour. No client waits longer, and a clock can be set that far ahead.
const MAX_WALL_MS: u64 = 3_600_000;

/// The largest answer or request that a grant can let pass: a terabyte, to catch bytes that were written for megabytes.
const MAX_BODY_MB: u64 = 1_000_000;

/// The most header fields that a grant can let pass. 1 000: beyond that no server goes, and each costs memory before it is seen.
const MAX_HEADERS: u64 = 1000;

/// The smallest header section: 8 KB, which is the least that the client can read, and what the most modest servers accept.
const MIN_HEADER_KB: u64 = 8;

/// The largest header section: a megabyte, which 64 calls at the same time may hold.
const MAX_HEADER_KB: u64 = 1024;

/// The highest rate: a million requests a second, more than one process sends.
const MAX_RATE: u64 = 1_000_000;

/// The most calls that a grant can let one instance serve: what a guest forgets to give back adds up.
const MAX_CALLS_PER_INSTANCE: u64 = 1_000_000;

/// The longest queue that a grant can allow. Each call that waits holds a connection and its input, up to a megabyte.
const MAX_QUEUE: u64 = 1000;

/// The most requests that a grant can allow one call: more is a job, not a call, and every one is a line in the audit log.
const MAX_REQUESTS: u64 = 10_000;

/// The most that a grant can let one call log, in kilobytes: it is held in memory until the call ends.
const MAX_LOG_KB: u64 = 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawGrant {
    #[serde(default)]
    hosts: Vec<String>,
    #[serde(default)]
    addresses: RawAddresses,
    methods: Option<Vec<String>>,
    #[serde(default)]
    secrets: BTreeMap<String, RawSecret>,
    #[serde(default)]
    upstreams: BTreeMap<String, String>,
    redirects: Option<u64>,
    #[serde(default)]
    retries: RawRetries,
    #[serde(default)]
    tls: RawTls,
    confirm: Option<RawConfirm>,
    #[serde(default)]
    limits: RawLimits,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAddresses {
    #[serde(default)]
    allow: Vec<String>,
    #[serde(default)]
    deny: Vec<String>,
}

/// Where a value comes from: all keys, of which few go together.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSource {
    env: Option<String>,
    file: Option<PathBuf>,
    credential: Option<String>,
    key: Option<String>,
    oauth2: Option<Box<RawOAuth2>>,
}

#[derive(Deserialize)]
#[serde(try_from = "RawSource")]
enum RawSecret {
    Stored(RawStored),
    OAuth2(Box<RawOAuth2>),
}

/// The same without a token: what a client authenticates with is no token itself.
#[derive(Deserialize)]
#[serde(try_from = "RawSource")]
pub(super) enum RawStored {
    Env(String),
    File(PathBuf, Option<String>),
    Credential(String, Option<String>),
}

impl TryFrom<RawSource> for RawSecret {
    type Error = &'static str;

    fn try_from(raw: RawSource) -> Result<Self, Self::Error> {
        match raw {
            RawSource { oauth2: Some(oauth2), env: None, file: None, credential: None, key: None } => {
                Ok(Self::OAuth2(oauth2))
            }
            raw => RawStored::try_from(raw)
                .map(Self::Stored)
                .map_err(|_| "expected one of env, file, credential and oauth2; key goes with file or credential"),
        }
    }
}

impl TryFrom<RawSource> for RawStored {
    type Error = &'static str;

    fn try_from(raw: RawSource) -> Result<Self, Self::Error> {
        match raw {
            RawSource { env: Some(name), file: None, credential: None, key: None, oauth2: None } => Ok(Self::Env(name)),
            RawSource { file: Some(path), env: None, credential: None, key, oauth2: None } => Ok(Self::File(path, key)),
            RawSource { credential: Some(name), env: None, file: None, key, oauth2: None } => {
                Ok(Self::Credential(name, key))
            }
            _ => Err("expected one of env, file and credential; key goes with file or credential"),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOAuth2 {
    token_url: String,
    client_id: String,
    client_secret: RawStored,
    scope: Option<String>,
    audience: Option<String>,
    #[serde(default)]
    authentication: RawAuthentication,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawAuthentication {
    #[default]
    Basic,
    Body,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLimits {
    wall_ms: Option<u64>,
    cpu_ms: Option<u64>,
    memory_mb: Option<u64>,
    concurrency: Option<u64>,
    queue: Option<u64>,
    requests: Option<u64>,
    response_mb: Option<u64>,
    log_kb: Option<u64>,
    request_mb: Option<u64>,
    headers: Option<u64>,
    header_kb: Option<u64>,
    connect_ms: Option<u64>,
    first_byte_ms: Option<u64>,
    idle_ms: Option<u64>,
    calls_per_instance: Option<u64>,
    requests_per_second: Option<u64>,
}

impl Reader {
    pub(super) fn grant(&mut self, key: &str, raw: RawGrant) -> Grant {
        let mut hosts = Vec::new();
        for host in &raw.hosts {
            hosts.extend(self.destination(&format!("{key}.hosts"), host, Pattern::parse));
        }
        let mut rewrites = Vec::new();
        for (from, to) in &raw.upstreams {
            let key = format!("{key}.upstreams.{from:?}");
            let mut read = |text| self.destination(&key, text, Destination::parse);
            if let (Some(from), Some(to)) = (read(from), read(to)) {
                rewrites.push(Rewrite { from, to });
            }
        }
        let secrets = raw.secrets.into_iter();
        Grant {
            hosts,
            addresses: Addresses {
                allow: self.ranges(&format!("{key}.addresses.allow"), &raw.addresses.allow),
                deny: self.ranges(&format!("{key}.addresses.deny"), &raw.addresses.deny),
            },
            rewrites,
            secrets: secrets
                .filter_map(|(name, raw)| {
                    let source = self.source(&format!("{key}.secrets.{name}"), raw)?;
                    Some((name, source))
                })
                .collect(),
            methods: raw.methods.map(|methods| self.methods(key, methods)),
            redirects: self.redirects(key, raw.redirects),
            retries: self.retries(&format!("{key}.retries"), raw.retries),
            tls: self.tls(&format!("{key}.tls"), &raw.tls),
            confirm: self.confirm(&format!("{key}.confirm"), raw.confirm),
            limits: self.limits(&format!("{key}.limits"), &raw.limits),
        }
    }

    fn destination<T>(&mut self, key: &str, text: &str, parse: fn(&str) -> Result<T, BadDestination>) -> Option<T> {
        let problem = |e| format!("{key}: {:?}: {e}; expected scheme://host[:port][/prefix]", without_userinfo(text));
        parse(text).map_err(|e| self.problems.push(problem(e))).ok()
    }

    fn ranges(&mut self, key: &str, texts: &[String]) -> Vec<IpNet> {
        let mut ranges = Vec::new();
        for text in texts {
            match parse_range(text) {
                Ok(range) => ranges.push(range),
                Err(e) => self.problems.push(format!("{key}: {text:?}: {e}")),
            }
        }
        ranges
    }

    pub(super) fn methods(&mut self, key: &str, methods: Vec<String>) -> Vec<String> {
        for method in &methods {
            if method.is_empty() || !method.chars().all(|c| c.is_ascii_uppercase()) {
                self.problems.push(format!("{key}.methods: {method:?}: expected a method in capitals, such as GET"));
            }
        }
        methods
    }

    fn source(&mut self, key: &str, raw: RawSecret) -> Option<Source> {
        match raw {
            RawSecret::Stored(raw) => self.stored(key, raw).map(Source::Stored),
            RawSecret::OAuth2(raw) => self.oauth2(&format!("{key}.oauth2"), *raw),
        }
    }

    /// A file is only named here: it is read when a plugin is loaded, and again when it changes.
    pub(super) fn stored(&mut self, key: &str, raw: RawStored) -> Option<Stored> {
        Some(match raw {
            RawStored::Env(name) => match Zeroizing::new(env::var(&name).unwrap_or_default()).trim() {
                "" => Stored::Missing(MissingSecret::Env(name)),
                value => Stored::Value(Secret::new(value.to_owned())),
            },
            RawStored::File(path, member) => stored_in(self.folder.join(path), member),
            RawStored::Credential(name, member) => {
                // The name of a file in that folder, not a way out of it.
                if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
                    self.problems.push(format!("{key}.credential: {name:?}: expected a name without slashes"));
                    return None;
                }
                match env::var_os("CREDENTIALS_DIRECTORY").filter(|folder| !folder.is_empty()) {
                    Some(folder) => stored_in(PathBuf::from(folder).join(name), member),
                    None => Stored::Missing(MissingSecret::Credential(name)),
                }
            }
        })
    }

    fn oauth2(&mut self, key: &str, raw: RawOAuth2) -> Option<Source> {
        let token_url = TokenUrl::parse(&raw.token_url).map_err(|e| {
            let expected = "expected scheme://host[:port]/path";
            self.problems.push(format!("{key}.token_url: {:?}: {e}; {expected}", without_userinfo(&raw.token_url)));
        });
        let client_secret = self.stored(&format!("{key}.client_secret"), raw.client_secret);
        Some(Source::OAuth2(Box::new(ClientCredentials {
            token_url: token_url.ok()?,
            client_id: raw.client_id,
            client_secret: client_secret?,
            scope: raw.scope,
            audience: raw.audience,
            authentication: match raw.authentication {
                RawAuthentication::Basic => ClientAuthentication::Basic,
                RawAuthentication::Body => ClientAuthentication::Body,
            },
        })))
    }

    fn limits(&mut self, key: &str, raw: &RawLimits) -> Limits {
        let default = Limits::default();
        let megabytes = |value: u64| usize::try_from(value).unwrap_or(usize::MAX).saturating_mul(1 << 20);
        // The least is 0 where that means none: no waiting, no requests, no log.
        for (name, value, range) in [
            ("wall_ms", raw.wall_ms, 1..=MAX_WALL_MS),
            ("cpu_ms", raw.cpu_ms, 1..=MAX_WALL_MS),
            ("memory_mb", raw.memory_mb, 1..=(MAX_MEMORY >> 20) as u64),
            ("concurrency", raw.concurrency, 1..=MAX_INSTANCES.into()),
            ("queue", raw.queue, 0..=MAX_QUEUE),
            ("requests", raw.requests, 0..=MAX_REQUESTS),
            ("response_mb", raw.response_mb, 1..=MAX_BODY_MB),
            ("log_kb", raw.log_kb, 0..=MAX_LOG_KB),
            ("request_mb", raw.request_mb, 1..=MAX_BODY_MB),
            ("headers", raw.headers, 1..=MAX_HEADERS),
            ("header_kb", raw.header_kb, MIN_HEADER_KB..=MAX_HEADER_KB),
            ("connect_ms", raw.connect_ms, 1..=MAX_WALL_MS),
            ("first_byte_ms", raw.first_byte_ms, 1..=MAX_WALL_MS),
            ("idle_ms", raw.idle_ms, 1..=MAX_WALL_MS),
            ("requests_per_second", raw.requests_per_second, 1..=MAX_RATE),
            ("calls_per_instance", raw.calls_per_instance, 1..=MAX_CALLS_PER_INSTANCE),
        ] {
            if let Some(value) = value.filter(|value| !range.contains(value)) {
                self.problems.push(format!("{key}.{name}: {value}: expected {} to {}", range.start(), range.end()));
            }
        }
        Limits {
            wall: raw.wall_ms.map_or(default.wall, Duration::from_millis),
            cpu: raw.cpu_ms.map_or(default.cpu, Duration::from_millis),
            memory: raw.memory_mb.map_or(default.memory, megabytes),
            concurrency: raw.concurrency.map_or(default.concurrency, |calls| calls as usize),
            queue: raw.queue.map_or(default.queue, |calls| calls as usize),
            requests: raw.requests.map_or(default.requests, |requests| requests as usize),
            response: raw.response_mb.map_or(default.response, megabytes),
            log: raw.log_kb.map_or(default.log, |kilobytes| kilobytes as usize * 1024),
            request: raw.request_mb.map_or(default.request, megabytes),
            headers: raw.headers.map_or(default.headers, |fields| fields as usize),
            header_bytes: raw.header_kb.map_or(default.header_bytes, |size| (size as usize).saturating_mul(1 << 10)),
            connect: raw.connect_ms.map_or(default.connect, Duration::from_millis),
            first_byte: raw.first_byte_ms.map(Duration::from_millis).or(default.first_byte),
            idle: raw.idle_ms.map_or(default.idle, Duration::from_millis),
            requests_per_second: raw.requests_per_second.map(|rate| rate as u32).or(default.requests_per_second),
            calls_per_instance: raw.calls_per_instance.map_or(default.calls_per_instance, |calls| calls as u32),
        }
    }
}

/// A file is one secret, or holds several under keys.
fn stored_in(file: PathBuf, member: Option<String>) -> Stored {
    match member {
        None => Stored::File(file),
        Some(key) => Stored::Member { file, key },
    }
}

/// An address as it may stand in a message: what is before an `@` may be a password.
fn without_userinfo(text: &str) -> String {
    match (text.find("://"), text.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => format!("{}…{}", &text[..scheme + 3], &text[at..]),
        _ => text.to_owned(),
    }
}
