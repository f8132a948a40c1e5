//! The constants of librados's header. They are part of the protocol and mean the same in every
//! release, so they are here whatever the installed header declares.

use core::ffi::c_int;

use crate::rados_snap_t;

crate::constants! {
    /// Lock flag: renew the lock if this client holds it already.
    LIBRADOS_LOCK_FLAG_RENEW: u8 = 1 << 0;
    /// Lock flag: another name of [`LIBRADOS_LOCK_FLAG_RENEW`].
    LIBRADOS_LOCK_FLAG_MAY_RENEW: u8 = LIBRADOS_LOCK_FLAG_RENEW;
    /// Lock flag: renew the lock, and fail if this client does not hold it.
    LIBRADOS_LOCK_FLAG_MUST_RENEW: u8 = 1 << 1;

    /// Creation mode: fail if the object exists.
    LIBRADOS_CREATE_EXCLUSIVE: c_int = 1;
    /// Creation mode: an object that exists is fine.
    LIBRADOS_CREATE_IDEMPOTENT: c_int = 0;

    /// Step flag: a creation fails if the object exists.
    LIBRADOS_OP_FLAG_EXCL: c_int = 0x1;
    /// Step flag: the operation goes on if this step fails.
    LIBRADOS_OP_FLAG_FAILOK: c_int = 0x2;
    /// Step flag: the access pattern is random.
    LIBRADOS_OP_FLAG_FADVISE_RANDOM: c_int = 0x4;
    /// Step flag: the access pattern is sequential.
    LIBRADOS_OP_FLAG_FADVISE_SEQUENTIAL: c_int = 0x8;
    /// Step flag: somebody will access the data soon.
    LIBRADOS_OP_FLAG_FADVISE_WILLNEED: c_int = 0x10;
    /// Step flag: nobody will access the data soon.
    LIBRADOS_OP_FLAG_FADVISE_DONTNEED: c_int = 0x20;
    /// Step flag: this client will not access the data again.
    LIBRADOS_OP_FLAG_FADVISE_NOCACHE: c_int = 0x40;
    /// Step flag: the write reaches the medium before it is acknowledged, where that is supported.
    LIBRADOS_OP_FLAG_FADVISE_FUA: c_int = 0x80;

    /// Comparison: equal.
    LIBRADOS_CMPXATTR_OP_EQ: u8 = 1;
    /// Comparison: not equal.
    LIBRADOS_CMPXATTR_OP_NE: u8 = 2;
    /// Comparison: greater.
    LIBRADOS_CMPXATTR_OP_GT: u8 = 3;
    /// Comparison: greater or equal.
    LIBRADOS_CMPXATTR_OP_GTE: u8 = 4;
    /// Comparison: less.
    LIBRADOS_CMPXATTR_OP_LT: u8 = 5;
    /// Comparison: less or equal.
    LIBRADOS_CMPXATTR_OP_LTE: u8 = 6;

    /// Operation flag: none.
    LIBRADOS_OPERATION_NOFLAG: c_int = 0;
    /// Operation flag: reads may go to any replica.
    LIBRADOS_OPERATION_BALANCE_READS: c_int = 1;
    /// Operation flag: reads go to a replica that is near.
    LIBRADOS_OPERATION_LOCALIZE_READS: c_int = 2;
    /// Operation flag: reads and writes of an object are kept in order.
    LIBRADOS_OPERATION_ORDER_READS_WRITES: c_int = 4;
    /// Operation flag: cache tiering is left out of account.
    LIBRADOS_OPERATION_IGNORE_CACHE: c_int = 8;
    /// Operation flag: the OSD does not lock the object for reading and writing.
    LIBRADOS_OPERATION_SKIPRWLOCKS: c_int = 16;
    /// Operation flag: a pool's overlay tier is left out of account.
    LIBRADOS_OPERATION_IGNORE_OVERLAY: c_int = 32;
    /// Operation flag: the operation is tried on a full cluster or pool; it succeeds or fails with
    /// `ENOSPC` or `EDQUOT` instead of waiting.
    LIBRADOS_OPERATION_FULL_TRY: c_int = 64;
    /// Operation flag: the operation is done on a full cluster or pool. Meant for removal.
    LIBRADOS_OPERATION_FULL_FORCE: c_int = 128;
    /// Operation flag: a redirect to another object is not followed.
    LIBRADOS_OPERATION_IGNORE_REDIRECT: c_int = 256;
    /// Operation flag: the write fails if the snapshot context is older than the object's.
    LIBRADOS_OPERATION_ORDERSNAP: c_int = 512;
    /// Operation flag: steps of a write may return data and positive codes.
    LIBRADOS_OPERATION_RETURNVEC: c_int = 1024;

    /// Allocation hint: written sequentially.
    LIBRADOS_ALLOC_HINT_FLAG_SEQUENTIAL_WRITE: u32 = 1;
    /// Allocation hint: written randomly.
    LIBRADOS_ALLOC_HINT_FLAG_RANDOM_WRITE: u32 = 2;
    /// Allocation hint: read sequentially.
    LIBRADOS_ALLOC_HINT_FLAG_SEQUENTIAL_READ: u32 = 4;
    /// Allocation hint: read randomly.
    LIBRADOS_ALLOC_HINT_FLAG_RANDOM_READ: u32 = 8;
    /// Allocation hint: only appended to.
    LIBRADOS_ALLOC_HINT_FLAG_APPEND_ONLY: u32 = 16;
    /// Allocation hint: never changed once written.
    LIBRADOS_ALLOC_HINT_FLAG_IMMUTABLE: u32 = 32;
    /// Allocation hint: removed soon.
    LIBRADOS_ALLOC_HINT_FLAG_SHORTLIVED: u32 = 64;
    /// Allocation hint: kept long.
    LIBRADOS_ALLOC_HINT_FLAG_LONGLIVED: u32 = 128;
    /// Allocation hint: compresses well.
    LIBRADOS_ALLOC_HINT_FLAG_COMPRESSIBLE: u32 = 256;
    /// Allocation hint: does not compress.
    LIBRADOS_ALLOC_HINT_FLAG_INCOMPRESSIBLE: u32 = 512;
    /// Allocation hint: a log.
    LIBRADOS_ALLOC_HINT_FLAG_LOG: u32 = 1024;

    /// Snapshot id: the object as it is now.
    LIBRADOS_SNAP_HEAD: rados_snap_t = u64::MAX - 1;
    /// Snapshot id: the list of an object's snapshots.
    LIBRADOS_SNAP_DIR: rados_snap_t = u64::MAX;
}

crate::strings! {
    /// The namespace that stands for all of them, in listings.
    LIBRADOS_ALL_NSPACES = c"\x01";
}
