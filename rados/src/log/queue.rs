//! What has been said in the log and not yet been read: at most so much.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::{LogEvent, LogLine};

/// A queue that drops its oldest lines and counts them. One thread fills it, one reads it.
pub(super) struct Queue {
    capacity: usize,
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    lines: VecDeque<LogLine>,
    /// How many lines are missing before the first.
    dropped: u64,
    waker: Option<Waker>,
}

impl State {
    fn pop(&mut self) -> Option<LogEvent> {
        match std::mem::take(&mut self.dropped) {
            0 => self.lines.pop_front().map(LogEvent::Line),
            dropped => Some(LogEvent::Lagged(dropped)),
        }
    }
}

impl Queue {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            state: Mutex::default(),
            arrived: Condvar::new(),
        }
    }

    /// Adds a line. Waits for nobody but a reader that takes one out.
    pub(super) fn push(&self, line: LogLine) {
        let mut state = self.lock();
        let oldest = match state.lines.len() < self.capacity {
            true => None,
            false => state.lines.pop_front(),
        };
        state.dropped += u64::from(oldest.is_some());
        state.lines.push_back(line);
        let waker = state.waker.take();
        drop(state);
        self.arrived.notify_one();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(super) fn try_pop(&self) -> Option<LogEvent> {
        self.lock().pop()
    }

    /// Waits until there is something, or until the deadline.
    pub(super) fn pop(&self, deadline: Option<Instant>) -> Option<LogEvent> {
        let mut state = self.lock();
        loop {
            if let Some(event) = state.pop() {
                return Some(event);
            }
            state = match deadline {
                None => self
                    .arrived
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left == Duration::ZERO {
                        return None;
                    }
                    let waited = self.arrived.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    pub(super) fn poll_pop(&self, context: &mut Context<'_>) -> Poll<LogEvent> {
        let mut state = self.lock();
        if let Some(event) = state.pop() {
            return Poll::Ready(event);
        }
        let old = match &state.waker {
            Some(waker) if waker.will_wake(context.waker()) => None,
            // Other people's code, as is the drop of the old one: not under the lock.
            _ => {
                drop(state);
                let waker = context.waker().clone();
                state = self.lock();
                if let Some(event) = state.pop() {
                    return Poll::Ready(event);
                }
                state.waker.replace(waker)
            }
        };
        drop(state);
        drop(old);
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LogLevel;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::task::Wake;
    use std::thread;
    use std::time::SystemTime;

    fn line(seq: u64) -> LogLine {
        LogLine {
            level: Some(LogLevel::Info),
            channel: "cluster".to_owned(),
            name: "mon.a".to_owned(),
            who: String::new(),
            time: SystemTime::UNIX_EPOCH,
            seq,
            message: String::new(),
        }
    }

    fn seqs(queue: &Queue) -> Vec<Result<u64, u64>> {
        let events = std::iter::from_fn(|| queue.try_pop());
        let seqs = events.map(|event| match event {
            LogEvent::Line(line) => Ok(line.seq),
            LogEvent::Lagged(lines) => Err(lines),
        });
        seqs.collect()
    }

    #[test]
    fn the_oldest_lines_go_and_are_counted_where_they_were() {
        let queue = Queue::new(3);
        (0..3).for_each(|n| queue.push(line(n)));
        assert_eq!(seqs(&queue), [Ok(0), Ok(1), Ok(2)]);
        (0..5).for_each(|n| queue.push(line(n)));
        assert_eq!(seqs(&queue), [Err(2), Ok(2), Ok(3), Ok(4)]);
        let smallest = Queue::new(0);
        (0..2).for_each(|n| smallest.push(line(n)));
        assert_eq!(seqs(&smallest), [Err(1), Ok(1)]);
    }

    #[test]
    fn a_reader_that_waits_is_woken_and_gives_up_in_time() {
        let queue = Queue::new(3);
        let soon = Instant::now() + Duration::from_millis(10);
        assert!(queue.pop(Some(soon)).is_none());
        assert!(Instant::now() >= soon);
        thread::scope(|scope| {
            let reader = scope.spawn(|| queue.pop(None));
            queue.push(line(7));
            assert_eq!(reader.join().unwrap(), Some(LogEvent::Line(line(7))));
        });
    }

    #[derive(Default)]
    struct Count(AtomicU64);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn the_last_waker_is_woken_once() {
        let queue = Queue::new(3);
        let [first, last] = [(); 2].map(|()| Arc::new(Count::default()));
        for count in [&first, &last, &last] {
            let waker = Waker::from(Arc::clone(count));
            let polled = queue.poll_pop(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
        }
        assert_eq!(Arc::strong_count(&first), 1, "its waker has been dropped");
        queue.push(line(1));
        queue.push(line(2));
        assert_eq!(first.0.load(Ordering::Relaxed), 0);
        assert_eq!(last.0.load(Ordering::Relaxed), 1);
        assert_eq!(seqs(&queue), [Ok(1), Ok(2)]);
    }
}
