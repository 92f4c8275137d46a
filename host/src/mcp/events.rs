//! What a plugin tells while a call is running, on its way to the client that wants to hear it.
//!
//! How much that can be is the sandbox's to bound.
#![expect(deprecated, reason = "rmcp calls logging to the client deprecated, as the protocol does; both still have it")]

use rmcp::{
    Peer, RoleServer,
    model::{
        LoggingLevel, LoggingMessageNotificationParam, ProgressNotificationParam, ProgressToken, RequestMetaObject,
    },
};
use tokio::sync::mpsc;

use super::Era;
use crate::contract::{Event, Events, Level};

/// What a session is told before it says how much it wants to hear: not what is meant for whoever looks for a fault.
pub(super) const AT_FIRST: Level = Level::Info;

/// What a request's client wants to hear: progress if it gives a token for it, and what happens from a level on, which a modern
/// client names with each request and a session's once for all.
pub(super) fn wanted(meta: &RequestMetaObject, era: Era, session: Level) -> (Events, mpsc::Receiver<Event>) {
    let (mut listener, events) = Events::listener();
    if meta.get_progress_token().is_some() {
        listener = listener.progress();
    }
    let from = match era {
        Era::Legacy => Some(session),
        Era::Modern => meta.log_level().map(level),
    };
    if let Some(from) = from {
        listener = listener.log_from(from);
    }
    (listener.listen(), events)
}

/// Tells the client, until the call has ended.
pub(super) async fn tell(mut events: mpsc::Receiver<Event>, peer: &Peer<RoleServer>, token: Option<ProgressToken>) {
    while let Some(event) = events.recv().await {
        // An error: the client is gone, and the call will be stopped by that.
        let _ = match event {
            Event::Progress { progress, total, message } => {
                let Some(token) = token.clone() else { continue };
                let mut told = ProgressNotificationParam::new(token, progress);
                (told.total, told.message) = (total, message);
                peer.notify_progress(told).await
            }
            Event::Log { level, logger, data } => {
                let mut told = LoggingMessageNotificationParam::new(wire(level), data);
                told.logger = logger;
                peer.notify_logging_message(told).await
            }
        };
    }
}

/// The level of the protocol in our words.
pub(super) fn level(it: LoggingLevel) -> Level {
    match it {
        LoggingLevel::Debug => Level::Debug,
        LoggingLevel::Info => Level::Info,
        LoggingLevel::Notice => Level::Notice,
        LoggingLevel::Warning => Level::Warning,
        LoggingLevel::Error => Level::Error,
        LoggingLevel::Critical => Level::Critical,
        LoggingLevel::Alert => Level::Alert,
        LoggingLevel::Emergency => Level::Emergency,
    }
}

fn wire(it: Level) -> LoggingLevel {
    match it {
        Level::Debug => LoggingLevel::Debug,
        Level::Info => LoggingLevel::Info,
        Level::Notice => LoggingLevel::Notice,
        Level::Warning => LoggingLevel::Warning,
        Level::Error => LoggingLevel::Error,
        Level::Critical => LoggingLevel::Critical,
        Level::Alert => LoggingLevel::Alert,
        Level::Emergency => LoggingLevel::Emergency,
    }
}
