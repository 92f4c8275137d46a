//! Counts a guest's own time on the processor.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};

/// A future that is stopped when the time it has computed, not waited, passes a limit.
///
/// Guest code runs only while the future is polled, and the engine's clock makes it return from each poll after a tick at most. So
/// the sum over the polls is what the guest has used, to a tick, whatever else the machine is doing: the thread's own clock doesn't
/// count what other threads and processes used meanwhile.
pub(super) struct Metered<F> {
    future: Pin<Box<F>>,
    used: Duration,
    limit: Duration,
}

/// The limit was passed.
#[derive(Debug)]
pub(super) struct Overrun;

impl<F: Future> Metered<F> {
    pub(super) fn new(future: F, limit: Duration) -> Self {
        Self { future: Box::pin(future), used: Duration::ZERO, limit }
    }
}

impl<F: Future> Future for Metered<F> {
    type Output = Result<F::Output, Overrun>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let before = thread_time();
        let polled = self.future.as_mut().poll(cx);
        self.used += thread_time().saturating_sub(before);
        match polled {
            Poll::Ready(output) => Poll::Ready(Ok(output)),
            Poll::Pending if self.used > self.limit => Poll::Ready(Err(Overrun)),
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
        let done = Metered::new(compute(3), Duration::from_secs(10)).await;
        assert_eq!(done.unwrap(), 3);
        let stopped = Metered::new(compute(u32::MAX), Duration::from_millis(5)).await;
        assert!(stopped.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_does_not_count() {
        let waits = async { tokio::time::sleep(Duration::from_secs(3600)).await };
        assert!(Metered::new(waits, Duration::from_millis(50)).await.is_ok());
    }
}
