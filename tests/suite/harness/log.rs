//! The log of all hosts in this process, at its most talkative.

use std::{
    fmt::{Debug, Write},
    sync::{Arc, Mutex, Once, Weak},
};

use tokio::sync::watch;
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
    subscriber::Interest,
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt},
    util::SubscriberInitExt,
};

use super::within_patience;

/// Who listens at the moment.
static LISTENERS: Mutex<Vec<Weak<Kept>>> = Mutex::new(Vec::new());

/// What has been logged since it was made, by whatever test.
pub struct Log(Arc<Kept>);

struct Kept {
    lines: Mutex<Vec<String>>,
    count: watch::Sender<usize>,
}

impl Log {
    /// Begins to listen.
    pub fn listen() -> Self {
        static START: Once = Once::new();
        START.call_once(|| tracing_subscriber::registry().with(Tap).init());
        let kept = Arc::new(Kept { lines: Mutex::default(), count: watch::Sender::new(0) });
        LISTENERS.lock().expect("no panic while held").push(Arc::downgrade(&kept));
        Self(kept)
    }

    /// The lines up to now.
    pub fn lines(&self) -> Vec<String> {
        self.0.lines.lock().expect("no panic while held").clone()
    }

    /// The first line that is wanted, as soon as it is there.
    pub async fn line(&self, wanted: impl Fn(&str) -> bool) -> String {
        self.at_least(1, wanted).await.swap_remove(0)
    }

    /// All lines that are wanted, as soon as there are so many.
    pub async fn at_least(&self, wanted_lines: usize, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let mut count = self.0.count.subscribe();
        within_patience("lines in the log", async {
            loop {
                count.borrow_and_update();
                let lines: Vec<String> = self.lines().into_iter().filter(|line| wanted(line)).collect();
                if lines.len() >= wanted_lines {
                    return lines;
                }
                count.changed().await.expect("the sender is in self");
            }
        })
        .await
    }
}

/// Writes what is logged to whoever listens.
struct Tap;

impl<S: Subscriber> Layer<S> for Tap {
    /// Not once and for all: what isn't listened to now may be later.
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        match is_compiler(metadata) {
            true => Interest::never(),
            false => Interest::sometimes(),
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        !is_compiler(metadata) && LISTENERS.lock().expect("no panic while held").iter().any(|it| it.strong_count() > 0)
    }

    fn on_new_span(&self, attributes: &span::Attributes<'_>, _: &span::Id, _: Context<'_, S>) {
        let mut line = start(attributes.metadata());
        attributes.record(&mut line);
        keep(&line.0);
    }

    fn on_record(&self, _: &span::Id, values: &span::Record<'_>, _: Context<'_, S>) {
        let mut line = Line("span".to_owned());
        values.record(&mut line);
        keep(&line.0);
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = start(event.metadata());
        event.record(&mut line);
        keep(&line.0);
    }
}

/// The code generator narrates every instruction; it knows modules only, no calls.
fn is_compiler(metadata: &Metadata<'_>) -> bool {
    let targets = ["cranelift", "regalloc2", "wasmtime_internal_cranelift", "walrus"];
    targets.iter().any(|it| metadata.target().starts_with(it))
}

fn start(metadata: &Metadata<'_>) -> Line {
    Line(format!("{} {} {}", metadata.level(), metadata.target(), metadata.name()))
}

fn keep(line: &str) {
    let mut listeners = LISTENERS.lock().expect("no panic while held");
    listeners.retain(|it| it.strong_count() > 0);
    for kept in listeners.iter().filter_map(Weak::upgrade) {
        let mut lines = kept.lines.lock().expect("no panic while held");
        lines.push(line.to_owned());
        kept.count.send_replace(lines.len());
    }
}

/// One line: level, target, then each field as `name=value`.
struct Line(String);

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        write!(self.0, " {field}={value}").expect("a string takes any text");
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {field}={value:?}").expect("a string takes any text");
    }
}
