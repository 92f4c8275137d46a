//! What an operator allows one plugin: destinations, addresses, methods, secrets, confirmations, limits. Plain values, already validated.
//!
//! `config` makes them from its file and the environment. The one thing that is read here is the file of a secret, in `source`.

mod addresses;
mod confirm;
mod destination;
mod limits;
mod member;
mod pattern;
mod retries;
mod secret;
mod source;
mod tls;

use std::{collections::BTreeMap, path::Path};

pub use self::{
    addresses::{Addresses, BadRange, parse_range},
    confirm::Confirm,
    destination::{BadDestination, BadPath, Destination, Scheme},
    limits::Limits,
    pattern::{Hosts, Pattern},
    retries::Retries,
    secret::{MissingSecret, Secret},
    source::{ClientAuthentication, ClientCredentials, Source, Stamp, Stored, TokenUrl},
    tls::{BadTls, Tls, identity},
};
pub(crate) use destination::is_below;

/// What an operator allows one plugin. Without a grant a plugin isn't loaded.
#[derive(Clone, Debug, Default)]
pub struct Grant {
    /// Where requests may go. Empty = nowhere.
    pub hosts: Vec<Pattern>,
    /// Which addresses the hosts may have, besides public ones, and which not.
    pub addresses: Addresses,
    /// The methods that may be used, in capitals; `None` = those that the plugin declares.
    pub methods: Option<Vec<String>>,
    /// Where the secrets come from, by the names that the plugin uses for them.
    pub secrets: BTreeMap<String, Source>,
    /// Requests to `from` are sent to `to` instead: staging, a simulator. Being the operator's explicit word, `to` may be a
    /// private or loopback address.
    pub rewrites: Vec<Rewrite>,
    /// How many redirects of one request are followed, each decided anew. 0 = they are handed to the plugin.
    pub redirects: usize,
    /// Which requests are sent again, and how often.
    pub retries: Retries,
    /// What is trusted beside the system's certificates, and who the plugin is to its upstreams.
    pub tls: Tls,
    /// Which operations a person has to agree to.
    pub confirm: Confirm,
    /// The limits of one call.
    pub limits: Limits,
}

/// Sends what is meant for one destination to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewrite {
    /// As the plugin asks for it.
    pub from: Destination,
    /// Where it goes.
    pub to: Destination,
}

impl Grant {
    /// The files that its secrets are kept in.
    pub fn secret_files(&self) -> impl Iterator<Item = &Path> {
        let stored = self.secrets.values().map(|source| match source {
            Source::Stored(stored) => stored,
            Source::OAuth2(client) => &client.client_secret,
        });
        stored.filter_map(|stored| match stored {
            Stored::File(file) | Stored::Member { file, .. } => Some(file.as_path()),
            Stored::Value(_) | Stored::Missing(_) => None,
        })
    }

    /// The token endpoints that the operator names.
    pub fn token_urls(&self) -> impl Iterator<Item = &TokenUrl> {
        self.secrets.values().filter_map(|source| match source {
            Source::OAuth2(client) => Some(&client.token_url),
            Source::Stored(_) => None,
        })
    }
}
