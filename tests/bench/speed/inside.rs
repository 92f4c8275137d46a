//! Where the time of a call goes inside the host: the host says what it is doing by spans of the target `airlock::phase`, and this
//! adds up how long it is in each of them and in none that lies within. Waiting isn't counted.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    sync::{LazyLock, Mutex},
    time::{Duration, Instant},
};

use ::airlock::PHASE;
use http::StatusCode;
use serde_json::{Map, Value, json};
use tracing::{Id, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    Layer,
    filter::Targets,
    layer::{Context, SubscriberExt},
    registry::LookupSpan,
};

use super::{Effort, airlock};
use crate::harness::{Setup, Upstream, json_answer};

/// Calls, of which the first tenth only warms up.
const CALLS: usize = 2000;

static SPENT: LazyLock<Mutex<BTreeMap<&'static str, Duration>>> = LazyLock::new(Mutex::default);

thread_local! {
    /// When each open span was entered, and how long it was in others since.
    static OPEN: RefCell<Vec<(Instant, Duration)>> = const { RefCell::new(Vec::new()) };
}

struct Phases;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Phases {
    fn on_enter(&self, _: &Id, _: Context<'_, S>) {
        OPEN.with_borrow_mut(|open| open.push((Instant::now(), Duration::ZERO)));
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        let name = context.span(id).expect("it is just left").name();
        OPEN.with_borrow_mut(|open| {
            let (entered, in_others) = open.pop().expect("it was entered");
            let elapsed = entered.elapsed();
            if let Some((_, of_outer)) = open.last_mut() {
                *of_outer += elapsed;
            }
            *SPENT.lock().expect("no panic while held").entry(name).or_default() += elapsed.saturating_sub(in_others);
        });
    }
}

/// Prints the table.
pub fn measure(effort: &Effort, figures: &mut Map<String, Value>) {
    let phases = Phases.with_filter(Targets::new().with_target(PHASE, LevelFilter::TRACE));
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(phases)).expect("the only one");
    let calls = CALLS / effort.divisor;
    super::runtime().block_on(async {
        let upstream = Upstream::answering(|_| json_answer(StatusCode::OK, &json!({"data": []}))).await;
        let config = airlock::grant("inside", &upstream.url(), "");
        let host = Setup::default().file("inside.yaml", airlock::document("inside", "inside")).config(&config);
        let host = host.start().await;
        let rest = host.rest();
        // The client and the upstream are in the same process, and on the same processors: what they do is in none of the phases.
        for call in 0..calls {
            if call == calls / 10 {
                SPENT.lock().expect("no panic while held").clear();
            }
            rest.get("/inside/small").await.ok();
        }
    });
    let calls = (calls - calls / 10) as f64;
    println!("{:26} {:>8}", "inside of one call", "µs");
    for (phase, spent) in SPENT.lock().expect("no panic while held").iter() {
        let spent = spent.as_secs_f64() * 1e6 / calls;
        println!("{phase:26} {spent:>8.1}");
        figures.insert(format!("inside_{phase}_us"), json!((spent * 10.0).round() / 10.0));
    }
}
