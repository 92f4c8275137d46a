//! Why a plugin can't be loaded with its grant, for the operator who reads the log or runs `airlock check`.
//!
//! No values of secrets in here, only their names.

use std::fmt;

use super::toml_lines;
use crate::grant::{BadDestination, MissingSecret};

/// All that is wrong between what a plugin declares and what it is granted, and the lines that would put it right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantError {
    plugin: String,
    problems: Vec<Problem>,
}

impl GrantError {
    /// `problems` in the order of the declaration; a repeated one is told once.
    pub(super) fn new(plugin: &str, problems: Vec<Problem>) -> Self {
        let mut unique: Vec<Problem> = Vec::new();
        for problem in problems {
            if !unique.contains(&problem) {
                unique.push(problem);
            }
        }
        Self { plugin: plugin.to_owned(), problems: unique }
    }

    /// The problems, each once.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The section of `airlock.toml` to add; `None` where no line there can help.
    pub fn hint(&self) -> Option<String> {
        let lines: Vec<String> = self.problems.iter().filter_map(Problem::line).collect();
        (!lines.is_empty()).then(|| toml_lines::section(&self.plugin, &lines))
    }
}

impl fmt::Display for GrantError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "plugin can't use its grant: {}", self.plugin)?;
        for problem in &self.problems {
            write!(f, "\n  {problem}")?;
        }
        if let Some(hint) = self.hint() {
            write!(f, "\nadd to airlock.toml:\n{hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for GrantError {}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The plugin declares an upstream that isn't a destination.
    #[error("declared upstream is not usable: {base_url}: {reason}")]
    Upstream {
        /// As the plugin wrote it.
        base_url: String,
        /// Why not.
        reason: BadDestination,
    },
    /// Nothing of what the plugin declares is granted, so no request of it could ever pass.
    #[error("none of the declared upstreams is granted: {declared}")]
    NothingGranted {
        /// The declared upstreams.
        declared: String,
        /// The line that grants them.
        line: String,
    },
    /// The address of an upstream is left to the operator, and the grant doesn't say it.
    #[error("address of an upstream is missing: {declared}")]
    NoAddress {
        /// The placeholder that stands for it.
        declared: String,
        /// The line that says where it is.
        line: String,
    },
    /// The plugin declares a token endpoint that isn't an address.
    #[error("declared token endpoint is not usable: {url}: {reason}")]
    TokenEndpoint {
        /// As the plugin wrote it.
        url: String,
        /// Why not.
        reason: BadDestination,
    },
    /// The access tokens that the plugin declares would come from where the grant doesn't allow anything to be asked.
    #[error("token endpoint is not granted: {declared}")]
    TokenEndpointNotGranted {
        /// The declared endpoints.
        declared: String,
        /// The line that grants them.
        line: String,
    },
    /// What a client asks for tokens with is itself a token in the grant.
    #[error("secret of an OAuth 2.0 client is a token that is fetched: {name}")]
    TokenForClient {
        /// The name that the plugin uses.
        name: String,
    },
    /// The plugin asks for a secret that the grant doesn't name.
    #[error("secret is not granted: {name}")]
    SecretNotGranted {
        /// The name that the plugin uses.
        name: String,
    },
    /// The grant names the secret, but there is no value.
    #[error("secret has no value: {name}: {reason}")]
    SecretMissing {
        /// The name that the plugin uses.
        name: String,
        /// Why not.
        reason: MissingSecret,
    },
    /// A secret's value can't stand in a header: a line break, a control character.
    #[error("value can't be sent in header {header}: credential made of {names}")]
    SecretIllegal {
        /// The header.
        header: String,
        /// The names of the secrets in the value.
        names: String,
    },
    /// A credential of the placement `basic` or `digest` isn't two things.
    #[error("credential has no colon between user name and password, expected `user:password`")]
    NoColon,
    /// A user name with a colon in it would end there, and its rest would be taken for the password.
    #[error("user name has a colon in it: credential made of {names}")]
    ColonInUser {
        /// The names of the secrets in the value.
        names: String,
    },
    /// A credential's header isn't a header name, or is one with which a plugin could redirect or reframe a request.
    #[error("header can't hold a credential: {header}")]
    CredentialHeader {
        /// As the plugin wrote it.
        header: String,
    },
}

impl Problem {
    fn line(&self) -> Option<String> {
        match self {
            Self::NothingGranted { line, .. }
            | Self::NoAddress { line, .. }
            | Self::TokenEndpointNotGranted { line, .. } => Some(line.clone()),
            Self::SecretNotGranted { name } | Self::TokenForClient { name } => Some(toml_lines::secret(name)),
            Self::Upstream { .. }
            | Self::TokenEndpoint { .. }
            | Self::SecretMissing { .. }
            | Self::SecretIllegal { .. }
            | Self::NoColon
            | Self::ColonInUser { .. }
            | Self::CredentialHeader { .. } => None,
        }
    }
}
