//! The trash: images that are to be removed, and can be restored until they are.

use std::ops::ControlFlow;
use std::ptr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ceph_core::callback::with_progress;
use ceph_core::cstr::CName;
use ceph_core::{check, grow};
use rados::{Error, Force, IoCtx, Result};

use crate::directory::{checked_name, why_not_removed, with_name};
use crate::removing::image_alone;
use crate::{ffi, string, subject};

/// An image in the trash.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct TrashEntry {
    /// The id, by which the image is known in the trash.
    pub id: String,
    /// The name that it had, which others in the trash may have had too; bytes that are not UTF-8 are
    /// U+FFFD.
    pub name: String,
    /// What put it there.
    pub source: TrashSource,
    /// When it was moved there.
    pub deleted_at: SystemTime,
    /// Until when it is not removed without force.
    pub deferment_end: SystemTime,
}

/// What put an image in the trash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TrashSource {
    /// A user.
    User,
    /// Mirroring.
    Mirroring,
    /// A migration, of which it is the source.
    Migration,
    /// A removal that goes on, or broke off.
    Removing,
    /// A user; the image is a clone's parent.
    UserParent,
    /// What this crate does not know.
    Unknown(u32),
}

impl TrashSource {
    fn from_c(source: ffi::rbd_trash_image_source_t) -> Self {
        match source {
            ffi::RBD_TRASH_IMAGE_SOURCE_USER => Self::User,
            ffi::RBD_TRASH_IMAGE_SOURCE_MIRRORING => Self::Mirroring,
            ffi::RBD_TRASH_IMAGE_SOURCE_MIGRATION => Self::Migration,
            ffi::RBD_TRASH_IMAGE_SOURCE_REMOVING => Self::Removing,
            ffi::RBD_TRASH_IMAGE_SOURCE_USER_PARENT => Self::UserParent,
            ffi::rbd_trash_image_source_t(unknown) => Self::Unknown(unknown),
        }
    }
}

/// Moves an image to the trash, where [`trash_remove`] refuses to remove it until `delay` has passed.
/// Blocks. Needs the feature `trash`, as all functions of the trash do.
///
/// Whoever has the image open can go on with it, from Ceph 16 on. It may have snapshots and clones. The delay is
/// rounded up to seconds; Ceph's times end in 2106, and so does every longer delay.
///
/// ```no_run
/// use std::time::Duration;
///
/// # fn main() -> rbd::Result<()> {
/// # let conn = rados::Conn::builder().default_config_file().connect()?;
/// let pool = conn.ioctx("rbd")?;
/// rbd::trash_move(&pool, "disk1", Duration::from_secs(24 * 60 * 60))?;
/// for image in rbd::trash_list(&pool)? {
///     if image.name == "disk1" {
///         rbd::trash_restore(&pool, &image.id, None)?; // on second thoughts
///     }
/// }
/// # Ok(()) }
/// ```
///
/// # Errors
/// `NotFound`; `Busy` before Ceph 16 when the image is open elsewhere; `InvalidArgument` for an empty
/// name or one with a NUL byte; `Unsupported` where the library lacks the function.
#[doc(alias = "rbd_trash_move")]
pub fn trash_move(ioctx: &IoCtx, name: &str, delay: Duration) -> Result<()> {
    const OP: &str = "rbd_trash_move";
    let trash_move = ffi::optional(&ffi::rbd_trash_move)?;
    let seconds = delay
        .as_secs()
        .saturating_add(u64::from(delay.subsec_nanos() > 0));
    // It adds to the time with saturation, but not beyond 64 bits.
    let seconds = seconds.min(u32::MAX.into());
    with_name(OP, ioctx, name, name, |io, name| {
        // SAFETY: the pool's handle is open, and the name lives until the call returns.
        check(OP, unsafe { trash_move(io, name, seconds) })
    })
}

/// Lists the images in the trash of the pool and namespace of `ioctx`. Blocks.
///
/// Works where the library lacks `rbd_trash_list_cleanup`.
///
/// # Errors
/// `PermissionDenied`; `NotFound` when the pool has been deleted; `Unsupported` where the library
/// lacks the function.
#[doc(alias = "rbd_trash_list")]
#[doc(alias = "rbd_trash_list_cleanup")]
pub fn trash_list(ioctx: &IoCtx) -> Result<Vec<TrashEntry>> {
    const OP: &str = "rbd_trash_list";
    let list = ffi::optional(&ffi::rbd_trash_list)?;
    ioctx.conn().check_blocking(OP)?;
    let infos = grow::sized(OP, EMPTY, |infos, len| {
        // SAFETY: the pool's handle is open, and `infos` has `len` elements.
        let code = unsafe { list(ioctx.as_raw(), infos.as_mut_ptr(), len) };
        if let Ok(count) = usize::try_from(code) {
            *len = count;
        }
        code
    });
    let infos = infos
        .map(Infos)
        .map_err(|error| error.on(subject(ioctx, "")))?;
    if infos.0.is_empty() {
        ioctx.pool_name()?; // to C the trash of a deleted pool is an empty one
    }
    // SAFETY: the library filled the elements, and their strings live until `infos` goes.
    Ok(infos.0.iter().map(|info| unsafe { entry(info) }).collect())
}

/// An image in the trash. Blocks.
///
/// # Errors
/// `NotFound`; `InvalidArgument` for an empty id or one with a NUL byte; `Unsupported` where the
/// library lacks the function.
#[doc(alias = "rbd_trash_get")]
#[doc(alias = "rbd_trash_get_cleanup")]
pub fn trash_get(ioctx: &IoCtx, id: &str) -> Result<TrashEntry> {
    const OP: &str = "rbd_trash_get";
    let get = ffi::optional(&ffi::rbd_trash_get)?;
    let cleanup = ffi::optional(&ffi::rbd_trash_get_cleanup)?;
    let mut info = EMPTY;
    with_name(OP, ioctx, id, id, |io, id| {
        // SAFETY: the pool's handle is open, the id lives until the call returns, and the output is
        // this function's.
        check(OP, unsafe { get(io, id, &raw mut info) })
    })?;
    // SAFETY: the library filled it, and its strings live until the clean-up below.
    let entry = unsafe { entry(&info) };
    // SAFETY: the strings are the library's, and freed once.
    unsafe { cleanup(&raw mut info) };
    Ok(entry)
}

/// Takes an image out of the trash, under the name that it had or another. Blocks.
///
/// # Errors
/// `NotFound`; `AlreadyExists` when the name is taken; `InvalidArgument` for an empty id or name or one
/// with a NUL byte, and for an image that no user put there; `Unsupported` where the library lacks the
/// function.
#[doc(alias = "rbd_trash_restore")]
pub fn trash_restore(ioctx: &IoCtx, id: &str, new_name: Option<&str>) -> Result<()> {
    const OP: &str = "rbd_trash_restore";
    let restore = ffi::optional(&ffi::rbd_trash_restore)?;
    let new_name = new_name.map(|name| checked_name(OP, ioctx, name));
    let new_name = new_name.transpose()?;
    // To C an empty name is the old one.
    let new_name = new_name.as_ref().map_or(c"".as_ptr(), CName::as_ptr);
    with_name(OP, ioctx, id, id, |io, id| {
        // SAFETY: the pool's handle is open, and both strings live until the call returns.
        check(OP, unsafe { restore(io, id, new_name) })
    })
    .map_err(|error| match error.errno().raw() {
        libc::EEXIST => error.hint("an image has this name; restore it under another"),
        _ => error,
    })
}

/// Removes an image in the trash with all its data. Blocks for as long as that takes.
///
/// When another thread removes the image by this connection, it waits for that.
///
/// # Errors
/// `NotFound`; `PermissionDenied` before its deferment has ended, without `force`; `NotEmpty` when it has
/// snapshots; `Busy` when it is open; `InvalidArgument` for an empty id or one with a NUL byte;
/// `Unsupported` where the library lacks the function.
#[doc(alias = "rbd_trash_remove")]
pub fn trash_remove(ioctx: &IoCtx, id: &str, force: Force) -> Result<()> {
    const OP: &str = "rbd_trash_remove";
    let remove = ffi::optional(&ffi::rbd_trash_remove)?;
    image_alone(OP, ioctx, id, |io, id| {
        // SAFETY: the pool's handle is open, and the id lives until the call returns.
        check(OP, unsafe { remove(io, id, force == Force::Yes) })
    })
    .map_err(|error| why_not_removed_from_trash(error, force))
}

/// Removes an image in the trash with all its data, reporting objects done and their total to
/// `progress`, which runs on a thread of the library's. Blocks for as long as that takes.
///
/// A break asks the library to stop; it may go on to the end all the same.
///
/// # Errors
/// As [`trash_remove`]; `Canceled` when it stopped because `progress` broke. Then some data is gone, and
/// removing the image again goes on.
///
/// # Panics
/// When `progress` does, after the library has stopped.
#[doc(alias = "rbd_trash_remove_with_progress")]
pub fn trash_remove_with_progress(
    ioctx: &IoCtx,
    id: &str,
    force: Force,
    mut progress: impl FnMut(u64, u64) -> ControlFlow<()> + Send,
) -> Result<()> {
    const OP: &str = "rbd_trash_remove_with_progress";
    let remove = ffi::optional(&ffi::rbd_trash_remove_with_progress)?;
    image_alone(OP, ioctx, id, |io, id| {
        with_progress(OP, &mut progress, |callback, arg| {
            // SAFETY: the pool's handle is open, the id lives until the call returns, and `arg` is
            // what `with_progress` made for `callback`.
            unsafe { remove(io, id, force == Force::Yes, Some(callback), arg) }
        })
    })
    .map_err(|error| why_not_removed_from_trash(error, force))
}

#[cold]
fn why_not_removed_from_trash(error: Error, force: Force) -> Error {
    match error.errno().raw() {
        libc::EPERM if force == Force::No => error.hint(
            "the delay with which it was moved to the trash may not be over; Force::Yes does not wait for that",
        ),
        _ => why_not_removed(error),
    }
}

/// What is safe to free.
const EMPTY: ffi::rbd_trash_image_info_t = ffi::rbd_trash_image_info_t {
    id: ptr::null_mut(),
    name: ptr::null_mut(),
    source: ffi::rbd_trash_image_source_t(0),
    deletion_time: 0,
    deferment_end_time: 0,
};

/// Copies what the library says of an image.
///
/// # Safety
/// The strings are NULL or C strings that nothing changes meanwhile.
unsafe fn entry(info: &ffi::rbd_trash_image_info_t) -> TrashEntry {
    let time = |seconds| UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    // SAFETY: as the caller promises.
    let copy = |text| unsafe { string(text) };
    TrashEntry {
        id: copy(info.id),
        name: copy(info.name),
        source: TrashSource::from_c(info.source),
        deleted_at: time(info.deletion_time),
        deferment_end: time(info.deferment_end_time),
    }
}

/// The elements of a listing that succeeded.
struct Infos(Vec<ffi::rbd_trash_image_info_t>);

impl Drop for Infos {
    fn drop(&mut self) {
        #[cfg(feature = "trash-list-cleanup")]
        if let Some(cleanup) = ffi::rbd_trash_list_cleanup.get() {
            // SAFETY: the library filled exactly these elements, and this frees their strings once.
            unsafe { cleanup(self.0.as_mut_ptr(), self.0.len()) };
            return;
        }
        for info in &self.0 {
            // SAFETY: the library made the string with `strdup`, as its own clean-up relies on, and
            // this frees it once.
            unsafe { libc::free(info.id.cast()) };
            // SAFETY: as above.
            unsafe { libc::free(info.name.cast()) };
        }
    }
}
