//! Advice on I/O.

use bitflags::bitflags;

use crate::ffi;

bitflags! {
    /// Advice to the OSDs on how data will be used (`LIBRADOS_OP_FLAG_FADVISE_*`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct IoFlags: i32 {
        /// It will be read in random order.
        const RANDOM = ffi::LIBRADOS_OP_FLAG_FADVISE_RANDOM;
        /// It will be read in order.
        const SEQUENTIAL = ffi::LIBRADOS_OP_FLAG_FADVISE_SEQUENTIAL;
        /// It will be used soon.
        const WILL_NEED = ffi::LIBRADOS_OP_FLAG_FADVISE_WILLNEED;
        /// It will not be used soon.
        const DONT_NEED = ffi::LIBRADOS_OP_FLAG_FADVISE_DONTNEED;
        /// This client will not use it again.
        const NO_CACHE = ffi::LIBRADOS_OP_FLAG_FADVISE_NOCACHE;
        /// A write is to be on stable storage, past caches, when it is done.
        const FUA = ffi::LIBRADOS_OP_FLAG_FADVISE_FUA;
    }
}
