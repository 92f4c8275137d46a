//! Word of the catalog's changes, for those who have told a client about one state and owe it news of the next.
//!
//! Changes that come while the last one is being told are told as one; how they are told is up to the caller.

use tokio::sync::watch;

use crate::catalog::Catalog;

/// The changes since a generation of the catalog.
pub(super) struct Changes {
    generations: watch::Receiver<u64>,
    told: u64,
}

impl Changes {
    /// The changes after generation `told`; none of them is missed, though it be in the past.
    pub(super) fn since(catalog: &Catalog, told: u64) -> Self {
        Self { generations: catalog.changes(), told }
    }

    /// Waits until the catalog is another one than last time. `None` when there is no catalog any more.
    pub(super) async fn next(&mut self) -> Option<()> {
        let told = self.told;
        self.told = *self.generations.wait_for(|now| *now != told).await.ok()?;
        Some(())
    }
}
