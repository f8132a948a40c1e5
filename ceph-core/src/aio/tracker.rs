//! What a handle has in flight.

use std::sync::atomic::{AtomicUsize, Ordering::*};

use tokio::sync::Notify;

use crate::callback::{discard, guard};

/// Counts a handle's operations in flight, so that one can wait for all of them.
#[derive(Debug, Default)]
pub struct Tracker {
    in_flight: AtomicUsize,
    idle: Notify,
}

impl Tracker {
    /// Notes that an operation starts.
    pub(super) fn start(&self) {
        self.in_flight.fetch_add(1, Relaxed);
    }

    /// Notes that an operation is done.
    #[inline]
    pub(super) fn end(&self) {
        if self.in_flight.fetch_sub(1, Release) == 1 {
            discard(guard(|| self.idle.notify_waiters()));
        }
    }

    /// How many operations are in flight.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Acquire)
    }

    /// Waits for a moment at which nothing is in flight.
    pub async fn idle(&self) {
        loop {
            let idle = self.idle.notified();
            // From here on it is noticed.
            if self.in_flight() == 0 {
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
