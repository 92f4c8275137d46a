//! Whether there is anybody to make room for.

use std::{
    num::NonZeroU64,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// How long plugins count as several after another one has called than before. A minute: who calls now and then meets a flood that
/// takes turns already.
const REMEMBERED: Duration = Duration::from_secs(60);

/// Which plugin has called last, and when that was another one than before. It is written when that changes: where one plugin calls
/// alone, a call reads it, and no more.
#[derive(Debug)]
pub(super) struct Crowd {
    /// What the time is counted from, here and by the plugins.
    pub(super) started: Instant,
    /// Its number; 0 = none.
    latest: AtomicU64,
    /// Until when there are several, in milliseconds since `started`.
    until: AtomicU64,
}

impl Default for Crowd {
    fn default() -> Self {
        Self { started: Instant::now(), latest: AtomicU64::new(0), until: AtomicU64::new(0) }
    }
}

impl Crowd {
    /// A plugin calls.
    pub(super) fn add(&self, plugin: NonZeroU64, now: Instant) {
        let before = self.latest.load(Relaxed);
        if before != plugin.get() {
            self.latest.store(plugin.get(), Relaxed);
            if before != 0 {
                self.until.store(self.millis(now + REMEMBERED), Relaxed);
            }
        }
    }

    /// Whether several plugins have called lately.
    pub(super) fn has_several(&self, now: Instant) -> bool {
        self.millis(now) < self.until.load(Relaxed)
    }

    /// The time, in milliseconds.
    pub(super) fn millis(&self, at: Instant) -> u64 {
        at.saturating_duration_since(self.started).as_millis() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_plugin_alone_is_no_crowd() {
        // In seconds.
        for (calls, now, has_several) in [
            (&[][..], 0, false),
            (&[(1, 0), (1, 5), (1, 90)], 90, false),
            (&[(1, 0), (2, 5)], 5, true),
            (&[(1, 0), (2, 5), (2, 50)], 64, true),
            // The other one has stopped.
            (&[(1, 0), (2, 5), (2, 50)], 65, false),
            (&[(1, 0), (2, 5), (1, 10), (2, 50)], 65, true),
        ] {
            let crowd = Crowd::default();
            let at = |seconds| crowd.started + Duration::from_secs(seconds);
            calls.iter().for_each(|(plugin, seconds)| crowd.add(NonZeroU64::new(*plugin).unwrap(), at(*seconds)));
            assert_eq!(crowd.has_several(at(now)), has_several, "{calls:?} at {now}");
        }
    }
}
