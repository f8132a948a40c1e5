//! The id of a pool that is mirrored.

use ceph_core::cstr::text;
use ceph_core::grow;
use rados::{IoCtx, Result};

use crate::{ffi, subject};

/// The id by which the pool's peers know it, a UUID in text form. Blocks. Needs the feature `mirror-snapshot`.
///
/// # Errors
/// `NotFound` when the pool has never been mirrored; `PermissionDenied`; `Unsupported` where the library lacks
/// the function.
#[doc(alias = "rbd_mirror_uuid_get")]
pub fn mirror_uuid_get(ioctx: &IoCtx) -> Result<String> {
    const OP: &str = "rbd_mirror_uuid_get";
    let get = ffi::optional(&ffi::rbd_mirror_uuid_get)?;
    ioctx.conn().check_blocking(OP)?;
    grow::sized(OP, 0_u8, |buffer, len| {
        // SAFETY: the pool's handle is open, and `buffer` has `len` bytes.
        unsafe { get(ioctx.as_raw(), buffer.as_mut_ptr().cast(), len) }
    })
    .map(|buffer| text(&buffer))
    .map_err(|error| error.on(subject(ioctx, "")))
}
