//! What operations and their steps can be told.

use bitflags::bitflags;

use crate::ffi;

bitflags! {
    /// What one step of an operation is told (`LIBRADOS_OP_FLAG_*`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct StepFlags: i32 {
        /// A creation fails if the object exists.
        const EXCLUSIVE = ffi::LIBRADOS_OP_FLAG_EXCL;
        /// The operation goes on if this step fails.
        const FAIL_OK = ffi::LIBRADOS_OP_FLAG_FAILOK;
        /// The data will be read in random order.
        const RANDOM = ffi::LIBRADOS_OP_FLAG_FADVISE_RANDOM;
        /// The data will be read in order.
        const SEQUENTIAL = ffi::LIBRADOS_OP_FLAG_FADVISE_SEQUENTIAL;
        /// The data will be used soon.
        const WILL_NEED = ffi::LIBRADOS_OP_FLAG_FADVISE_WILLNEED;
        /// The data will not be used soon.
        const DONT_NEED = ffi::LIBRADOS_OP_FLAG_FADVISE_DONTNEED;
        /// This client will not use the data again.
        const NO_CACHE = ffi::LIBRADOS_OP_FLAG_FADVISE_NOCACHE;
        /// The data is to be on stable storage, past caches, when the operation is done.
        const FUA = ffi::LIBRADOS_OP_FLAG_FADVISE_FUA;
    }
}

bitflags! {
    /// What a whole operation is told (`LIBRADOS_OPERATION_*`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct OperationFlags: i32 {
        /// A read may go to any replica.
        const BALANCE_READS = ffi::LIBRADOS_OPERATION_BALANCE_READS;
        /// A read goes to a replica that is near.
        const LOCALIZE_READS = ffi::LIBRADOS_OPERATION_LOCALIZE_READS;
        /// Reads stay in order with the writes of the same object.
        const ORDER_READS_WRITES = ffi::LIBRADOS_OPERATION_ORDER_READS_WRITES;
        /// Cache tiering is left out of account.
        const IGNORE_CACHE = ffi::LIBRADOS_OPERATION_IGNORE_CACHE;
        /// The OSD does not take the object's locks, as its cache tiering needs.
        const SKIP_RW_LOCKS = ffi::LIBRADOS_OPERATION_SKIPRWLOCKS;
        /// The operation goes to the pool named, not to the one laid over it.
        const IGNORE_OVERLAY = ffi::LIBRADOS_OPERATION_IGNORE_OVERLAY;
        /// A write fails with `NoSpace` or `QuotaExceeded` where it would wait for room; one that frees
        /// space is done.
        const FULL_TRY = ffi::LIBRADOS_OPERATION_FULL_TRY;
        /// A write is done although the cluster is full. Needs the capability `allow *` of monitors.
        const FULL_FORCE = ffi::LIBRADOS_OPERATION_FULL_FORCE;
        /// A redirect at the object is not followed.
        const IGNORE_REDIRECT = ffi::LIBRADOS_OPERATION_IGNORE_REDIRECT;
        /// A write whose snapshot context is older than the object's fails.
        const ORDER_SNAP = ffi::LIBRADOS_OPERATION_ORDERSNAP;
        /// The OSD sends back what the steps of a write put out (15 and later).
        const RETURN_VEC = ffi::LIBRADOS_OPERATION_RETURNVEC;
    }
}

/// How what is stored must compare with what is given, for a step to succeed.
///
/// The stored value stands on the left, whatever the C library's order: `CompareOp::Lt` asks that the
/// stored value is less than the given one. Values are compared byte by byte, and a shorter one is less than
/// what it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CompareOp {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// The stored value is greater.
    Gt,
    /// The stored value is greater, or equal.
    Gte,
    /// The stored value is less.
    Lt,
    /// The stored value is less, or equal.
    Lte,
}

impl CompareOp {
    /// For extended attributes, where the OSD has the given value on the left.
    pub(super) fn of_xattrs(self) -> u8 {
        match self {
            Self::Eq => ffi::LIBRADOS_CMPXATTR_OP_EQ,
            Self::Ne => ffi::LIBRADOS_CMPXATTR_OP_NE,
            Self::Gt => ffi::LIBRADOS_CMPXATTR_OP_LT,
            Self::Gte => ffi::LIBRADOS_CMPXATTR_OP_LTE,
            Self::Lt => ffi::LIBRADOS_CMPXATTR_OP_GT,
            Self::Lte => ffi::LIBRADOS_CMPXATTR_OP_GTE,
        }
    }

    /// For omap, where the OSD has the stored value on the left, and knows but three.
    pub(super) fn of_omap(self) -> Option<u8> {
        match self {
            Self::Eq => Some(ffi::LIBRADOS_CMPXATTR_OP_EQ),
            Self::Gt => Some(ffi::LIBRADOS_CMPXATTR_OP_GT),
            Self::Lt => Some(ffi::LIBRADOS_CMPXATTR_OP_LT),
            Self::Ne | Self::Gte | Self::Lte => None,
        }
    }
}
