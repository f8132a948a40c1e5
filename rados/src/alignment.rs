//! Alignment of writes, which some erasure-coded pools require.

use std::num::NonZeroU64;

use ceph_core::{Result, check};

use crate::{IoCtx, ffi};

impl IoCtx {
    /// The bytes that appended data must have a multiple of, but for the last of an object; `None` if the pool
    /// takes writes of any length, as replicated pools do, and erasure-coded ones that allow overwrites.
    ///
    /// # Errors
    /// `NotFound` when the pool has been deleted.
    #[doc(alias = "rados_ioctx_pool_requires_alignment2")]
    #[doc(alias = "rados_ioctx_pool_required_alignment2")]
    pub fn required_alignment(&self) -> Result<Option<NonZeroU64>> {
        const REQUIRES: &str = "rados_ioctx_pool_requires_alignment2";
        const REQUIRED: &str = "rados_ioctx_pool_required_alignment2";
        let raw = self.raw_blocking(REQUIRES)?;
        let mut requires = 0;
        // SAFETY: `raw` is open, and the output is this function's. On error it is not looked at.
        let code = unsafe { ffi::rados_ioctx_pool_requires_alignment2(raw, &raw mut requires) };
        check(REQUIRES, code).map_err(|error| error.on(self.subject(None)))?;
        if requires == 0 {
            return Ok(None);
        }
        let mut alignment = 0;
        // SAFETY: as above.
        let code = unsafe { ffi::rados_ioctx_pool_required_alignment2(raw, &raw mut alignment) };
        check(REQUIRED, code).map_err(|error| error.on(self.subject(None)))?;
        Ok(NonZeroU64::new(alignment))
    }
}
