//! The enums of librados's header, and constants for their values. The types listed here replace those
//! of the header.

use core::ffi::c_uint;

crate::enums! {
    /// The algorithm of a checksum that an OSD computes (`rados_checksum`).
    rados_checksum_type_t: c_uint {
        /// 32-bit xxHash, seeded with a little-endian `u32`.
        LIBRADOS_CHECKSUM_TYPE_XXHASH32 = 0,
        /// 64-bit xxHash, seeded with a little-endian `u64`.
        LIBRADOS_CHECKSUM_TYPE_XXHASH64 = 1,
        /// CRC-32C, seeded with a little-endian `u32`.
        LIBRADOS_CHECKSUM_TYPE_CRC32C = 2,
    }
}
