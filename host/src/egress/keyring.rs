//! What is made of a plugin's secrets as they are at one time: the credentials of each upstream, and what must be scrubbed from answers.
//!
//! Nothing is read or fetched here: the vault does that, and has it made anew whenever a value changes.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    clients::{Client, ClientAccount},
    credentials::{Account, Credentials, Secrets},
    digest::Challenges,
    grant_error::Problem,
    scrub::Patterns,
    slot::Slot,
    spellings::form_encoded,
    token::{Token, TokenSource},
};
use crate::{contract::Credential, grant::Secret};

/// What one declared upstream needs.
pub(super) struct Declared {
    /// Empty where the upstream isn't granted.
    pub(super) credentials: Vec<Credential>,
    /// The names of the secrets that are tokens.
    pub(super) tokens: Vec<String>,
    pub(super) challenges: Challenges,
}

/// The values, where they are kept.
#[derive(Default)]
pub(super) struct Stores {
    pub(super) secrets: BTreeMap<String, Slot>,
    /// What the tokens that the grant names are fetched with, by the name of the token.
    pub(super) clients: BTreeMap<String, Slot>,
}

/// All that is made of the values as they are at one time. A request keeps the one that it was sent with.
pub(super) struct Keyring {
    /// By the upstream's place in the declaration. `None` where a token is still to be fetched.
    upstreams: Vec<Option<Prepared>>,
    patterns: Option<Arc<Patterns>>,
}

/// The credentials of one upstream, and the tokens that are in them, in the order in which the upstream needs them.
pub(super) struct Prepared {
    pub(super) credentials: Credentials,
    pub(super) tokens: Vec<(Arc<TokenSource>, Arc<Token>)>,
}

impl Keyring {
    pub(super) fn upstream(&self, upstream: usize) -> Option<&Prepared> {
        self.upstreams[upstream].as_ref()
    }

    /// What to scrub from an answer.
    pub(super) fn patterns(&self) -> Option<Arc<Patterns>> {
        self.patterns.clone()
    }
}

impl Declared {
    pub(super) fn new(credentials: Vec<Credential>, sources: &BTreeMap<String, Arc<TokenSource>>) -> Self {
        let mut tokens: Vec<String> = Vec::new();
        let names = credentials.iter().flat_map(Credential::secret_names);
        for name in names.filter(|name| sources.contains_key(*name)) {
            if !tokens.iter().any(|token| token == name) {
                tokens.push(name.to_owned());
            }
        }
        Self { credentials, tokens, challenges: Challenges::default() }
    }
}

impl Stores {
    /// The secrets that aren't tokens.
    fn values(&self) -> Secrets {
        self.secrets.iter().map(|(name, slot)| (name.clone(), slot.value().clone())).collect()
    }
}

/// Who asks for a token.
pub(super) fn account(token: &str, client: &Client, stores: &Stores) -> Result<Account, Vec<Problem>> {
    match &client.account {
        ClientAccount::Granted { id } => {
            let missing = |reason| vec![Problem::SecretMissing { name: token.to_owned(), reason }];
            let password = stores.clients[token].value().clone().map_err(missing)?;
            Ok(Account { user: Secret::new(id.clone()), password })
        }
        ClientAccount::Declared { id, secret } => {
            let is_token = |name: &&str| stores.clients.contains_key(*name);
            let tokens = client.secret_names().filter(is_token);
            let wrong: Vec<_> = tokens.map(|name| Problem::TokenForClient { name: name.to_owned() }).collect();
            match wrong.is_empty() {
                true => Account::of_client(id, secret, &stores.values()),
                false => Err(wrong),
            }
        }
    }
}

/// Makes everything of the present values. All problems are told, not the first only.
pub(super) fn forge(
    declared: &[Declared],
    stores: &Stores,
    sources: &BTreeMap<String, Arc<TokenSource>>,
) -> Result<Keyring, Vec<Problem>> {
    let tokens: BTreeMap<&str, Arc<Token>> =
        sources.iter().filter_map(|(name, source)| Some((name.as_str(), source.tokens().0?))).collect();
    let mut secrets = stores.values();
    let mut problems = Vec::new();
    for (name, source) in sources {
        // A token that isn't there yet is stood in for, so that everything else is checked without it.
        let token = tokens.get(name.as_str()).map_or_else(|| Secret::new("token".to_owned()), |it| it.value().clone());
        let value = match &source.client.account {
            ClientAccount::Granted { .. } => stores.clients[name].value().clone().map(|_| token),
            ClientAccount::Declared { .. } => {
                problems.extend(account(name, &source.client, stores).err().into_iter().flatten());
                Ok(token)
            }
        };
        secrets.insert(name.clone(), value);
    }
    let mut upstreams = Vec::new();
    for declared in declared {
        match Credentials::expand(&declared.credentials, &secrets) {
            Ok(credentials) => {
                let held = declared
                    .tokens
                    .iter()
                    .map(|name| Some((Arc::clone(&sources[name]), Arc::clone(tokens.get(name.as_str())?))));
                let held: Option<Vec<_>> = held.collect();
                upstreams.push(held.map(|tokens| Prepared { credentials, tokens }));
            }
            Err(more) => problems.extend(more),
        }
    }
    if problems.is_empty() { Ok(Keyring { upstreams, patterns: patterns(stores, sources) }) } else { Err(problems) }
}

/// All values that may turn up in an answer, and those before them.
fn patterns(stores: &Stores, sources: &BTreeMap<String, Arc<TokenSource>>) -> Option<Arc<Patterns>> {
    let mut all: Vec<Secret> = stores.secrets.values().flat_map(Slot::values).cloned().collect();
    for secret in stores.clients.values().flat_map(Slot::values) {
        all.push(secret.clone());
        // What base64 was made of.
        all.push(Secret::new(form_encoded(secret.expose()).to_string()));
    }
    let declared = sources.iter().filter(|(name, _)| !stores.clients.contains_key(*name));
    for account in declared.filter_map(|(name, source)| account(name, &source.client, stores).ok()) {
        all.push(Secret::new(form_encoded(account.password.expose()).to_string()));
        all.push(account.password);
    }
    for (token, previous) in sources.values().map(|source| source.tokens()) {
        all.extend([token, previous].into_iter().flatten().map(|token| token.value().clone()));
    }
    Patterns::new(&all)
}
