//! Those who attack, and their upstream, in a process of their own.
//!
//! In real life they have machines of their own. In the host's process they would share its locks with it (the allocator's, the kernel's
//! for the address space), and at a low priority they would hold them while others wait; at the host's priority it is their work that
//! neighbours notice. The process is told what to do line by line on its standard input, and answers each line with one.

use std::{
    convert::Infallible,
    env,
    io::{self, BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{self, Http, Rest, Upstream, json_answer};

/// What `measure` is called with to become this process.
pub const ATTACKERS: &str = "attackers";

/// Their connections.
const CONNECTIONS: usize = 8;

/// A part of an answer that is larger than the grant allows. Made once, and sent in parts: one of 32 MB would keep a processor in the
/// kernel for milliseconds, which no distant upstream can.
static PART: LazyLock<Bytes> = LazyLock::new(|| vec![b'x'; 16 << 10].into());
const PARTS: usize = 2048;

/// The process, as who measures sees it.
pub struct Attackers {
    child: Child,
    orders: ChildStdin,
    reports: BufReader<ChildStdout>,
    upstream: String,
}

impl Attackers {
    pub fn start() -> Self {
        let this = env::current_exe().expect("this program has a path");
        let mut child = Command::new(this)
            .arg(ATTACKERS)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program starts once more");
        let orders = child.stdin.take().expect("a pipe");
        let mut reports = BufReader::new(child.stdout.take().expect("a pipe"));
        let upstream = report(&mut reports);
        Self { child, orders, reports, upstream }
    }

    /// The address of their upstream.
    pub fn upstream(&self) -> &str {
        &self.upstream
    }

    /// Begins to send such requests to the host.
    pub fn attack(&mut self, address: &str, operation: &str, input: &Value) {
        self.order(&json!([address, operation, input]));
    }

    /// Ends it; gives how many requests were answered.
    pub fn stop(&mut self) -> usize {
        self.order(&Value::Null).parse().expect("a number")
    }

    fn order(&mut self, order: &Value) -> String {
        writeln!(self.orders, "{order}").expect("the attackers listen");
        report(&mut self.reports)
    }
}

impl Drop for Attackers {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn report(reports: &mut impl BufRead) -> String {
    let mut line = String::new();
    reports.read_line(&mut line).expect("the attackers report");
    line.trim_end().to_owned()
}

/// Becomes the process.
pub fn run() {
    // What is measured is the host, and not their work.
    rustix::process::nice(19).expect("a process may always step back");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let upstream = runtime.block_on(Upstream::answering(answer));
    println!("{}", upstream.url());
    let answered = Arc::new(AtomicUsize::new(0));
    let mut attackers = JoinSet::new();
    for order in io::stdin().lines() {
        let order: Option<(String, String, Value)> = serde_json::from_str(&order.expect("a line")).expect("an order");
        match order {
            Some((address, operation, input)) => {
                answered.store(0, Ordering::Relaxed);
                let rest = Rest::new(Http::default(), address);
                for _ in 0..CONNECTIONS {
                    let attack = attack(rest.clone(), operation.clone(), input.clone(), answered.clone());
                    attackers.spawn_on(attack, runtime.handle());
                }
                println!();
            }
            None => {
                runtime.block_on(attackers.shutdown());
                drop(upstream.requests());
                println!("{}", answered.load(Ordering::Relaxed));
            }
        }
    }
}

fn answer(seen: harness::Seen) -> Response {
    match seen.target.as_str() {
        "/flood" => {
            let parts = (0..PARTS).map(|_| Ok::<_, Infallible>(PART.clone()));
            Response::new(Body::from_stream(futures::stream::iter(parts)))
        }
        _ => json_answer(StatusCode::OK, &json!({})),
    }
}

/// One attack.
pub async fn send(rest: &Rest, operation: &str, input: &Value) {
    let path = format!("/hostile/{operation}");
    match input {
        Value::Null => rest.get(&path).await,
        input => rest.send("POST", &path, Some(input)).await,
    };
}

async fn attack(rest: Rest, operation: String, input: Value, answered: Arc<AtomicUsize>) {
    loop {
        send(&rest, &operation, &input).await;
        answered.fetch_add(1, Ordering::Relaxed);
    }
}
