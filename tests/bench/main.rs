//! Measurements that are no tests, because they take minutes and a quiet machine: `measure neighbours [OPERATION…]`, `measure soak [CALLS [ATTACKS]]`,
//! `measure bench [smoke]`, `measure row NAME [SIZE [CONNECTIONS]]` for a profiler.

#[allow(dead_code, unused_imports, reason = "a measurement needs a part of what the tests share")]
#[path = "../suite/harness/mod.rs"]
mod harness;

mod attackers;
mod neighbours;
mod percentile;
mod soak;
mod speed;
mod stolen;

use std::{env, process::ExitCode};

use mimalloc::MiMalloc;

/// The proxy has what the host has.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let numbers: Vec<usize> = arguments.iter().skip(1).filter_map(|it| it.parse().ok()).collect();
    match arguments.first().map(String::as_str) {
        Some("neighbours") => {
            let only: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
            neighbours::run(&only);
            ExitCode::SUCCESS
        }
        Some(attackers::ATTACKERS) => {
            attackers::run();
            ExitCode::SUCCESS
        }
        Some("soak") => soak::run(&numbers),
        Some("bench") => {
            let is_smoke = arguments.get(1).is_some_and(|it| it == "smoke");
            speed::run(if is_smoke { &speed::Effort::SMOKE } else { &speed::Effort::FULL });
            ExitCode::SUCCESS
        }
        Some("row") => {
            let text = |at: usize| arguments.get(at).map(String::as_str).unwrap_or_default();
            let size = Some(text(2)).filter(|it| !it.is_empty()).unwrap_or("small");
            speed::alone(text(1), size, text(3).parse().unwrap_or(16));
            ExitCode::SUCCESS
        }
        Some(role @ (speed::UPSTREAM | speed::PROXY)) => {
            speed::serve(role, arguments.get(1).cloned());
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!(
                "expected: neighbours [OPERATION…], soak [CALLS [ATTACKS]], bench [smoke], or row NAME [SIZE [CONNECTIONS]]"
            );
            ExitCode::FAILURE
        }
    }
}
