//! Snapshots of an image.

use std::ffi::c_char;
use std::ops::ControlFlow;
use std::ptr;

use ceph_core::callback::with_progress;
use ceph_core::cstr::CName;
use ceph_core::{check, grow};
use rados::{Error, Result};

use crate::image::Image;
use crate::{ffi, string};

/// A snapshot of an image.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SnapInfo {
    /// The id, unique in the pool.
    pub id: u64,
    /// The image's size in bytes when the snapshot was taken.
    pub size: u64,
    /// The name; bytes that are not UTF-8 are U+FFFD.
    pub name: String,
}

/// Snapshots. All methods block; those that change something fail with `ReadOnly` on an image that
/// is opened read-only or at a snapshot, and with `InvalidArgument` for a name that is empty or has a
/// NUL byte.
impl Image {
    /// Takes a snapshot.
    ///
    /// # Errors
    /// `AlreadyExists`; `QuotaExceeded` past the image's snapshot limit.
    #[doc(alias = "rbd_snap_create")]
    pub fn snap_create(&self, snapshot: &str) -> Result<()> {
        self.snap_call("rbd_snap_create", snapshot, |raw, name| {
            // SAFETY: as `snap_call` promises.
            unsafe { ffi::rbd_snap_create(raw, name) }
        })
    }

    /// The image's snapshots in the order of their ids.
    #[doc(alias = "rbd_snap_list")]
    pub fn snap_list(&self) -> Result<Vec<SnapInfo>> {
        const OP: &str = "rbd_snap_list";
        let raw = self.raw(OP)?;
        let none = ffi::rbd_snap_info_t {
            id: 0,
            size: 0,
            name: ptr::null(),
        };
        let snaps = grow::sized(OP, none, |snaps, len| {
            let mut max = i32::try_from(snaps.len()).unwrap_or(i32::MAX);
            // SAFETY: the handle is open, and `snaps` has at least `max` elements.
            let code = unsafe { ffi::rbd_snap_list(raw, snaps.as_mut_ptr(), &raw mut max) };
            // The count on success, without the nameless element that ends the list; the length
            // that is needed, with it, else.
            let needed = if code >= 0 { code + 1 } else { max };
            *len = usize::try_from(needed).unwrap_or(0);
            code
        });
        let snaps = snaps.map(Snaps).map_err(|error| error.on(self.subject()))?;
        let infos = snaps
            .0
            .iter()
            .take_while(|snap| !snap.name.is_null())
            .map(|snap| {
                // SAFETY: the library set it to a string that lives until `snaps` goes.
                let name = unsafe { string(snap.name) };
                SnapInfo {
                    id: snap.id,
                    size: snap.size,
                    name,
                }
            });
        Ok(infos.collect())
    }

    /// Removes a snapshot. One with clones of format 2 is hidden until the last of them is gone.
    ///
    /// # Errors
    /// `NotFound`; `Busy` when it is protected.
    #[doc(alias = "rbd_snap_remove")]
    pub fn snap_remove(&self, snapshot: &str) -> Result<()> {
        self.snap_call("rbd_snap_remove", snapshot, |raw, name| {
            // SAFETY: as `snap_call` promises.
            unsafe { ffi::rbd_snap_remove(raw, name) }
        })
        .map_err(|error| match error.errno().raw() {
            libc::EBUSY => error.hint("the snapshot is protected; unprotect it first"),
            _ => error,
        })
    }

    /// Renames a snapshot.
    ///
    /// # Errors
    /// `NotFound`; `AlreadyExists` when `to` is taken.
    #[doc(alias = "rbd_snap_rename")]
    pub fn snap_rename(&self, from: &str, to: &str) -> Result<()> {
        const OP: &str = "rbd_snap_rename";
        let to = self.snap_c_name(OP, to)?; // C takes an empty one
        self.snap_call(OP, from, |raw, from| {
            // SAFETY: as `snap_call` promises; `to` lives until the call returns.
            unsafe { ffi::rbd_snap_rename(raw, from, to.as_ptr()) }
        })
    }

    /// Makes the image's content what it was when the snapshot was taken. The time grows with the
    /// image's size; a clone of the snapshot is faster. Where others may write meanwhile, keep the exclusive lock with
    /// [`lock_acquire`](Self::lock_acquire): librbd 16 may abort the process that hands it over while it cuts the image.
    ///
    /// # Errors
    /// `NotFound`.
    #[doc(alias = "rbd_snap_rollback")]
    pub fn snap_rollback(&self, snapshot: &str) -> Result<()> {
        self.snap_call("rbd_snap_rollback", snapshot, |raw, name| {
            // SAFETY: as `snap_call` promises.
            unsafe { ffi::rbd_snap_rollback(raw, name) }
        })
    }

    /// As [`snap_rollback`](Self::snap_rollback), reporting objects done and their total to
    /// `progress`, which runs on a thread of the library's and can break to stop.
    ///
    /// # Errors
    /// `NotFound`; `Canceled` when `progress` broke, and then part of the image is rolled back.
    ///
    /// # Panics
    /// When `progress` does, after the library has stopped.
    #[doc(alias = "rbd_snap_rollback_with_progress")]
    pub fn snap_rollback_with_progress(
        &self,
        snapshot: &str,
        mut progress: impl FnMut(u64, u64) -> ControlFlow<()> + Send,
    ) -> Result<()> {
        const OP: &str = "rbd_snap_rollback_with_progress";
        let name = self.snap_c_name(OP, snapshot)?;
        let raw = self.raw(OP)?;
        with_progress(OP, &mut progress, |callback, arg| {
            // SAFETY: the handle is open, `name` lives until the call returns, and `arg` is what
            // `with_progress` made for `callback`.
            unsafe { ffi::rbd_snap_rollback_with_progress(raw, name.as_ptr(), Some(callback), arg) }
        })
        .map(drop)
        .map_err(|error| error.on(self.snap_subject(snapshot)))
    }

    /// Protects a snapshot from removal, which cloning it by the old format wants.
    ///
    /// # Errors
    /// `NotFound`; `Busy` when it is protected already.
    #[doc(alias = "rbd_snap_protect")]
    pub fn snap_protect(&self, snapshot: &str) -> Result<()> {
        self.snap_call("rbd_snap_protect", snapshot, |raw, name| {
            // SAFETY: as `snap_call` promises.
            unsafe { ffi::rbd_snap_protect(raw, name) }
        })
    }

    /// Takes a snapshot's protection away.
    ///
    /// # Errors
    /// `NotFound`; `Busy` when it has clones of format 1; `InvalidArgument` when it is not protected;
    /// `Deadlock` when the option `librados_thread_count` is 1.
    #[doc(alias = "rbd_snap_unprotect")]
    pub fn snap_unprotect(&self, snapshot: &str) -> Result<()> {
        self.check_unprotect("rbd_snap_unprotect")?;
        self.snap_call("rbd_snap_unprotect", snapshot, |raw, name| {
            // SAFETY: as `snap_call` promises.
            unsafe { ffi::rbd_snap_unprotect(raw, name) }
        })
        .map_err(|error| match error.errno().raw() {
            libc::EBUSY => error.hint("the snapshot has clones; flatten or remove them first"),
            _ => error,
        })
    }

    /// Refuses what would wait for ever: C asks the monitors on a thread of which it has so many, and takes
    /// their answer on another.
    pub(crate) fn check_unprotect(&self, op: &'static str) -> Result<()> {
        let threads = self.ioctx().conn().config_get("librados_thread_count");
        match threads.is_ok_and(|threads| threads == "1") {
            true => {
                let hint = "the option librados_thread_count is 1, which is too few for this";
                Err(Error::refused(op, libc::EDEADLK, hint).on(self.subject()))
            }
            false => Ok(()),
        }
    }

    /// Whether a snapshot is protected.
    ///
    /// # Errors
    /// `NotFound`.
    #[doc(alias = "rbd_snap_is_protected")]
    pub fn snap_is_protected(&self, snapshot: &str) -> Result<bool> {
        let mut protected = 0;
        self.snap_call("rbd_snap_is_protected", snapshot, |raw, name| {
            // SAFETY: as `snap_call` promises; the output is this function's.
            unsafe { ffi::rbd_snap_is_protected(raw, name, &raw mut protected) }
        })?;
        Ok(protected != 0)
    }

    /// Calls C with an open image and a name that lives until it returns.
    pub(crate) fn snap_call(
        &self,
        op: &'static str,
        snapshot: &str,
        call: impl FnOnce(ffi::rbd_image_t, *const c_char) -> i32,
    ) -> Result<()> {
        let name = self.snap_c_name(op, snapshot)?;
        let code = call(self.raw(op)?, name.as_ptr());
        check(op, code)
            .map(drop)
            .map_err(|error| error.on(self.snap_subject(snapshot)))
    }

    pub(crate) fn snap_c_name(&self, op: &'static str, snapshot: &str) -> Result<CName> {
        let name = if snapshot.is_empty() {
            Err(Error::refused(
                op,
                libc::EINVAL,
                "the snapshot name is empty",
            ))
        } else {
            CName::new(op, "snapshot name", snapshot)
        };
        name.map_err(|error| error.on(self.subject()))
    }

    #[cold]
    pub(crate) fn snap_subject(&self, snapshot: &str) -> String {
        format!("{}@{snapshot}", self.subject())
    }
}

/// The elements of a listing that succeeded, with the nameless one that ends it.
struct Snaps(Vec<ffi::rbd_snap_info_t>);

impl Drop for Snaps {
    fn drop(&mut self) {
        // SAFETY: the library filled the list and ended it with a nameless element; this frees the
        // names once.
        unsafe { ffi::rbd_snap_list_end(self.0.as_mut_ptr()) }
    }
}
