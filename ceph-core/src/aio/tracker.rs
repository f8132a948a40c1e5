//! What a handle has in flight.

use std::sync::atomic::{AtomicUsize, Ordering::*};

use tokio::sync::Notify;

use crate::callback::{discard, guard};

/// Counts a handle's operations in flight, so that one can wait for all of them.
#[derive(Debug, Default)]
pub struct Tracker {
    /// So many times `ONE`, and `AWAITED`.
    state: AtomicUsize,
    idle: Notify,
}

/// Somebody may be waiting.
const AWAITED: usize = 1;
/// An operation in flight.
const ONE: usize = 2;

impl Tracker {
    /// Notes that an operation starts.
    #[inline]
    pub(super) fn start(&self) {
        self.state.fetch_add(ONE, Relaxed);
    }

    /// Notes that an operation is done.
    #[inline]
    pub(super) fn end(&self) {
        if self.state.fetch_sub(ONE, AcqRel) == ONE | AWAITED {
            self.wake();
        }
    }

    #[cold]
    fn wake(&self) {
        // Who sets it again from here on has not been woken, or is woken below and looks again.
        self.state.fetch_and(!AWAITED, Relaxed);
        discard(guard(|| self.idle.notify_waiters()));
    }

    /// How many operations are in flight.
    pub fn in_flight(&self) -> usize {
        self.state.load(Acquire) / ONE
    }

    /// Waits for a moment at which nothing is in flight.
    pub async fn idle(&self) {
        loop {
            let idle = self.idle.notified();
            // From here on it is noticed.
            if self.state.fetch_or(AWAITED, AcqRel) / ONE == 0 {
                return;
            }
            idle.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aio::block_on;

    #[test]
    fn one_can_wait_for_the_last_to_end() {
        let tracker = Tracker::default();
        block_on(tracker.idle());
        for _ in 0..1000 {
            for _ in 0..3 {
                tracker.start();
            }
            std::thread::scope(|scope| {
                for _ in 0..3 {
                    scope.spawn(|| tracker.end());
                }
                block_on(tracker.idle());
                assert_eq!(tracker.in_flight(), 0);
            });
        }
    }
}
