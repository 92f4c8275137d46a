//! What is made once, for good: the runtimes of which documents are made are few, and always the same.
//!
//! Nothing is let go: it is for what the host has brought along, not for what plugins are made of.

use std::sync::{Mutex, PoisonError};

/// Things by the bytes that they are made of.
pub(super) struct MadeOnce<T>(Mutex<Vec<(Vec<u8>, T)>>);

impl<T> Default for MadeOnce<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> MadeOnce<T> {
    /// What was made of these bytes, or is made now. Whoever asks meanwhile waits, whatever for.
    pub(super) fn get(&self, of: &[u8], make: impl FnOnce() -> wasmtime::Result<T>) -> wasmtime::Result<T> {
        // What a panic has left behind was whole before.
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, found)) = made.iter().find(|(other, _)| other == of) {
            return Ok(found.clone());
        }
        let new = make()?;
        made.push((of.to_owned(), new.clone()));
        Ok(new)
    }
}
