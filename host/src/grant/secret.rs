//! A secret's value, and why there is none.
//!
//! Where values come from is said in `source`.

use std::fmt;

use zeroize::Zeroizing;

/// A secret's value. It can't be printed, compared or serialised by accident, and its memory is cleared.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the value as it is; whoever has read it has trimmed it.
    pub fn new(value: String) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The value. `egress` calls this, to put it into a finished request and to find it in an answer; and `control`, for its token.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Why a mapped secret has no value, for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MissingSecret {
    /// The environment variable isn't set, is empty or isn't UTF-8.
    #[error("environment variable {0} is not set (or empty)")]
    Env(String),
    /// The file can't be read or is empty.
    #[error("secret file {path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// What went wrong.
        reason: String,
    },
    /// A credential of systemd's is asked for, and the host doesn't run as a unit that has any.
    #[error("credential {0}: CREDENTIALS_DIRECTORY is not set; give the unit LoadCredential={0}:…")]
    Credential(String),
}
