//! Whether a request is sent again, and how long to wait before: pure, the time and the chance are passed in.
//!
//! Whether its method and its body allow that is the grant's and the body's business; here only what came back is looked at.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, Response, StatusCode, header};
use tokio::time::Instant;

use super::refusal::{Fault, Refusal, Wait};

/// The longest pause before the first repetition. 100 ms: what a lost connection takes to be replaced, and nobody notices.
const BASE: Duration = Duration::from_millis(100);

/// The longest pause of all. 2 s: with the usual 30 s for a call, even five repetitions leave most of it to the upstream.
const LONGEST: Duration = Duration::from_secs(2);

/// The longest wait that an upstream can ask for. 5 s: beyond that the caller is better told to come back than kept waiting.
const LONGEST_ASKED: Duration = Duration::from_secs(5);

/// When and by what chance a request may be repeated.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    pub(super) now: Instant,
    pub(super) date: SystemTime,
    pub(super) deadline: Instant,
    /// From 0 to 1.
    pub(super) chance: f64,
}

impl Moment {
    /// This very moment of a call.
    pub(super) fn of_call(deadline: Instant) -> Self {
        Self { now: Instant::now(), date: SystemTime::now(), deadline, chance: fastrand::f64() }
    }
}

/// How long to wait before the repetition after attempt number `attempt` (the first is 0); `None` = what came back is final.
///
/// Pauses are drawn from zero to a bound that doubles ("full jitter"): many calls that failed together don't come back together.
pub(super) fn pause<B>(result: &Result<Response<B>, Refusal>, attempt: u32, moment: Moment) -> Option<Duration> {
    let longest = LONGEST.min(BASE.saturating_mul(1 << attempt.min(16)));
    let pause = match result {
        Ok(answer) if is_passing(answer.status()) => match asked(answer.headers(), moment.date) {
            Asked::For(wait) => wait + BASE.mul_f64(moment.chance),
            Asked::TooMuch => return None,
            Asked::Nothing => longest.mul_f64(moment.chance),
        },
        Err(refusal) if is_passing_failure(refusal) => longest.mul_f64(moment.chance),
        _ => return None,
    };
    (moment.now + pause < moment.deadline).then_some(pause)
}

/// Whether an upstream couldn't serve, which says nothing about the request.
pub(super) fn is_overloaded(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT)
}

fn is_passing(status: StatusCode) -> bool {
    is_overloaded(status) || status == StatusCode::TOO_MANY_REQUESTS
}

/// Not among them: a connection that couldn't be made in time (that has been tried for long enough), a failed handshake, an answer
/// that makes no sense. They don't pass within seconds.
fn is_passing_failure(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::Unavailable { fault, .. } => matches!(fault, Fault::Resolve | Fault::Connect | Fault::Closed),
        Refusal::TimedOut { wait, .. } => *wait == Wait::FirstByte,
        _ => false,
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Nothing,
    For(Duration),
    TooMuch,
}

/// What `retry-after` says: seconds or a date. A date that has passed asks for no wait.
fn asked(headers: &HeaderMap, date: SystemTime) -> Asked {
    let Some(text) = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()) else {
        return Asked::Nothing;
    };
    let wait = match text.trim().parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => match httpdate::parse_http_date(text.trim()) {
            Ok(then) => then.duration_since(date).unwrap_or_default(),
            Err(_) if text.trim().bytes().all(|byte| byte.is_ascii_digit()) => return Asked::TooMuch,
            Err(_) => return Asked::Nothing,
        },
    };
    if wait <= LONGEST_ASKED { Asked::For(wait) } else { Asked::TooMuch }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(chance: f64, left: u64) -> Moment {
        let now = Instant::now();
        let date = httpdate::parse_http_date("Mon, 05 Jan 2026 00:00:00 GMT").unwrap();
        Moment { now, date, deadline: now + Duration::from_millis(left), chance }
    }

    fn answer(status: u16, retry_after: Option<&str>) -> Result<Response<()>, Refusal> {
        let mut answer = Response::builder().status(status);
        if let Some(value) = retry_after {
            answer = answer.header("retry-after", value);
        }
        Ok(answer.body(()).unwrap())
    }

    #[test]
    fn what_is_worth_another_attempt() {
        let host = || "host".to_owned();
        let unavailable = |fault| Err(Refusal::Unavailable { host: host(), fault });
        let timed_out = |wait| Err(Refusal::TimedOut { host: host(), wait });
        for (result, expected) in [
            (answer(200, None), false),
            (answer(302, None), false),
            (answer(401, None), false),
            (answer(404, None), false),
            (answer(429, None), true),
            (answer(500, None), false),
            (answer(502, None), true),
            (answer(503, None), true),
            (answer(504, None), true),
            (unavailable(Fault::Resolve), true),
            (unavailable(Fault::Connect), true),
            (unavailable(Fault::Closed), true),
            (unavailable(Fault::Tls), false),
            (unavailable(Fault::Malformed), false),
            (timed_out(Wait::Connect), false),
            (timed_out(Wait::Call), false),
            (timed_out(Wait::FirstByte), true),
            (Err(Refusal::RequestBroken), false),
            (Err(Refusal::ResponseEncoded { host: host() }), false),
            (Err(Refusal::RateLimited { retry_after: Duration::ZERO }), false),
        ] {
            assert_eq!(pause(&result, 0, moment(0.5, 60_000)).is_some(), expected, "{result:?}");
        }
    }

    #[test]
    fn pauses_grow_to_a_bound_and_end_before_the_deadline() {
        let failure = answer(503, None);
        for (attempt, chance, left, expected) in [
            (0, 0.0, 60_000, Some(0)),
            (0, 1.0, 60_000, Some(100)),
            (0, 0.5, 60_000, Some(50)),
            (1, 1.0, 60_000, Some(200)),
            (4, 1.0, 60_000, Some(1600)),
            (5, 1.0, 60_000, Some(2000)),
            (u32::MAX, 1.0, 60_000, Some(2000)),
            (0, 1.0, 101, Some(100)),
            (0, 1.0, 100, None),
            (0, 0.0, 0, None),
        ] {
            let found = pause(&failure, attempt, moment(chance, left)).map(|pause| pause.as_millis());
            assert_eq!(found, expected, "attempt {attempt}, chance {chance}, {left} ms left");
        }
    }

    #[test]
    fn what_the_upstream_asks_for_is_kept_or_the_answer_handed_on() {
        for (asked, left, expected) in [
            ("0", 60_000, Some(0)),
            (" 3 ", 60_000, Some(3000)),
            ("5", 60_000, Some(5000)),
            ("6", 60_000, None),
            ("5", 5000, None),
            ("Mon, 05 Jan 2026 00:00:04 GMT", 60_000, Some(4000)),
            ("Mon, 05 Jan 2026 00:00:06 GMT", 60_000, None),
            ("Sun, 04 Jan 2026 00:00:00 GMT", 60_000, Some(0)),
            ("99999999999999999999999999", 60_000, None),
            ("18446744073709551615", 60_000, None),
            // Not understood, so nothing is asked for.
            ("soon", 60_000, Some(0)),
            ("-1", 60_000, Some(0)),
            ("1.5", 60_000, Some(0)),
        ] {
            for status in [429, 503] {
                let found = pause(&answer(status, Some(asked)), 0, moment(0.0, left));
                assert_eq!(found.map(|pause| pause.as_millis()), expected, "{asked}");
            }
        }
        // Those that were sent away together don't come back together.
        let found = pause(&answer(429, Some("1")), 0, moment(1.0, 60_000));
        assert_eq!(found, Some(Duration::from_millis(1100)));
        assert_eq!(pause(&answer(404, Some("1")), 0, moment(0.0, 60_000)), None);
    }
}
