//! Which processors who may use: what is measured has half of them to itself.

use std::thread;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The processors of this machine, in two halves.
pub struct Cores {
    measured: Vec<usize>,
    others: Vec<usize>,
}

impl Cores {
    /// The second half is what is measured: the first processor is the one that most systems send their interrupts to.
    ///
    /// # Panics
    /// There is but one.
    pub fn halves() -> Self {
        let may_use = sched_getaffinity(None).expect("every process may ask");
        let all: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| may_use.is_set(*core)).collect();
        assert!(
            all.len() >= 2,
            "a benchmark needs two processors: one for what is measured, one for its clients and its upstream"
        );
        let (others, measured) = all.split_at(all.len() / 2);
        Self { measured: measured[..others.len()].to_vec(), others: others.to_vec() }
    }

    /// How many processors each half has.
    pub fn each(&self) -> usize {
        self.others.len()
    }

    /// Starts something on the half that is measured; what this thread starts afterwards is on the other one.
    pub fn measured<T: Send>(&self, start: impl FnOnce() -> T + Send) -> T {
        on(&self.measured, start)
    }

    /// Starts something on the half of the clients and the upstream.
    pub fn others<T: Send>(&self, start: impl FnOnce() -> T + Send) -> T {
        on(&self.others, start)
    }
}

/// A thread or process that is started has the processors of the thread that starts it.
fn on<T: Send>(cores: &[usize], start: impl FnOnce() -> T + Send) -> T {
    let mut set = CpuSet::new();
    cores.iter().for_each(|core| set.set(*core));
    thread::scope(|scope| {
        let started = scope.spawn(|| {
            sched_setaffinity(None, &set).expect("these processors were just given to this process");
            start()
        });
        started.join().expect("it starts")
    })
}
