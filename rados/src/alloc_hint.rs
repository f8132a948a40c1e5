//! What an object will be used for, as a hint to the OSDs that store it.

use bitflags::bitflags;
use ceph_core::Result;

use crate::{IoCtx, ffi};

bitflags! {
    /// How an object will be used.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct AllocHintFlags: u32 {
        /// Written from the start to the end.
        const SEQUENTIAL_WRITE = ffi::LIBRADOS_ALLOC_HINT_FLAG_SEQUENTIAL_WRITE;
        /// Written here and there.
        const RANDOM_WRITE = ffi::LIBRADOS_ALLOC_HINT_FLAG_RANDOM_WRITE;
        /// Read from the start to the end.
        const SEQUENTIAL_READ = ffi::LIBRADOS_ALLOC_HINT_FLAG_SEQUENTIAL_READ;
        /// Read here and there.
        const RANDOM_READ = ffi::LIBRADOS_ALLOC_HINT_FLAG_RANDOM_READ;
        /// Only ever appended to.
        const APPEND_ONLY = ffi::LIBRADOS_ALLOC_HINT_FLAG_APPEND_ONLY;
        /// Written once.
        const IMMUTABLE = ffi::LIBRADOS_ALLOC_HINT_FLAG_IMMUTABLE;
        /// Removed soon.
        const SHORTLIVED = ffi::LIBRADOS_ALLOC_HINT_FLAG_SHORTLIVED;
        /// Kept for long.
        const LONGLIVED = ffi::LIBRADOS_ALLOC_HINT_FLAG_LONGLIVED;
        /// Worth compressing.
        const COMPRESSIBLE = ffi::LIBRADOS_ALLOC_HINT_FLAG_COMPRESSIBLE;
        /// Not worth compressing.
        const INCOMPRESSIBLE = ffi::LIBRADOS_ALLOC_HINT_FLAG_INCOMPRESSIBLE;
        /// A log.
        const LOG = ffi::LIBRADOS_ALLOC_HINT_FLAG_LOG;
        const _ = !0;
    }
}

/// What an object will look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AllocHint {
    /// How many bytes it will have; 0 is unknown.
    pub object_size: u64,
    /// How many bytes one write will have; 0 is unknown.
    pub write_size: u64,
    /// How it will be used.
    pub flags: AllocHintFlags,
}

impl IoCtx {
    /// Tells the OSDs what the object will look like, and creates it if need be. Blocks.
    ///
    /// They may heed it or not; a library without `rados_set_alloc_hint2` leaves out the flags.
    ///
    /// ```no_run
    /// # fn main() -> rados::Result<()> {
    /// # let conn = rados::Conn::builder().default_config_file().connect()?;
    /// # let pool = conn.ioctx("rbd")?;
    /// use rados::{AllocHint, AllocHintFlags};
    ///
    /// let flags = AllocHintFlags::IMMUTABLE | AllocHintFlags::INCOMPRESSIBLE;
    /// pool.set_alloc_hint("photo", AllocHint { object_size: 4 << 20, flags, ..Default::default() })?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `PermissionDenied`; it waits while the pool is full.
    #[doc(alias = "rados_set_alloc_hint")]
    #[doc(alias = "rados_set_alloc_hint2")]
    pub fn set_alloc_hint(&self, object: impl AsRef<[u8]>, hint: AllocHint) -> Result<()> {
        let AllocHint {
            object_size,
            write_size,
            flags,
        } = hint;
        let object = object.as_ref();
        if let Some(set) = ffi::rados_set_alloc_hint2.get() {
            return self.object_op("rados_set_alloc_hint2", object, |raw, name| {
                // SAFETY: as `object_op` promises.
                unsafe { set(raw, name, object_size, write_size, flags.bits()) }
            });
        }
        self.object_op("rados_set_alloc_hint", object, |raw, name| {
            // SAFETY: as `object_op` promises.
            unsafe { ffi::rados_set_alloc_hint(raw, name, object_size, write_size) }
        })
    }
}
