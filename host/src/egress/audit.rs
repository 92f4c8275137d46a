//! One line in the log for each outbound request and for each decision: every attempt and every redirect is a line of its own.
//!
//! No query, no header and no body gets in: they hold callers' data and may hold secrets. Nor can a line be forged: every text is
//! quoted, line breaks and control characters escaped, by the formatter that writes it.

use std::sync::Arc;

use http::{Method, Uri};
use tokio::time::Instant;

use super::{Context, refusal::Refusal, transport::Sent};

/// The place of a request in what the guest has asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// How many redirects led here.
    pub(super) hop: usize,
    /// The how-manieth attempt it is, from 1 on.
    pub(super) attempt: u32,
}

/// The target of the audit's lines: by it they are told apart from the rest of the log.
pub const AUDIT: &str = "airlock::audit";

/// What is known about one outbound request. It writes its line when it is dropped, so that no way out can forget it.
pub(super) struct Audit {
    plugin: Arc<str>,
    operation: Arc<str>,
    caller: Arc<str>,
    step: Step,
    method: String,
    host: String,
    path: String,
    /// The peer's with its port, where there was a connection; the refused one where there was none for that reason.
    address: Option<String>,
    started: Instant,
    decision: &'static str,
    outcome: &'static str,
    status: Option<u16>,
    bytes: usize,
}

impl Audit {
    /// The host and the path as the plugin asked for them, cut where only a hostile one gets: a guest can't fill the disk.
    pub(super) fn begin(plugin: &Arc<str>, context: &Context, step: Step, method: &Method, uri: &Uri) -> Self {
        let cut = |text: &str| text.chars().take(256).collect();
        Self {
            plugin: Arc::clone(plugin),
            operation: Arc::clone(&context.operation),
            caller: Arc::clone(&context.caller),
            step,
            method: cut(method.as_str()),
            host: cut(uri.host().unwrap_or_default()),
            path: cut(uri.path()),
            address: None,
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

    /// Notes whom it was sent to, as far as it got.
    pub(super) fn sent(&mut self, sent: &Sent) {
        self.address = sent.address();
    }

    /// Notes that this rule forbids it.
    pub(super) fn denied(&mut self, rule: &'static str) {
        self.decision = rule;
        self.outcome = "denied";
    }

    pub(super) fn refused(&mut self, refusal: &Refusal) {
        match refusal {
            Refusal::Denied(_) | Refusal::RateLimited { .. } | Refusal::CircuitOpen { .. } => {
                self.denied(refusal.name())
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

    /// How it ended, where nothing was refused.
    pub(super) fn ended(&mut self, outcome: &'static str) {
        self.outcome = outcome;
    }
}

impl Drop for Audit {
    fn drop(&mut self) {
        tracing::info!(
            target: AUDIT,
            plugin = &*self.plugin,
            operation = &*self.operation,
            caller = &*self.caller,
            hop = self.step.hop,
            attempt = self.step.attempt,
            method = self.method,
            host = self.host,
            path = self.path,
            address = self.address,
            decision = self.decision,
            outcome = self.outcome,
            status = self.status,
            bytes = self.bytes,
            ms = self.started.elapsed().as_millis() as u64,
            "outbound request",
        );
    }
}
