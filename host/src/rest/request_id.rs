//! The id by which a request is found again: in the response, in problems, in the log.
//!
//! It isn't secret and proves nothing: callers may choose it.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

use http::{HeaderMap, HeaderName, HeaderValue};

const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken over: room for a UUID or a trace id with a prefix, too little to flood a log with.
const MAX_LENGTH: usize = 128;

/// What sets the ids of this process apart from those of others. The standard library's hash keys are the randomness at hand, and
/// good enough where a collision costs a second look at the log.
static PREFIX: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(std::process::id()));

static COUNTER: AtomicU64 = AtomicU64::new(1);

/// 1 to 128 of `[A-Za-z0-9_.-]`: fit for a header, a log and a URI reference without any quoting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RequestId(String);

impl RequestId {
    /// The caller's id if it has a usable one, else a new one.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let given = headers.get(HEADER).and_then(|value| value.to_str().ok());
        match given {
            Some(id) if is_usable(id) => Self(id.to_owned()),
            _ => Self::new(),
        }
    }

    fn new() -> Self {
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        Self(format!("{:016x}-{count}", *PREFIX))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Puts the id into a response.
    pub(super) fn mark(&self, headers: &mut HeaderMap) {
        let value = HeaderValue::from_str(&self.0).expect("every character of an id is a header's");
        headers.insert(HEADER, value);
    }
}

fn is_usable(id: &str) -> bool {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    (1..=MAX_LENGTH).contains(&id.len()) && id.chars().all(is_legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_ids_are_taken_over() {
        let longest = "x".repeat(128);
        for (id, usable) in [
            ("a", true),
            ("550e8400-e29b-41d4-a716-446655440000", true),
            ("A_b.9", true),
            (longest.as_str(), true),
            (&format!("{longest}x"), false),
            ("", false),
            ("a b", false),
            ("a\"b", false),
            ("a\n", false),
            ("ä", false),
        ] {
            assert_eq!(is_usable(id), usable, "{id:?}");
        }
    }

    #[test]
    fn new_ids_differ_and_are_usable_themselves() {
        let (one, other) = (RequestId::new(), RequestId::new());
        assert_ne!(one, other);
        assert!(is_usable(one.as_str()), "{one:?}");
    }
}
