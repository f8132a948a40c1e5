//! The namespaces of a pool.

use std::ffi::c_char;

use ceph_core::cstr::CName;
use ceph_core::{check, grow};
use rados::{Error, IoCtx, Result};

use crate::{ffi, names_in, subject};

/// Makes a namespace in the pool of `ioctx`, whose own namespace does not matter. Blocks. Needs the feature
/// `namespace`.
///
/// Only in a namespace that has been made can images be created.
///
/// ```no_run
/// # fn main() -> rbd::Result<()> {
/// # let conn = rados::Conn::builder().default_config_file().connect()?;
/// let pool = conn.ioctx("rbd")?;
/// rbd::namespace_create(&pool, "team1")?;
/// rbd::create(&pool.with_namespace("team1")?, "disk1", 1 << 30)?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// `AlreadyExists`; `InvalidArgument` for an empty name or one with a NUL byte; `PermissionDenied`;
/// `Unsupported` where the library lacks the function.
#[doc(alias = "rbd_namespace_create")]
pub fn namespace_create(ioctx: &IoCtx, name: &str) -> Result<()> {
    const OP: &str = "rbd_namespace_create";
    let create = ffi::optional(&ffi::rbd_namespace_create)?;
    with_name(OP, ioctx, name, |io, name| {
        // SAFETY: as `with_name` promises.
        unsafe { create(io, name) }
    })
}

/// Removes a namespace of the pool of `ioctx`. Blocks. Needs the feature `namespace`.
///
/// # Errors
/// `NotFound`; `Busy` when there are images in it, in its trash too; `InvalidArgument` for an empty
/// name or one with a NUL byte; `PermissionDenied`; `Unsupported` where the library lacks the function.
#[doc(alias = "rbd_namespace_remove")]
pub fn namespace_remove(ioctx: &IoCtx, name: &str) -> Result<()> {
    const OP: &str = "rbd_namespace_remove";
    let remove = ffi::optional(&ffi::rbd_namespace_remove)?;
    with_name(OP, ioctx, name, |io, name| {
        // SAFETY: as `with_name` promises.
        unsafe { remove(io, name) }
    })
    .map_err(|error| match error.errno().raw() {
        libc::EBUSY => error.hint("there are images in it, maybe in its trash"),
        _ => error,
    })
}

/// Whether the pool of `ioctx` has this namespace. Blocks. Needs the feature `namespace`.
///
/// # Errors
/// `InvalidArgument` for an empty name or one with a NUL byte; `PermissionDenied`; `Unsupported` where the library
/// lacks the function.
#[doc(alias = "rbd_namespace_exists")]
pub fn namespace_exists(ioctx: &IoCtx, name: &str) -> Result<bool> {
    const OP: &str = "rbd_namespace_exists";
    let exists = ffi::optional(&ffi::rbd_namespace_exists)?;
    let mut there = false;
    with_name(OP, ioctx, name, |io, name| {
        // SAFETY: as `with_name` promises; the output is this function's.
        unsafe { exists(io, name, &raw mut there) }
    })?;
    Ok(there)
}

/// The namespaces of the pool of `ioctx`, without the one that has no name. Blocks. Needs the feature `namespace`.
///
/// Bytes that are not UTF-8 are U+FFFD.
///
/// # Errors
/// `PermissionDenied`; `NotFound` when the pool has been deleted; `Unsupported` where the library lacks the function.
#[doc(alias = "rbd_namespace_list")]
pub fn namespace_list(ioctx: &IoCtx) -> Result<Vec<String>> {
    const OP: &str = "rbd_namespace_list";
    let list = ffi::optional(&ffi::rbd_namespace_list)?;
    ioctx.conn().check_blocking(OP)?;
    let names = grow::sized(OP, 0_u8, |names, len| {
        // SAFETY: the pool's handle is open, and `names` has `len` bytes.
        unsafe { list(ioctx.as_raw(), names.as_mut_ptr().cast(), len) }
    })
    .map_err(|error| error.on(subject(ioctx, "")))?;
    if names.is_empty() {
        ioctx.pool_name()?; // to C a deleted pool has none
    }
    Ok(names_in(&names).collect())
}

/// Calls C with an open pool and a name that lives until it returns.
fn with_name(
    op: &'static str,
    ioctx: &IoCtx,
    name: &str,
    call: impl FnOnce(rados::sys::rados_ioctx_t, *const c_char) -> i32,
) -> Result<()> {
    let located = |error: Error| {
        let pool = ioctx.pool_name();
        let pool = pool.unwrap_or_else(|_| "(deleted pool)".to_owned());
        error.on(format!("{pool}/{name}"))
    };
    if name.is_empty() {
        let hint = "the namespace's name is empty";
        return Err(located(Error::refused(op, libc::EINVAL, hint)));
    }
    let c_name = CName::new(op, "namespace", name).map_err(located)?;
    ioctx.conn().check_blocking(op)?;
    check(op, call(ioctx.as_raw(), c_name.as_ptr()))
        .map(drop)
        .map_err(located)
}
