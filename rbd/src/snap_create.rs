//! Taking snapshots while others are told to be quiet.

use std::ops::ControlFlow;

use bitflags::bitflags;
use ceph_core::callback::with_progress;
use rados::Result;

use crate::ffi;
use crate::image::Image;

bitflags! {
    /// What to do about those who watch for snapshots; see `Image::quiesce_watch`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct SnapCreateFlags: u32 {
        /// They are not asked: the snapshot is taken at once.
        const SKIP_QUIESCE = ffi::RBD_SNAP_CREATE_SKIP_QUIESCE;
        /// They are asked, but the snapshot is taken also when one of them fails.
        const IGNORE_QUIESCE_ERROR = ffi::RBD_SNAP_CREATE_IGNORE_QUIESCE_ERROR;
    }
}

impl Image {
    /// As [`snap_create`](Self::snap_create), with flags. Blocks, and without `SKIP_QUIESCE` until all
    /// who watch for snapshots are quiet. Needs the feature `quiesce`.
    ///
    /// # Errors
    /// `AlreadyExists`; `QuotaExceeded` past the image's snapshot limit; what a watcher answered, or
    /// `TimedOut` where one did not; `Unsupported` where the library lacks the function.
    #[doc(alias = "rbd_snap_create2")]
    pub fn snap_create_with(&self, snapshot: &str, flags: SnapCreateFlags) -> Result<()> {
        self.snap_create_with_progress(snapshot, flags, |_, _| ControlFlow::Continue(()))
    }

    /// As [`snap_create_with`](Self::snap_create_with), reporting to `progress` how many attempts at asking
    /// the watchers were made, of how many. It runs on a thread of the library's; that it breaks is ignored.
    ///
    /// # Errors
    /// As [`snap_create_with`](Self::snap_create_with).
    ///
    /// # Panics
    /// When `progress` does, after the snapshot has been taken.
    #[doc(alias = "rbd_snap_create2")]
    pub fn snap_create_with_progress(
        &self,
        snapshot: &str,
        flags: SnapCreateFlags,
        mut progress: impl FnMut(u64, u64) -> ControlFlow<()> + Send,
    ) -> Result<()> {
        const OP: &str = "rbd_snap_create2";
        let create = ffi::optional(&ffi::rbd_snap_create2)?;
        let name = self.snap_c_name(OP, snapshot)?;
        let raw = self.raw(OP)?;
        with_progress(OP, &mut progress, |callback, arg| {
            // SAFETY: the handle is open, `name` lives until the call returns, and `arg` is what
            // `with_progress` made for `callback`.
            unsafe { create(raw, name.as_ptr(), flags.bits(), Some(callback), arg) }
        })
        .map(drop)
        .map_err(|error| error.on(self.snap_subject(snapshot)))
    }
}
