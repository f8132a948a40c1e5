//! The images of a pool: list, rename, remove.

use std::collections::HashSet;
use std::ffi::c_char;
use std::ops::ControlFlow;
use std::ptr;

use ceph_core::callback::with_progress;
use ceph_core::cstr::CName;
use ceph_core::{check, grow};
use rados::{Error, IoCtx, Result};

use crate::removing::image_alone;
use crate::{ffi, names_in, string, subject};

/// An image in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct ImageEntry {
    /// The name; bytes that are not UTF-8 are U+FFFD.
    pub name: String,
    /// The id, which stays the same when the image is renamed; empty for an image of format 1, and
    /// where librbd is older than 14 (it has no `rbd_list2`).
    pub id: String,
}

/// Lists the images in the pool and namespace of `ioctx`. Blocks. A namespace that does not exist is
/// empty.
///
/// ```no_run
/// # fn main() -> rbd::Result<()> {
/// # let conn = rados::Conn::builder().default_config_file().connect()?;
/// for image in rbd::list(&conn.ioctx("rbd")?)? {
///     println!("{}", image.name);
/// }
/// # Ok(()) }
/// ```
///
/// # Errors
/// `PermissionDenied`; `NotFound` when the pool has been deleted.
#[doc(alias = "rbd_list")]
#[doc(alias = "rbd_list2")]
pub fn list(ioctx: &IoCtx) -> Result<Vec<ImageEntry>> {
    const OP: &str = "rbd_list2";
    ioctx.conn().check_blocking(OP)?;
    let entries = match (ffi::rbd_list2.get(), ffi::rbd_image_spec_list_cleanup.get()) {
        (Some(list2), Some(cleanup)) => list_specs(OP, ioctx, list2, cleanup)?,
        _ => list_names(ioctx)?,
    };
    if entries.is_empty() {
        ioctx.pool_name()?; // to C a deleted pool is an empty one
    }
    Ok(entries)
}

/// What [`list`] does with names and ids.
fn list_specs(
    op: &'static str,
    ioctx: &IoCtx,
    list2: List2,
    cleanup: Cleanup,
) -> Result<Vec<ImageEntry>> {
    let none = ffi::rbd_image_spec_t {
        id: ptr::null_mut(),
        name: ptr::null_mut(),
    };
    let specs = grow::sized(op, none, |specs, len| {
        // SAFETY: the pool's handle is open, and `specs` has `len` elements.
        unsafe { list2(ioctx.as_raw(), specs.as_mut_ptr(), len) }
    });
    let specs = specs
        .map(|list| Specs { list, cleanup })
        .map_err(|error| error.on(subject(ioctx, "")))?;
    let entries = specs.list.iter().map(|spec| {
        // SAFETY: the library set both to strings that live until `specs` goes.
        let name = unsafe { string(spec.name) };
        // SAFETY: as above.
        let id = unsafe { string(spec.id) };
        ImageEntry { name, id }
    });
    // The library looks for images, and then for those that are being removed: one may be both.
    let mut seen = HashSet::new();
    Ok(entries
        .filter(|entry| entry.id.is_empty() || seen.insert(entry.id.clone()))
        .collect())
}

/// What [`list`] does where the library only lists names.
fn list_names(ioctx: &IoCtx) -> Result<Vec<ImageEntry>> {
    let list = ffi::optional(&ffi::rbd_list)?;
    let names = grow::sized(ffi::rbd_list.name(), 0_u8, |names, len| {
        // SAFETY: the pool's handle is open, and `names` has `len` bytes.
        unsafe { list(ioctx.as_raw(), names.as_mut_ptr().cast(), len) }
    });
    let names = names.map_err(|error| error.on(subject(ioctx, "")))?;
    let entries = names_in(&names).map(|name| ImageEntry {
        name,
        id: String::new(),
    });
    Ok(entries.collect())
}

type List2 =
    unsafe extern "C" fn(rados::sys::rados_ioctx_t, *mut ffi::rbd_image_spec_t, *mut usize) -> i32;
type Cleanup = unsafe extern "C" fn(*mut ffi::rbd_image_spec_t, usize);

/// The specs of a listing that succeeded.
struct Specs {
    list: Vec<ffi::rbd_image_spec_t>,
    cleanup: Cleanup,
}

impl Drop for Specs {
    fn drop(&mut self) {
        // SAFETY: the library filled exactly these elements, and this frees their strings once.
        unsafe { (self.cleanup)(self.list.as_mut_ptr(), self.list.len()) }
    }
}

/// Renames an image within its pool and namespace. Blocks.
///
/// # Errors
/// `NotFound`; `AlreadyExists` when `to` is taken; `InvalidArgument` for an empty name or one with
/// a NUL byte.
#[doc(alias = "rbd_rename")]
pub fn rename(ioctx: &IoCtx, from: &str, to: &str) -> Result<()> {
    const OP: &str = "rbd_rename";
    let shown = format!("{from} to {to}");
    let to = checked_name(OP, ioctx, to)?;
    with_name(OP, ioctx, from, &shown, |io, from| {
        // SAFETY: the pool's handle is open, and both names live until the call returns.
        check(OP, unsafe { ffi::rbd_rename(io, from, to.as_ptr()) })
    })
}

/// Removes an image with all its data. Blocks for as long as that takes. Where the option
/// `rbd_move_to_trash_on_remove` is set, the image goes to the trash instead.
///
/// # Errors
/// `NotFound`; `NotEmpty` when it has snapshots; `Busy` when it is open elsewhere, or was open in a
/// client that died less than half a minute ago; `Other` (EMLINK) when it is in a group;
/// `InvalidArgument` for an empty name or one with a NUL byte.
#[doc(alias = "rbd_remove")]
pub fn remove(ioctx: &IoCtx, name: &str) -> Result<()> {
    const OP: &str = "rbd_remove";
    image_alone(OP, ioctx, name, |io, name| {
        // SAFETY: the pool's handle is open, and the name lives until the call returns.
        check(OP, unsafe { ffi::rbd_remove(io, name) })
    })
    .map_err(why_not_removed)
}

/// Removes an image with all its data, reporting objects done and their total to `progress`, which
/// runs on a thread of the library's. Blocks for as long as that takes.
///
/// A break asks the library to stop; it may go on to the end all the same.
///
/// # Errors
/// As [`remove`]; `Canceled` when it stopped because `progress` broke. Then some data is gone, and
/// the image cannot be opened any more: it is in the trash, but is still listed, and removing it
/// again goes on.
///
/// # Panics
/// When `progress` does, after the library has stopped.
#[doc(alias = "rbd_remove_with_progress")]
pub fn remove_with_progress(
    ioctx: &IoCtx,
    name: &str,
    mut progress: impl FnMut(u64, u64) -> ControlFlow<()> + Send,
) -> Result<()> {
    const OP: &str = "rbd_remove_with_progress";
    image_alone(OP, ioctx, name, |io, name| {
        with_progress(OP, &mut progress, |callback, arg| {
            // SAFETY: the pool's handle is open, the name lives until the call returns, and
            // `arg` is what `with_progress` made for `callback`.
            unsafe { ffi::rbd_remove_with_progress(io, name, Some(callback), arg) }
        })
    })
    .map_err(why_not_removed)
}

pub(crate) fn checked_name(op: &'static str, ioctx: &IoCtx, name: &str) -> Result<CName> {
    if name.is_empty() {
        let error = Error::refused(op, libc::EINVAL, "the image's name or id is empty");
        return Err(error.on(subject(ioctx, name)));
    }
    CName::new(op, "image name or id", name)
}

/// Calls C with an open pool and a name or id that lives until it returns.
pub(crate) fn with_name(
    op: &'static str,
    ioctx: &IoCtx,
    name: &str,
    shown: &str,
    call: impl FnOnce(rados::sys::rados_ioctx_t, *const c_char) -> Result<u64>,
) -> Result<()> {
    let name = checked_name(op, ioctx, name)?;
    ioctx.conn().check_blocking(op)?;
    call(ioctx.as_raw(), name.as_ptr())
        .map(drop)
        .map_err(|error| error.on(subject(ioctx, shown)))
}

#[cold]
pub(crate) fn why_not_removed(error: Error) -> Error {
    match error.errno().raw() {
        libc::ENOTEMPTY => error.hint("the image has snapshots; remove them first"),
        libc::EMLINK => error.hint("the image is in a group; take it out first"),
        libc::EBUSY => error.hint(
            "the image is open elsewhere, or was in a client that died less than half a minute ago",
        ),
        _ => error,
    }
}
