//! Measurements that are no tests, because they take minutes and a quiet machine: `measure neighbours [OPERATION…]`, `measure soak [CALLS [ATTACKS]]`.

#[allow(dead_code, unused_imports, reason = "a measurement needs a part of what the tests share")]
#[path = "../suite/harness/mod.rs"]
mod harness;

mod attackers;
mod neighbours;
mod soak;
mod stolen;

use std::{env, process::ExitCode};

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
        _ => {
            eprintln!("expected: neighbours [OPERATION…], or soak [CALLS [ATTACKS]]");
            ExitCode::FAILURE
        }
    }
}
