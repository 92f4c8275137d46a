//! The streams of one HTTP/2 connection: each is a task, which ends with the connection; how many there are, and how many requests were
//! given up.
//!
//! How many there may be at a time is the protocol's implementation to enforce, and `places`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use hyper::rt::Executor;
use tokio::{sync::watch, task::futures::TaskLocalFuture, time::timeout};
use tokio_util::sync::CancellationToken;

use super::pace::Turn;

/// How many requests a client may give up before their answers begin, while it gives up most of them. 100: an agent that cancels what it
/// has asked for never comes near, a proxy's other clients keep the share small; who goes on is making work, not asking (rapid
/// reset, CVE-2023-44487).
const GIVEN_UP: usize = 100;

tokio::task_local! {
    /// The turns of the answer in the stream whose task runs: who makes the answer doesn't know the stream's task, nor that the answer.
    static TURN: Turn;
}

/// The streams of a connection. Clones are the same streams.
#[derive(Clone)]
pub(super) struct Streams(Arc<All>);

struct All {
    open: watch::Sender<usize>,
    asked: AtomicUsize,
    given_up: AtomicUsize,
    /// Most requests are given up.
    wasteful: CancellationToken,
    /// The connection is gone.
    over: CancellationToken,
    stall: Duration,
}

impl Streams {
    /// Streams whose clients have to take a piece of their answers within this time.
    pub(super) fn new(stall: Duration) -> Self {
        Self(Arc::new(All {
            open: watch::Sender::new(0),
            asked: AtomicUsize::new(0),
            given_up: AtomicUsize::new(0),
            wasteful: CancellationToken::new(),
            over: CancellationToken::new(),
            stall,
        }))
    }

    /// Ends all streams when what it gives is dropped.
    pub(super) fn end_with_me(&self) -> impl Drop + use<> {
        self.0.over.clone().drop_guard()
    }

    /// Ends when no stream has been open for so long.
    pub(super) async fn idle(&self, limit: Duration) {
        let mut open = self.0.open.subscribe();
        loop {
            let _ = open.wait_for(|open| *open == 0).await;
            if timeout(limit, open.changed()).await.is_err() {
                return;
            }
        }
    }

    /// Ends when the client has given up most of many requests.
    pub(super) async fn wasted(&self) {
        self.0.wasteful.cancelled().await;
    }

    /// Notes a request, until it is answered.
    pub(super) fn ask(&self) -> Asked {
        self.0.asked.fetch_add(1, Relaxed);
        Asked { streams: self.clone(), is_answered: false }
    }

    /// The turns of the answer in the stream whose task asks.
    pub(super) fn turn() -> Turn {
        TURN.with(Turn::clone)
    }

    fn open(&self) -> Open {
        self.0.open.send_modify(|open| *open += 1);
        Open(self.clone())
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let open = self.open();
        let turn = Turn::default();
        tokio::spawn(async move {
            let Open(Streams(all)) = &open;
            let serving: TaskLocalFuture<Turn, F> = TURN.scope(turn.clone(), stream);
            tokio::select! {
                () = serving => {}
                () = turn.missed(all.stall) => tracing::debug!("an answer was given up: its client has made no room for {:?}", all.stall),
                () = all.over.cancelled() => {}
            }
        });
    }
}

/// An open stream.
struct Open(Streams);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.0.open.send_modify(|open| *open -= 1);
    }
}

/// A request. One that is dropped before it is answered is given up by its client.
pub(super) struct Asked {
    streams: Streams,
    is_answered: bool,
}

impl Asked {
    /// There is an answer.
    pub(super) fn answered(mut self) {
        self.is_answered = true;
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        let Streams(all) = &self.streams;
        if self.is_answered {
            return;
        }
        let given_up = all.given_up.fetch_add(1, Relaxed) + 1;
        if given_up > GIVEN_UP && given_up * 2 > all.asked.load(Relaxed) {
            all.wasteful.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;
    use tokio::{sync::Notify, task::yield_now, time::Instant};

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_since_its_last_stream() {
        let (limit, begin) = (Duration::from_secs(75), Instant::now());
        let streams = Streams::new(limit);
        let end = Arc::new(Notify::new());
        for _ in 0..2 {
            let end = end.clone();
            streams.execute(async move { end.notified().await });
        }
        assert!(timeout(limit * 10, streams.idle(limit)).await.is_err(), "two are open");
        end.notify_one();
        assert!(timeout(limit * 10, streams.idle(limit)).await.is_err(), "one is open");
        end.notify_one();
        let last = Instant::now();
        streams.idle(limit).await;
        assert_eq!((last - begin, Instant::now() - last), (limit * 20, limit));
    }

    #[tokio::test]
    async fn streams_end_with_their_connection() {
        let streams = Streams::new(Duration::MAX);
        let guard = streams.end_with_me();
        streams.execute(pending());
        yield_now().await;
        assert_eq!(*streams.0.open.borrow(), 1);
        drop(guard);
        let _ = streams.0.open.subscribe().wait_for(|open| *open == 0).await;
    }

    #[test]
    fn who_gives_up_most_requests_is_wasteful() {
        for (answered, given_up, is_wasteful) in
            [(0, GIVEN_UP, false), (0, GIVEN_UP + 1, true), (GIVEN_UP, GIVEN_UP + 1, true), (1000, 1000, false)]
        {
            let streams = Streams::new(Duration::MAX);
            (0..answered).for_each(|_| streams.ask().answered());
            (0..given_up).for_each(|_| drop(streams.ask()));
            assert_eq!(streams.0.wasteful.is_cancelled(), is_wasteful, "{answered} {given_up}");
        }
    }
}
