//! The price of the sandbox, beside what it costs to do without: `make bench`.
//!
//! Everything is measured in one run, in turns, so that what the machine does besides falls on all alike; what counts is ratios. What
//! is measured has half of the processors to itself, clients and upstream share the other half.

mod airlock;
mod cores;
mod growth;
mod inside;
mod load;
mod nginx;
mod process;
mod proxy;
mod table;
mod upstream;

use std::{env, fs, path::PathBuf, process::Command, time::Duration};

use serde_json::{Map, Value};
use tokio::runtime::{Builder, Runtime};

use self::{
    airlock::{Airlock, Folder},
    cores::Cores,
    load::Ask,
    nginx::Nginx,
    process::Process,
    table::{Cell, Measured},
};

/// What this program is called with to become the upstream, or the plain proxy.
pub const UPSTREAM: &str = "upstream";
pub const PROXY: &str = "proxy";

/// How much is measured.
pub struct Effort {
    rounds: usize,
    warm_up: Duration,
    during: Duration,
    connections: &'static [usize],
    plugins: &'static [usize],
    /// By how much fewer calls are looked into.
    divisor: usize,
    file: &'static str,
}

impl Effort {
    /// A run whose figures mean something: eight minutes.
    pub const FULL: Self = Self {
        rounds: 5,
        warm_up: Duration::from_millis(200),
        during: Duration::from_secs(1),
        connections: &[1, 16, 128],
        plugins: &[1, 2, 10, 100, 500],
        divisor: 1,
        file: "bench.json",
    };

    /// As little as shows that it runs.
    pub const SMOKE: Self = Self {
        rounds: 1,
        warm_up: Duration::ZERO,
        during: Duration::from_millis(50),
        connections: &[1, 16, 128],
        plugins: &[1, 2, 5],
        divisor: 100,
        file: "bench-smoke.json",
    };
}

/// Becomes one of the processes beside.
pub fn serve(role: &str, upstream: Option<String>) {
    let served = runtime().block_on(async {
        match upstream {
            Some(upstream) if role == PROXY => proxy::serve(upstream).await,
            _ => upstream::serve().await,
        }
    });
    served.expect("a socket");
}

/// Asks one row alone for a while, to be looked at by a profiler.
pub fn alone(name: &str, size: &str, connections: usize) {
    let cores = Cores::halves();
    let runtime = cores.others(runtime);
    let bench = Bench::start(&cores, &runtime);
    let rows = bench.rows(size);
    let row = rows.iter().find(|it| it.name.contains(name)).expect("the name of a row");
    println!("process {}", row.process.id());
    let effort = Effort { during: Duration::from_secs(2), ..Effort::FULL };
    for _ in 0..6 {
        let mut cell = Cell::of([row.name].into_iter());
        cell.add(0, runtime.block_on(bench.measure(&effort, row, connections)));
        println!("{cell}");
    }
}

/// Prints the tables and writes the figures.
pub fn run(effort: &Effort) {
    let cores = Cores::halves();
    println!("{} processors for what is measured, {} for clients and upstream", cores.each(), cores.each());
    let runtime = cores.others(runtime);
    let bench = Bench::start(&cores, &runtime);
    let mut figures = Map::new();
    for (size, _) in upstream::SIZES {
        for connections in effort.connections {
            let cell = runtime.block_on(bench.cell(effort, size, *connections));
            println!("\n{size} answers, {connections} connections\n{cell}");
            cell.figures(size, *connections, &mut figures);
        }
    }
    println!();
    cores.measured(|| inside::measure(effort, &mut figures));
    println!();
    runtime.block_on(growth::measure(effort, &cores, &bench.upstream.authority, &mut figures));
    write(effort.file, figures);
}

fn write(file: &str, figures: Map<String, Value>) {
    let this = env::current_exe().expect("this program has a path");
    let target: PathBuf = this.ancestors().nth(3).expect("target/<profile>/examples").join(file);
    let text = serde_json::to_string_pretty(&figures).expect("JSON") + "\n";
    fs::write(&target, text).unwrap_or_else(|e| panic!("{}: {e}", target.display()));
    println!("\nwritten: {}", target.display());
}

/// As many threads as there are processors for it.
fn runtime() -> Runtime {
    Builder::new_multi_thread().enable_all().build().expect("a runtime")
}

/// The processes, all there for the whole run.
struct Bench {
    upstream: Served,
    proxy: Served,
    /// Where there is one.
    nginx: Option<Nginx>,
    airlock: Airlock,
    session: String,
    /// A host of its own: beside another plugin, one that is busy takes turns.
    reusing: Airlock,
    /// What the hosts serve from.
    _folders: [Folder; 2],
}

/// One of our own roles.
struct Served {
    authority: String,
    process: Process,
}

/// Something that is asked, under the name that it has in the table.
struct Row<'a> {
    name: &'static str,
    ask: Ask,
    process: &'a Process,
}

impl Served {
    fn start(role: &[&str]) -> Self {
        let this = env::current_exe().expect("this program has a path");
        let mut process = Process::start(Command::new(this).args(role));
        let authority = process.line().trim_start_matches("http://").to_owned();
        Self { authority, process }
    }
}

impl Bench {
    fn start(cores: &Cores, runtime: &Runtime) -> Self {
        let upstream = cores.others(|| Served::start(&[UPSTREAM]));
        let url = format!("http://{}", upstream.authority);
        let (mut fresh, mut reused) = (Folder::new(), Folder::new());
        fresh.add("fresh", &url, "limits.concurrency = 256");
        reused.add("reused", &url, "limits.concurrency = 256\nlimits.calls_per_instance = 1000000");
        let proxies = || (Served::start(&[PROXY, &url]), Nginx::start(&upstream.authority));
        let (proxy, nginx) = cores.measured(proxies);
        // As hosts are that have been started before: one that has just compiled holds what that took.
        let started = |folder: &Folder| {
            drop(folder.serve());
            folder.serve()
        };
        let (airlock, reusing) = cores.measured(|| (started(&fresh), started(&reused)));
        let session = runtime.block_on(airlock::session(&airlock.mcp));
        Self { upstream, proxy, nginx, airlock, session, reusing, _folders: [fresh, reused] }
    }

    fn rows(&self, size: &str) -> Vec<Row<'_>> {
        let Self { upstream, proxy, nginx, airlock, session, reusing, .. } = self;
        let row = |name, process, ask| Row { name, ask, process };
        let mut rows = vec![
            row("upstream, directly", &upstream.process, airlock::get(&upstream.authority, &format!("/{size}"))),
            row(table::PROXY, &proxy.process, airlock::get(&proxy.authority, &format!("/{size}"))),
            row(table::REST, &airlock.process, airlock::get(&airlock.rest, &format!("/fresh/{size}"))),
            row(table::REUSED, &reusing.process, airlock::get(&reusing.rest, &format!("/reused/{size}"))),
        ];
        if let Some(nginx) = nginx {
            rows.push(row("nginx", &nginx.process, airlock::get(&nginx.authority, &format!("/{size}"))));
        }
        // What is large is no answer for a model: it gets the beginning, and the rest in parts.
        if size != "large" {
            let call = airlock::tool_call(&airlock.mcp, "fresh-get", size);
            rows.push(row(table::MCP, &airlock.process, call));
            let call = airlock::tool_call_in(session, &airlock.mcp, "fresh-get", size);
            rows.push(row(table::LEGACY, &airlock.process, call));
        }
        rows
    }

    /// Measures all rows in turns.
    async fn cell(&self, effort: &Effort, size: &str, connections: usize) -> Cell {
        let rows = self.rows(size);
        let mut cell = Cell::of(rows.iter().map(|row| row.name));
        for _ in 0..effort.rounds {
            for (index, row) in rows.iter().enumerate() {
                load::ask(&row.ask, connections, effort.warm_up).await;
                cell.add(index, self.measure(effort, row, connections).await);
            }
        }
        cell
    }

    async fn measure(&self, effort: &Effort, row: &Row<'_>, connections: usize) -> Measured {
        let used = || (row.process.used(), self.upstream.process.used() + process::own());
        let before = used();
        let taken = load::ask(&row.ask, connections, effort.during).await;
        let after = used();
        Measured::of(taken, after.0 - before.0, after.1 - before.1, row.process.resident())
    }
}
