//! Closing handles where it cannot deadlock.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::callback::called_by_ceph;

type Job = Box<dyn FnOnce() + Send>;

/// What waits for the reaper thread, which lives only while there is something to do.
static QUEUE: Mutex<Queue> = Mutex::new(Queue {
    jobs: VecDeque::new(),
    running: false,
});

struct Queue {
    jobs: VecDeque<Job>,
    running: bool,
}

/// Runs `close` now, or on the reaper thread when the caller is inside a callback of Ceph's, where
/// closing a handle would wait for itself.
///
/// If no thread can be started the handle leaks, which is better than a hang.
pub fn close_with(close: impl FnOnce() + Send + 'static) {
    if !called_by_ceph() {
        return close();
    }
    let mut queue = lock();
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
            return;
        };
        drop(queue);
        job();
    }
}

fn lock() -> std::sync::MutexGuard<'static, Queue> {
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::guard;
    use std::sync::mpsc;
    use std::time::Duration;

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
}
