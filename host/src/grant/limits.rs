//! The limits of one call and of a plugin's calls together, with the reason for each default.
//!
//! Nothing is enforced here: `sandbox`, `egress` and `component` hold a call to its limits.

use std::time::Duration;

/// What a plugin may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The whole call, upstream included. 30 s: agents and gateways give up after 30 to 60 s.
    pub wall: Duration,
    /// The guest's own time on the processor. 200 ms: a compiled document uses well under 1 ms, a busy hand-written provider a few.
    pub cpu: Duration,
    /// Linear memory of one instance, and what the host may hold of a structured reply. 64 MB: room for an answer of `response`
    /// bytes held and parsed once.
    pub memory: usize,
    /// Calls at the same time. 64: what one API usually allows one client.
    pub concurrency: usize,
    /// Calls that may wait for one of those places. 32: half of a full house again. Most calls end within the second that they
    /// wait at most; a longer queue would only say later that the plugin is busy. 0 = none waits.
    pub queue: usize,
    /// Requests that a plugin asks for in one call; each may be repeated and redirected as the grant says. 100: a provider that
    /// joins upstreams makes a handful, one that pages a few dozen.
    pub requests: usize,
    /// One upstream answer, also once it is decompressed, and what a guest hands to the host at once, such as its reply. 16 MB:
    /// larger ones are downloads, and are granted on purpose.
    pub response: usize,
    /// What one call may log on each of its two streams. 16 KB: a stack trace with its message fits. 0 = nothing.
    pub log: usize,
    /// The body of one request. 16 MB: larger ones are uploads, and are granted on purpose.
    pub request: usize,
    /// Header fields of one request, and of one answer. 100: what common servers accept; real messages have 10 to 40.
    pub headers: usize,
    /// The header section of one request, and of one answer. 64 KB: twice what common servers send or accept.
    pub header_bytes: usize,
    /// Resolving, connecting and the TLS handshake together. 10 s: two addresses that don't answer and a third that does.
    pub connect: Duration,
    /// From the connection to the header of the answer, the request's own way included. None: how long an API thinks is its own
    /// affair (a report takes what it takes), `wall` ends it, and what was given up too early is carried out all the same.
    pub first_byte: Option<Duration>,
    /// Silence in the middle of an answer. 30 s: event streams send something at least every 15 s to keep proxies from cutting
    /// them, and an upstream that has been silent for twice as long has gone.
    pub idle: Duration,
    /// Requests per second that leave for upstreams, repetitions and redirects included. None: `concurrency` bounds what a plugin
    /// can do to the host, and what an upstream bears only its operator knows.
    pub requests_per_second: Option<u32>,
    /// Calls that one instance serves, one after the other. 1: a call begins with the memory that the plugin was loaded with, so that
    /// nothing of one caller can get into the answer to another. More is faster, for plugins that are trusted with that.
    pub calls_per_instance: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            wall: Duration::from_secs(30),
            cpu: Duration::from_millis(200),
            memory: 64 << 20,
            concurrency: 64,
            queue: 32,
            requests: 100,
            response: 16 << 20,
            log: 16 << 10,
            request: 16 << 20,
            headers: 100,
            header_bytes: 64 << 10,
            connect: Duration::from_secs(10),
            first_byte: None,
            idle: Duration::from_secs(30),
            requests_per_second: None,
            calls_per_instance: 1,
        }
    }
}
