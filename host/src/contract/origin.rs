//! Where a document supposes the value of a secret. Only a suggestion to the operator: nothing is read from there.

/// Where a document supposes the value of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In the environment variable of this name.
    Env(String),
    /// In a JSON or YAML file.
    File {
        /// The file.
        path: String,
        /// The member that is the value.
        key: String,
    },
    /// Somewhere that Airlock doesn't read from.
    Elsewhere,
}

/// The origins of secrets, by the names that a grant calls them.
pub type Origins = Vec<(String, Origin)>;
