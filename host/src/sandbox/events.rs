//! What a guest tells its caller while a call is running: filtered, bounded, and sent on.
//!
//! A caller that doesn't keep up makes the guest wait, within the time that the call has.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::{bindings::events as wit, json::Room, state::State};
use crate::{
    contract::{Event, Events, Level},
    grant::Limits,
};

/// The events of one call, however short they are. 1 000: one for each tenth of a percent of progress; each becomes a message of its
/// own to the client.
const MAX_EVENTS: usize = 1000;

/// The events of one call.
pub(super) struct Telling {
    plugin: Arc<str>,
    events: Events,
    sent: usize,
    dropped: usize,
    /// The text that events may still have.
    text: usize,
    /// The memory that is left for what a log's data becomes.
    room: Room,
    progress: f64,
}

impl Telling {
    pub(super) fn new(plugin: Arc<str>, events: Events, limits: &Limits) -> Self {
        let room = Room::of(limits.memory);
        Self { plugin, events, sent: 0, dropped: 0, text: limits.log, room, progress: f64::NEG_INFINITY }
    }

    /// The way for this progress, if somebody waits for it: only what grows is progress.
    fn progress(&self, progress: f64) -> Option<mpsc::Sender<Event>> {
        let sink = self.events.progress()?;
        (progress.is_finite() && progress > self.progress).then(|| sink.clone())
    }

    /// True when there is place for one more event with so much text.
    fn has_place(&mut self, text: usize) -> bool {
        match (self.sent < MAX_EVENTS, self.text.checked_sub(text)) {
            (true, Some(left)) => {
                (self.sent, self.text) = (self.sent + 1, left);
                true
            }
            _ => {
                self.dropped += 1;
                false
            }
        }
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        if self.dropped > 0 {
            tracing::warn!(target: "airlock::guest", plugin = &*self.plugin, "{} more events dropped", self.dropped);
        }
    }
}

impl wit::Host for State {
    async fn progress(&mut self, progress: f64, total: Option<f64>, message: Option<String>) -> wasmtime::Result<()> {
        let telling = &mut self.telling;
        let Some(sink) = telling.progress(progress) else { return Ok(()) };
        telling.progress = progress;
        if telling.has_place(message.as_ref().map_or(0, String::len)) {
            let total = total.filter(|it| it.is_finite());
            // An error: whoever listened has gone.
            let _ = sink.send(Event::Progress { progress, total, message }).await;
        }
        Ok(())
    }

    async fn log(&mut self, level: wit::Level, logger: Option<String>, data: String) -> wasmtime::Result<()> {
        let (telling, level) = (&mut self.telling, of_wit(level));
        let Some(sink) = telling.events.log(level).cloned() else { return Ok(()) };
        if telling.has_place(data.len() + logger.as_ref().map_or(0, String::len)) {
            match telling.room.read(&data) {
                Ok(data) => drop(sink.send(Event::Log { level, logger, data }).await),
                Err(_not_json) => telling.dropped += 1,
            }
        }
        Ok(())
    }
}

fn of_wit(level: wit::Level) -> Level {
    match level {
        wit::Level::Debug => Level::Debug,
        wit::Level::Info => Level::Info,
        wit::Level::Notice => Level::Notice,
        wit::Level::Warning => Level::Warning,
        wit::Level::Error => Level::Error,
        wit::Level::Critical => Level::Critical,
        wit::Level::Alert => Level::Alert,
        wit::Level::Emergency => Level::Emergency,
    }
}
