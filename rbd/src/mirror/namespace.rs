//! Mirroring a namespace to one of another name.

use ceph_core::cstr::{CName, text};
use ceph_core::grow;
use rados::{IoCtx, Result};

use super::with_pool;
use crate::{ffi, subject};

/// The namespace of the peer's pool to which this namespace is mirrored. Blocks. Needs the feature
/// `mirror-namespace`.
///
/// # Errors
/// `PermissionDenied`; `Unsupported` where the library lacks the function, as before Ceph 20.
#[doc(alias = "rbd_mirror_remote_namespace_get")]
pub fn mirror_remote_namespace_get(ioctx: &IoCtx) -> Result<String> {
    const OP: &str = "rbd_mirror_remote_namespace_get";
    let get = ffi::optional(&ffi::rbd_mirror_remote_namespace_get)?;
    ioctx.conn().check_blocking(OP)?;
    grow::sized(OP, 0_u8, |buffer, len| {
        // SAFETY: the pool's handle is open, and `buffer` has `len` bytes.
        unsafe { get(ioctx.as_raw(), buffer.as_mut_ptr().cast(), len) }
    })
    .map(|buffer| text(&buffer))
    .map_err(|error| error.on(subject(ioctx, "")))
}

/// Sets the namespace of the peer's pool to which this namespace is mirrored, while it is not mirrored yet.
/// Blocks. Needs the feature `mirror-namespace`.
///
/// # Errors
/// `InvalidArgument` while mirroring is enabled, for a name with a NUL byte, and for the default namespace with
/// another than that; `PermissionDenied`; `Unsupported` where the library lacks the function, as before Ceph 20.
#[doc(alias = "rbd_mirror_remote_namespace_set")]
pub fn mirror_remote_namespace_set(ioctx: &IoCtx, namespace: &str) -> Result<()> {
    const OP: &str = "rbd_mirror_remote_namespace_set";
    let set = ffi::optional(&ffi::rbd_mirror_remote_namespace_set)?;
    let namespace = CName::new(OP, "namespace", namespace)?;
    with_pool(OP, ioctx, |io| {
        // SAFETY: the pool's handle is open, and the name lives until the call returns.
        unsafe { set(io, namespace.as_ptr()) }
    })
}
