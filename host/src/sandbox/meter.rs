//! Counts a guest's own time on the processor, and keeps those that use much of it out of the way of those that use little.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Poll, Wake, Waker, ready},
    time::{Duration, Instant},
};

use futures::{FutureExt, future::BoxFuture, task::AtomicWaker};
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, oneshot};

use super::{lane::SlowLane, usage::Usage};

/// What a call may compute before it has to take turns. 10 ms, two ticks: ten times what a compiled document needs.
const AT_ONCE: Duration = Duration::from_millis(10);

/// A future that is stopped when the time it has computed, not waited, passes a limit.
///
/// Guest code and the host functions that it calls run only while the future is polled, and the engine's clock makes a guest return
/// from each poll after a tick at most. So the sum over the polls is what the call has used, to a tick, whatever else the machine is
/// doing: the thread's own clock doesn't count what other threads and processes used meanwhile.
///
/// A poll that has to take its turn happens on a thread of the lane; what has to be dropped when the call is given up is dropped
/// there as well.
pub(super) struct Metered<T: Send + 'static> {
    place: Place<T>,
    used: Duration,
    limit: Duration,
    lane: SlowLane,
    usage: Arc<Usage>,
    turn: Option<Awaited>,
    relay: Arc<Relay>,
}

/// Where the future is.
enum Place<T> {
    Here(BoxFuture<'static, T>),
    /// On a thread of the lane, until its turn is over.
    Away(oneshot::Receiver<Polled<T>>),
    Done,
}

/// What has come of one poll.
struct Polled<T> {
    future: BoxFuture<'static, T>,
    result: Poll<T>,
    used: Duration,
}

/// The plugin's place, and the lane's.
type Turn = (OwnedSemaphorePermit, OwnedSemaphorePermit);

type Awaited = BoxFuture<'static, Result<Turn, AcquireError>>;

/// The limit was passed.
#[derive(Debug)]
pub(super) struct Overrun {
    /// What was used by then.
    pub(super) used: Duration,
}

impl<T: Send + 'static> Metered<T> {
    pub(super) fn new(
        future: impl Future<Output = T> + Send + 'static,
        limit: Duration,
        lane: SlowLane,
        usage: Arc<Usage>,
    ) -> Self {
        let (place, used) = (Place::Here(future.boxed()), Duration::ZERO);
        Self { place, used, limit, lane, usage, turn: None, relay: Arc::default() }
    }

    /// Polls the future once, here or on a thread of the lane.
    fn poll_once(&mut self, cx: &mut Context<'_>) -> Poll<Polled<T>> {
        loop {
            match std::mem::replace(&mut self.place, Place::Done) {
                Place::Here(future) => match self.poll_turn(cx) {
                    Poll::Ready(None) => return Poll::Ready(poll(future, cx)),
                    Poll::Ready(Some(turn)) => self.place = Place::Away(self.send_away(future, turn)),
                    Poll::Pending => {
                        self.place = Place::Here(future);
                        return Poll::Pending;
                    }
                },
                Place::Away(mut polled) => {
                    self.relay.caller.register(cx.waker());
                    let Poll::Ready(polled) = polled.poll_unpin(cx) else {
                        self.place = Place::Away(polled);
                        return Poll::Pending;
                    };
                    if self.relay.has_called.load(SeqCst) {
                        cx.waker().wake_by_ref();
                    }
                    return Poll::Ready(polled.expect("what fails in the sandbox is an error, no panic"));
                }
                Place::Done => panic!("polled after it was done"),
            }
        }
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
        let turn = ready!(awaited.poll_unpin(cx));
        self.turn = None;
        Poll::Ready(Some(turn.expect("never closed")))
    }

    /// The turn is over with the poll, whether or not anybody waits for what comes of it.
    fn send_away(&self, future: BoxFuture<'static, T>, turn: Turn) -> oneshot::Receiver<Polled<T>> {
        self.relay.has_called.store(false, SeqCst);
        let waker = Waker::from(self.relay.clone());
        self.lane.run(move || {
            let polled = poll(future, &mut Context::from_waker(&waker));
            drop(turn);
            polled
        })
    }
}

impl<T: Send + 'static> Future for Metered<T> {
    type Output = Result<T, Overrun>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Polled { future, result, used } = ready!(self.poll_once(cx));
        self.used += used;
        self.usage.add(used, self.used, Instant::now());
        self.place = Place::Here(future);
        match result {
            Poll::Ready(output) => Poll::Ready(Ok(output)),
            Poll::Pending if self.used > self.limit => Poll::Ready(Err(Overrun { used: self.used })),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<T: Send + 'static> Drop for Metered<T> {
    /// Giving back the memory of a guest that has used much of it takes milliseconds.
    fn drop(&mut self) {
        let future = match std::mem::replace(&mut self.place, Place::Done) {
            Place::Here(future) => Some(future),
            // What hasn't come back yet is dropped where it is.
            Place::Away(mut polled) => {
                polled.close();
                polled.try_recv().ok().map(|polled| polled.future)
            }
            Place::Done => None,
        };
        if let Some(future) = future
            && self.usage.is_much(Instant::now())
        {
            drop(self.lane.run(move || drop(future)));
        }
    }
}

fn poll<T>(mut future: BoxFuture<'static, T>, cx: &mut Context<'_>) -> Polled<T> {
    let before = thread_time();
    let result = future.poll_unpin(cx);
    Polled { future, result, used: thread_time().saturating_sub(before) }
}

/// Hands on to the call's task what wakes the future, and remembers it: while the future is away, its task has nothing to poll.
#[derive(Default)]
struct Relay {
    caller: AtomicWaker,
    has_called: AtomicBool,
}

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        self.has_called.store(true, SeqCst);
        self.caller.wake();
    }
}

fn thread_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    // Both are never negative for this clock, and the nanoseconds are less than a second.
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

#[cfg(test)]
mod tests {
    use std::{sync::Mutex, thread};

    use super::*;
    use crate::sandbox::usage::WINDOW;

    fn lane() -> SlowLane {
        SlowLane::of(1).unwrap()
    }

    fn fresh() -> Arc<Usage> {
        Arc::new(Usage::of_a_plugin_in(&lane()))
    }

    /// Counts a plugin among those that have computed much for an hour from now, so that a test that waits for the processor is still
    /// within it.
    fn computed_much(usage: &Usage) {
        usage.add(WINDOW, WINDOW, Instant::now() + Duration::from_secs(3600));
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
        // Each poll is a millisecond or more: it comes to a halt after some, and nothing that it does can wake it.
        while long.turn.is_none() {
            assert!(futures::poll!(&mut long).is_pending());
        }
        let used = long.used;
        assert!(used > AT_ONCE, "{used:?}");
        assert!(futures::poll!(&mut long).is_pending());
        assert_eq!(long.used, used);
        assert_eq!(Metered::new(compute(3), limit, lane, fresh()).await.unwrap(), 3);
        drop(taken);
        assert_eq!(long.await.unwrap(), 30);
    }

    #[tokio::test]
    async fn a_call_of_a_plugin_that_has_computed_much_waits_from_its_beginning() {
        let (lane, usage) = (lane(), fresh());
        computed_much(&usage);
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
            computed_much(usage);
        }
        let taken = lane.free.clone().acquire_owned().await.unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        let call = |usage: &Arc<Usage>, name| {
            let order = order.clone();
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

    /// What wakes a future while it is away isn't lost, and what doesn't, doesn't have it polled.
    #[tokio::test]
    async fn a_future_is_polled_again_if_it_was_woken_while_it_was_away() {
        let (lane, usage) = (lane(), fresh());
        computed_much(&usage);
        let here = thread::current().id();
        let (sender, receiver) = oneshot::channel();
        let work = async move {
            assert_ne!(thread::current().id(), here);
            tokio::task::yield_now().await;
            receiver.await.unwrap()
        };
        let mut call = Box::pin(Metered::new(work, Duration::from_secs(10), lane, usage));
        // It comes to rest where it waits for what isn't sent yet.
        assert!(futures::poll!(&mut call).is_pending());
        sender.send(7).unwrap();
        assert_eq!(call.await.unwrap(), 7);
    }

    #[tokio::test]
    async fn what_is_given_up_is_dropped_on_a_thread_of_the_lane() {
        struct Tells(Option<oneshot::Sender<thread::ThreadId>>);
        impl Drop for Tells {
            fn drop(&mut self) {
                self.0.take().unwrap().send(thread::current().id()).ok();
            }
        }
        for is_away in [false, true] {
            let (lane, usage) = (lane(), fresh());
            computed_much(&usage);
            let (sender, dropped) = oneshot::channel();
            let tells = Tells(Some(sender));
            let work = async move {
                let _held = tells;
                std::future::pending::<()>().await;
            };
            let mut call = Box::pin(Metered::new(work, Duration::from_secs(10), lane, usage));
            if is_away {
                assert!(futures::poll!(&mut call).is_pending());
            }
            drop(call);
            assert_ne!(dropped.await.unwrap(), thread::current().id(), "{is_away}");
        }
    }
}
