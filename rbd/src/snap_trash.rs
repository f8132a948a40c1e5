//! What a snapshot in the trash was.

use std::ptr;

use rados::Result;

use crate::image::Image;
use crate::snap_namespace::SnapNamespaceType;
use crate::{ffi, string};

/// What a snapshot was before it was removed, where it is kept for its clones.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SnapTrashNamespace {
    /// What made it.
    pub original_namespace_type: SnapNamespaceType,
    /// The name that it had; bytes that are not UTF-8 are U+FFFD.
    pub original_name: String,
}

impl Image {
    /// What a snapshot of the type [`Trash`](SnapNamespaceType::Trash) was before it was removed. Blocks.
    /// Needs the feature `snap-trash2`; `snap_trash_namespace` tells the name in older releases, too.
    ///
    /// # Errors
    /// `NotFound`; `InvalidArgument` for a snapshot of another type; `Unsupported` where the library lacks
    /// the function.
    #[doc(alias = "rbd_snap_get_trash_namespace2")]
    #[doc(alias = "rbd_snap_trash_namespace_cleanup")]
    pub fn snap_trash_namespace2(&self, snap_id: u64) -> Result<SnapTrashNamespace> {
        const OP: &str = "rbd_snap_get_trash_namespace2";
        let get = ffi::optional(&ffi::rbd_snap_get_trash_namespace2)?;
        let mut trash = Trash {
            info: ffi::rbd_snap_trash_namespace_t {
                original_namespace_type: ffi::RBD_SNAP_NAMESPACE_TYPE_USER,
                original_name: ptr::null_mut(),
            },
            cleanup: ffi::optional(&ffi::rbd_snap_trash_namespace_cleanup)?,
        };
        self.call(OP, |raw| {
            // SAFETY: as `call` promises; the output is this function's, and has this size.
            unsafe { get(raw, snap_id, &raw mut trash.info, size_of_val(&trash.info)) }
        })
        .map_err(|error| error.on(self.snap_id_subject(snap_id)))?;
        let original_namespace_type = SnapNamespaceType::from_c(trash.info.original_namespace_type);
        // SAFETY: the library set it to a string that lives until `trash` goes.
        let original_name = unsafe { string(trash.info.original_name) };
        Ok(SnapTrashNamespace {
            original_namespace_type,
            original_name,
        })
    }
}

/// What C tells, whose string is the library's.
struct Trash {
    info: ffi::rbd_snap_trash_namespace_t,
    cleanup: unsafe extern "C" fn(*mut ffi::rbd_snap_trash_namespace_t, usize) -> i32,
}

impl Drop for Trash {
    fn drop(&mut self) {
        // SAFETY: the name is NULL or the library's, and freed once; the size is the struct's.
        unsafe { (self.cleanup)(&raw mut self.info, size_of_val(&self.info)) };
    }
}
