//! Why requests of a call got no answer, for when the guest reports that it failed for want of one, or comes to report nothing any more.

use crate::egress::{Refusal, Wait};

/// What was refused in a call.
#[derive(Clone, Debug, Default)]
pub(super) struct Refusals {
    /// With the number of the request, from 0; no more than `MAX_KEPT`.
    all: Vec<(usize, Refusal)>,
    latest: Option<Refusal>,
    cut_off: Option<Refusal>,
}

impl Refusals {
    pub(super) fn add(&mut self, number: usize, refusal: Refusal) {
        self.latest = Some(refusal.clone());
        if matches!(refusal, Refusal::TimedOut { wait: Wait::Call, .. }) {
            self.cut_off.get_or_insert_with(|| refusal.clone());
        }
        if self.all.len() < MAX_KEPT {
            self.all.push((number, refusal));
        }
    }

    /// What failed before doesn't explain what fails from here on.
    pub(super) fn forget_latest(&mut self) {
        self.latest = None;
    }

    /// The latest, unless a request has succeeded since.
    pub(super) fn latest(&self) -> Option<&Refusal> {
        self.latest.as_ref()
    }

    /// The first request that came to its end because the call did: no later one can succeed.
    pub(super) fn cut_off(&self) -> Option<&Refusal> {
        self.cut_off.as_ref()
    }

    /// That of one request.
    pub(super) fn of(&self, number: u32) -> Option<&Refusal> {
        self.all.iter().find(|(it, _)| *it == number as usize).map(|(_, refusal)| refusal)
    }
}

/// How many are kept with their number. 64: whoever has more requests under way than that has been refused for long.
const MAX_KEPT: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_of_a_request_is_found_whatever_happened_since() {
        let mut refusals = Refusals::default();
        assert!(refusals.latest().is_none() && refusals.of(0).is_none());
        refusals.add(1, Refusal::RequestBroken);
        assert_eq!(refusals.latest(), Some(&Refusal::RequestBroken));
        refusals.forget_latest();
        assert_eq!((refusals.latest(), refusals.of(1), refusals.of(0)), (None, Some(&Refusal::RequestBroken), None));
        (0..1000).for_each(|number| refusals.add(number, Refusal::RequestBroken));
        assert_eq!(refusals.all.len(), MAX_KEPT);
    }

    #[test]
    fn what_the_end_of_the_call_cut_off_is_known_whatever_is_refused_afterwards() {
        let timed_out = |host: &str, wait| Refusal::TimedOut { host: host.into(), wait };
        let mut refusals = Refusals::default();
        refusals.add(0, timed_out("first", Wait::FirstByte));
        assert_eq!(refusals.cut_off(), None);
        refusals.add(1, timed_out("second", Wait::Call));
        refusals.add(2, timed_out("third", Wait::Call));
        refusals.add(3, Refusal::RequestBroken);
        assert_eq!(refusals.cut_off(), Some(&timed_out("second", Wait::Call)));
    }
}
