//! How long wakers keep Ceph's callback thread.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::Waker;
use std::time::{Duration, Instant};

/// What counts as slow.
const SLOW: Duration = Duration::from_millis(1);

static LONGEST: AtomicU64 = AtomicU64::new(0);
static SLOW_ONES: AtomicU64 = AtomicU64::new(0);

/// How long the wakers of this process have kept Ceph's callback threads.
///
/// All completions of a connection are called back one after the other: a waker that takes its time delays
/// every other operation of the connection. Those of the usual executors take microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct WakeStat {
    /// The longest that one took so far.
    pub longest: Duration,
    /// How many took more than a millisecond.
    pub slow: u64,
}

/// How long wakers have taken so far, in the whole process.
///
/// ```
/// # use ceph_core::aio as rados;
/// assert_eq!(rados::wake_stat().slow, 0);
/// ```
pub fn wake_stat() -> WakeStat {
    WakeStat {
        longest: Duration::from_nanos(LONGEST.load(Relaxed)),
        slow: SLOW_ONES.load(Relaxed),
    }
}

/// Wakes, and takes the time.
pub(super) fn wake(waker: Waker) {
    let start = Instant::now();
    waker.wake();
    let took = start.elapsed();
    let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
    if nanos > LONGEST.load(Relaxed) {
        LONGEST.fetch_max(nanos, Relaxed);
    }
    if took > SLOW {
        SLOW_ONES.fetch_add(1, Relaxed);
    }
}
