//! What is made of a snapshot for those who may call the same: once for each set of operations that some caller may call, when the first
//! of them asks.
//!
//! Nothing is kept of snapshots that are gone. What it is that is made isn't known here.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::{OperationRef, Snapshot};
use crate::callers::{Identity, Reach};

/// The most sets of operations for which something is kept. 16: operators tell few groups of callers apart, and what is kept for many
/// plugins (documents, an index of words) is some megabytes.
const MAX_KEPT: usize = 16;

/// What was made of the latest snapshot that was asked for.
#[derive(Debug)]
pub struct Views<T>(Mutex<Latest<T>>);

#[derive(Debug)]
struct Latest<T> {
    generation: u64,
    kept: HashMap<Seen, Arc<T>>,
}

/// Which of a snapshot's operations a caller may call, in their order; `None` for callers that aren't known: of those a
/// host has one kind.
type Seen = Option<Vec<bool>>;

impl<T> Default for Views<T> {
    fn default() -> Self {
        Self(Mutex::new(Latest { generation: 0, kept: HashMap::new() }))
    }
}

impl<T> Views<T> {
    /// What `make` makes of this snapshot for a caller. It may depend on what the caller may call, and on nothing else of the caller's.
    /// Whoever asks meanwhile waits, and finds it.
    pub fn of(&self, snapshot: &Snapshot, identity: &Identity, make: impl FnOnce() -> T) -> Arc<T> {
        // What a panic has left behind was whole before.
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = seen(snapshot, identity);
        let is_outdated = latest.generation != snapshot.generation();
        if is_outdated || (latest.kept.len() == MAX_KEPT && !latest.kept.contains_key(&seen)) {
            *latest = Latest { generation: snapshot.generation(), kept: HashMap::new() };
        }
        latest.kept.entry(seen).or_insert_with(|| Arc::new(make())).clone()
    }
}

fn seen(snapshot: &Snapshot, identity: &Identity) -> Seen {
    let operations = snapshot.plugins().iter().flat_map(OperationRef::all);
    identity.is_known().then(|| operations.map(|it| identity.reaches(&it) == Reach::Callable).collect())
}
