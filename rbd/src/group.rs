//! Groups of images.

use std::ffi::c_char;
use std::ptr;

use ceph_core::cstr::CName;
use ceph_core::{check, grow};
use rados::{Error, IoCtx, Result};

use crate::directory::checked_name;
use crate::image::{Image, OpenOptions};
use crate::{ffi, names_in, string, subject};

/// An image in a group.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct GroupImage {
    /// The image's name; bytes that are not UTF-8 are U+FFFD.
    pub name: String,
    /// The id of the image's pool. The namespace is the group's.
    pub pool_id: i64,
    /// Whether the image is wholly part of the group.
    pub state: GroupImageState,
}

/// Whether an image is wholly part of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GroupImageState {
    /// Yes.
    Attached,
    /// Adding or removing it goes on, or broke off; doing it again goes on.
    Incomplete,
    /// What this crate does not know.
    Unknown(u32),
}

impl GroupImageState {
    fn from_c(state: ffi::rbd_group_image_state_t) -> Self {
        match state {
            ffi::RBD_GROUP_IMAGE_STATE_ATTACHED => Self::Attached,
            ffi::RBD_GROUP_IMAGE_STATE_INCOMPLETE => Self::Incomplete,
            ffi::rbd_group_image_state_t(unknown) => Self::Unknown(unknown),
        }
    }
}

/// Creates a group, without images, in the pool and namespace of `ioctx`. Blocks. Needs the feature
/// `group`, as all functions of groups do.
///
/// The images of a group may lie in many pools, but in one namespace. What a group is for is to take
/// [snapshots](crate::group_snap_create) of all its images at the same moment.
///
/// ```no_run
/// # fn main() -> rbd::Result<()> {
/// # let conn = rados::Conn::builder().default_config_file().connect()?;
/// let pool = conn.ioctx("rbd")?;
/// rbd::group_create(&pool, "database")?;
/// for image in ["data", "log"] {
///     rbd::group_image_add(&pool, "database", &pool, image)?;
/// }
/// rbd::group_snap_create(&pool, "database", "before-upgrade")?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// `AlreadyExists`; `InvalidArgument` for an empty name or one with a NUL byte; `NotFound` when the pool
/// has been deleted; `Unsupported` where the library lacks the function.
#[doc(alias = "rbd_group_create")]
pub fn group_create(ioctx: &IoCtx, group: &str) -> Result<()> {
    const OP: &str = "rbd_group_create";
    let create = ffi::optional(&ffi::rbd_group_create)?;
    with_group(OP, ioctx, group, group, |io, group| {
        // SAFETY: as `with_group` promises.
        check(OP, unsafe { create(io, group) })
    })
}

/// Removes a group with all its snapshots; its images stay. Blocks.
///
/// When others remove the group at the same moment, all of them may succeed.
///
/// # Errors
/// `NotFound`; `InvalidArgument` for an empty name or one with a NUL byte; `Unsupported` where the library
/// lacks the function.
#[doc(alias = "rbd_group_remove")]
pub fn group_remove(ioctx: &IoCtx, group: &str) -> Result<()> {
    const OP: &str = "rbd_group_remove";
    let remove = ffi::optional(&ffi::rbd_group_remove)?;
    with_group(OP, ioctx, group, group, |io, name| {
        must_exist(OP, ioctx, group)?; // C removes what does not exist
        // SAFETY: as `with_group` promises.
        check(OP, unsafe { remove(io, name) })
    })
}

/// Renames a group within its pool and namespace. Blocks.
///
/// # Errors
/// `NotFound`; `AlreadyExists` when `to` is taken; `InvalidArgument` for an empty name or one with a NUL
/// byte; `Unsupported` where the library lacks the function.
#[doc(alias = "rbd_group_rename")]
pub fn group_rename(ioctx: &IoCtx, from: &str, to: &str) -> Result<()> {
    const OP: &str = "rbd_group_rename";
    let rename = ffi::optional(&ffi::rbd_group_rename)?;
    let shown = format!("{from} to {to}");
    let to = group_name(OP, "group name", to).map_err(|error| error.on(subject(ioctx, &shown)))?;
    with_group(OP, ioctx, from, &shown, |io, from| {
        // SAFETY: as `with_group` promises; `to` lives until the call returns.
        check(OP, unsafe { rename(io, from, to.as_ptr()) })
    })
}

/// Lists the names of the groups in the pool and namespace of `ioctx`, sorted. Blocks. Bytes that are not
/// UTF-8 are U+FFFD.
///
/// # Errors
/// `NotFound` when the pool has been deleted; `Unsupported` where the library lacks the function.
#[doc(alias = "rbd_group_list")]
pub fn group_list(ioctx: &IoCtx) -> Result<Vec<String>> {
    const OP: &str = "rbd_group_list";
    let list = ffi::optional(&ffi::rbd_group_list)?;
    ioctx.conn().check_blocking(OP)?;
    let names = grow::sized(OP, 0_u8, |names, len| {
        // SAFETY: the pool's handle is open, and `names` has `len` bytes.
        let code = unsafe { list(ioctx.as_raw(), names.as_mut_ptr().cast(), len) };
        if let Ok(bytes) = usize::try_from(code) {
            *len = bytes;
        }
        code
    });
    let names = names.map_err(|error| error.on(subject(ioctx, "")))?;
    if names.is_empty() {
        ioctx.pool_name()?; // to C a deleted pool has none
    }
    Ok(names_in(&names).collect())
}

/// A group's id, which stays the same when it is renamed. Blocks. Needs the feature `group-snap-info`.
///
/// # Errors
/// `NotFound`; `InvalidArgument` for an empty name or one with a NUL byte; `Unsupported` before Ceph 20.
#[doc(alias = "rbd_group_get_id")]
#[cfg(feature = "group-snap-info")]
pub fn group_get_id(ioctx: &IoCtx, group: &str) -> Result<String> {
    const OP: &str = "rbd_group_get_id";
    let get_id = ffi::optional(&ffi::rbd_group_get_id)?;
    let mut id = Vec::new();
    with_group(OP, ioctx, group, group, |io, group| {
        id = grow::sized(OP, 0_u8, |id, len| {
            // SAFETY: as `with_group` promises; `id` has `len` bytes.
            unsafe { get_id(io, group, id.as_mut_ptr().cast(), len) }
        })?;
        Ok(0)
    })?;
    Ok(ceph_core::cstr::text(&id))
}

/// Adds an image to a group, which may lie in another pool. Blocks.
///
/// # Errors
/// `NotFound` for a group or an image that does not exist; `AlreadyExists` when the image is in a group,
/// this or another; `InvalidArgument` when they lie in different namespaces, and for an empty name or one
/// with a NUL byte; `Unsupported` where the library lacks the function.
#[doc(alias = "rbd_group_image_add")]
pub fn group_image_add(ioctx: &IoCtx, group: &str, image_ioctx: &IoCtx, image: &str) -> Result<()> {
    const OP: &str = "rbd_group_image_add";
    let add = ffi::optional(&ffi::rbd_group_image_add)?;
    with_image(OP, ioctx, group, image_ioctx, image, |io, group, image| {
        // SAFETY: as `with_image` promises.
        check(OP, unsafe { add(io, group, image_ioctx.as_raw(), image) })
    })
    .map_err(|error| match error.errno().raw() {
        libc::EEXIST => error.hint("the image is in a group already"),
        _ => error,
    })
}

/// Takes an image out of a group. Blocks. It keeps its snapshots, and those that it has for the group as well:
/// these go with the group's snapshots.
///
/// # Errors
/// `NotFound` for a group or an image that does not exist, and for an image that is in another group. One that
/// is in none is `NotFound` too until Ceph 16, and passes in 18.2.7. `InvalidArgument` when they lie in different
/// namespaces, and for an empty name or one with a NUL byte; `Unsupported` where the library lacks the function.
#[doc(alias = "rbd_group_image_remove")]
pub fn group_image_remove(
    ioctx: &IoCtx,
    group: &str,
    image_ioctx: &IoCtx,
    image: &str,
) -> Result<()> {
    const OP: &str = "rbd_group_image_remove";
    let remove = ffi::optional(&ffi::rbd_group_image_remove)?;
    let opened = Image::open_read_only(image_ioctx, image);
    not_in_another(OP, ioctx, group, opened)?;
    with_image(OP, ioctx, group, image_ioctx, image, |io, group, image| {
        // SAFETY: as `with_image` promises.
        check(OP, unsafe {
            remove(io, group, image_ioctx.as_raw(), image)
        })
    })
}

/// As [`group_image_remove`], by the image's id, which an image in the trash has as well. Blocks.
///
/// # Errors
/// As [`group_image_remove`].
#[doc(alias = "rbd_group_image_remove_by_id")]
pub fn group_image_remove_by_id(
    ioctx: &IoCtx,
    group: &str,
    image_ioctx: &IoCtx,
    image_id: &str,
) -> Result<()> {
    const OP: &str = "rbd_group_image_remove_by_id";
    let remove = ffi::optional(&ffi::rbd_group_image_remove_by_id)?;
    let opened = OpenOptions::new()
        .read_only()
        .open_by_id(image_ioctx, image_id);
    not_in_another(OP, ioctx, group, opened)?;
    with_image(OP, ioctx, group, image_ioctx, image_id, |io, group, id| {
        // SAFETY: as `with_image` promises.
        check(OP, unsafe { remove(io, group, image_ioctx.as_raw(), id) })
    })
}

/// Lists the images of a group. Blocks.
///
/// # Errors
/// `NotFound`; `InvalidArgument` for an empty name or one with a NUL byte; `Unsupported` where the library
/// lacks the function.
#[doc(alias = "rbd_group_image_list")]
#[doc(alias = "rbd_group_image_list_cleanup")]
pub fn group_image_list(ioctx: &IoCtx, group: &str) -> Result<Vec<GroupImage>> {
    const OP: &str = "rbd_group_image_list";
    let list = ffi::optional(&ffi::rbd_group_image_list)?;
    let cleanup = ffi::optional(&ffi::rbd_group_image_list_cleanup)?;
    let none = ffi::rbd_group_image_info_t {
        name: ptr::null_mut(),
        pool: -1,
        state: ffi::rbd_group_image_state_t(0),
    };
    let infos = list_of_group(OP, ioctx, group, none, |io, group, infos, len| {
        // SAFETY: as `list_of_group` promises.
        unsafe { list(io, group, infos, size_of_val(&none), len) }
    })?;
    let infos = Infos {
        list: infos,
        cleanup,
    };
    let images = infos.list.iter().map(|info| GroupImage {
        // SAFETY: the library set it to a string that lives until `infos` goes.
        name: unsafe { string(info.name) },
        pool_id: info.pool,
        state: GroupImageState::from_c(info.state),
    });
    Ok(images.collect())
}

/// The elements of a listing that succeeded.
pub(crate) struct Infos<T> {
    pub(crate) list: Vec<T>,
    /// Frees so many elements, of such a size, at such a place.
    pub(crate) cleanup: unsafe extern "C" fn(*mut T, usize, usize) -> i32,
}

impl<T> Drop for Infos<T> {
    fn drop(&mut self) {
        let len = self.list.len();
        // SAFETY: the library filled exactly these elements, and this frees their strings once; the size is
        // the struct's.
        unsafe { (self.cleanup)(self.list.as_mut_ptr(), size_of::<T>(), len) };
    }
}

/// Calls C with an open pool, a group's name that lives until it returns, and a list with its length, which
/// grows as C asks. C sets the length to the number of elements, or answers it.
pub(crate) fn list_of_group<T: Clone>(
    op: &'static str,
    ioctx: &IoCtx,
    group: &str,
    none: T,
    call: impl Fn(rados::sys::rados_ioctx_t, *const c_char, *mut T, *mut usize) -> i32,
) -> Result<Vec<T>> {
    let mut list = Vec::new();
    with_group(op, ioctx, group, group, |io, name| {
        list = grow::sized(op, none, |list, len| {
            let code = call(io, name, list.as_mut_ptr(), len);
            if code > 0 {
                *len = code as usize;
            }
            code
        })?;
        if list.is_empty() {
            must_exist(op, ioctx, group)?; // to C it would be empty
        }
        Ok(0)
    })?;
    Ok(list)
}

/// Fails with `NotFound` when an image is in another group than this: to take it out of this, C would first note
/// it there. What cannot be opened is C's to refuse.
fn not_in_another(
    op: &'static str,
    ioctx: &IoCtx,
    group: &str,
    image: Result<Image>,
) -> Result<()> {
    let Ok(image) = image else { return Ok(()) };
    match image.group()? {
        Some(other) if other.name != group || other.pool != ioctx.pool_name()? => {
            let hint = format!("the image is in the group {}/{}", other.pool, other.name);
            let error = Error::refused(op, libc::ENOENT, hint);
            Err(error.on(format!("{group} {}", image.subject())))
        }
        _ => Ok(()),
    }
}

/// Fails with `NotFound` when there is no such group.
fn must_exist(op: &'static str, ioctx: &IoCtx, group: &str) -> Result<()> {
    if group_list(ioctx)?.iter().any(|name| name == group) {
        return Ok(());
    }
    Err(Error::refused(op, libc::ENOENT, "there is no such group"))
}

pub(crate) fn group_name(op: &'static str, what: &str, name: &str) -> Result<CName> {
    if name.is_empty() {
        let hint = format!("the {what} is empty");
        return Err(Error::refused(op, libc::EINVAL, hint));
    }
    CName::new(op, what, name)
}

/// Calls C with an open pool and a group's name that lives until it returns.
pub(crate) fn with_group(
    op: &'static str,
    ioctx: &IoCtx,
    group: &str,
    shown: &str,
    call: impl FnOnce(rados::sys::rados_ioctx_t, *const c_char) -> Result<u64>,
) -> Result<()> {
    ioctx.conn().check_blocking(op)?;
    group_name(op, "group name", group)
        .and_then(|group| call(ioctx.as_raw(), group.as_ptr()))
        .map(drop)
        .map_err(|error| error.on(subject(ioctx, shown)))
}

/// Calls C with the open pool of a group, its name and an image's name or id, which live until it returns.
fn with_image(
    op: &'static str,
    ioctx: &IoCtx,
    group: &str,
    image_ioctx: &IoCtx,
    image: &str,
    call: impl FnOnce(rados::sys::rados_ioctx_t, *const c_char, *const c_char) -> Result<u64>,
) -> Result<()> {
    let shown = format!("{group} {}", subject(image_ioctx, image));
    let image = checked_name(op, image_ioctx, image)?;
    with_group(op, ioctx, group, &shown, |io, group| {
        if ioctx.namespace() != image_ioctx.namespace() {
            let hint = "a group and its images lie in one namespace";
            return Err(Error::refused(op, libc::EINVAL, hint));
        }
        call(io, group, image.as_ptr())
    })
}
