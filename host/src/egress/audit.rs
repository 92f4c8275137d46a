//! One line in the log for each outbound request, whatever becomes of it.
//!
//! No query, no header and no body gets in: they hold callers' data and may hold secrets.

use std::sync::Arc;

use http::Request;
use tokio::time::Instant;

use super::refusal::Refusal;

/// The target of the audit's lines: by it they are told apart from the rest of the log.
pub const AUDIT: &str = "airlock::audit";

/// What is known about one outbound request. It writes its line when it is dropped, so that no way out can forget it.
pub(super) struct Audit {
    plugin: Arc<str>,
    method: String,
    host: String,
    path: String,
    started: Instant,
    decision: &'static str,
    outcome: &'static str,
    status: Option<u16>,
    bytes: usize,
}

impl Audit {
    /// The host and the path as the plugin asked for them, cut where only a hostile one gets: a guest can't fill the disk.
    pub(super) fn begin<B>(plugin: &Arc<str>, request: &Request<B>) -> Self {
        let cut = |text: &str| text.chars().take(256).collect();
        Self {
            plugin: Arc::clone(plugin),
            method: cut(request.method().as_str()),
            host: cut(request.uri().host().unwrap_or_default()),
            path: cut(request.uri().path()),
            started: Instant::now(),
            decision: "permitted",
            outcome: "abandoned",
            status: None,
            bytes: 0,
        }
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn refused(&mut self, refusal: &Refusal) {
        match refusal {
            Refusal::Denied(_) => {
                self.decision = refusal.name();
                self.outcome = "denied";
            }
            _ => self.outcome = refusal.name(),
        }
    }

    pub(super) fn answered(&mut self, status: u16) {
        self.status = Some(status);
    }

    pub(super) fn received(&mut self, bytes: usize) {
        self.bytes += bytes;
    }

    pub(super) fn complete(&mut self) {
        self.outcome = "complete";
    }
}

impl Drop for Audit {
    fn drop(&mut self) {
        tracing::info!(
            target: AUDIT,
            plugin = &*self.plugin,
            method = self.method,
            host = self.host,
            path = self.path,
            decision = self.decision,
            outcome = self.outcome,
            status = self.status,
            bytes = self.bytes,
            ms = self.started.elapsed().as_millis() as u64,
            "outbound request",
        );
    }
}
