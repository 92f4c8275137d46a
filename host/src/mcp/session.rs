//! What a session of a legacy client has besides its requests: a place among the sessions, news of changes, a level of the log, and
//! the resources that it has subscribed to.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, OnceLock},
};

use rmcp::{ErrorData, Peer, RoleServer, model::ResourceUpdatedNotificationParam, service::ServiceError};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{changes::Changes, events};
use crate::contract::Level;

/// The most resources that a session can subscribe to. 100: more than a client shows; each is a message at each change.
pub(super) const MAX_SUBSCRIPTIONS: usize = 100;

/// The longest URI that can be subscribed to. 2 KB: browsers and servers took no longer ones for decades; each is kept as long as the
/// subscription.
pub(super) const MAX_URI: usize = 2 << 10;

/// A session. rmcp drops it with the session's server.
pub(super) struct Session {
    /// Its place among the others.
    place: OnceLock<OwnedSemaphorePermit>,
    /// Ends the task that tells it about changes.
    telling: OnceLock<DropGuard>,
    log: Mutex<Level>,
    subscribed: Arc<Mutex<BTreeSet<String>>>,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            place: OnceLock::new(),
            telling: OnceLock::new(),
            log: Mutex::new(events::AT_FIRST),
            subscribed: Arc::default(),
        }
    }
}

impl Session {
    /// It has a place. A client that initializes a session twice keeps the one it has.
    pub(super) fn takes(&self, place: OwnedSemaphorePermit) {
        let _ = self.place.set(place);
    }

    /// It is told about changes until it ends.
    pub(super) fn follows(&self, mut changes: Changes, peer: Peer<RoleServer>) {
        let ended = CancellationToken::new();
        let subscribed = self.subscribed.clone();
        let telling = async move {
            while changes.next().await.is_some() {
                let subscribed = subscribed.lock().expect("nothing panics under this lock").clone();
                if tell(&peer, subscribed).await.is_err() {
                    return;
                }
            }
        };
        tokio::spawn(ended.clone().run_until_cancelled_owned(telling));
        // A client that says twice that it is ready is still told once: the second guard is dropped here.
        let _ = self.telling.set(ended.drop_guard());
    }

    /// From which level on it is told what happens.
    pub(super) fn log(&self) -> Level {
        *self.log.lock().expect("nothing panics under this lock")
    }

    /// Sets the level.
    pub(super) fn logs_from(&self, level: Level) {
        *self.log.lock().expect("nothing panics under this lock") = level;
    }

    /// It is told about changes of a resource, which may be there or come later.
    ///
    /// # Errors
    /// It has subscribed to as many as it may, or the URI is too long.
    pub(super) fn subscribes(&self, uri: String) -> Result<(), ErrorData> {
        if uri.len() > MAX_URI {
            let text = format!("the URI is longer than {MAX_URI} bytes, the limit of what can be subscribed to");
            return Err(ErrorData::invalid_params(text, None));
        }
        let mut subscribed = self.subscribed.lock().expect("nothing panics under this lock");
        if subscribed.len() == MAX_SUBSCRIPTIONS && !subscribed.contains(&uri) {
            let text =
                format!("{MAX_SUBSCRIPTIONS} resources are subscribed to, the limit of a session: unsubscribe one");
            return Err(ErrorData::invalid_params(text, None));
        }
        subscribed.insert(uri);
        Ok(())
    }

    /// It isn't told about a resource any more.
    pub(super) fn unsubscribes(&self, uri: &str) {
        self.subscribed.lock().expect("nothing panics under this lock").remove(uri);
    }
}

/// Tells that the plugins have changed. Which lists that changes isn't known: plugins make them when they are asked.
async fn tell(peer: &Peer<RoleServer>, subscribed: BTreeSet<String>) -> Result<(), ServiceError> {
    peer.notify_tool_list_changed().await?;
    peer.notify_prompt_list_changed().await?;
    peer.notify_resource_list_changed().await?;
    for uri in subscribed {
        peer.notify_resource_updated(ResourceUpdatedNotificationParam::new(uri)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_subscribes_to_so_many_resources_and_to_no_endless_names() {
        let session = Session::default();
        let uri = |n: usize| format!("test://{n}");
        (0..MAX_SUBSCRIPTIONS).for_each(|n| session.subscribes(uri(n)).expect("there is room"));
        let full = session.subscribes(uri(MAX_SUBSCRIPTIONS)).expect_err("one too many");
        assert!(full.message.contains("100 resources are subscribed to"), "{full:?}");
        session.subscribes(uri(0)).expect("it is subscribed to already");
        session.unsubscribes(&uri(0));
        let long = session.subscribes("x".repeat(MAX_URI + 1)).expect_err("too long");
        assert!(long.message.contains("longer than 2048 bytes"), "{long:?}");
        session.subscribes("x".repeat(MAX_URI)).expect("there is room again");
    }
}
