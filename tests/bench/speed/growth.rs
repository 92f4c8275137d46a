//! What becomes of it with many plugins: start, memory, the cost of a call, a change of one of them.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::{
    Effort,
    airlock::{self, Airlock, Folder},
    cores::Cores,
    load,
    table::median,
};
use crate::percentile;

/// Connections that call while something else happens.
const CONNECTIONS: usize = 16;

/// A host with so many plugins, which has started twice: with nothing compiled, and with everything.
struct Grown {
    plugins: usize,
    folder: Folder,
    cold: f64,
    host: Airlock,
    resident: f64,
}

impl Grown {
    fn start(plugins: usize, upstream: &str) -> Self {
        let mut folder = Folder::new();
        for number in 0..plugins {
            folder.add(&name(number), &format!("http://{upstream}"), "");
        }
        let cold = folder.serve().start;
        let host = folder.serve();
        let resident = host.process.resident();
        Self { plugins, folder, cold, host, resident }
    }
}

fn name(number: usize) -> String {
    format!("p{number}")
}

/// Prints the table.
pub async fn measure(effort: &Effort, cores: &Cores, upstream: &str, figures: &mut Map<String, Value>) {
    let grown = effort.plugins.iter().map(|plugins| cores.measured(|| Grown::start(*plugins, upstream)));
    let grown: Vec<Grown> = grown.collect();
    // In turns, as the cells are: one call costs the same in each, or it doesn't.
    let mut costs = vec![Vec::new(); grown.len()];
    for _ in 0..effort.rounds {
        for (costs, it) in costs.iter_mut().zip(&grown) {
            let ask = airlock::get(&it.host.rest, &format!("/{}/small", name(it.plugins - 1)));
            load::ask(&ask, CONNECTIONS, effort.warm_up).await;
            let before = it.host.process.used();
            let taken = load::ask(&ask, CONNECTIONS, effort.during).await;
            let used = it.host.process.used() - before;
            costs.push(used.as_secs_f64() * 1e6 / taken.times.len() as f64);
        }
    }
    println!(
        "{:>7} {:>10} {:>10} {:>8} {:>10} {:>9} {:>9} {:>10} {:>10} {:>14}",
        "plugins",
        "cold s",
        "cached s",
        "RSS MB",
        "kB/plugin",
        "CPU µs",
        "swap ms",
        "p99 before",
        "p99 during",
        "tools/list ms"
    );
    let mut least = None;
    for (it, costs) in grown.iter().zip(costs.clone()) {
        let cost = median(costs);
        let least = *least.get_or_insert(it.resident);
        let each = (it.resident - least) * 1e3 / (it.plugins - 1).max(1) as f64;
        let swap = swap(effort, it).await;
        let tools = airlock::tools(&it.host.mcp);
        let listed = load::ask(&tools, 1, effort.during).await;
        println!(
            "{:>7} {:>10.2} {:>10.2} {:>8.1} {:>10.0} {:>9.1} {:>9.0} {:>10.2} {:>10.2} {:>14.2}",
            it.plugins,
            it.cold,
            it.host.start,
            it.resident,
            each,
            cost,
            swap.took,
            swap.before,
            swap.during,
            median(listed.times.iter().map(|it| it.as_secs_f64() * 1e3).collect()),
        );
        figures.insert(format!("rss_{}_plugins_mb", it.plugins), json!(it.resident));
        figures.insert(format!("start_{}_cold_s", it.plugins), json!(it.cold));
        figures.insert(format!("start_{}_s", it.plugins), json!(it.host.start));
    }
    let (first, last) = (&costs[0], &costs[costs.len() - 1]);
    let ratios = last.iter().zip(first).map(|(last, first)| last / first).collect();
    figures.insert(format!("call_cost_{}_vs_1", grown[grown.len() - 1].plugins), json!(median(ratios)));
}

/// What a change of one plugin costs the others, in milliseconds.
struct Swap {
    took: f64,
    before: f64,
    during: f64,
}

/// Changes the last plugin while the first is called.
async fn swap(effort: &Effort, it: &Grown) -> Swap {
    let ask = airlock::get(&it.host.rest, &format!("/{}/small", name(0)));
    let p99 = |mut taken: load::Taken| {
        taken.times.sort_unstable();
        percentile::at(&taken.times, 0.99).as_secs_f64() * 1e3
    };
    let before = p99(load::ask(&ask, CONNECTIONS, effort.during).await);
    let (during, took) = tokio::join!(load::ask(&ask, CONNECTIONS, effort.during), async {
        let began = Instant::now();
        let said = format!("changed after {:?}", it.host.process.used());
        it.folder.change(&name(it.plugins - 1), &said);
        let plugins = airlock::get(&it.host.control, "/plugins");
        while !load::once(&plugins).await.expect("an answer").1.contains(&said) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        began.elapsed().as_secs_f64() * 1e3
    });
    Swap { took, before, during: p99(during) }
}
