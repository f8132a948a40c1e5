//! Giving back space that holds zeros.

use std::ops::ControlFlow;

use ceph_core::callback::with_progress;
use rados::{Error, Result};

use crate::copy::check_sparse_size;
use crate::ffi;
use crate::image::Image;

impl Image {
    /// Gives back the space of runs of zeros that are `sparse_size` bytes long: a power of two, from 4096 to the
    /// object size. Blocks for as long as reading all data takes. Needs the feature `deep-copy`.
    ///
    /// # Errors
    /// `InvalidArgument` for another `sparse_size`; `ReadOnly` for an image that is opened read-only or at a
    /// snapshot; `Unsupported` where the library lacks the function.
    #[doc(alias = "rbd_sparsify")]
    pub fn sparsify(&self, sparse_size: u64) -> Result<()> {
        self.sparsify_with_progress(sparse_size, |_, _| ControlFlow::Continue(()))
    }

    /// As [`sparsify`](Self::sparsify), reporting objects done and their total to `progress`, which runs on a
    /// thread of the library's and can break to stop.
    ///
    /// # Errors
    /// As [`sparsify`](Self::sparsify); `Canceled` when `progress` broke, and then only part of the image was
    /// looked at.
    ///
    /// # Panics
    /// When `progress` does, after the library has stopped.
    #[doc(alias = "rbd_sparsify_with_progress")]
    pub fn sparsify_with_progress(
        &self,
        sparse_size: u64,
        mut progress: impl FnMut(u64, u64) -> ControlFlow<()> + Send,
    ) -> Result<()> {
        const OP: &str = "rbd_sparsify_with_progress";
        let sparsify = ffi::optional(&ffi::rbd_sparsify_with_progress)?;
        let located = |error: Error| error.on(self.subject());
        let size = check_sparse_size(OP, sparse_size).map_err(located)?;
        let raw = self.raw(OP)?;
        with_progress(OP, &mut progress, |callback, arg| {
            // SAFETY: the handle is open, and `arg` is what `with_progress` made for `callback`.
            unsafe { sparsify(raw, size, Some(callback), arg) }
        })
        .map(drop)
        .map_err(|error| match error.errno().raw() {
            libc::EINVAL => located(error)
                .hint("the sparse size must be a power of two from 4096 to the object size"),
            _ => located(error),
        })
    }
}
