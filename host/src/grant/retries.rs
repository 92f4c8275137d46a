//! Which requests may be sent again, and how often.
//!
//! When that makes sense, and how long to wait before, is decided in `egress`.

use http::Method;

/// Which requests may be sent again, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retries {
    /// Repetitions of one request. 2: what passes, such as a restart or a full queue, has mostly passed at the third attempt; more
    /// would multiply the load of an upstream that is overloaded already.
    pub most: u32,
    /// The methods that are repeated beside the idempotent ones, at the operator's word.
    pub methods: Vec<String>,
}

impl Default for Retries {
    fn default() -> Self {
        Self { most: 2, methods: Vec::new() }
    }
}

impl Retries {
    /// Whether a request of this method may be carried out twice.
    pub fn allow(&self, method: &Method) -> bool {
        method.is_idempotent() || self.methods.iter().any(|name| name == method.as_str())
    }
}
