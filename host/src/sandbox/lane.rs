//! The threads on which guests that compute for long take turns: few of them, and of low priority, so that everybody else goes first.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{Semaphore, oneshot},
};

use super::crowd::Crowd;

/// By how much the threads of the lane step back. 10 of the 19 that are possible: where everybody wants a processor, a thread of the
/// lane gets a tenth of what one of the others gets; at 19 it would be a seventieth, and what it holds while it waits (a lock of the
/// allocator, say) would be held for too long.
const NICE: i32 = 10;

/// How long a thread of the lane asks to go on once it has a processor. 100 ms, the most that Linux allows (from 6.12 on): who asks for
/// less, as everybody does by default, gets the processor at once when it wakes up. With the default it would wait until the slice is
/// over, some milliseconds, whatever the priorities. A short slice doesn't end sooner than the next tick of the kernel, and who asks
/// for one is also served sooner.
#[cfg(target_os = "linux")]
const SLICE: Duration = Duration::from_millis(100);

/// The lane of the calls that compute for long, and of those whose plugin does: so many of them run at the same moment, in turns of
/// a tick. The other threads stay free for everybody else, however many guests loop.
#[derive(Clone)]
pub(super) struct SlowLane {
    pub(super) places: usize,
    pub(super) free: Arc<Semaphore>,
    pub(super) crowd: Arc<Crowd>,
    work: mpsc::Sender<Work>,
}

type Work = Box<dyn FnOnce() + Send>;

impl SlowLane {
    /// Half of the processors, so that the other half is free; one on a machine that has but one.
    ///
    /// # Errors
    /// The machine can't start its threads.
    pub(super) fn of_this_machine() -> io::Result<Self> {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        Self::of((processors / 2).max(1))
    }

    /// Its threads end with the last of its clones.
    pub(super) fn of(places: usize) -> io::Result<Self> {
        let (work, queue) = mpsc::channel::<Work>();
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..places {
            let queue = queue.clone();
            thread::Builder::new().name("slow-lane".to_owned()).spawn(move || {
                step_back();
                while let Some(work) = next(&queue) {
                    // What fails is missed by who waits for it, and must not take the thread along.
                    catch_unwind(AssertUnwindSafe(work)).ok();
                }
            })?;
        }
        Ok(Self { places, free: Arc::new(Semaphore::new(places)), crowd: Arc::default(), work })
    }

    /// Has work done on a thread of the lane, as a part of the same runtime. What nobody waits for any more is dropped there, too.
    pub(super) fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> oneshot::Receiver<T> {
        let (done, result) = oneshot::channel();
        let runtime = Handle::try_current();
        let work = move || {
            let _inside = runtime.as_ref().map(Handle::enter);
            done.send(work()).ok();
        };
        self.work.send(Box::new(work)).expect("the threads live as long as the lane");
        result
    }
}

fn next(queue: &Mutex<mpsc::Receiver<Work>>) -> Option<Work> {
    queue.lock().expect("no panic while held").recv().ok()
}

/// On Linux a priority is that of a thread. Elsewhere it would be that of the process: there the lane is narrow, and no more.
#[cfg(target_os = "linux")]
fn step_back() {
    if let Err(error) = rustix::process::nice(NICE).map_err(io::Error::from).and_then(lengthen_slice) {
        tracing::warn!(%error, "the threads for plugins that compute for long can't be given a low priority; neighbours notice more of them");
    }
}

/// Keeps this thread's priority, which has to be said again.
#[cfg(target_os = "linux")]
fn lengthen_slice(nice: i32) -> io::Result<()> {
    let attributes = libc::sched_attr {
        size: size_of::<libc::sched_attr>() as u32,
        sched_policy: libc::SCHED_OTHER as u32,
        sched_flags: 0,
        sched_nice: nice,
        sched_priority: 0,
        sched_runtime: SLICE.as_nanos() as u64,
        sched_deadline: 0,
        sched_period: 0,
    };
    let (this_thread, no_flags) = (0, 0);
    // SAFETY: the kernel reads as many bytes as the value says that it has, and the value outlives the call.
    match unsafe { libc::syscall(libc::SYS_sched_setattr, this_thread, &raw const attributes, no_flags) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(not(target_os = "linux"))]
fn step_back() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_is_done_elsewhere_and_within_the_runtime() {
        let lane = SlowLane::of(1).unwrap();
        let here = thread::current().id();
        let (there, inside) =
            lane.run(|| (thread::current().id(), Handle::try_current().map(|it| it.id()))).await.unwrap();
        assert_ne!(here, there);
        assert_eq!(inside.unwrap(), Handle::current().id());
    }

    #[tokio::test]
    async fn work_that_fails_is_missed_and_no_more() {
        let lane = SlowLane::of(1).unwrap();
        assert!(lane.run(|| panic!("on purpose")).await.is_err());
        assert_eq!(lane.run(|| 7).await.unwrap(), 7);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_lane_steps_back_and_nobody_else_does() {
        let lane = SlowLane::of(1).unwrap();
        let nice = || rustix::process::getpriority_process(None).unwrap();
        let before = nice();
        assert_eq!(lane.run(nice).await.unwrap(), (before + NICE).min(19));
        assert_eq!(nice(), before);
    }
}
