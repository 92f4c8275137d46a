//! What a plugin tells while a call is running, and who wants to hear it.
//!
//! How much a plugin may tell is the sandbox's to bound.

use serde_json::Value;
use tokio::sync::mpsc;

/// Something that a plugin tells while a call is running.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// How far it is.
    Progress {
        /// More than in every event before.
        progress: f64,
        /// What it will be at the end, if known.
        total: Option<f64>,
        /// For people.
        message: Option<String>,
    },
    /// What happens.
    Log {
        /// How serious it is.
        level: Level,
        /// The part of the plugin that speaks.
        logger: Option<String>,
        /// Usually a text or an object.
        data: Value,
    },
}

/// How serious something is (RFC 5424), the least serious first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For somebody who looks for a fault.
    Debug,
    /// What usually happens.
    Info,
    /// What is worth to be known.
    Notice,
    /// What may lead to an error.
    Warning,
    /// Something didn't work.
    Error,
    /// A part of the plugin doesn't work.
    Critical,
    /// Somebody has to do something at once.
    Alert,
    /// Nothing works.
    Emergency,
}

/// Events on their way to a caller. 16: a caller that doesn't keep up makes the plugin wait, and no more than this waits with it.
const IN_FLIGHT: usize = 16;

/// Which events of a call are wanted, and the way to whoever wants them. By default: none.
#[derive(Clone, Debug, Default)]
pub struct Events {
    progress: Option<mpsc::Sender<Event>>,
    log: Option<(Level, mpsc::Sender<Event>)>,
}

impl Events {
    /// Somebody who listens; to what, the other functions say. The receiver ends with the call.
    pub fn listener() -> (Listener, mpsc::Receiver<Event>) {
        let (sink, events) = mpsc::channel(IN_FLIGHT);
        (Listener { sink, events: Self::default() }, events)
    }

    /// The way for progress, if it is wanted.
    pub(crate) fn progress(&self) -> Option<&mpsc::Sender<Event>> {
        self.progress.as_ref()
    }

    /// The way for what is as serious as this, if it is wanted.
    pub(crate) fn log(&self, level: Level) -> Option<&mpsc::Sender<Event>> {
        let (from, sink) = self.log.as_ref()?;
        (level >= *from).then_some(sink)
    }
}

/// Says what is to be heard.
#[derive(Debug)]
pub struct Listener {
    sink: mpsc::Sender<Event>,
    events: Events,
}

impl Listener {
    /// Progress, too.
    #[must_use]
    pub fn progress(mut self) -> Self {
        self.events.progress = Some(self.sink.clone());
        self
    }

    /// What happens, too, if it is at least so serious.
    #[must_use]
    pub fn log_from(mut self, level: Level) -> Self {
        self.events.log = Some((level, self.sink.clone()));
        self
    }

    /// That is all.
    pub fn listen(self) -> Events {
        self.events
    }
}
