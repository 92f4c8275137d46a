//! What an operator allows one plugin: destinations, addresses, methods, secrets, limits. Plain values, already validated.
//!
//! `config` makes them from the file and the environment; nothing here reads either.

mod addresses;
mod destination;
mod limits;
mod pattern;
mod retries;
mod secret;
mod tls;

use std::collections::BTreeMap;

pub use self::{
    addresses::{Addresses, BadRange, parse_range},
    destination::{BadDestination, BadPath, Destination, Scheme},
    limits::Limits,
    pattern::{Hosts, Pattern},
    retries::Retries,
    secret::{MissingSecret, Secret},
    tls::{BadTls, Tls},
};

/// What an operator allows one plugin. Without a grant a plugin isn't loaded.
#[derive(Clone, Debug, Default)]
pub struct Grant {
    /// Where requests may go. Empty = nowhere.
    pub hosts: Vec<Pattern>,
    /// Which addresses the hosts may have, besides public ones, and which not.
    pub addresses: Addresses,
    /// The methods that may be used, in capitals; `None` = those that the plugin declares.
    pub methods: Option<Vec<String>>,
    /// The secrets, by the names that the plugin uses for them.
    pub secrets: BTreeMap<String, Result<Secret, MissingSecret>>,
    /// Requests to `from` are sent to `to` instead: staging, a simulator. Being the operator's explicit word, `to` may be a
    /// private or loopback address.
    pub rewrites: Vec<Rewrite>,
    /// How many redirects of one request are followed, each decided anew. 0 = they are handed to the plugin.
    pub redirects: usize,
    /// Which requests are sent again, and how often.
    pub retries: Retries,
    /// What is trusted beside the system's certificates, and who the plugin is to its upstreams.
    pub tls: Tls,
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
