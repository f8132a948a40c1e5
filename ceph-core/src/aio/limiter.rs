//! A limit on what is in flight, which one can await.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes are counted in units of this many, since a permit's count has 32 bits.
const UNIT: u64 = 4096;

/// A limit on operations in flight and on the bytes that they carry; first come, first served.
///
/// Ceph's client has such limits itself, and makes the thread that submits an operation sleep when they
/// are reached: in an executor, that holds up everything else. Awaiting a [`Permit`] here first, and giving
/// it to the operation with [`Completion::hold`](super::Completion::hold), lets others run instead. Needs
/// no runtime. Clones share the limit.
///
/// ```
/// # use ceph_core::aio as rados;
/// # rados::block_on(async {
/// let limiter = rados::Limiter::new(100, 64 << 20); // or that of `Conn::limiter`
/// let permit = limiter.acquire(4096).await;
/// // pool.aio_read("object", vec![0; 4096], 0).hold(permit)
/// # drop(permit);
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct Limiter {
    operations: Arc<Semaphore>,
    units: Arc<Semaphore>,
    all_units: u32,
}

/// The right to have one operation in flight; dropping it lets the next one in.
#[derive(Debug)]
#[must_use = "dropping it gives it back"]
pub struct Permit {
    _operation: OwnedSemaphorePermit,
    _units: OwnedSemaphorePermit,
}

impl Limiter {
    /// At most `operations` at once, which carry at most `bytes` together, counted in whole 4 KiB.
    pub fn new(operations: usize, bytes: u64) -> Self {
        let most = Semaphore::MAX_PERMITS.min(u32::MAX as usize);
        let all_units = bytes.div_ceil(UNIT).clamp(1, most as u64) as u32; // fits, as `most` does
        Self {
            operations: Arc::new(Semaphore::new(operations.clamp(1, most))),
            units: Arc::new(Semaphore::new(all_units as usize)),
            all_units,
        }
    }

    /// Waits for a permit to have one operation that carries `bytes` in flight. One that carries more than
    /// the whole limit waits until no other is in flight.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the place in the queue.
    pub async fn acquire(&self, bytes: u64) -> Permit {
        // Neither is ever closed.
        let closed = "the limiter is open";
        let units = Arc::clone(&self.units).acquire_many_owned(self.units_of(bytes));
        let _units = units.await.expect(closed);
        let operation = Arc::clone(&self.operations).acquire_owned();
        let _operation = operation.await.expect(closed);
        Permit { _operation, _units }
    }

    /// A permit, if there is one at once.
    pub fn try_acquire(&self, bytes: u64) -> Option<Permit> {
        let units = Arc::clone(&self.units).try_acquire_many_owned(self.units_of(bytes));
        let _units = units.ok()?;
        let _operation = Arc::clone(&self.operations).try_acquire_owned().ok()?;
        Some(Permit { _operation, _units })
    }

    fn units_of(&self, bytes: u64) -> u32 {
        bytes.div_ceil(UNIT).min(self.all_units.into()) as u32 // fits, as `all_units` does
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aio::block_on;
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Waker};

    #[test]
    fn operations_and_bytes_are_both_limited() {
        let limiter = Limiter::new(2, 10 * UNIT);
        let first = limiter.try_acquire(6 * UNIT).unwrap();
        assert!(limiter.try_acquire(4 * UNIT + 1).is_none());
        let second = limiter.try_acquire(4 * UNIT).unwrap();
        assert!(limiter.try_acquire(0).is_none());
        drop(second);
        drop(limiter.try_acquire(0).unwrap());
        drop(first);
        // More than there is takes all there is.
        let all = block_on(limiter.acquire(u64::MAX));
        assert!(limiter.try_acquire(1).is_none());
        drop(all);
        assert!(limiter.try_acquire(10 * UNIT).is_some());
    }

    #[test]
    fn who_comes_first_is_served_first_and_may_leave() {
        let limiter = Limiter::new(8, 8 * UNIT);
        let held = limiter.try_acquire(8 * UNIT).unwrap();
        let mut context = Context::from_waker(Waker::noop());
        let mut large = Box::pin(limiter.acquire(8 * UNIT));
        let mut small = pin!(limiter.acquire(1));
        assert!(large.as_mut().poll(&mut context).is_pending());
        assert!(small.as_mut().poll(&mut context).is_pending());
        drop(held);
        assert!(small.as_mut().poll(&mut context).is_pending());
        drop(large);
        assert!(small.as_mut().poll(&mut context).is_ready());
    }
}
