//! What the calls of a plugin have computed lately, all together: whether they have to take turns.

use std::{
    num::NonZeroU64,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::sync::Semaphore;

use super::{crowd::Crowd, lane::SlowLane};

/// The window in which it is counted what all calls of a plugin compute. Those that compute more than three quarters of what the
/// lane has to give take turns in it, as they could have nearly as much there. 100 ms: noticed before anybody has waited for long.
pub(super) const WINDOW: Duration = Duration::from_millis(100);

/// From when on a call counts as one that computes for long. 2 ms, twice what a compiled document needs.
const LONG: Duration = Duration::from_millis(2);

/// By how much what such a call computes counts more. 3: a plugin whose calls are all of that kind takes turns from a quarter of the
/// lane on. No guest can be interrupted within a tick, so it is these calls that make others wait.
const LONG_WEIGHS: u32 = 3;

/// What a call counts for in addition that ends by a trap, or by the engine's word that it has gone too far. 20 ms: a plugin with 40 of
/// them a second takes turns on a machine of two cores. They end at once and begin anew, so that what others notice of them is not what
/// they compute, but their number.
const FAULT: Duration = Duration::from_millis(20);

/// How long a plugin that has computed more goes on taking turns. 1 s: a flood is one burst after the other.
const AFTERWARDS: Duration = Duration::from_secs(1);

/// What all calls of a plugin have computed lately.
#[derive(Debug)]
pub(super) struct Usage {
    /// The plugin's number among all of the process.
    pub(super) plugin: NonZeroU64,
    /// Who else calls.
    crowd: Arc<Crowd>,
    /// The number of the window, and below it the microseconds in it, 32 bits each.
    window: AtomicU64,
    /// Until when they take turns, in milliseconds by the crowd's clock.
    turns_until: AtomicU64,
    /// What they can compute in a window without, in microseconds.
    at_most: u64,
    /// Where they wait among themselves: no more of them than the lane has places wait in the lane, so that it is the plugins that
    /// take turns there, however many calls each has.
    pub(super) places: Arc<Semaphore>,
}

impl Usage {
    /// None so far, of a plugin that takes turns in this lane.
    pub(super) fn of_a_plugin_in(lane: &SlowLane) -> Self {
        static PLUGINS: AtomicU64 = AtomicU64::new(1);
        Self {
            plugin: NonZeroU64::new(PLUGINS.fetch_add(1, Relaxed)).expect("nobody loads 2^64 plugins"),
            crowd: lane.crowd.clone(),
            window: AtomicU64::new(0),
            turns_until: AtomicU64::new(0),
            at_most: (WINDOW * lane.places as u32 * 3 / 4).as_micros() as u64,
            places: Arc::new(Semaphore::new(lane.places)),
        }
    }

    /// A call has computed for a while, and `in_all` so far. Many short ones are in nobody's way where the plugin is alone: taking
    /// turns would only slow it down.
    pub(super) fn add(&self, used: Duration, in_all: Duration, now: Instant) {
        self.crowd.add(self.plugin, now);
        if in_all > LONG {
            self.count(used * LONG_WEIGHS, now);
        } else if self.crowd.has_several(now) {
            self.count(used, now);
        }
    }

    /// A call has failed by its own fault.
    pub(super) fn add_fault(&self, now: Instant) {
        self.count(FAULT, now);
    }

    fn count(&self, used: Duration, now: Instant) {
        let now = self.crowd.millis(now);
        let (number, used) = (now / WINDOW.as_millis() as u64, used.as_micros() as u64);
        let sum = |window: u64| if window >> 32 == number { window + used } else { number << 32 | used };
        let before = self.window.fetch_update(Relaxed, Relaxed, |window| Some(sum(window)));
        let in_window = sum(before.unwrap_or_default()) & u64::from(u32::MAX);
        if in_window > self.at_most {
            self.turns_until.store(now + AFTERWARDS.as_millis() as u64, Relaxed);
        }
    }

    pub(super) fn is_much(&self, now: Instant) -> bool {
        self.crowd.millis(now) < self.turns_until.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    fn lane() -> SlowLane {
        SlowLane::of(1).unwrap()
    }

    #[test]
    fn a_plugin_that_computes_much_takes_turns_for_a_while() {
        let ms = Duration::from_millis;
        let (short, long) = (LONG, 2 * LONG);
        for (bursts, in_all, at, is_much) in [
            // Within a window, and over two of them.
            (&[(0, 50), (50, 25)][..], short, 60, false),
            (&[(0, 50), (50, 26)], short, 60, true),
            (&[(0, 50), (120, 50)], short, 130, false),
            // A third of it is enough where each call computes for long.
            (&[(0, 20), (50, 5)], long, 60, false),
            (&[(0, 20), (50, 6)], long, 60, true),
            // For a second from the last time.
            (&[(0, 80)], short, 999, true),
            (&[(0, 80)], short, 1000, false),
            (&[(0, 80), (500, 80)], short, 1499, true),
            (&[(0, 80), (500, 70)], short, 1000, false),
        ] {
            let lane = lane();
            let usage = Usage::of_a_plugin_in(&lane);
            let other = Usage::of_a_plugin_in(&lane);
            for (when, used) in bursts {
                other.add(Duration::ZERO, short, usage.crowd.started + ms(*when));
                usage.add(ms(*used), in_all, usage.crowd.started + ms(*when));
            }
            assert_eq!(usage.is_much(usage.crowd.started + ms(at)), is_much, "{bursts:?} at {at}");
        }
    }

    #[test]
    fn a_plugin_alone_takes_turns_for_long_calls_only() {
        for (in_all, is_much) in [(LONG, false), (2 * LONG, true)] {
            let usage = Usage::of_a_plugin_in(&lane());
            usage.add(WINDOW, in_all, usage.crowd.started);
            assert_eq!(usage.is_much(usage.crowd.started), is_much, "{in_all:?}");
        }
    }

    #[test]
    fn a_plugin_whose_calls_fail_one_after_the_other_takes_turns() {
        let usage = Usage::of_a_plugin_in(&lane());
        for is_much in [false, false, false, true] {
            usage.add_fault(usage.crowd.started);
            assert_eq!(usage.is_much(usage.crowd.started), is_much);
        }
    }
}
