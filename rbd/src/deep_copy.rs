//! Copying an image with its snapshots.

use std::ops::ControlFlow;

use ceph_core::callback::with_progress;
use rados::{Error, IoCtx, Result};

use crate::image::Image;
use crate::{ImageOptions, ffi};

impl Image {
    /// Copies the image with its snapshots to a new one in this pool. Blocks for as long as reading and writing the
    /// data takes. Needs the feature `deep-copy`.
    ///
    /// What `options` do not set is as in this image. The copy of a clone is a clone of the same parent, unless
    /// they say [`flatten`](ImageOptions::flatten). From an image that is opened at a snapshot, only snapshots up
    /// to that are copied, and the copy's content is the snapshot's.
    ///
    /// # Errors
    /// `AlreadyExists`; otherwise as [`ImageOptions::create`] and, of a clone, as [`clone`](crate::clone);
    /// `EXDEV` for a pool in another cluster; `Unsupported` where the library lacks the function. When the copy
    /// itself fails, the new image is left there, incomplete.
    #[doc(alias = "rbd_deep_copy")]
    pub fn deep_copy(&self, pool: &IoCtx, name: &str, options: &ImageOptions) -> Result<()> {
        self.deep_copy_with_progress(pool, name, options, |_, _| ControlFlow::Continue(()))
    }

    /// As [`deep_copy`](Self::deep_copy), reporting objects done and their total, for all snapshots, to
    /// `progress`, which runs on a thread of the library's. C does not stop for a break: it ends the reports,
    /// not the copy.
    ///
    /// # Errors
    /// As [`deep_copy`](Self::deep_copy).
    ///
    /// # Panics
    /// When `progress` does, after the library has finished.
    #[doc(alias = "rbd_deep_copy_with_progress")]
    pub fn deep_copy_with_progress(
        &self,
        pool: &IoCtx,
        name: &str,
        options: &ImageOptions,
        mut progress: impl FnMut(u64, u64) -> ControlFlow<()> + Send,
    ) -> Result<()> {
        const OP: &str = "rbd_deep_copy_with_progress";
        let deep_copy = ffi::optional(&ffi::rbd_deep_copy_with_progress)?;
        if self.ioctx().conn().fsid()? != pool.conn().fsid()? {
            // C looks for the parent of a clone by its pool's number, which is another pool there.
            let hint = "a deep copy stays in the cluster; copy goes to others";
            return Err(Error::refused(OP, libc::EXDEV, hint).on(self.copied_to(pool, name)));
        }
        self.copy_new(OP, pool, name, options, |raw, io, name, options| {
            with_progress(OP, &mut progress, |callback, arg| {
                // SAFETY: the image's and the pool's handle are open, the name lives until the call returns, the
                // options are copied, and `arg` is what `with_progress` made for `callback`.
                unsafe { deep_copy(raw, io, name, options, Some(callback), arg) }
            })
        })
    }
}
