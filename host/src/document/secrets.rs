//! The secrets that a document binds: what templates call them, what a grant calls them, and where the document supposes their
//! values. Values are never here, and a document reads none: the operator's grant does.

use super::tree::Placed;
use crate::contract::{Origin, Origins};

/// The secrets that `binds` declare.
#[derive(Debug, Default)]
pub struct Secrets {
    /// In the order of the document; the same key may stand in several namespaces.
    pub keys: Vec<Secret>,
}

/// A key of a bind.
#[derive(Debug)]
pub struct Secret {
    /// The bind's namespace.
    pub namespace: String,
    /// The key.
    pub key: Placed<String>,
    /// Where its value is supposed to be.
    pub origin: Origin,
}

/// What a template's variable means.
#[derive(Debug, PartialEq, Eq)]
pub enum Meaning {
    /// No secret.
    Nothing,
    /// The secret that a grant calls so.
    Secret(String),
    /// It could be each of these, with their namespaces.
    Several(Vec<String>),
}

impl Secret {
    /// The name that is never ambiguous.
    pub fn qualified(&self) -> String {
        format!("{}.{}", self.namespace, self.key.value)
    }

    /// Whether this is that name.
    pub fn is_called(&self, qualified: &str) -> bool {
        in_namespace(qualified, &self.namespace) == Some(&self.key.value)
    }
}

impl Secrets {
    /// What a template's variable means: `KEY`, or `namespace.KEY`.
    pub fn find(&self, variable: &str) -> Meaning {
        let is_meant = |secret: &&Secret| secret.key.value == variable || secret.is_called(variable);
        let meant: Vec<&Secret> = self.keys.iter().filter(is_meant).collect();
        match meant.as_slice() {
            [] => Meaning::Nothing,
            [secret] => Meaning::Secret(self.name(secret)),
            several => Meaning::Several(several.iter().map(|secret| secret.qualified()).collect()),
        }
    }

    /// Whether a variable is meant as a secret, bound or not.
    pub fn is_meant(&self, variable: &str) -> bool {
        let in_any = || self.keys.iter().any(|secret| in_namespace(variable, &secret.namespace).is_some());
        self.find(variable) != Meaning::Nothing || in_any()
    }

    /// The origin of each secret, by the name that a grant calls it.
    pub fn origins(&self) -> Origins {
        self.keys.iter().map(|secret| (self.name(secret), secret.origin.clone())).collect()
    }

    /// Its key, unless another bind has the same.
    fn name(&self, secret: &Secret) -> String {
        let same = self.keys.iter().filter(|other| other.key.value == secret.key.value).count();
        if same == 1 { secret.key.value.clone() } else { secret.qualified() }
    }
}

fn in_namespace<'v>(variable: &'v str, namespace: &str) -> Option<&'v str> {
    variable.strip_prefix(namespace)?.strip_prefix('.')
}
