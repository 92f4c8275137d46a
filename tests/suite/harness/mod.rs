//! What all tests share: hosts, clients of their doors, upstreams that record, the log.
//!
//! It asserts what every answer owes its caller; what an answer should say is up to the tests.

mod client;
mod craft;
pub mod frames;
mod host;
mod issuer;
mod log;
mod mcp;
mod upstream;
mod waist;

use std::{
    fs,
    hash::{BuildHasher, RandomState},
    io::Write,
    path::PathBuf,
    time::Duration,
};

pub use self::{
    client::{Answer, Http, Query},
    craft::{Crafted, component},
    host::{Rest, Setup, TestHost, start_hostile},
    issuer::Issuer,
    log::Log,
    mcp::{Mcp, Session, ToolResult},
    upstream::{Seen, Upstream, json_answer},
    waist::{Waist, able, answered},
};

/// The document of the first provider.
pub const M3TER: &str = include_str!("../../../plugins/m3ter-orgusers/capability.yaml");
/// The document of the second provider.
pub const METAL: &str = include_str!("../../../plugins/metal-users/capability.yaml");

/// The components of `tests/fixtures`.
pub mod fixture {
    pub const CONFORMANCE: &[u8] = include_bytes!(env!("FIXTURE_CONFORMANCE"));
    pub const HOSTILE: &[u8] = include_bytes!(env!("FIXTURE_HOSTILE"));
    pub const DESCRIBE_ASKS: &[u8] = include_bytes!(env!("FIXTURE_DESCRIBE_ASKS"));
    pub const DESCRIBE_LOOPS: &[u8] = include_bytes!(env!("FIXTURE_DESCRIBE_LOOPS"));
    pub const NEIGHBOUR: &[u8] = include_bytes!(env!("FIXTURE_NEIGHBOUR"));
    pub const OTHER_WORLD: &[u8] = include_bytes!(env!("FIXTURE_OTHER_WORLD"));
    pub const UNKNOWN_IMPORT: &[u8] = include_bytes!(env!("FIXTURE_UNKNOWN_IMPORT"));
}

/// Longer than anything here takes on a busy machine: what isn't done by then never will be.
const PATIENCE: Duration = Duration::from_secs(120);

/// Waits for what must come; a test that hangs tells what it was waiting for.
pub async fn within_patience<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(done) => done,
        Err(_elapsed) => panic!("waited {PATIENCE:?} in vain for {what}"),
    }
}

/// How much of a stream of this size may be anywhere between its source and who takes it: 12 MB in the host, and what the kernel may
/// hold on two connections, of each as much as the largest buffers of both of its ends. Half of the stream in any case, or nothing would
/// be proven where the kernel may hold more.
pub fn most_between(size: usize) -> usize {
    let largest = |what| {
        let sizes = fs::read_to_string(format!("/proc/sys/net/ipv4/{what}")).expect("Linux tells");
        sizes.split_whitespace().last().and_then(|it| it.parse::<usize>().ok()).expect("least, usual and most")
    };
    let in_kernel = 2 * (largest("tcp_rmem") + largest("tcp_wmem"));
    (in_kernel + (12 << 20)).min(size / 2)
}

/// Says that a test proves nothing on this machine. Past the test harness, which would swallow the words of a test that passes.
pub fn say_skipped(why: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}

/// A text that is nowhere else.
pub fn random_text() -> String {
    let random = RandomState::new();
    format!("{:016x}{:016x}", random.hash_one(1), random.hash_one(2))
}

/// A file below `tests/`.
pub fn path(below_tests: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(below_tests)
}
