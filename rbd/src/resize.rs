//! An image's size.

use std::ops::ControlFlow;

use ceph_core::callback::with_progress;
use rados::{Error, Result};

use crate::ffi;
use crate::image::Image;

/// Whether a resize may make the image smaller, which destroys what lies past the new end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shrink {
    /// Refuse it.
    #[default]
    Deny,
    /// Allow it.
    Allow,
}

/// Refuses sizes with which librbd's computation of the number of objects overflows: it then aborts
/// the process at the first write.
pub(crate) fn check_size(op: &'static str, size: u64) -> Result<()> {
    if size > i64::MAX.cast_unsigned() {
        let hint = format!("an image cannot have {size} bytes: the most is 2^63 - 1");
        return Err(Error::refused(op, libc::EINVAL, hint));
    }
    Ok(())
}

impl Image {
    /// The size in bytes: of the snapshot, if the image is opened at one.
    #[doc(alias = "rbd_get_size")]
    pub fn size(&self) -> Result<u64> {
        let mut size = 0;
        self.call("rbd_get_size", |raw| {
            // SAFETY: as `call` promises; the output is this function's.
            unsafe { ffi::rbd_get_size(raw, &raw mut size) }
        })?;
        Ok(size)
    }

    /// Makes the image `size` bytes large; new bytes read as zeros. Blocks; shrinking takes a time
    /// that grows with what is cut off. Nobody should write past the new end of an image with an object map
    /// meanwhile: librbd 16 may abort the process that does. It may also abort the process that shrinks, when that has
    /// to hand the exclusive lock over: where others may write, keep it with [`lock_acquire`](Self::lock_acquire).
    ///
    /// # Errors
    /// `InvalidArgument` when it would shrink and `shrink` is `Deny`, for 2^63 bytes or more, and for
    /// more than the 256,000,000 objects that an object map has room for; `ReadOnly`.
    #[doc(alias = "rbd_resize")]
    #[doc(alias = "rbd_resize2")]
    pub fn resize(&self, size: u64, shrink: Shrink) -> Result<()> {
        self.resize_with_progress(size, shrink, |_, _| ControlFlow::Continue(()))
    }

    /// As [`resize`](Self::resize), reporting objects done and their total to `progress`, which
    /// runs on a thread of the library's and can break to stop. Only shrinking reports.
    ///
    /// # Errors
    /// As [`resize`](Self::resize); `Canceled` when `progress` broke while shrinking, and then
    /// part of what was to be cut off is gone while the size is the old one, though for a moment
    /// still this handle may think otherwise.
    ///
    /// # Panics
    /// When `progress` does, after the library has stopped.
    #[doc(alias = "rbd_resize2")]
    #[doc(alias = "rbd_resize_with_progress")]
    pub fn resize_with_progress(
        &self,
        size: u64,
        shrink: Shrink,
        mut progress: impl FnMut(u64, u64) -> ControlFlow<()> + Send,
    ) -> Result<()> {
        const OP: &str = "rbd_resize2";
        let raw = self.raw(OP)?;
        check_size(OP, size).map_err(|error| error.on(self.subject()))?;
        let allow = shrink == Shrink::Allow;
        with_progress(OP, &mut progress, |callback, arg| {
            // SAFETY: the handle is open, and `arg` is what `with_progress` made for `callback`.
            unsafe { ffi::rbd_resize2(raw, size, allow, Some(callback), arg) }
        })
        .map(drop)
        .map_err(|error| self.why_not_resized(error, size, shrink))
    }

    #[cold]
    fn why_not_resized(&self, error: Error, size: u64, shrink: Shrink) -> Error {
        let error = error.on(self.subject());
        match self.size() {
            Ok(now)
                if error.errno().raw() == libc::EINVAL && size < now && shrink == Shrink::Deny =>
            {
                error.hint(format!(
                    "{size} is less than the image's {now} bytes: Shrink::Allow?"
                ))
            }
            _ => error,
        }
    }
}
