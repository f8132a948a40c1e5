//! Closing handles where it cannot deadlock.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use crate::callback::called_by_ceph;
use crate::fork::Process;

type Job = Box<dyn FnOnce() + Send>;

/// What waits for the reaper thread, which lives only while there is something to do.
static QUEUE: Mutex<Queue> = Mutex::new(Queue {
    jobs: VecDeque::new(),
    running: false,
    exiting: false,
});

struct Queue {
    jobs: VecDeque<Job>,
    running: bool,
    exiting: bool,
}

/// Told when the reaper thread has nothing more to do.
static IDLE: Condvar = Condvar::new();

/// How long the end of the process waits for that.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs `close` now, or [later](close_later) when the caller is inside a callback of Ceph's, where
/// closing a handle would wait for itself.
pub fn close_with(close: impl FnOnce() + Send + 'static) {
    match called_by_ceph() {
        true => close_later(close),
        false => close(),
    }
}

/// Runs `close` on the reaper thread.
///
/// The handle leaks if no thread can be started, which is better than a hang, and when the process is about to end,
/// whose C libraries are being taken down.
pub fn close_later(close: impl FnOnce() + Send + 'static) {
    let mut queue = lock();
    if queue.exiting {
        return mem::forget(close);
    }
    queue.jobs.push_back(Box::new(close));
    if !queue.running {
        queue.running = thread::Builder::new()
            .name("ceph-reaper".into())
            .spawn(run)
            .is_ok();
    }
}

fn run() {
    loop {
        let mut queue = lock();
        let Some(job) = queue.jobs.pop_front() else {
            queue.running = false;
            IDLE.notify_all();
            return;
        };
        drop(queue);
        job();
    }
}

/// The process whose end waits for the reaper.
static PROCESS: OnceLock<Process> = OnceLock::new();

/// Has the end of the process wait for what is being closed, before C's libraries take down what that uses. To be
/// called before there is a handle.
pub fn wait_at_exit() {
    PROCESS.get_or_init(|| {
        // SAFETY: a plain function, which stays valid as long as the process. Without memory for it nothing waits.
        unsafe { libc::atexit(at_exit) };
        Process::current()
    });
}

extern "C" fn at_exit() {
    // A forked child has no reaper. A callback that ends the process may be what the reaper waits for.
    let here = PROCESS.get().is_some_and(|process| process.is_current());
    if here && !called_by_ceph() {
        let mut queue = lock();
        queue.exiting = true;
        // The time is up, or it is done: the process ends either way.
        let _ = IDLE.wait_timeout_while(queue, PATIENCE, |queue| queue.running);
    }
}

fn lock() -> std::sync::MutexGuard<'static, Queue> {
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::guard;
    use std::env;
    use std::process::{Command, exit};
    use std::sync::mpsc;

    #[test]
    fn closes_here_or_on_the_reaper() {
        let (sender, receiver) = mpsc::channel();
        let closer = |n: i32| {
            let sender = sender.clone();
            move || {
                sender
                    .send((n, thread::current().id(), called_by_ceph()))
                    .unwrap()
            }
        };
        let here = thread::current().id();
        close_with(closer(0));
        assert_eq!(receiver.try_recv(), Ok((0, here, false)));
        guard(|| (1..=100).for_each(|n| close_with(closer(n)))).unwrap();
        for n in 1..=100 {
            let (got, thread, called_by_ceph) =
                receiver.recv_timeout(Duration::from_secs(10)).unwrap();
            assert_eq!((got, called_by_ceph), (n, false));
            assert_ne!(thread, here);
        }
    }

    #[test]
    fn the_end_of_the_process_waits() {
        const CHILD: &str = "CEPH_CORE_TEST_EXIT";
        if env::var_os(CHILD).is_some() {
            let slow = || {
                thread::sleep(Duration::from_millis(200));
                println!("closed");
            };
            wait_at_exit();
            guard(|| close_with(slow)).unwrap();
            exit(0);
        }
        let output = Command::new(env::current_exe().unwrap())
            .args(["--exact", "reaper::tests::the_end_of_the_process_waits"])
            .arg("--nocapture")
            .env(CHILD, "1")
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(printed.contains("closed"), "{output:?}");
    }
}
