//! Snapshots of groups: of all their images at the same moment.

use std::collections::HashSet;
use std::ffi::c_char;
use std::ops::ControlFlow;
use std::ptr;

use ceph_core::callback::with_progress;
use ceph_core::check;
use rados::{IoCtx, Result};

#[cfg(feature = "quiesce")]
use crate::Quiesce;
use crate::group::{Infos, group_name, list_of_group, with_group};
use crate::image::Image;
use crate::{ffi, string};

/// A snapshot of a group.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct GroupSnap {
    /// The name; bytes that are not UTF-8 are U+FFFD.
    pub name: String,
    /// Whether it has all its images.
    pub state: GroupSnapState,
}

/// Whether a snapshot of a group has all its images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GroupSnapState {
    /// No: it is being taken or removed, or that broke off. It can be removed.
    Incomplete,
    /// Yes.
    Complete,
    /// What this crate does not know.
    Unknown(u32),
}

impl GroupSnapState {
    pub(crate) fn from_c(state: ffi::rbd_group_snap_state_t) -> Self {
        match state {
            ffi::RBD_GROUP_SNAP_STATE_INCOMPLETE => Self::Incomplete,
            ffi::RBD_GROUP_SNAP_STATE_COMPLETE => Self::Complete,
            ffi::rbd_group_snap_state_t(unknown) => Self::Unknown(unknown),
        }
    }
}

/// The snapshot of a group that a snapshot of an image is part of; see [`Image::snap_group_namespace`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SnapGroupNamespace {
    /// The id of the group's pool.
    pub pool_id: i64,
    /// The group's name.
    pub group: String,
    /// The name of the group's snapshot.
    pub snapshot: String,
}

/// Takes a snapshot of all images of a group at the same moment. Blocks.
///
/// Writers of images with the feature `EXCLUSIVE_LOCK` are held off while it is taken, so that what was written
/// after something else is in the snapshot only if that is. Without this feature nothing is promised of writes
/// that go on meanwhile.
///
/// # Errors
/// `NotFound`; `AlreadyExists`; `Busy` when a client does not give up an image's exclusive lock;
/// `InvalidArgument` for an empty name or one with a NUL byte, and when a client cannot be made to quiesce;
/// `Unsupported` where the library lacks the function.
#[doc(alias = "rbd_group_snap_create")]
pub fn group_snap_create(ioctx: &IoCtx, group: &str, snapshot: &str) -> Result<()> {
    const OP: &str = "rbd_group_snap_create";
    let create = ffi::optional(&ffi::rbd_group_snap_create)?;
    with_snapshot(OP, ioctx, group, snapshot, |io, group, snapshot| {
        // SAFETY: as `with_snapshot` promises.
        check(OP, unsafe { create(io, group, snapshot) })
    })
}

/// As [`group_snap_create`], asking, or not, who watches for snapshots. Blocks, unless it is
/// [`Quiesce::Skip`] until all are quiet. Needs the feature `quiesce`.
///
/// # Errors
/// As [`group_snap_create`]; `Unsupported` before Ceph 16.
#[doc(alias = "rbd_group_snap_create2")]
#[cfg(feature = "quiesce")]
pub fn group_snap_create_with(
    ioctx: &IoCtx,
    group: &str,
    snapshot: &str,
    quiesce: Quiesce,
) -> Result<()> {
    const OP: &str = "rbd_group_snap_create2";
    let create = ffi::optional(&ffi::rbd_group_snap_create2)?;
    with_snapshot(OP, ioctx, group, snapshot, |io, group, snapshot| {
        // SAFETY: as `with_snapshot` promises.
        check(OP, unsafe { create(io, group, snapshot, quiesce.flags()) })
    })
}

/// Removes a snapshot of a group, and of its images what was taken for it. Blocks.
///
/// # Errors
/// `NotFound`; `InvalidArgument` for an empty name or one with a NUL byte; `Unsupported` where the library
/// lacks the function.
#[doc(alias = "rbd_group_snap_remove")]
pub fn group_snap_remove(ioctx: &IoCtx, group: &str, snapshot: &str) -> Result<()> {
    const OP: &str = "rbd_group_snap_remove";
    let remove = ffi::optional(&ffi::rbd_group_snap_remove)?;
    with_snapshot(OP, ioctx, group, snapshot, |io, group, snapshot| {
        // SAFETY: as `with_snapshot` promises.
        check(OP, unsafe { remove(io, group, snapshot) })
    })
}

/// Renames a snapshot of a group. Blocks.
///
/// # Errors
/// `NotFound`; `AlreadyExists` when `to` is taken, or is the old name; `InvalidArgument` for an empty name or one
/// with a NUL byte; `Unsupported` where the library lacks the function.
#[doc(alias = "rbd_group_snap_rename")]
pub fn group_snap_rename(ioctx: &IoCtx, group: &str, from: &str, to: &str) -> Result<()> {
    const OP: &str = "rbd_group_snap_rename";
    let rename = ffi::optional(&ffi::rbd_group_snap_rename)?;
    let c_to = group_name(OP, "new snapshot name", to)?;
    with_snapshot(OP, ioctx, group, from, |io, group, from| {
        // SAFETY: as `with_snapshot` promises; `c_to` lives until the call returns.
        check(OP, unsafe { rename(io, group, from, c_to.as_ptr()) })
    })
    .map_err(|error| error.hint(format!("the new name is {to}")))
}

/// Lists a group's snapshots. Blocks.
///
/// # Errors
/// `NotFound`; `InvalidArgument` for an empty name or one with a NUL byte; `Unsupported` where the library
/// lacks the function.
#[doc(alias = "rbd_group_snap_list")]
#[doc(alias = "rbd_group_snap_list_cleanup")]
pub fn group_snap_list(ioctx: &IoCtx, group: &str) -> Result<Vec<GroupSnap>> {
    const OP: &str = "rbd_group_snap_list";
    let list = ffi::optional(&ffi::rbd_group_snap_list)?;
    let cleanup = ffi::optional(&ffi::rbd_group_snap_list_cleanup)?;
    let none = ffi::rbd_group_snap_info_t {
        name: ptr::null_mut(),
        state: ffi::rbd_group_snap_state_t(0),
    };
    let infos = list_of_group(OP, ioctx, group, none, |io, group, infos, len| {
        // SAFETY: as `list_of_group` promises.
        unsafe { list(io, group, infos, size_of_val(&none), len) }
    })?;
    let infos = Infos {
        list: infos,
        cleanup,
    };
    let snaps = infos.list.iter().map(|info| GroupSnap {
        // SAFETY: the library set it to a string that lives until `infos` goes.
        name: unsafe { string(info.name) },
        state: GroupSnapState::from_c(info.state),
    });
    // OSDs of 14.2.21 list the first 64 again and again when there are more.
    let mut seen = HashSet::new();
    Ok(snaps
        .filter(|snap| seen.insert(snap.name.clone()))
        .collect())
}

/// Makes the content of all images of a group what it was when a snapshot of it was taken. Blocks; the time grows
/// with the images' sizes.
///
/// Close the images elsewhere first: a file system on one, or a client that caches, does not notice. What has been
/// written since is lost. Images that have left the group since come back as well until Ceph 16, and those that have
/// joined it stay as they are; 18.2.7 refuses a group whose images are others.
///
/// # Errors
/// `NotFound`; `InvalidArgument` when the snapshot is not complete, when the group's images have changed (from 18.2.7
/// on), and for an empty name or one with a NUL byte; `Unsupported` where the library lacks the function. After other
/// errors some images may be rolled back, and others not.
#[doc(alias = "rbd_group_snap_rollback")]
pub fn group_snap_rollback(ioctx: &IoCtx, group: &str, snapshot: &str) -> Result<()> {
    group_snap_rollback_with_progress(ioctx, group, snapshot, |_, _| ControlFlow::Continue(()))
}

/// As [`group_snap_rollback`], reporting to `progress`, which runs on threads of the library's: objects done of an
/// image, and their total, from the start for each image, and those of several images among each other.
///
/// A break asks the library to stop; it may go on to the end all the same.
///
/// # Errors
/// As [`group_snap_rollback`]; `Canceled` when it stopped because `progress` broke, and then images are rolled
/// back in part.
///
/// # Panics
/// When `progress` does, after the library has stopped.
#[doc(alias = "rbd_group_snap_rollback_with_progress")]
pub fn group_snap_rollback_with_progress(
    ioctx: &IoCtx,
    group: &str,
    snapshot: &str,
    mut progress: impl FnMut(u64, u64) -> ControlFlow<()> + Send,
) -> Result<()> {
    const OP: &str = "rbd_group_snap_rollback_with_progress";
    let rollback = ffi::optional(&ffi::rbd_group_snap_rollback_with_progress)?;
    with_snapshot(OP, ioctx, group, snapshot, |io, group, snapshot| {
        with_progress(OP, &mut progress, |callback, arg| {
            // SAFETY: as `with_snapshot` promises; `arg` is what `with_progress` made for `callback`.
            unsafe { rollback(io, group, snapshot, Some(callback), arg) }
        })
    })
}

impl Image {
    /// The snapshot of a group that this image's snapshot with the id `snap_id` is part of. Needs the feature
    /// `group`.
    ///
    /// # Errors
    /// `InvalidArgument` for a snapshot that is of no group; `NotFound`; `Unsupported` where the library lacks the
    /// function.
    #[doc(alias = "rbd_snap_get_group_namespace")]
    #[doc(alias = "rbd_snap_group_namespace_cleanup")]
    pub fn snap_group_namespace(&self, snap_id: u64) -> Result<SnapGroupNamespace> {
        const OP: &str = "rbd_snap_get_group_namespace";
        let get = ffi::optional(&ffi::rbd_snap_get_group_namespace)?;
        let mut found = Namespace {
            raw: ffi::rbd_snap_group_namespace_t {
                group_pool: -1,
                group_name: ptr::null_mut(),
                group_snap_name: ptr::null_mut(),
            },
            cleanup: ffi::optional(&ffi::rbd_snap_group_namespace_cleanup)?,
        };
        self.call(OP, |raw| {
            // SAFETY: as `call` promises; the output is this function's, and has this size.
            unsafe { get(raw, snap_id, &raw mut found.raw, size_of_val(&found.raw)) }
        })
        .map_err(|error| error.hint(format!("the snapshot's id is {snap_id}")))?;
        // SAFETY: the library set these to strings that live until `found` goes.
        let copy = |text: *mut c_char| unsafe { string(text) };
        Ok(SnapGroupNamespace {
            pool_id: found.raw.group_pool,
            group: copy(found.raw.group_name),
            snapshot: copy(found.raw.group_snap_name),
        })
    }
}

/// Of which group's snapshot a snapshot is; the strings are the library's.
struct Namespace {
    raw: ffi::rbd_snap_group_namespace_t,
    cleanup: unsafe extern "C" fn(*mut ffi::rbd_snap_group_namespace_t, usize) -> i32,
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // SAFETY: the strings are NULL or the library's, and freed once; the size is the struct's.
        unsafe { (self.cleanup)(&raw mut self.raw, size_of_val(&self.raw)) };
    }
}

/// Calls C with the open pool of a group, its name and a snapshot's, which live until it returns.
pub(crate) fn with_snapshot(
    op: &'static str,
    ioctx: &IoCtx,
    group: &str,
    snapshot: &str,
    call: impl FnOnce(rados::sys::rados_ioctx_t, *const c_char, *const c_char) -> Result<u64>,
) -> Result<()> {
    let shown = format!("{group}@{snapshot}");
    with_group(op, ioctx, group, &shown, |io, group| {
        let snapshot = group_name(op, "snapshot name", snapshot)?;
        call(io, group, snapshot.as_ptr())
    })
}
