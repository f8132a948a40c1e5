//! Copying an image's content.

use std::ops::ControlFlow;

use ceph_core::callback::with_progress;
use rados::{Error, IoCtx, Result};

use crate::directory::checked_name;
use crate::image::Image;
use crate::{ImageOptions, ffi, subject};

/// Copies of the content: the image's head, or the snapshot that it is opened at. All block for as long as reading
/// and writing the data takes. With the feature `deep-copy`, `Image::deep_copy` copies snapshots too.
impl Image {
    /// Copies the content to a new image in this pool, which may be in another cluster. Blocks.
    ///
    /// What `options` do not set is as in this image. A copy of a clone is no clone.
    ///
    /// ```no_run
    /// # fn f(image: rbd::Image, elsewhere: rados::IoCtx) -> rbd::Result<()> {
    /// let options = rbd::ImageOptions::new().sparse_size(4096);
    /// image.copy(&elsewhere, "disk1-copy", &options)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `AlreadyExists`; otherwise as [`ImageOptions::create`], and `InvalidArgument` for a
    /// [`sparse_size`](ImageOptions::sparse_size) that is none. When the copy itself fails, the new image is
    /// left there, incomplete.
    #[doc(alias = "rbd_copy")]
    #[doc(alias = "rbd_copy3")]
    #[doc(alias = "rbd_copy4")]
    pub fn copy(&self, pool: &IoCtx, name: &str, options: &ImageOptions) -> Result<()> {
        self.copy_with_progress(pool, name, options, |_, _| ControlFlow::Continue(()))
    }

    /// As [`copy`](Self::copy), reporting bytes done and their total to `progress`, which runs on the calling
    /// thread or one of the library's. C does not stop for a break: it ends the reports, not the copy.
    ///
    /// # Errors
    /// As [`copy`](Self::copy).
    ///
    /// # Panics
    /// When `progress` does, after the library has finished.
    #[doc(alias = "rbd_copy_with_progress")]
    #[doc(alias = "rbd_copy_with_progress3")]
    #[doc(alias = "rbd_copy_with_progress4")]
    pub fn copy_with_progress(
        &self,
        pool: &IoCtx,
        name: &str,
        options: &ImageOptions,
        mut progress: impl FnMut(u64, u64) -> ControlFlow<()> + Send,
    ) -> Result<()> {
        const OP: &str = "rbd_copy_with_progress4";
        let sparse_size = check_sparse_size(OP, options.sparse_size.unwrap_or(0))
            .map_err(|error| error.on(self.copied_to(pool, name)))?;
        self.copy_new(OP, pool, name, options, |raw, io, name, options| {
            with_progress(OP, &mut progress, |callback, arg| {
                // SAFETY: the image's and the pool's handle are open, the name lives until the call returns, the
                // options are copied, and `arg` is what `with_progress` made for `callback`.
                unsafe {
                    ffi::rbd_copy_with_progress4(
                        raw,
                        io,
                        name,
                        options,
                        Some(callback),
                        arg,
                        sparse_size,
                    )
                }
            })
        })
    }

    /// Copies the content over that of another open image, which must not be smaller. Blocks.
    ///
    /// Where this image has no data, that of `to` is kept: for a true copy, `to` must be empty. Discard it first.
    ///
    /// # Errors
    /// `InvalidArgument` when `to` is smaller, or the same open image; `ReadOnly` when it is opened so.
    #[doc(alias = "rbd_copy2")]
    pub fn copy_to(&self, to: &Image) -> Result<()> {
        self.copy_to_with_progress(to, |_, _| ControlFlow::Continue(()))
    }

    /// As [`copy_to`](Self::copy_to), reporting as [`copy_with_progress`](Self::copy_with_progress).
    ///
    /// # Errors
    /// As [`copy_to`](Self::copy_to).
    ///
    /// # Panics
    /// When `progress` does, after the library has finished.
    #[doc(alias = "rbd_copy_with_progress2")]
    pub fn copy_to_with_progress(
        &self,
        to: &Image,
        mut progress: impl FnMut(u64, u64) -> ControlFlow<()> + Send,
    ) -> Result<()> {
        const OP: &str = "rbd_copy_with_progress2";
        let (raw, to_raw) = (self.raw(OP)?, to.raw(OP)?);
        let located = |error: Error| error.on(format!("{} to {}", self.subject(), to.subject()));
        if raw.0 == to_raw.0 {
            let hint = "the image is the same";
            return Err(located(Error::refused(OP, libc::EINVAL, hint)));
        }
        with_progress(OP, &mut progress, |callback, arg| {
            // SAFETY: both handles are open, and `arg` is what `with_progress` made for `callback`.
            unsafe { ffi::rbd_copy_with_progress2(raw, to_raw, Some(callback), arg) }
        })
        .map(drop)
        .map_err(|error| match error.errno().raw() {
            libc::EINVAL => located(error).hint("the image to copy to is smaller"),
            _ => located(error),
        })
    }

    /// Calls C with the open image, an open pool, a name that lives until it returns, and options for it to
    /// copy.
    pub(crate) fn copy_new(
        &self,
        op: &'static str,
        pool: &IoCtx,
        name: &str,
        options: &ImageOptions,
        call: impl FnOnce(
            ffi::rbd_image_t,
            rados::sys::rados_ioctx_t,
            *const std::ffi::c_char,
            ffi::rbd_image_options_t,
        ) -> Result<u64>,
    ) -> Result<()> {
        let c_name = checked_name(op, pool, name)?;
        let located = |error: Error| error.on(self.copied_to(pool, name));
        let c_options = options.to_c_derived(op).map_err(located)?;
        let raw = self.raw(op)?;
        pool.conn().check_blocking(op)?;
        call(raw, pool.as_raw(), c_name.as_ptr(), c_options.raw)
            .map(drop)
            .map_err(|error| options.explain(located(error)))
    }

    #[cold]
    pub(crate) fn copied_to(&self, pool: &IoCtx, name: &str) -> String {
        format!("{} to {}", self.subject(), subject(pool, name))
    }
}

/// Refuses lengths of runs of zeros with which C does nonsense; 0 is none.
pub(crate) fn check_sparse_size(op: &'static str, bytes: u64) -> Result<usize> {
    match usize::try_from(bytes) {
        Ok(size) if size == 0 || size >= 4096 && size.is_power_of_two() => Ok(size),
        _ => {
            let hint = format!("the sparse size {bytes} is no power of two from 4096 on");
            Err(Error::refused(op, libc::EINVAL, hint))
        }
    }
}
