//! Making clones independent of their parents.

use std::ops::ControlFlow;

use ceph_core::callback::with_progress;
use rados::{Error, Result};

use crate::ffi;
use crate::image::Image;

const INTERRUPTED: &str = "before Ceph 18.2.5 disable FAST_DIFF and OBJECT_MAP before the next flatten, which may lose data otherwise";

impl Image {
    /// Copies to a clone what it still reads from its parent, so that it no longer depends on it. Blocks for as
    /// long as that takes; the image can be used meanwhile.
    ///
    /// Snapshots of the clone become independent too when it has the feature `DEEP_FLATTEN`, and otherwise keep the
    /// parent.
    ///
    /// # Interruptions
    /// A flatten that ends in the middle, because the process dies or with an error other than `Canceled`, may
    /// leave objects in the object map that were not written any more. Nothing is lost then; but before 18.2.5 and
    /// 19.2.1 Ceph leaves out what that map has when it flattens again, and those objects read as zeros from then on.
    /// There, [disable](Self::disable_features) `FAST_DIFF` and `OBJECT_MAP` first; rebuilding the map does not help.
    ///
    /// # Errors
    /// `InvalidArgument` for an image without a parent; `ReadOnly` for one that is opened read-only or at a
    /// snapshot.
    #[doc(alias = "rbd_flatten")]
    pub fn flatten(&self) -> Result<()> {
        self.flatten_with_progress(|_, _| ControlFlow::Continue(()))
    }

    /// As [`flatten`](Self::flatten), reporting objects done and their total to `progress`, which runs on a
    /// thread of the library's and can break to stop.
    ///
    /// # Errors
    /// As [`flatten`](Self::flatten); `Canceled` when `progress` broke. The image then still is a clone, and its
    /// content is the same; flattening it again goes on.
    ///
    /// # Panics
    /// When `progress` does, after the library has stopped.
    #[doc(alias = "rbd_flatten_with_progress")]
    pub fn flatten_with_progress(
        &self,
        mut progress: impl FnMut(u64, u64) -> ControlFlow<()> + Send,
    ) -> Result<()> {
        const OP: &str = "rbd_flatten_with_progress";
        let raw = self.raw(OP)?;
        with_progress(OP, &mut progress, |callback, arg| {
            // SAFETY: the handle is open, and `arg` is what `with_progress` made for `callback`.
            unsafe { ffi::rbd_flatten_with_progress(raw, Some(callback), arg) }
        })
        .map(drop)
        .map_err(|error: Error| match error.errno().raw() {
            libc::EINVAL => error.hint("the image has no parent").on(self.subject()),
            libc::ECANCELED | libc::EROFS => error.on(self.subject()),
            _ => error.hint(INTERRUPTED).on(self.subject()),
        })
    }
}
