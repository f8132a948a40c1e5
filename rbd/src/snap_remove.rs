//! Removing snapshots with what hinders it, by id, and all at once.

use std::ops::ControlFlow;

use bitflags::bitflags;
use ceph_core::callback::with_progress;
use rados::{ErrorKind, Result};

use crate::image::Image;
use crate::{SnapInfo, ffi};

bitflags! {
    /// What to do first so that a snapshot can be removed.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct SnapRemoveFlags: u32 {
        /// Take its protection away.
        const UNPROTECT = ffi::RBD_SNAP_REMOVE_UNPROTECT;
        /// Flatten its clones.
        const FLATTEN = ffi::RBD_SNAP_REMOVE_FLATTEN;
    }
}

impl Image {
    /// As [`snap_remove`](Self::snap_remove), after doing what the flags say. Blocks; with `FLATTEN` until
    /// the clones' data has been copied.
    ///
    /// # Errors
    /// `NotFound`; `Busy` when it is protected and stays so; with `UNPROTECT` as
    /// [`snap_unprotect`](Self::snap_unprotect).
    #[doc(alias = "rbd_snap_remove2")]
    pub fn snap_remove_with(&self, snapshot: &str, flags: SnapRemoveFlags) -> Result<()> {
        self.snap_remove_with_progress(snapshot, flags, |_, _| ControlFlow::Continue(()))
    }

    /// As [`snap_remove_with`](Self::snap_remove_with), reporting clones that are flattened, and their number,
    /// to `progress`. It runs on a thread of the library's; that it breaks is ignored.
    ///
    /// # Errors
    /// As [`snap_remove_with`](Self::snap_remove_with).
    ///
    /// # Panics
    /// When `progress` does, after the library is done.
    #[doc(alias = "rbd_snap_remove2")]
    pub fn snap_remove_with_progress(
        &self,
        snapshot: &str,
        flags: SnapRemoveFlags,
        mut progress: impl FnMut(u64, u64) -> ControlFlow<()> + Send,
    ) -> Result<()> {
        const OP: &str = "rbd_snap_remove2";
        let name = self.snap_c_name(OP, snapshot)?;
        let raw = self.raw(OP)?;
        if flags.contains(SnapRemoveFlags::UNPROTECT) {
            self.check_unprotect(OP)?;
        }
        with_progress(OP, &mut progress, |callback, arg| {
            // SAFETY: the handle is open, `name` lives until the call returns, and `arg` is what
            // `with_progress` made for `callback`.
            unsafe { ffi::rbd_snap_remove2(raw, name.as_ptr(), flags.bits(), Some(callback), arg) }
        })
        .map(drop)
        .map_err(|error| error.on(self.snap_subject(snapshot)))
    }

    /// Removes the snapshot with this id, whatever made it, but for those of mirroring and groups, which
    /// have functions of their own. Blocks. Needs the feature `snap-id`.
    ///
    /// # Errors
    /// `NotFound`; `Busy` when it is protected or, in the trash, has clones; `Unsupported` where the library
    /// lacks the function.
    #[cfg(feature = "snap-id")]
    #[doc(alias = "rbd_snap_remove_by_id")]
    pub fn snap_remove_by_id(&self, snap_id: u64) -> Result<()> {
        let remove = ffi::optional(&ffi::rbd_snap_remove_by_id)?;
        self.call("rbd_snap_remove_by_id", |raw| {
            // SAFETY: as `call` promises.
            unsafe { remove(raw, snap_id) }
        })
        .map(drop)
        .map_err(|error| error.on(self.snap_id_subject(snap_id)))
    }

    /// Removes all snapshots that users made and that are not protected, oldest first, and tells which there
    /// are then: the protected ones, those of other kinds, those that were taken meanwhile. Blocks.
    ///
    /// # Errors
    /// What removing one answers, other than that it is gone or protected; those before it have been removed.
    pub fn snap_purge(&self) -> Result<Vec<SnapInfo>> {
        for snap in self.snap_list()? {
            match self.snap_remove_unprotected(&snap.name) {
                // Gone, or not known by its name, as those are that no user made.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                // It has become protected.
                Err(error) if error.kind() == ErrorKind::Busy => {}
                answer => answer?,
            }
        }
        self.snap_list()
    }

    fn snap_remove_unprotected(&self, snapshot: &str) -> Result<()> {
        if self.snap_is_protected(snapshot)? {
            return Ok(());
        }
        self.snap_remove(snapshot)
    }
}
