//! Why requests of a call got no answer, for when the guest reports that it failed for want of one, or comes to report nothing any more.

use std::sync::{Arc, Mutex, MutexGuard};

use crate::egress::{Refusal, Wait};

/// What was refused in a call. Its clones are one and the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Refusals(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    /// With the number of the request, from 0; no more than `MAX_KEPT`.
    all: Vec<(usize, Refusal)>,
    latest: Option<Refusal>,
    cut_off: Option<Refusal>,
}

impl Refusals {
    pub(super) fn add(&self, number: usize, refusal: Refusal) {
        let mut kept = self.kept();
        kept.latest = Some(refusal.clone());
        if matches!(refusal, Refusal::TimedOut { wait: Wait::Call, .. }) {
            kept.cut_off.get_or_insert_with(|| refusal.clone());
        }
        if kept.all.len() < MAX_KEPT {
            kept.all.push((number, refusal));
        }
    }

    /// What failed before doesn't explain what fails from here on.
    pub(super) fn forget_latest(&self) {
        self.kept().latest = None;
    }

    /// The latest, unless a request has succeeded since.
    pub(super) fn latest(&self) -> Option<Refusal> {
        self.kept().latest.clone()
    }

    /// The first request that came to its end because the call did: no later one can succeed.
    pub(super) fn cut_off(&self) -> Option<Refusal> {
        self.kept().cut_off.clone()
    }

    /// That of one request.
    pub(super) fn of(&self, number: u32) -> Option<Refusal> {
        self.kept().all.iter().find(|(it, _)| *it == number as usize).map(|(_, refusal)| refusal.clone())
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().expect("no panic while held")
    }
}

/// How many are kept with their number. 64: whoever has more requests under way than that has been refused for long.
const MAX_KEPT: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_of_a_request_is_found_whatever_happened_since() {
        let refusals = Refusals::default();
        assert!(refusals.latest().is_none() && refusals.of(0).is_none());
        refusals.add(1, Refusal::RequestBroken);
        assert_eq!(refusals.latest(), Some(Refusal::RequestBroken));
        refusals.forget_latest();
        assert_eq!((refusals.latest(), refusals.of(1), refusals.of(0)), (None, Some(Refusal::RequestBroken), None));
        (0..1000).for_each(|number| refusals.add(number, Refusal::RequestBroken));
        assert_eq!(refusals.kept().all.len(), MAX_KEPT);
    }

    #[test]
    fn what_the_end_of_the_call_cut_off_is_known_whatever_is_refused_afterwards() {
        let timed_out = |host: &str, wait| Refusal::TimedOut { host: host.into(), wait };
        let refusals = Refusals::default();
        refusals.add(0, timed_out("first", Wait::FirstByte));
        assert_eq!(refusals.cut_off(), None);
        refusals.add(1, timed_out("second", Wait::Call));
        refusals.add(2, timed_out("third", Wait::Call));
        refusals.add(3, Refusal::RequestBroken);
        assert_eq!(refusals.cut_off(), Some(timed_out("second", Wait::Call)));
    }
}
