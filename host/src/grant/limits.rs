//! The limits of one call, with the reason for each default.
//!
//! Nothing is enforced here: `sandbox` and `egress` hold a call to its limits.

use std::time::Duration;

/// The limits of one call, with the reason for each default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The whole call, upstream included. 30 s: agents and gateways give up after 30 to 60 s.
    pub wall: Duration,
    /// The guest's own time on the processor. 200 ms: a compiled document uses well under 1 ms, a busy hand-written provider a few.
    pub cpu: Duration,
    /// Linear memory of one instance. 64 MB: room for an answer of `response` bytes held and parsed once.
    pub memory: usize,
    /// Calls at the same time. 64: what one API usually allows one client.
    pub concurrency: usize,
    /// One upstream answer. 16 MB: larger ones are downloads, and are granted on purpose.
    pub response: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            wall: Duration::from_secs(30),
            cpu: Duration::from_millis(200),
            memory: 64 << 20,
            concurrency: 64,
            response: 16 << 20,
        }
    }
}
