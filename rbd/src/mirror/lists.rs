//! All mirrored images of a pool.

use std::ffi::c_char;
use std::ptr;

use ceph_core::check;
use rados::{IoCtx, Result};

use super::{MirrorGlobalStatus, MirrorImageInfo, MirrorImageMode, MirrorList, info, status};
use crate::{ffi, string, subject};

/// A mirrored image; see [`mirror_image_info_list`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct MirrorImageEntry {
    /// The image's id.
    pub image_id: String,
    /// By what it is mirrored.
    pub mode: MirrorImageMode,
    /// How it takes part.
    pub info: MirrorImageInfo,
}

/// A mirrored image's status; see [`mirror_image_global_status_list`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MirrorStatusEntry {
    /// The image's id.
    pub image_id: String,
    /// What all sites say.
    pub status: MirrorGlobalStatus,
}

/// The mirrored images of the pool: all, or those mirrored in one way. Each costs C requests of its own. Needs the
/// feature `mirror-snapshot`.
///
/// ```no_run
/// # fn f(pool: &rados::IoCtx) -> rbd::Result<()> {
/// for image in rbd::mirror_image_info_list(pool, Some(rbd::MirrorImageMode::Snapshot))? {
///     let image = image?;
///     println!("{} {} {}", image.image_id, image.info.global_id, image.info.primary);
/// }
/// # Ok(()) }
/// ```
///
/// # Errors
/// `Unsupported` where the library lacks the function. Items: `PermissionDenied`; `NotFound` when the pool has been
/// deleted.
#[doc(alias = "rbd_mirror_image_info_list")]
#[doc(alias = "rbd_mirror_image_info_list_cleanup")]
pub fn mirror_image_info_list(
    ioctx: &IoCtx,
    mode: Option<MirrorImageMode>,
) -> Result<MirrorList<MirrorImageEntry>> {
    const OP: &str = "rbd_mirror_image_info_list";
    let list = ffi::optional(&ffi::rbd_mirror_image_info_list)?;
    let cleanup = ffi::optional(&ffi::rbd_mirror_image_info_list_cleanup)?;
    let filter = mode.map(MirrorImageMode::to_c);
    Ok(MirrorList::new(
        OP,
        ioctx,
        |entry| &entry.image_id,
        move |ioctx, start, max| {
            let mut filter = filter;
            let filter = filter
                .as_mut()
                .map_or(ptr::null_mut(), |mode| &raw mut *mode);
            let mut modes = vec![ffi::RBD_MIRROR_IMAGE_MODE_JOURNAL; max];
            let mut page = Page::new(max, info::EMPTY, cleanup);
            // SAFETY: the pool's handle is open; the id and the filter, or NULL, live until the call returns; the arrays
            // have `max` elements.
            let code = unsafe {
                list(
                    ioctx.as_raw(),
                    filter,
                    start,
                    max,
                    page.ids.as_mut_ptr(),
                    modes.as_mut_ptr(),
                    page.items.as_mut_ptr(),
                    &raw mut page.len,
                )
            };
            check(OP, code).map_err(|error| error.on(subject(ioctx, "")))?;
            let entries = page.entries().zip(modes);
            let entries = entries.map(|((image_id, info), mode)| MirrorImageEntry {
                image_id,
                mode: MirrorImageMode::from_c(mode),
                // SAFETY: the library filled it, and its string lives until `page` goes.
                info: unsafe { MirrorImageInfo::from_c(info) },
            });
            Ok(entries.collect())
        },
    ))
}

/// What all sites say of the mirrored images of the pool. Who is primary is not told here: see
/// [`mirror_image_info_list`]. Needs the feature `mirror-snapshot`.
///
/// # Errors
/// `Unsupported` where the library lacks the function. Items: `PermissionDenied`; `NotFound` when the pool has been
/// deleted.
#[doc(alias = "rbd_mirror_image_global_status_list")]
#[doc(alias = "rbd_mirror_image_global_status_list_cleanup")]
pub fn mirror_image_global_status_list(ioctx: &IoCtx) -> Result<MirrorList<MirrorStatusEntry>> {
    const OP: &str = "rbd_mirror_image_global_status_list";
    let list = ffi::optional(&ffi::rbd_mirror_image_global_status_list)?;
    let cleanup = ffi::optional(&ffi::rbd_mirror_image_global_status_list_cleanup)?;
    Ok(MirrorList::new(
        OP,
        ioctx,
        |entry| &entry.image_id,
        move |ioctx, start, max| {
            let mut page = Page::new(max, status::EMPTY, cleanup);
            let (ids, statuses) = (page.ids.as_mut_ptr(), page.items.as_mut_ptr());
            // SAFETY: the pool's handle is open, the id lives until the call returns, and the arrays have `max` elements.
            let code =
                unsafe { list(ioctx.as_raw(), start, max, ids, statuses, &raw mut page.len) };
            check(OP, code).map_err(|error| error.on(subject(ioctx, "")))?;
            let entries = page.entries().map(|(image_id, status)| MirrorStatusEntry {
                image_id,
                // SAFETY: the library filled it, and what it points to lives until `page` goes.
                status: unsafe { MirrorGlobalStatus::from_c(status) },
            });
            Ok(entries.collect())
        },
    ))
}

/// A page of a listing.
struct Page<T> {
    ids: Vec<*mut c_char>,
    items: Vec<T>,
    /// How many elements the library has filled.
    len: usize,
    cleanup: Cleanup<T>,
}

type Cleanup<T> = unsafe extern "C" fn(*mut *mut c_char, *mut T, usize);

impl<T: Clone> Page<T> {
    fn new(max: usize, empty: T, cleanup: Cleanup<T>) -> Self {
        Self {
            ids: vec![ptr::null_mut(); max],
            items: vec![empty; max],
            len: 0,
            cleanup,
        }
    }
}

impl<T> Page<T> {
    /// The images' ids, and what the library says of each.
    fn entries(&self) -> impl Iterator<Item = (String, &T)> {
        let entries = self.ids.iter().zip(&self.items).take(self.len);
        // SAFETY: the library set the id to a string that lives until `self` goes.
        entries.map(|(&id, item)| (unsafe { string(id) }, item))
    }
}

impl<T> Drop for Page<T> {
    fn drop(&mut self) {
        let (ids, items) = (self.ids.as_mut_ptr(), self.items.as_mut_ptr());
        // SAFETY: the library filled exactly these elements, and this frees what they point to once.
        unsafe { (self.cleanup)(ids, items, self.len) };
    }
}
