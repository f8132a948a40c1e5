//! The object map.

use std::ops::ControlFlow;

use ceph_core::callback::with_progress;
use rados::Result;

use crate::ffi;
use crate::image::Image;

impl Image {
    /// Makes the object map anew from the objects that there are, and so clears
    /// [`OBJECT_MAP_INVALID`](crate::ImageFlags::OBJECT_MAP_INVALID) and
    /// [`FAST_DIFF_INVALID`](crate::ImageFlags::FAST_DIFF_INVALID). Blocks for as long as looking for every object
    /// takes. An object that stands in a valid map of the head stays there though it is gone: others may be writing it.
    ///
    /// C has no function that checks the map: `rbd object-map check` does, and marks it as invalid when it is.
    ///
    /// # Errors
    /// `InvalidArgument` without the feature `OBJECT_MAP`; `ReadOnly` for an image that is opened read-only.
    #[doc(alias = "rbd_rebuild_object_map")]
    pub fn rebuild_object_map(&self) -> Result<()> {
        self.rebuild_object_map_with_progress(|_, _| ControlFlow::Continue(()))
    }

    /// As [`rebuild_object_map`](Self::rebuild_object_map), reporting objects done and their total to `progress`,
    /// which runs on a thread of the library's and can break to stop.
    ///
    /// # Errors
    /// As [`rebuild_object_map`](Self::rebuild_object_map); `Canceled` when `progress` broke, and then the map is
    /// still marked as invalid.
    ///
    /// # Panics
    /// When `progress` does, after the library has stopped.
    #[doc(alias = "rbd_rebuild_object_map")]
    pub fn rebuild_object_map_with_progress(
        &self,
        mut progress: impl FnMut(u64, u64) -> ControlFlow<()> + Send,
    ) -> Result<()> {
        const OP: &str = "rbd_rebuild_object_map";
        let raw = self.raw(OP)?;
        with_progress(OP, &mut progress, |callback, arg| {
            // SAFETY: the handle is open, and `arg` is what `with_progress` made for `callback`.
            unsafe { ffi::rbd_rebuild_object_map(raw, Some(callback), arg) }
        })
        .map(drop)
        .map_err(|error| error.on(self.subject()))
    }
}
