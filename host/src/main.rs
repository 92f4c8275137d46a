//! The `airlock` binary: arguments -> command -> exit code.

use std::process::ExitCode;

use clap::Parser;

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
