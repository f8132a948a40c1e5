//! Blocking calls behind a `Completion`.

use std::collections::VecDeque;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::{Completion, Library, Slot, Tracker, complete, submit};
use crate::{Error, Result};

/// The most threads at once. What more is asked for waits in a queue.
const THREADS: usize = 16;
/// How long a thread stays without work.
const IDLE: Duration = Duration::from_secs(5);

/// Runs a call that blocks on another thread, for use in async code: what the C libraries offer in a
/// blocking form only (creating an image, taking a snapshot, ...).
///
/// It runs on one of at most 16 threads that start when they are needed and end when they are not; with the
/// feature `tokio` and inside a tokio runtime, by its `spawn_blocking`. A panic of `call` goes on in whoever
/// awaits the completion.
///
/// ```
/// # use ceph_core::aio as rados;
/// # rados::block_on(async {
/// let sum = rados::blocking(|| (1..=1000).sum::<u64>()).await;
/// assert_eq!(sum, 500_500);
/// # });
/// ```
///
/// # Cancel safety
/// A call that has begun goes on when the completion is dropped; so does one that waits in the queue.
pub fn blocking<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> Completion<T> {
    let call = move || catch_unwind(AssertUnwindSafe(call));
    submit(
        Pool,
        Slot::new(None),
        |_, slot: &Slot<Option<thread::Result<T>>>, argument| {
            let task = Task {
                slot: slot.as_ptr(),
                argument,
            };
            spawn(Box::new(move || task.run(call))).map(|()| None)
        },
        |_, slot, _| match slot.into_inner() {
            Some(Ok(result)) => result,
            Some(Err(panic)) => resume_unwind(panic),
            None => panic!("no thread could be started for a blocking call"),
        },
    )
}

/// An operation that is done before it starts, with this result.
pub fn ready<T: Send + 'static>(result: T) -> Completion<T> {
    submit(Pool, result, |_, _, _| Ok(Some(0)), |_, result, _| result)
}

/// Operations of the pool: their "C completion" is the operation itself.
struct Pool;

// SAFETY: `Task::run` calls `complete` once, with the argument; there is nothing to release.
unsafe impl Library for Pool {
    fn tracker(&self) -> Option<&Tracker> {
        None
    }

    fn create(&self, argument: *mut c_void) -> Result<*mut c_void> {
        Ok(argument)
    }

    unsafe fn release(_: *mut c_void) {}

    unsafe fn cancel(&self, _: *mut c_void) -> Result<()> {
        let hint = "a blocking call cannot be cancelled";
        Err(Error::refused("cancel", libc::EOPNOTSUPP, hint))
    }

    const VERSION: Option<unsafe fn(*mut c_void) -> Option<u64>> = None;
}

/// A call's way back.
struct Task<T> {
    slot: *mut Option<thread::Result<T>>,
    argument: *mut c_void,
}

// SAFETY: the pointers are into the operation's node, whose callback this is, and a T may be sent.
unsafe impl<T: Send> Send for Task<T> {}

impl<T> Task<T> {
    fn run(self, call: impl FnOnce() -> thread::Result<T>) {
        let result = call();
        // SAFETY: the callback's share keeps the node, and only it writes to the slot.
        unsafe { *self.slot = Some(result) };
        // SAFETY: the only call for this operation.
        unsafe { complete(self.argument, 0) };
    }
}

type Job = Box<dyn FnOnce() + Send>;

/// Runs a job in tokio's pool where there is one, else in ours.
fn spawn(job: Job) -> Result<()> {
    #[cfg(feature = "tokio")]
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn_blocking(job);
        return Ok(());
    }
    enqueue(job)
}

static QUEUE: Mutex<Queue> = Mutex::new(Queue {
    jobs: VecDeque::new(),
    threads: 0,
    idle: 0,
});
static WORK: Condvar = Condvar::new();

struct Queue {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
}

fn lock() -> MutexGuard<'static, Queue> {
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn enqueue(job: Job) -> Result<()> {
    let mut queue = lock();
    if queue.idle <= queue.jobs.len() && queue.threads < THREADS {
        let name = "ceph-blocking".to_owned();
        match thread::Builder::new().name(name).spawn(run) {
            Ok(_) => queue.threads += 1,
            // Those that there are will come to it.
            Err(_) if queue.threads > 0 => {}
            Err(error) => {
                let hint = "no thread can be started";
                return Err(Error::refused("blocking", libc::EAGAIN, hint).because(error));
            }
        }
    }
    queue.jobs.push_back(job);
    WORK.notify_one();
    Ok(())
}

fn run() {
    let mut queue = lock();
    loop {
        if let Some(job) = queue.jobs.pop_front() {
            drop(queue);
            job();
            queue = lock();
            continue;
        }
        queue.idle += 1;
        let waited = WORK.wait_timeout(queue, IDLE);
        let (back, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        queue = back;
        queue.idle -= 1;
        if timeout.timed_out() && queue.jobs.is_empty() {
            queue.threads -= 1;
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn a_call_runs_elsewhere_and_its_result_comes_back() {
        let here = thread::current().id();
        let (there, text) = blocking(move || (thread::current().id(), "done".to_owned())).wait();
        assert_ne!(here, there);
        assert_eq!(text, "done");
    }

    #[test]
    fn a_panic_goes_on_in_who_waits() {
        let call = blocking(|| -> () { resume_unwind(Box::new("from the call")) });
        let panic = catch_unwind(AssertUnwindSafe(|| call.wait())).unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"from the call"));
        assert_eq!(blocking(|| 7).wait(), 7);
    }

    #[test]
    fn more_calls_than_threads_all_run_and_no_more_threads_than_allowed() {
        let (sender, receiver) = mpsc::channel();
        let calls: Vec<_> = (0..200)
            .map(|n| {
                let sender = sender.clone();
                blocking(move || {
                    sender.send(lock().threads).unwrap();
                    n
                })
            })
            .collect();
        let results: Vec<_> = calls.into_iter().map(Completion::wait).collect();
        assert_eq!(results, (0..200).collect::<Vec<_>>());
        drop(sender);
        assert!(receiver.iter().all(|threads| threads <= THREADS));
    }

    #[test]
    fn a_dropped_call_still_runs() {
        let (go, gone) = mpsc::channel();
        let (sender, receiver) = mpsc::channel();
        let call = blocking(move || {
            gone.recv().unwrap();
            sender.send(()).unwrap();
        });
        assert_eq!(call.cancel().unwrap_err().errno().raw(), libc::EOPNOTSUPP);
        drop(call);
        go.send(()).unwrap();
        receiver.recv_timeout(Duration::from_secs(10)).unwrap();
    }
}
