//! Cache tiers: pools that cache another pool's objects.

use ceph_core::{Result, check};

use crate::{Conn, IoCtx, ffi};

impl IoCtx {
    /// Keeps the object in this pool, which caches another: it is neither flushed nor evicted. Blocks.
    ///
    /// # Errors
    /// `NotFound`; `InvalidArgument` where the pool is no cache.
    #[doc(alias = "rados_cache_pin")]
    pub fn cache_pin(&self, object: impl AsRef<[u8]>) -> Result<()> {
        self.object_op("rados_cache_pin", object.as_ref(), |raw, name| {
            // SAFETY: as `object_op` promises.
            unsafe { ffi::rados_cache_pin(raw, name) }
        })
    }

    /// Undoes [`cache_pin`](Self::cache_pin). Blocks.
    ///
    /// # Errors
    /// As [`cache_pin`](Self::cache_pin).
    #[doc(alias = "rados_cache_unpin")]
    pub fn cache_unpin(&self, object: impl AsRef<[u8]>) -> Result<()> {
        self.object_op("rados_cache_unpin", object.as_ref(), |raw, name| {
            // SAFETY: as `object_op` promises.
            unsafe { ffi::rados_cache_unpin(raw, name) }
        })
    }
}

impl Conn {
    /// The id of the pool that the pool with the id `pool` caches; `None` if it is no cache.
    ///
    /// # Errors
    /// `NotFound`.
    #[doc(alias = "rados_pool_get_base_tier")]
    pub fn pool_base_tier(&self, pool: i64) -> Result<Option<i64>> {
        const OP: &str = "rados_pool_get_base_tier";
        let raw = self.raw_blocking(OP)?;
        let mut base = pool;
        // SAFETY: `raw` is connected, and the output is this function's. On error it is not looked at.
        let code = unsafe { ffi::rados_pool_get_base_tier(raw, pool, &raw mut base) };
        check(OP, code).map_err(|error| error.on(format!("pool id {pool}")))?;
        // C answers the pool itself for one that caches none.
        Ok(Some(base).filter(|&base| base != pool))
    }
}
