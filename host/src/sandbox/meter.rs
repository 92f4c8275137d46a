//! Counts a guest's own time on the processor, and keeps those that use much of it out of the way of those that use little.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

/// What a call may compute before it has to take turns. 10 ms, two ticks: ten times what a compiled document needs.
const AT_ONCE: Duration = Duration::from_millis(10);

/// The lane of the calls that compute for long: so many of them run at the same moment, in turns of a tick, first come first
/// served. The other threads stay free for everybody else, however many guests loop.
#[derive(Clone)]
pub(super) struct SlowLane(Arc<Semaphore>);

impl SlowLane {
    /// Half of the processors, so that the other half is free; one on a machine that has but one.
    pub(super) fn of_this_machine() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self(Arc::new(Semaphore::new((processors / 2).max(1))))
    }
}

/// A future that is stopped when the time it has computed, not waited, passes a limit.
///
/// Guest code and the host functions that it calls run only while the future is polled, and the engine's clock makes a guest return
/// from each poll after a tick at most. So the sum over the polls is what the call has used, to a tick, whatever else the machine is
/// doing: the thread's own clock doesn't count what other threads and processes used meanwhile.
pub(super) struct Metered<F> {
    future: Pin<Box<F>>,
    used: Duration,
    limit: Duration,
    lane: SlowLane,
    turn: Option<Turn>,
}

type Turn = Pin<Box<dyn Future<Output = Result<OwnedSemaphorePermit, AcquireError>> + Send>>;

/// The limit was passed.
#[derive(Debug)]
pub(super) struct Overrun {
    /// What was used by then.
    pub(super) used: Duration,
}

impl<F: Future> Metered<F> {
    pub(super) fn new(future: F, limit: Duration, lane: SlowLane) -> Self {
        Self { future: Box::pin(future), used: Duration::ZERO, limit, lane, turn: None }
    }

    /// Waits for this call's turn, if it has to take turns. A turn lasts for one poll.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<Option<OwnedSemaphorePermit>> {
        if self.used <= AT_ONCE {
            return Poll::Ready(None);
        }
        let lane = &self.lane;
        let turn = self.turn.get_or_insert_with(|| Box::pin(lane.0.clone().acquire_owned()));
        let permit = ready!(turn.as_mut().poll(cx));
        self.turn = None;
        Poll::Ready(Some(permit.expect("never closed")))
    }
}

impl<F: Future> Future for Metered<F> {
    type Output = Result<F::Output, Overrun>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let _turn = ready!(self.poll_turn(cx));
        let before = thread_time();
        let polled = self.future.as_mut().poll(cx);
        self.used += thread_time().saturating_sub(before);
        match polled {
            Poll::Ready(output) => Poll::Ready(Ok(output)),
            Poll::Pending if self.used > self.limit => Poll::Ready(Err(Overrun { used: self.used })),
            Poll::Pending => Poll::Pending,
        }
    }
}

fn thread_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    // Both are never negative for this clock, and the nanoseconds are less than a second.
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(places: usize) -> SlowLane {
        SlowLane(Arc::new(Semaphore::new(places)))
    }

    async fn compute(rounds: u32) -> u32 {
        for _ in 0..rounds {
            let until = thread_time() + Duration::from_millis(1);
            while thread_time() < until {
                std::hint::spin_loop();
            }
            tokio::task::yield_now().await;
        }
        rounds
    }

    #[tokio::test]
    async fn computing_counts() {
        let done = Metered::new(compute(3), Duration::from_secs(10), lane(1)).await;
        assert_eq!(done.unwrap(), 3);
        let limit = Duration::from_millis(5);
        let overrun = Metered::new(compute(u32::MAX), limit, lane(1)).await.unwrap_err();
        assert!(overrun.used > limit && overrun.used < limit * 10, "{overrun:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_does_not_count() {
        let waits = async { tokio::time::sleep(Duration::from_secs(3600)).await };
        assert!(Metered::new(waits, Duration::from_millis(50), lane(1)).await.is_ok());
    }

    #[tokio::test]
    async fn who_has_computed_for_long_waits_for_a_turn_and_who_has_not_does_not() {
        let (lane, limit) = (lane(1), Duration::from_secs(10));
        let taken = lane.0.clone().acquire_owned().await.unwrap();
        let mut long = Box::pin(Metered::new(compute(30), limit, lane.clone()));
        // Each poll is a millisecond: it comes to a halt after some, and nothing that it does can wake it.
        let mut polls = 0;
        while long.turn.is_none() {
            assert!(futures::poll!(&mut long).is_pending());
            polls += 1;
        }
        assert!(polls >= 10, "{polls}");
        let used = long.used;
        assert!(futures::poll!(&mut long).is_pending());
        assert_eq!(long.used, used);
        assert_eq!(Metered::new(compute(3), limit, lane).await.unwrap(), 3);
        drop(taken);
        assert_eq!(long.await.unwrap(), 30);
    }
}
