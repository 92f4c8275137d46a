//! The `airlock` binary: arguments -> command -> exit code.

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;

/// A call allocates a hundred times, on whatever thread it is just then.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let cli = airlock::cli::Cli::parse();
    match airlock::cli::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            airlock::cli::complain(format_args!("error: {error}"));
            error.exit_code()
        }
    }
}
