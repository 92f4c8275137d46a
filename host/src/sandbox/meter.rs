//! Counts a guest's own time on the processor, and keeps those that use much of it out of the way of those that use little.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};
use tokio::{
    runtime::{Handle, RuntimeFlavor},
    sync::{AcquireError, OwnedSemaphorePermit, Semaphore},
    task::block_in_place,
};

/// What a call may compute before it has to take turns. 10 ms, two ticks: ten times what a compiled document needs.
const AT_ONCE: Duration = Duration::from_millis(10);

/// The window in which it is counted what all calls of a plugin compute. Those that compute more than three quarters of what the
/// lane has to give take turns in it, as they could have nearly as much there. 100 ms: noticed before anybody has waited for long.
const WINDOW: Duration = Duration::from_millis(100);

/// How long a plugin that has computed more goes on taking turns. 1 s: a flood is one burst after the other.
const AFTERWARDS: Duration = Duration::from_secs(1);

/// What all calls of a plugin have computed lately.
#[derive(Debug)]
pub(super) struct Usage {
    started: Instant,
    /// The number of the window, and below it the microseconds in it, 32 bits each.
    window: AtomicU64,
    /// Until when they take turns, in milliseconds since `started`.
    turns_until: AtomicU64,
    /// What they can compute in a window without, in microseconds.
    at_most: u64,
    /// Where they wait among themselves: no more of them than the lane has places wait in the lane, so that it is the plugins that
    /// take turns there, however many calls each has.
    places: Arc<Semaphore>,
}

impl Usage {
    /// None so far, of a plugin that takes turns in this lane.
    pub(super) fn of_a_plugin_in(lane: &SlowLane) -> Self {
        Self {
            started: Instant::now(),
            window: AtomicU64::new(0),
            turns_until: AtomicU64::new(0),
            at_most: (WINDOW * lane.places as u32 * 3 / 4).as_micros() as u64,
            places: Arc::new(Semaphore::new(lane.places)),
        }
    }

    fn add(&self, used: Duration, now: Instant) {
        let now = self.millis(now);
        let (number, used) = (now / WINDOW.as_millis() as u64, used.as_micros() as u64);
        let sum = |window: u64| if window >> 32 == number { window + used } else { number << 32 | used };
        let before = self.window.fetch_update(Relaxed, Relaxed, |window| Some(sum(window)));
        let in_window = sum(before.unwrap_or_default()) & u64::from(u32::MAX);
        if in_window > self.at_most {
            self.turns_until.store(now + AFTERWARDS.as_millis() as u64, Relaxed);
        }
    }

    pub(super) fn is_much(&self, now: Instant) -> bool {
        self.millis(now) < self.turns_until.load(Relaxed)
    }

    fn millis(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.started).as_millis() as u64
    }
}

/// The lane of the calls that compute for long, and of those whose plugin does: so many of them run at the same moment, in turns of
/// a tick. The other threads stay free for everybody else, however many guests loop.
#[derive(Clone)]
pub(super) struct SlowLane {
    places: usize,
    free: Arc<Semaphore>,
}

impl SlowLane {
    /// Half of the processors, so that the other half is free; one on a machine that has but one.
    pub(super) fn of_this_machine() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self::of((processors / 2).max(1))
    }

    fn of(places: usize) -> Self {
        Self { places, free: Arc::new(Semaphore::new(places)) }
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
    usage: Arc<Usage>,
    turn: Option<Awaited>,
}

/// The plugin's place, and the lane's.
type Turn = (OwnedSemaphorePermit, OwnedSemaphorePermit);

type Awaited = Pin<Box<dyn Future<Output = Result<Turn, AcquireError>> + Send>>;

/// The limit was passed.
#[derive(Debug)]
pub(super) struct Overrun {
    /// What was used by then.
    pub(super) used: Duration,
}

impl<F: Future> Metered<F> {
    pub(super) fn new(future: F, limit: Duration, lane: SlowLane, usage: Arc<Usage>) -> Self {
        Self { future: Box::pin(future), used: Duration::ZERO, limit, lane, usage, turn: None }
    }

    /// Waits for this call's turn, if it has to take turns. A turn lasts for one poll.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<Option<Turn>> {
        if self.used <= AT_ONCE && self.turn.is_none() && !self.usage.is_much(Instant::now()) {
            return Poll::Ready(None);
        }
        let (lane, usage) = (&self.lane, &self.usage);
        let awaited = self.turn.get_or_insert_with(|| {
            let (own, free) = (usage.places.clone(), lane.free.clone());
            Box::pin(async move { Ok((own.acquire_owned().await?, free.acquire_owned().await?)) })
        });
        let turn = ready!(awaited.as_mut().poll(cx));
        self.turn = None;
        Poll::Ready(Some(turn.expect("never closed")))
    }
}

impl<F: Future> Future for Metered<F> {
    type Output = Result<F::Output, Overrun>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let turn = ready!(self.poll_turn(cx));
        let future = self.future.as_mut();
        let measured = || {
            let before = thread_time();
            (future.poll(cx), thread_time().saturating_sub(before))
        };
        let (polled, used) = match turn {
            Some(_) => aside(measured),
            None => measured(),
        };
        self.used += used;
        self.usage.add(used, Instant::now());
        match polled {
            Poll::Ready(output) => Poll::Ready(Ok(output)),
            Poll::Pending if self.used > self.limit => Poll::Ready(Err(Overrun { used: self.used })),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// Does what may take long without a pause, so that nothing waits behind it: other tasks of the thread go to another one meanwhile.
pub(super) fn aside<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|it| it.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => block_in_place(work),
        // There is no other thread.
        _ => work(),
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

    fn lane() -> SlowLane {
        SlowLane::of(1)
    }

    fn fresh() -> Arc<Usage> {
        Arc::new(Usage::of_a_plugin_in(&lane()))
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
        let done = Metered::new(compute(3), Duration::from_secs(10), lane(), fresh()).await;
        assert_eq!(done.unwrap(), 3);
        let limit = Duration::from_millis(5);
        let overrun = Metered::new(compute(u32::MAX), limit, lane(), fresh()).await.unwrap_err();
        assert!(overrun.used > limit && overrun.used < limit * 10, "{overrun:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_does_not_count() {
        let waits = async { tokio::time::sleep(Duration::from_secs(3600)).await };
        assert!(Metered::new(waits, Duration::from_millis(50), lane(), fresh()).await.is_ok());
    }

    #[tokio::test]
    async fn who_has_computed_for_long_waits_for_a_turn_and_who_has_not_does_not() {
        let (lane, limit) = (lane(), Duration::from_secs(10));
        let taken = lane.free.clone().acquire_owned().await.unwrap();
        let mut long = Box::pin(Metered::new(compute(30), limit, lane.clone(), fresh()));
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
        assert_eq!(Metered::new(compute(3), limit, lane, fresh()).await.unwrap(), 3);
        drop(taken);
        assert_eq!(long.await.unwrap(), 30);
    }

    #[test]
    fn a_plugin_that_computes_much_takes_turns_for_a_while() {
        let ms = Duration::from_millis;
        for (bursts, at, is_much) in [
            // Within a window, and over two of them.
            (&[(0, 50), (50, 25)][..], 60, false),
            (&[(0, 50), (50, 26)], 60, true),
            (&[(0, 50), (120, 50)], 130, false),
            // For a second from the last time.
            (&[(0, 80)], 999, true),
            (&[(0, 80)], 1000, false),
            (&[(0, 80), (500, 80)], 1499, true),
            (&[(0, 80), (500, 70)], 1000, false),
        ] {
            let usage = Usage::of_a_plugin_in(&lane());
            for (when, used) in bursts {
                usage.add(ms(*used), usage.started + ms(*when));
            }
            assert_eq!(usage.is_much(usage.started + ms(at)), is_much, "{bursts:?} at {at}");
        }
    }

    #[tokio::test]
    async fn a_call_of_a_plugin_that_has_computed_much_waits_from_its_beginning() {
        let (lane, usage) = (lane(), fresh());
        usage.add(WINDOW, Instant::now());
        let taken = lane.free.clone().acquire_owned().await.unwrap();
        let mut call = Box::pin(Metered::new(compute(1), Duration::from_secs(10), lane, usage));
        assert!(futures::poll!(&mut call).is_pending());
        assert_eq!(call.used, Duration::ZERO);
        drop(taken);
        assert_eq!(call.await.unwrap(), 1);
    }

    /// Ten calls of one plugin wait, then one of another: it is the second that gets a turn.
    #[tokio::test]
    async fn plugins_take_turns_however_many_calls_they_have() {
        let (lane, limit) = (lane(), Duration::from_secs(10));
        let (many, few) = (Arc::new(Usage::of_a_plugin_in(&lane)), Arc::new(Usage::of_a_plugin_in(&lane)));
        for usage in [&many, &few] {
            usage.add(WINDOW, Instant::now());
        }
        let taken = lane.free.clone().acquire_owned().await.unwrap();
        let order = std::sync::Mutex::new(Vec::new());
        let call = |usage: &Arc<Usage>, name| {
            let order = &order;
            let done = async move { order.lock().unwrap().push(name) };
            Box::pin(Metered::new(done, limit, lane.clone(), usage.clone()))
        };
        let mut calls: Vec<_> = (0..10).map(|_| call(&many, "many")).chain([call(&few, "few")]).collect();
        for call in &mut calls {
            assert!(futures::poll!(call).is_pending());
        }
        drop(taken);
        futures::future::join_all(calls).await;
        assert_eq!(order.lock().unwrap()[..3], ["many", "few", "many"]);
    }
}
