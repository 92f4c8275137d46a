//! The secrets of one plugin: their present values, filled into what the plugin declares, and what must be scrubbed from answers.
//!
//! Files are looked at again while requests come, tokens are fetched when a request needs them. Which request gets which
//! credentials is decided in `policy`, how they are added to it in `authentication`.

use std::{
    collections::BTreeMap,
    panic::resume_unwind,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use arc_swap::ArcSwap;
use futures::FutureExt;
use tokio::{
    task::spawn_blocking,
    time::{Instant, timeout_at},
};

use super::{
    Context,
    clients::{Client, DeclaredTokens},
    credentials::Account,
    digest::Challenges,
    grant_error::Problem,
    keyring::{Declared, Keyring, Stores, account, forge},
    oauth2::{self, TOKEN_TIMEOUT},
    policy,
    refusal::{Refusal, TokenFault},
    scrub,
    slot::Slot,
    token::{Refreshed, TokenSource},
    toml_lines,
    transport::Transport,
};
use crate::{
    contract::{Credential, Upstream},
    grant::{Grant, Secret, Source},
};

/// How often files are looked at, at most. A second: a rotated secret is in use as soon as anyone could check that it is, and one
/// look costs a few microseconds.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// The secrets of one plugin.
pub(super) struct Vault {
    plugin: Arc<str>,
    transport: Arc<Transport>,
    declared: Vec<Declared>,
    tokens: BTreeMap<String, Arc<TokenSource>>,
    /// Held while files are read: never locked on a thread that serves requests.
    stores: Mutex<Stores>,
    /// `None` where no value can change.
    next_look: Option<Mutex<Instant>>,
    keyring: ArcSwap<Keyring>,
}

impl Vault {
    /// Once per plugin load: reads what is stored and fills it into what the plugin declares. Tokens are fetched later.
    pub(super) fn open(
        plugin: &str,
        grant: &Grant,
        upstreams: &[Upstream],
        transport: Arc<Transport>,
    ) -> Result<Arc<Self>, Vec<Problem>> {
        let mut stores = Stores::default();
        let mut tokens = BTreeMap::new();
        for (name, source) in &grant.secrets {
            match source {
                Source::Stored(stored) => {
                    stores.secrets.insert(name.clone(), Slot::new(stored.clone()));
                }
                Source::OAuth2(client) => {
                    stores.clients.insert(name.clone(), Slot::new(client.client_secret.clone()));
                    tokens.insert(name.clone(), Arc::new(TokenSource::new(Client::granted(client))));
                }
            }
        }
        let (credentials, clients, mut problems) = settle(grant, upstreams);
        tokens.extend(clients.into_iter().map(|(name, client)| (name, Arc::new(TokenSource::new(client)))));
        let declared: Vec<_> = credentials.into_iter().map(|it| Declared::new(it, &tokens)).collect();
        let keyring = match forge(&declared, &stores, &tokens) {
            Ok(keyring) if problems.is_empty() => keyring,
            forged => {
                problems.extend(forged.err().into_iter().flatten());
                return Err(problems);
            }
        };
        for (name, slot) in stores.secrets.iter().chain(&stores.clients) {
            slot.values().for_each(|secret| warn_if_short(plugin, name, secret));
        }
        let can_change = stores.secrets.values().chain(stores.clients.values()).any(Slot::can_change);
        Ok(Arc::new(Self {
            plugin: plugin.into(),
            transport,
            declared,
            tokens,
            stores: Mutex::new(stores),
            next_look: can_change.then(|| Mutex::new(Instant::now() + LOOK_INTERVAL)),
            keyring: ArcSwap::from_pointee(keyring),
        }))
    }

    /// The present keyring, in which the given upstream's tokens are good. It waits until `deadline` for a token that must be
    /// fetched; one that will be old soon is fetched in the background.
    pub(super) async fn keyring(self: &Arc<Self>, upstream: usize, deadline: Instant) -> Result<Arc<Keyring>, Refusal> {
        self.look_at_files(deadline).await;
        let keyring = self.keyring.load_full();
        for (index, name) in self.declared[upstream].tokens.iter().enumerate() {
            let present = keyring.upstream(upstream).map(|prepared| &prepared.tokens[index].1);
            match present.filter(|token| token.is_good()) {
                Some(token) if token.is_old() => drop(self.refresh(name)),
                Some(_) => {}
                None => {
                    let refreshed = timeout_at(deadline, self.refresh(name)).await;
                    let refreshed = refreshed.unwrap_or(Err(TokenFault::TimedOut));
                    refreshed.map_err(|fault| Refusal::Token { host: self.tokens[name].host().to_owned(), fault })?;
                }
            }
        }
        Ok(self.keyring.load_full())
    }

    /// The challenges that the upstream's origins have posed last.
    pub(super) fn challenges(&self, upstream: usize) -> &Challenges {
        &self.declared[upstream].challenges
    }

    /// The endpoint of an upstream's first token, for messages.
    pub(super) fn token_host(&self, upstream: usize) -> &str {
        self.declared[upstream].tokens.first().map_or("", |name| self.tokens[name].host())
    }

    /// Looks at all files, unless that was done a moment ago. A file system that hangs costs the one request its time.
    async fn look_at_files(self: &Arc<Self>, deadline: Instant) {
        let Some(next_look) = &self.next_look else {
            return;
        };
        let now = Instant::now();
        {
            let mut next_look = next_look.lock().expect("no panic while held");
            if now < *next_look {
                return;
            }
            *next_look = now + LOOK_INTERVAL;
        }
        drop(timeout_at(deadline, self.off_workers(Self::reread)).await);
    }

    /// Carries out what may wait for a file or take a few milliseconds.
    async fn off_workers<T: Send + 'static>(self: &Arc<Self>, work: impl FnOnce(&Self) -> T + Send + 'static) -> T {
        let vault = Arc::clone(self);
        match spawn_blocking(move || work(&vault)).await {
            Ok(done) => done,
            Err(failed) if failed.is_panic() => resume_unwind(failed.into_panic()),
            // The host stops: nobody waits any more.
            Err(_cancelled) => std::future::pending().await,
        }
    }

    fn stores(&self) -> MutexGuard<'_, Stores> {
        self.stores.lock().expect("no panic while held")
    }

    /// Takes the new values of changed files, each of them only if everything can be made of it that the plugin needs.
    fn reread(&self) {
        // Who finds them held has nothing to add: a file that hangs is being read, and threads that wait for it would pile up.
        let Ok(mut stores) = self.stores.try_lock() else {
            return;
        };
        let mut has_changed = false;
        for (name, slot) in &mut stores.clients {
            if let Some(secret) = self.look(name, slot) {
                slot.replace(secret);
                self.tokens[name].forget_failures();
                has_changed = true;
            }
        }
        let names: Vec<String> = stores.secrets.keys().cloned().collect();
        for name in names {
            let slot = stores.secrets.get_mut(&name).expect("the keys are its own");
            let Some(replaced) = self.look(&name, slot).map(|secret| slot.replace(secret)) else {
                continue;
            };
            if let Err(problems) = forge(&self.declared, &stores, &self.tokens) {
                let slot = stores.secrets.get_mut(&name).expect("the keys are its own");
                slot.undo(replaced);
                self.warn_kept(&name, slot, &join(&problems));
            } else {
                self.tokens.values().filter(|it| it.client.is_made_of(&name)).for_each(|it| it.forget_failures());
                has_changed = true;
            }
        }
        if has_changed {
            self.forge_anew(&stores);
        }
    }

    /// The new value of a changed file.
    fn look(&self, name: &str, slot: &mut Slot) -> Option<Secret> {
        match slot.look()? {
            Ok(secret) => {
                warn_if_short(&self.plugin, name, &secret);
                Some(secret)
            }
            Err(reason) => {
                self.warn_kept(name, slot, &reason.to_string());
                None
            }
        }
    }

    fn warn_kept(&self, name: &str, slot: &mut Slot, reason: &str) {
        if slot.is_worth_telling() {
            tracing::warn!(
                plugin = &*self.plugin,
                secret = name,
                reason,
                "a changed secret can't be used, the old value stays"
            );
        }
    }

    fn forge_anew(&self, stores: &Stores) {
        match forge(&self.declared, stores, &self.tokens) {
            Ok(keyring) => self.keyring.store(Arc::new(keyring)),
            // A token where it can't stand, such as in a user's name.
            Err(problems) => {
                tracing::warn!(plugin = &*self.plugin, reason = join(&problems), "a fetched token can't be used");
            }
        }
    }

    /// Fetches a token for all who want one. It goes on when they have stopped waiting.
    fn refresh(self: &Arc<Self>, name: &str) -> Refreshed {
        self.tokens[name].refresh(|| {
            let (vault, name) = (Arc::clone(self), name.to_owned());
            let task = tokio::spawn(async move { vault.fetch(&name).await });
            async move { task.await.unwrap_or(Err(TokenFault::TimedOut)) }.boxed()
        })
    }

    async fn fetch(self: &Arc<Self>, name: &str) -> Result<(), TokenFault> {
        let source = &self.tokens[name];
        let asked_at = Instant::now();
        let owned = name.to_owned();
        let account = self.off_workers(move |vault| vault.account(&owned)).await;
        // The token is for whoever needs it next. No operation has a colon in its name.
        let operation = format!("token:{name}").into();
        let context = Context { operation, caller: "host".into(), deadline: Instant::now() + TOKEN_TIMEOUT };
        let result = match oauth2::fetch(&self.plugin, &self.transport, &source.client, &account, &context).await {
            Ok(fetched) => {
                warn_if_short(&self.plugin, name, &fetched.token);
                source.succeed(fetched, asked_at);
                self.off_workers(|vault| vault.forge_anew(&vault.stores())).await;
                Ok(())
            }
            Err(fault) => {
                let pause_ms = source.fail(fault).as_millis() as u64;
                let hint = self.hint(source, fault);
                tracing::warn!(plugin = &*self.plugin, secret = name, host = source.host(), %fault, pause_ms, "no token: {hint}");
                Err(fault)
            }
        };
        source.end();
        result
    }

    /// Who asks for a token, with the secrets as they are now.
    fn account(&self, name: &str) -> Account {
        let account = account(name, &self.tokens[name].client, &self.stores());
        account
            .expect("a plugin whose client has no secret isn't loaded, and a change that leaves it without isn't taken")
    }

    /// What the operator can do about a token endpoint that fails.
    fn hint(&self, source: &TokenSource, fault: TokenFault) -> String {
        match fault {
            TokenFault::PrivateAddress => {
                let line = toml_lines::vouch(&source.client.token_url.origin().to_string());
                format!(
                    "if that address is right, add to airlock.toml:\n{}",
                    toml_lines::section(&self.plugin, &[line])
                )
            }
            TokenFault::Status(400..=499) => {
                "check the client's id, secret, scope, audience and authentication".to_owned()
            }
            _ => "it will be asked again".to_owned(),
        }
    }
}

/// What each upstream needs, where a token has a name in the place of what is known of it; who asks for those tokens, and what is wrong.
/// One that isn't granted needs nothing.
fn settle(grant: &Grant, upstreams: &[Upstream]) -> (Vec<Vec<Credential>>, BTreeMap<String, Client>, Vec<Problem>) {
    let mut tokens = DeclaredTokens::default();
    let credentials = upstreams.iter().map(|upstream| match policy::is_granted(grant, upstream) {
        true => upstream.credentials.iter().map(|it| tokens.name(it, grant)).collect(),
        false => Vec::new(),
    });
    let credentials = credentials.collect();
    let (clients, problems) = tokens.settle(grant);
    (credentials, clients, problems)
}

fn warn_if_short(plugin: &str, name: &str, secret: &Secret) {
    if secret.expose().len() < scrub::SHORTEST {
        tracing::warn!(
            plugin,
            secret = name,
            "secret is too short to be removed from answers: under {} bytes",
            scrub::SHORTEST
        );
    }
}

fn join(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
