//! Which daemon has which image.

use std::ffi::c_char;
use std::ptr;

use ceph_core::cstr::text;
use ceph_core::{check, grow};
use rados::{IoCtx, Result};

use super::MirrorList;
use crate::image::Image;
use crate::{ffi, string, subject};

/// Which daemon takes care of an image; see [`mirror_image_instance_id_list`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct MirrorInstanceEntry {
    /// The image's id.
    pub image_id: String,
    /// The daemon's instance id, under which it is registered as a service.
    pub instance_id: String,
}

/// Which instance of `rbd-mirror` takes care of which image of the pool: those that a daemon of this cluster has
/// the status of. Needs the feature `mirror-bootstrap`.
///
/// # Errors
/// `Unsupported` where the library lacks the function. Items: `PermissionDenied`; `NotFound` when the pool has been
/// deleted.
#[doc(alias = "rbd_mirror_image_instance_id_list")]
#[doc(alias = "rbd_mirror_image_instance_id_list_cleanup")]
pub fn mirror_image_instance_id_list(ioctx: &IoCtx) -> Result<MirrorList<MirrorInstanceEntry>> {
    const OP: &str = "rbd_mirror_image_instance_id_list";
    let list = ffi::optional(&ffi::rbd_mirror_image_instance_id_list)?;
    let cleanup = ffi::optional(&ffi::rbd_mirror_image_instance_id_list_cleanup)?;
    Ok(MirrorList::new(
        OP,
        ioctx,
        |entry| &entry.image_id,
        move |ioctx, start, max| {
            let mut page = Page {
                ids: vec![ptr::null_mut(); max],
                instances: vec![ptr::null_mut(); max],
                len: 0,
                cleanup,
            };
            let (ids, instances) = (page.ids.as_mut_ptr(), page.instances.as_mut_ptr());
            // SAFETY: the pool's handle is open, the id lives until the call returns, and both arrays have `max`
            // elements.
            let code = unsafe {
                list(
                    ioctx.as_raw(),
                    start,
                    max,
                    ids,
                    instances,
                    &raw mut page.len,
                )
            };
            check(OP, code).map_err(|error| error.on(subject(ioctx, "")))?;
            let entries = page.ids.iter().zip(&page.instances).take(page.len);
            let entries = entries.map(|(&id, &instance)| MirrorInstanceEntry {
                // SAFETY: the library set it to a string that lives until `page` goes.
                image_id: unsafe { string(id) },
                // SAFETY: as above.
                instance_id: unsafe { string(instance) },
            });
            Ok(entries.collect())
        },
    ))
}

/// A page of a listing.
struct Page {
    ids: Vec<*mut c_char>,
    instances: Vec<*mut c_char>,
    /// How many elements the library has filled.
    len: usize,
    cleanup: unsafe extern "C" fn(*mut *mut c_char, *mut *mut c_char, usize),
}

impl Drop for Page {
    fn drop(&mut self) {
        let (ids, instances) = (self.ids.as_mut_ptr(), self.instances.as_mut_ptr());
        // SAFETY: the library filled exactly these elements, and this frees their strings once.
        unsafe { (self.cleanup)(ids, instances, self.len) };
    }
}

impl Image {
    /// The instance id of the daemon that takes care of this image. Blocks. Needs the feature `mirror-bootstrap`.
    ///
    /// # Errors
    /// `NotFound` when none does; `InvalidArgument` when the image is not mirrored; `Unsupported` where the library
    /// lacks the function.
    #[doc(alias = "rbd_mirror_image_get_instance_id")]
    pub fn mirror_instance_id(&self) -> Result<String> {
        const OP: &str = "rbd_mirror_image_get_instance_id";
        let get = ffi::optional(&ffi::rbd_mirror_image_get_instance_id)?;
        let raw = self.raw(OP)?;
        grow::sized(OP, 0_u8, |buffer, len| {
            // SAFETY: the handle is open, and `buffer` has `len` bytes.
            unsafe { get(raw, buffer.as_mut_ptr().cast(), len) }
        })
        .map(|buffer| text(&buffer))
        .map_err(|error| error.on(self.subject()))
    }
}
