//! `cargo bench`: how long each piece of a call takes on this machine, and whether that has changed since the last time.

mod list;

use std::time::Duration;

use criterion::Criterion;
use mimalloc::MiMalloc;

/// The host's.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Eight pieces take a minute and a quarter.
const WARM_UP: Duration = Duration::from_secs(1);
const MEASUREMENT: Duration = Duration::from_secs(6);

/// The n-th sample is n rounds: with 50 of them the slowest piece, of a millisecond, is done in time.
const SAMPLES: usize = 50;

fn main() {
    let criterion = Criterion::default().warm_up_time(WARM_UP).measurement_time(MEASUREMENT).sample_size(SAMPLES);
    let mut criterion = criterion.without_plots().configure_from_args();
    for piece in list::PURE.iter().chain(&list::SANDBOXED) {
        criterion.bench_function(piece.name, |bencher| bencher.iter((piece.prepare)()));
    }
    criterion.final_summary();
}
