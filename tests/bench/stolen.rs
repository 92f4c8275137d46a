//! The processor time that a virtual machine didn't get: it wanted to run, and its host ran others. A time that is measured meanwhile
//! says more about those others than about what is measured.

use std::fs;

/// A point in time, in ticks of all processors since the machine started.
#[derive(Clone, Copy)]
pub struct Ticks {
    stolen: f64,
    all: f64,
}

impl Ticks {
    /// Now. Where there is no `/proc/stat`, nothing is known to be stolen.
    pub fn now() -> Self {
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        // proc(5): user, nice, system, idle, iowait, irq, softirq, steal; what follows is part of the first two.
        let first = stat.lines().next().unwrap_or_default().split_whitespace().skip(1).take(8);
        let ticks: Vec<f64> = first.filter_map(|it| it.parse().ok()).collect();
        Self { stolen: ticks.get(7).copied().unwrap_or_default(), all: ticks.iter().sum() }
    }

    /// The share of the time since then that was stolen.
    pub fn stolen_since(self) -> f64 {
        let now = Self::now();
        (now.stolen - self.stolen) / (now.all - self.all).max(1.0)
    }
}
