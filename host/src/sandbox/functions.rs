//! Compiled functions, so that what components have in common is compiled once for a process.
//!
//! Documents become components that differ in their data alone: each has the functions of the runtime that it is made of. The engine asks
//! for a function by the hash of everything that its code depends on, so that any component gets what any other has led to.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

use wasmtime::CacheStore;

/// The most that is kept, in bytes of compiled functions. The three runtimes take less than 8 MiB together; with 32 MiB, providers that are
/// compiled among documents don't displace them at every turn.
const MAX_KEPT: usize = 32 << 20;

/// Functions by the hash of what they are compiled of.
#[derive(Debug, Default)]
pub(super) struct Functions(RwLock<Kept>);

#[derive(Debug, Default)]
struct Kept {
    code: HashMap<Vec<u8>, Vec<u8>>,
    bytes: usize,
}

impl CacheStore for Functions {
    fn get(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
        // What a panic has left behind was whole before.
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
        kept.code.get(key).cloned().map(Cow::Owned)
    }

    fn insert(&self, key: &[u8], code: Vec<u8>) -> bool {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(key, code)
    }
}

impl Kept {
    /// Where there is no room, all that is kept goes: what is used comes again with the next component.
    fn insert(&mut self, key: &[u8], code: Vec<u8>) -> bool {
        let bytes = key.len() + code.len();
        if bytes > MAX_KEPT {
            return false;
        }
        if self.bytes + bytes > MAX_KEPT {
            *self = Self::default();
        }
        let replaced = self.code.insert(key.to_owned(), code).map_or(0, |replaced| key.len() + replaced.len());
        self.bytes = self.bytes - replaced + bytes;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_compiled_is_found_again() {
        let functions = Functions::default();
        assert!(functions.get(b"key").is_none());
        assert!(functions.insert(b"key", vec![1, 2]));
        assert_eq!(functions.get(b"key").as_deref(), Some(&[1, 2][..]));
    }

    #[test]
    fn what_is_kept_has_a_bound() {
        let functions = Functions::default();
        assert!(!functions.insert(b"too large", vec![0; MAX_KEPT]));
        let half = vec![0; MAX_KEPT / 2 - 1];
        for key in [b"1", b"1", b"2", b"3"] {
            assert!(functions.insert(key, half.clone()));
            assert!(functions.get(key).is_some());
            let kept = functions.0.read().unwrap();
            assert!(kept.bytes <= MAX_KEPT);
            assert_eq!(kept.bytes, kept.code.iter().map(|(key, code)| key.len() + code.len()).sum::<usize>());
        }
    }
}
