//! Callers: who asks (a key, or a token of an issuer's), and what they may see and call.
//!
//! `presented` is what a request shows, `key`, `token` and `issuer` say whether it is good, `rules` and `identity` what it is good
//! for. Nothing is called without the proof that `identity` gives out. Where no callers are configured, everybody may do everything,
//! and `exposure` sees to it that this is on loopback. Rendering is each door's own.

mod exposure;
mod identity;
mod issuer;
mod key;
mod keys;
mod presented;
mod rejection;
mod rules;
mod settings;
mod token;

use std::{collections::BTreeMap, sync::Arc};

use http::{Extensions, HeaderMap};
use tokio::time::Instant;

pub use self::{
    exposure::Exposed,
    identity::{Account, Denied, Identity, Permitted, Reading},
    key::{BadKeyHash, KeyHash, NewKey},
    rejection::{RETRY_AFTER, Rejection, insufficient_scope},
    rules::{BadGlob, Glob, Reach, Rules},
    settings::{CallerSettings, IssuerSettings, KnownBy, Settings, TokenSettings},
};
use self::{identity::Role, issuer::Issuer};
pub(crate) use exposure::check as check_exposure;

use crate::{contract::Audience, rate::Rate};

/// The callers that a host knows.
pub struct Callers {
    /// False where none are configured: then nobody is asked who they are.
    are_known: bool,
    keys: Vec<(KeyHash, Identity)>,
    issuers: Vec<Issuer>,
}

impl Callers {
    /// The callers of a configuration. Nothing is fetched yet.
    pub fn new(settings: Settings) -> Self {
        let are_known = !settings.callers.is_empty();
        let mut keys = Vec::new();
        let mut roles: BTreeMap<String, Vec<(TokenSettings, Arc<Role>)>> = BTreeMap::new();
        for caller in settings.callers {
            let role = |scopes| {
                let rate = caller.requests_per_second.map(|rate| Rate::new(rate, Instant::now()));
                Arc::new(Role { name: caller.name.clone(), rules: caller.rules.clone(), rate, scopes })
            };
            match caller.known_by {
                KnownBy::Key(ref hash) => {
                    let identity = known_by_key(caller.name.clone(), role(Vec::new()));
                    keys.push((hash.clone(), identity));
                }
                KnownBy::Token(ref token) => {
                    let of_issuer = roles.entry(token.issuer.clone()).or_default();
                    of_issuer.push((token.clone(), role(token.scopes.clone())));
                }
            }
        }
        let issuers = settings.issuers.into_iter();
        let issuers = issuers.map(|(name, it)| Issuer::new(it, roles.remove(&name).unwrap_or_default()));
        Self { are_known, keys, issuers: issuers.collect() }
    }

    /// Says who asks, and lets go of the key or token: it is meant for this host alone, and from here on nobody can pass it on. The
    /// [`Identity`] is in the request's extensions afterwards.
    ///
    /// # Errors
    /// See [`Rejection`].
    pub async fn admit(&self, headers: &mut HeaderMap, extensions: &mut Extensions) -> Result<(), Rejection> {
        let identity = match self.are_known {
            true => self.identify(presented::presented(headers)?).await?,
            false => Identity::anyone(),
        };
        if self.are_known {
            presented::strip(headers);
        }
        extensions.insert(identity);
        Ok(())
    }

    /// The addresses of the issuers whose tokens are good here.
    pub fn issuers(&self) -> impl Iterator<Item = &str> {
        self.issuers.iter().map(Issuer::address)
    }

    /// All scopes that some caller is known by, each once, sorted.
    pub fn scopes(&self) -> Vec<&str> {
        let mut scopes: Vec<&str> = self.issuers.iter().flat_map(Issuer::scopes).collect();
        scopes.sort_unstable();
        scopes.dedup();
        scopes
    }

    /// Whose calls can get this far.
    pub fn audience(&self) -> Audience {
        if self.are_known { Audience::Known } else { Audience::Anyone }
    }

    async fn identify(&self, presented: &str) -> Result<Identity, Rejection> {
        let hash = KeyHash::of(presented);
        // Every key is compared, so that the time doesn't tell which one it was.
        let mut found = None;
        for (known, identity) in &self.keys {
            if known.is(&hash).into() {
                found = Some(identity);
            }
        }
        if let Some(identity) = found {
            return Ok(identity.clone());
        }
        let address = token::issuer(presented).ok_or(Rejection::Unknown)?;
        let issuer = self.issuers.iter().find(|it| it.address() == address).ok_or(Rejection::Unknown)?;
        issuer.identify(presented).await
    }
}

fn known_by_key(name: String, role: Arc<Role>) -> Identity {
    Identity::known(name.clone(), name, vec![role], Vec::new())
}

/// Who asks, as [`Callers::admit`] has found. A request that hasn't been there is nobody's.
pub fn identity(extensions: &Extensions) -> Identity {
    extensions.get::<Identity>().cloned().unwrap_or_else(Identity::nobody)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use http::{HeaderValue, header};

    use super::*;
    use crate::config::Config;

    fn callers(toml: &str) -> Callers {
        Callers::new(Config::parse(toml, Path::new("airlock.toml")).unwrap().callers)
    }

    async fn admit(callers: &Callers, authorization: Option<&'static str>) -> Result<Option<String>, Rejection> {
        let mut headers = HeaderMap::new();
        if let Some(value) = authorization {
            headers.insert(header::AUTHORIZATION, HeaderValue::from_static(value));
        }
        let mut extensions = Extensions::new();
        callers.admit(&mut headers, &mut extensions).await?;
        assert!(!identity(&extensions).is_known() || headers.is_empty(), "it has been let go of");
        Ok(identity(&extensions).name().map(str::to_owned))
    }

    #[tokio::test]
    async fn callers_are_known_by_their_keys() {
        let [abc, other] = [KeyHash::of("abc"), KeyHash::of("other")];
        let known = callers(&format!(
            "[callers.first]\nkey.hash = '{abc}'\nplugins = ['*']\n[callers.second]\nkey.hash = '{other}'\nplugins = []"
        ));
        for (authorization, expected) in [
            (None, Err(Rejection::Missing)),
            (Some("Bearer abc"), Ok(Some("first".to_owned()))),
            (Some("Bearer other"), Ok(Some("second".to_owned()))),
            (Some("Bearer ab"), Err(Rejection::Unknown)),
            (Some("Bearer "), Err(Rejection::Unknown)),
            (Some("Basic abc"), Err(Rejection::OtherScheme)),
            // The hash is no key.
            (
                Some("Bearer sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
                Err(Rejection::Unknown),
            ),
        ] {
            assert_eq!(admit(&known, authorization).await, expected, "{authorization:?}");
        }
    }

    #[tokio::test]
    async fn without_callers_it_is_anyone_and_without_a_look_nobody_is() {
        assert_eq!(admit(&callers(""), None).await, Ok(None));
        assert_eq!(admit(&callers(""), Some("Bearer x")).await, Ok(None));
        assert_eq!(identity(&Extensions::new()).name(), Some("nobody"));
    }
}
