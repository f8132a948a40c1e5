//! Taking snapshots while others are told to be quiet.

use std::ops::ControlFlow;

use ceph_core::callback::with_progress;
use rados::Result;

use crate::Quiesce;
use crate::ffi;
use crate::image::Image;

impl Image {
    /// As [`snap_create`](Self::snap_create), asking, or not, who watches for snapshots. Blocks, unless it is
    /// [`Quiesce::Skip`] until all
    /// who watch for snapshots are quiet. Needs the feature `quiesce`.
    ///
    /// # Errors
    /// `AlreadyExists`; `QuotaExceeded` past the image's snapshot limit; what a watcher answered, or
    /// `TimedOut` where one did not; `Unsupported` where the library lacks the function.
    #[doc(alias = "rbd_snap_create2")]
    pub fn snap_create_with(&self, snapshot: &str, quiesce: Quiesce) -> Result<()> {
        self.snap_create_with_progress(snapshot, quiesce, |_, _| ControlFlow::Continue(()))
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
        quiesce: Quiesce,
        mut progress: impl FnMut(u64, u64) -> ControlFlow<()> + Send,
    ) -> Result<()> {
        const OP: &str = "rbd_snap_create2";
        let create = ffi::optional(&ffi::rbd_snap_create2)?;
        let name = self.snap_c_name(OP, snapshot)?;
        let raw = self.raw(OP)?;
        with_progress(OP, &mut progress, |callback, arg| {
            // SAFETY: the handle is open, `name` lives until the call returns, and `arg` is what
            // `with_progress` made for `callback`.
            unsafe { create(raw, name.as_ptr(), quiesce.flags(), Some(callback), arg) }
        })
        .map(drop)
        .map_err(|error| error.on(self.snap_subject(snapshot)))
    }
}
