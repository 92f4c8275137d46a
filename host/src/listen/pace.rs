//! An answer in an HTTP/2 stream, in pieces, so that it is known for how long its client hasn't taken one.
//!
//! What is too long, and what follows from it, is for `streams`. Over HTTP/1.1 the connection's own writes tell.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::{sync::watch, time::timeout};

use super::places::Place;

/// The largest piece. 16 KiB: the largest frame that every client takes.
const PIECE: usize = 16 << 10;

/// The largest last piece. 1 KiB: it is out of our hands before the client has made room for it, and stays in the connection's memory for as
/// long as the client likes.
const LAST: usize = 1 << 10;

/// Whose turn it is with an answer.
#[derive(Clone)]
pub(super) struct Turn(watch::Sender<Whose>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// The next piece is being made.
    Host,
    /// A piece waits for the client to make room.
    Client,
}

impl Default for Turn {
    fn default() -> Self {
        Self(watch::Sender::new(Whose::Host))
    }
}

impl Turn {
    /// Ends when the client has let a piece wait for so long.
    pub(super) async fn missed(&self, limit: Duration) {
        let mut turn = self.0.subscribe();
        loop {
            let _ = turn.wait_for(|it| *it == Whose::Client).await;
            if timeout(limit, turn.changed()).await.is_err() {
                return;
            }
        }
    }
}

/// The body of an answer, with the place that its stream has.
pub(super) struct Paced {
    body: Body,
    /// What has been made and not given out yet.
    rest: Bytes,
    turn: Turn,
    _place: Option<Place>,
}

impl Paced {
    pub(super) fn new(body: Body, turn: Turn, place: Option<Place>) -> Self {
        Self { body, rest: Bytes::new(), turn, _place: place }
    }
}

impl http_body::Body for Paced {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.turn.0.send_replace(Whose::Host);
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                other => return Poll::Ready(other),
            }
        }
        let length = first(self.rest.len());
        let piece = self.rest.split_to(length);
        self.turn.0.send_replace(Whose::Client);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, hint) = (self.rest.len() as u64, self.body.size_hint());
        let mut all = SizeHint::new();
        all.set_lower(hint.lower() + rest);
        if let Some(upper) = hint.upper() {
            all.set_upper(upper + rest);
        }
        all
    }
}

/// How long the first piece is of so many bytes.
fn first(length: usize) -> usize {
    match length.checked_sub(LAST) {
        None | Some(0) => length,
        Some(before) => before.min(PIECE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body::Body as _;
    use http_body_util::BodyExt;

    #[tokio::test]
    async fn an_answer_comes_in_pieces_of_which_the_last_is_small() {
        for length in [0, 1, LAST, LAST + 1, PIECE, PIECE + LAST, PIECE + LAST + 1, 100_000] {
            let whole: Bytes = (0..length).map(|it| it as u8).collect();
            let mut body = Paced::new(Body::from(whole.clone()), Turn::default(), None);
            assert_eq!(body.size_hint().exact(), Some(length as u64));
            let mut pieces = Vec::new();
            while let Some(piece) = body.frame().await {
                pieces.push(piece.unwrap().into_data().unwrap());
                assert_eq!(body.size_hint().exact(), Some((length - pieces.concat().len()) as u64));
            }
            assert!(body.is_end_stream());
            assert_eq!(pieces.concat(), whole);
            assert!(pieces.iter().all(|it| it.len() <= PIECE));
            assert!(pieces.last().is_none_or(|it| it.len() <= LAST));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_clients_turn_is_limited() {
        let limit = Duration::from_secs(30);
        let just_less = limit - Duration::from_secs(1);
        let turn = Turn::default();
        let mut missed = Box::pin(turn.missed(limit));
        for whose in [Whose::Host, Whose::Client, Whose::Client] {
            turn.0.send_replace(whose);
            let patience = if whose == Whose::Host { limit * 100 } else { just_less };
            assert!(timeout(patience, &mut missed).await.is_err());
        }
        assert!(timeout(limit, missed).await.is_ok());
    }
}
