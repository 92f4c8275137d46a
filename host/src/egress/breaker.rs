//! Stops asking an upstream that has failed again and again, and notices when it is back. One state machine for each origin.
//!
//! What counts as a failure is decided in `exchange`, and the clock is passed in.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use tokio::time::Instant;

/// Failures in a row that open the circuit. 20: six calls with their three attempts each, or one busy second of 64 calls at once;
/// a single call in trouble, or a handful, is no sign that the next one will fail too.
const THRESHOLD: u32 = 20;

/// How long it stays open at first. 5 s: what a process takes to start again.
const FIRST_PAUSE: Duration = Duration::from_secs(5);

/// How long it stays open at most, doubling with each probe that fails. 60 s: an upstream that is back is noticed within a minute.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Origins that are watched. 1 000: a plugin has a handful of upstreams; where a wildcard lets it invent names, those beyond are
/// asked each time.
const MAX_ORIGINS: usize = 1000;

/// The circuits of one plugin, by origin. Only origins that have failed lately are kept.
#[derive(Default)]
pub(super) struct Breakers(Mutex<HashMap<String, Breaker>>);

/// The permission to ask an origin, which owes a verdict. Dropped without one, it changes nothing.
pub(super) struct Admission<'a> {
    breakers: &'a Breakers,
    origin: String,
    /// Owed by a probe: the circuit waits for it, and for nothing else.
    is_probe: bool,
    is_open: bool,
}

impl Breakers {
    /// Lets a request pass, or says how long to wait until the next is let pass.
    pub(super) fn admit(&self, origin: String, now: Instant) -> Result<Admission<'_>, Duration> {
        let is_probe = match self.lock().get_mut(&origin) {
            Some(breaker) => {
                breaker.admit(now)?;
                breaker.is_probing()
            }
            None => false,
        };
        Ok(Admission { breakers: self, origin, is_probe, is_open: true })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Breaker>> {
        self.0.lock().expect("no panic while held")
    }
}

impl Admission<'_> {
    /// The upstream has answered.
    pub(super) fn succeeded(mut self) {
        self.is_open = false;
        self.breakers.lock().remove(&self.origin);
    }

    /// The upstream couldn't be reached, or couldn't serve.
    pub(super) fn failed(mut self, now: Instant) {
        self.is_open = false;
        let mut breakers = self.breakers.lock();
        if let Some(breaker) = breakers.get_mut(&self.origin) {
            // What was sent before the circuit opened says nothing about the probe.
            if self.is_probe || !breaker.is_probing() {
                breaker.failed(now);
            }
        } else if breakers.len() < MAX_ORIGINS {
            breakers.insert(self.origin.clone(), Breaker::new());
        }
    }
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        if self.is_open
            && self.is_probe
            && let Some(breaker) = self.breakers.lock().get_mut(&self.origin)
        {
            breaker.abandoned();
        }
    }
}

/// The circuit to one origin, from its first failure to its next success.
#[derive(Debug)]
enum Breaker {
    /// Requests pass.
    Closed { failures: u32 },
    /// None passes before `until`; then one does, the probe.
    Open { until: Instant, pause: Duration },
    /// The probe is on its way; none other passes before it is back.
    Probing { since: Instant, pause: Duration },
}

impl Breaker {
    fn new() -> Self {
        Self::Closed { failures: 1 }
    }

    fn admit(&mut self, now: Instant) -> Result<(), Duration> {
        match *self {
            Self::Closed { .. } => Ok(()),
            Self::Open { until, pause } if until <= now => {
                *self = Self::Probing { since: now, pause };
                Ok(())
            }
            Self::Open { until, .. } => Err(until - now),
            // Nobody knows how long the probe takes; most answers are there within a second.
            Self::Probing { .. } => Err(Duration::from_secs(1)),
        }
    }

    fn failed(&mut self, now: Instant) {
        *self = match *self {
            Self::Closed { failures } if failures + 1 < THRESHOLD => Self::Closed { failures: failures + 1 },
            Self::Closed { .. } => Self::Open { until: now + FIRST_PAUSE, pause: FIRST_PAUSE },
            Self::Probing { pause, .. } => {
                let pause = LONGEST_PAUSE.min(2 * pause);
                Self::Open { until: now + pause, pause }
            }
            // Sent before it opened, and back only now.
            Self::Open { until, pause } => Self::Open { until, pause },
        };
    }

    fn is_probing(&self) -> bool {
        matches!(self, Self::Probing { .. })
    }

    /// The probe has ended without a verdict, e.g. because its caller has gone: the next request is one.
    fn abandoned(&mut self) {
        if let Self::Probing { since, pause } = *self {
            *self = Self::Open { until: since, pause };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    enum Step {
        /// `n` requests pass and fail, one after the other.
        Fail(u32),
        Succeed,
        /// One passes and is dropped.
        Abandon,
        /// None passes; the wait in seconds.
        Refuse(u64),
        Wait(u64),
    }
    use Step::*;

    fn check(steps: &[Step]) {
        let breakers = Breakers::default();
        let mut now = Instant::now();
        for (number, step) in steps.iter().enumerate() {
            let admitted = || breakers.admit("origin".to_owned(), now).unwrap_or_else(|e| panic!("{number}: {e:?}"));
            match step {
                Fail(times) => (0..*times).for_each(|_| admitted().failed(now)),
                Succeed => admitted().succeeded(),
                Abandon => drop(admitted()),
                Refuse(wait) => {
                    let refused = breakers.admit("origin".to_owned(), now).err();
                    assert_eq!(refused, Some(Duration::from_secs(*wait)), "{number}");
                }
                Wait(seconds) => now += Duration::from_secs(*seconds),
            }
            assert!(breakers.admit("another".to_owned(), now).is_ok());
        }
    }

    #[test]
    fn the_way_of_a_circuit() {
        check(&[Fail(19), Succeed, Fail(19), Succeed]);
        check(&[Fail(19), Abandon, Wait(3600), Fail(1), Refuse(5)]);
        check(&[Fail(20), Refuse(5), Wait(4), Refuse(1), Wait(1), Succeed, Fail(19), Succeed]);
        check(&[Fail(20), Wait(5), Fail(1), Refuse(10), Wait(10), Fail(1), Refuse(20), Wait(20), Fail(1), Refuse(40)]);
        let mut bounded = vec![Fail(20)];
        bounded.extend((0..9).flat_map(|_| [Wait(60), Fail(1)]));
        bounded.push(Refuse(60));
        check(&bounded);
    }

    #[test]
    fn one_probe_at_a_time() {
        let breakers = Breakers::default();
        let now = Instant::now();
        let admit = |after| breakers.admit("origin".to_owned(), now + Duration::from_secs(after));
        let late = admit(0).ok().unwrap();
        let mut abandoned = vec![admit(0).ok().unwrap(), admit(0).ok().unwrap()];
        (0..20).for_each(|_| admit(0).ok().unwrap().failed(now));
        // It was sent before the circuit opened: its failure is no news.
        late.failed(now + Duration::from_secs(4));
        assert_eq!(admit(4).err(), Some(Duration::from_secs(1)));
        let probe = admit(5).ok().unwrap();
        assert_eq!(admit(5).err(), Some(Duration::from_secs(1)));
        // Neither that of one which failed late nor of one whose caller has gone late.
        abandoned.pop().unwrap().failed(now + Duration::from_secs(5));
        drop(abandoned);
        assert_eq!(admit(5).err(), Some(Duration::from_secs(1)));
        drop(probe);
        let probe = admit(5).ok().unwrap();
        probe.succeeded();
        assert!(admit(5).is_ok());
    }

    #[test]
    fn invented_names_take_no_memory_without_end() {
        let breakers = Breakers::default();
        for name in 0..2 * MAX_ORIGINS {
            breakers.admit(name.to_string(), Instant::now()).ok().unwrap().failed(Instant::now());
        }
        assert_eq!(breakers.lock().len(), MAX_ORIGINS);
    }
}
