//! How many requests per second somebody may make: a token bucket. A plugin has one for its upstreams, a caller one for its calls.
//!
//! The clock is passed in. Nobody waits here: who is over the rate is told when to come back.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// A rate. A full bucket is one second's worth, so that a call's handful of requests isn't held up.
pub(crate) struct Rate {
    per_second: f64,
    bucket: Mutex<Bucket>,
}

struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl Rate {
    pub(crate) fn new(per_second: u32, now: Instant) -> Self {
        let per_second = f64::from(per_second);
        Self { per_second, bucket: Mutex::new(Bucket { tokens: per_second, filled: now }) }
    }

    /// Takes one request's token, or says how long it takes until there is one.
    pub(crate) fn take(&self, now: Instant) -> Result<(), Duration> {
        // A panic elsewhere can't leave the two numbers in a state that does harm.
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = now.saturating_duration_since(bucket.filled).as_secs_f64();
        bucket.tokens = self.per_second.min(bucket.tokens + elapsed * self.per_second);
        bucket.filled = bucket.filled.max(now);
        // The rounding of a sum of many small steps must not cost a request.
        if bucket.tokens < 1.0 - 1e-6 {
            return Err(Duration::from_secs_f64((1.0 - bucket.tokens) / self.per_second));
        }
        bucket.tokens -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_takes_what_it_may_and_no_more() {
        let start = Instant::now();
        let rate = Rate::new(4, start);
        // (milliseconds since the start, requests that pass, milliseconds until the next one)
        for (at, passing, wait) in
            [(0, 4, 250), (100, 0, 150), (250, 1, 250), (600, 1, 150), (50, 0, 150), (10_000, 4, 250), (10_500, 2, 250)]
        {
            let now = start + Duration::from_millis(at);
            let passed = (0..10).take_while(|_| rate.take(now).is_ok()).count();
            assert_eq!(passed, passing, "at {at}");
            assert_eq!(rate.take(now).unwrap_err().as_secs_f64(), f64::from(wait) / 1000.0, "at {at}");
        }
    }

    #[test]
    fn a_steady_stream_at_the_rate_is_never_refused() {
        let start = Instant::now();
        let rate = Rate::new(7, start);
        (0..7).for_each(|_| rate.take(start).unwrap());
        for number in 1..1000 {
            let now = start + Duration::from_secs(number) / 7;
            assert_eq!(rate.take(now), Ok(()), "{number}");
            assert!(rate.take(now).is_err());
        }
    }
}
