//! Word of the catalog's changes, for those who have told a client about one state and owe it news of the next.
//!
//! Changes that come while the last one is being told are told as one. How a session is told is `session`'s.

use rmcp::service::{SubscriptionContext, SubscriptionSendError};
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

/// Tells of a change what a modern client wants to know of it.
pub(super) async fn tell(context: &SubscriptionContext) -> Result<(), SubscriptionSendError> {
    let (wanted, sink) = (context.accepted(), context.sink());
    if wanted.tools_list_changed == Some(true) {
        sink.notify_tool_list_changed().await?;
    }
    if wanted.prompts_list_changed == Some(true) {
        sink.notify_prompt_list_changed().await?;
    }
    if wanted.resources_list_changed == Some(true) {
        sink.notify_resource_list_changed().await?;
    }
    for uri in wanted.resource_subscriptions.iter().flatten() {
        sink.notify_resource_updated(uri).await?;
    }
    Ok(())
}
