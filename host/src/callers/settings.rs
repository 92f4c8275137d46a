//! What the operator says about callers: plain values, already validated. `config` makes them from its file.

use std::collections::BTreeMap;

use jsonwebtoken::Algorithm;
use url::Url;

use super::{KeyHash, Rules};

/// The callers and the issuers of their tokens. Without callers there is no authentication.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `[callers.<name>]`.
    pub callers: Vec<CallerSettings>,
    /// `[issuers.<name>]`.
    pub issuers: BTreeMap<String, IssuerSettings>,
}

/// One `[callers.<name>]`.
#[derive(Clone, Debug)]
pub struct CallerSettings {
    /// The name, for the log.
    pub name: String,
    /// How a caller is known.
    pub known_by: KnownBy,
    /// What the caller may see and call.
    pub rules: Rules,
    /// How many calls a second; any number where absent.
    pub requests_per_second: Option<u32>,
}

/// How a caller is known.
#[derive(Clone, Debug)]
pub enum KnownBy {
    /// By a key.
    Key(KeyHash),
    /// By a token that has all of this.
    Token(TokenSettings),
}

/// What a token has to have.
#[derive(Clone, Debug)]
pub struct TokenSettings {
    /// The name of its issuer in the configuration.
    pub issuer: String,
    /// Scopes, all of them.
    pub scopes: Vec<String>,
    /// Claims: each is this text, or a list with it.
    pub claims: BTreeMap<String, String>,
}

/// One `[issuers.<name>]`: who makes tokens.
#[derive(Clone, Debug)]
pub struct IssuerSettings {
    /// As its tokens and its metadata write it, to the letter.
    pub issuer: String,
    /// Where its metadata is.
    pub metadata: Url,
    /// For whom its tokens are to be: this host, by any of these names.
    pub audiences: Vec<String>,
    /// The signatures that are believed.
    pub algorithms: Vec<Algorithm>,
}
