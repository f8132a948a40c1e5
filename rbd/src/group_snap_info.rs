//! What is known of a group's snapshot, from Ceph 20 on.

use std::ffi::c_char;
use std::ptr;

use ceph_core::check;
use rados::{IoCtx, Result};

use crate::group::list_of_group;
use crate::group_snapshot::{GroupSnapState, with_snapshot};
use crate::{ffi, string};

/// A snapshot of a group with those of its images; see [`group_snap_get_info`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct GroupSnapInfo {
    /// The id, which stays the same when the snapshot is renamed.
    pub id: String,
    /// The name; bytes that are not UTF-8 are U+FFFD.
    pub name: String,
    /// The name that the snapshots of the images have.
    pub image_snap_name: String,
    /// Whether it has all its images.
    pub state: GroupSnapState,
    /// What took it.
    pub namespace: GroupSnapNamespace,
    /// The snapshots of the images.
    pub images: Vec<GroupImageSnap>,
}

/// What took a snapshot of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GroupSnapNamespace {
    /// A user.
    User,
    /// What this crate does not know.
    Unknown(u32),
}

/// The snapshot of an image that is part of a group's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct GroupImageSnap {
    /// The image's name; bytes that are not UTF-8 are U+FFFD.
    pub image: String,
    /// The id of the image's pool.
    pub pool_id: i64,
    /// The id of the image's snapshot.
    pub snap_id: u64,
}

/// A snapshot of a group with those of its images. Blocks. Needs the feature `group-snap-info`.
///
/// # Errors
/// `NotFound`; `InvalidArgument` for an empty name or one with a NUL byte; `Unsupported` before Ceph 20.
#[doc(alias = "rbd_group_snap_get_info")]
#[doc(alias = "rbd_group_snap_get_info_cleanup")]
pub fn group_snap_get_info(ioctx: &IoCtx, group: &str, snapshot: &str) -> Result<GroupSnapInfo> {
    const OP: &str = "rbd_group_snap_get_info";
    let get_info = ffi::optional(&ffi::rbd_group_snap_get_info)?;
    let cleanup = ffi::optional(&ffi::rbd_group_snap_get_info_cleanup)?;
    let mut raw = EMPTY;
    with_snapshot(OP, ioctx, group, snapshot, |io, group, snapshot| {
        // SAFETY: as `with_snapshot` promises; the output is this function's.
        check(OP, unsafe { get_info(io, group, snapshot, &raw mut raw) })
    })?;
    // SAFETY: the library filled it, and what it points to lives until the clean-up below.
    let info = unsafe { info(&raw) };
    // SAFETY: what it points to is the library's, and freed once.
    unsafe { cleanup(&raw mut raw) };
    Ok(info)
}

/// Lists a group's snapshots with those of the images. Blocks. Needs the feature `group-snap-info`.
///
/// # Errors
/// `NotFound`; `InvalidArgument` for an empty name or one with a NUL byte; `Unsupported` before Ceph 20, where
/// [`group_snap_list`](crate::group_snap_list) tells the names and states.
#[doc(alias = "rbd_group_snap_list2")]
#[doc(alias = "rbd_group_snap_list2_cleanup")]
pub fn group_snap_list2(ioctx: &IoCtx, group: &str) -> Result<Vec<GroupSnapInfo>> {
    const OP: &str = "rbd_group_snap_list2";
    let list = ffi::optional(&ffi::rbd_group_snap_list2)?;
    let cleanup = ffi::optional(&ffi::rbd_group_snap_list2_cleanup)?;
    let infos = list_of_group(OP, ioctx, group, EMPTY, |io, group, infos, len| {
        // SAFETY: as `list_of_group` promises.
        unsafe { list(io, group, infos, len) }
    })?;
    let infos = Infos {
        list: infos,
        cleanup,
    };
    let snaps = infos.list.iter();
    // SAFETY: the library filled the elements, and what they point to lives until `infos` goes.
    Ok(snaps.map(|raw| unsafe { info(raw) }).collect())
}

/// The elements of a listing that succeeded.
struct Infos {
    list: Vec<ffi::rbd_group_snap_info2_t>,
    cleanup: unsafe extern "C" fn(*mut ffi::rbd_group_snap_info2_t, usize),
}

impl Drop for Infos {
    fn drop(&mut self) {
        // SAFETY: the library filled exactly these elements, and this frees what they point to once.
        unsafe { (self.cleanup)(self.list.as_mut_ptr(), self.list.len()) };
    }
}

/// What is safe to clean up.
const EMPTY: ffi::rbd_group_snap_info2_t = ffi::rbd_group_snap_info2_t {
    id: ptr::null_mut(),
    name: ptr::null_mut(),
    image_snap_name: ptr::null_mut(),
    state: ffi::rbd_group_snap_state_t(0),
    namespace_type: ffi::rbd_group_snap_namespace_type_t(0),
    image_snaps_count: 0,
    image_snaps: ptr::null_mut(),
};

/// Copies what the library says of a snapshot.
///
/// # Safety
/// The pointers are NULL or of the library's making, and nothing changes what they point to meanwhile.
unsafe fn info(raw: &ffi::rbd_group_snap_info2_t) -> GroupSnapInfo {
    // SAFETY: as the caller promises.
    let copy = |text: *mut c_char| unsafe { string(text) };
    let images = (0..raw.image_snaps_count).map(|n| {
        // SAFETY: as the caller promises, the array has this element.
        let image = unsafe { &*raw.image_snaps.wrapping_add(n) };
        GroupImageSnap {
            image: copy(image.image_name),
            pool_id: image.pool_id,
            snap_id: image.snap_id,
        }
    });
    GroupSnapInfo {
        id: copy(raw.id),
        name: copy(raw.name),
        image_snap_name: copy(raw.image_snap_name),
        state: GroupSnapState::from_c(raw.state),
        namespace: match raw.namespace_type {
            ffi::RBD_GROUP_SNAP_NAMESPACE_TYPE_USER => GroupSnapNamespace::User,
            ffi::rbd_group_snap_namespace_type_t(unknown) => GroupSnapNamespace::Unknown(unknown),
        },
        images: images.collect(),
    }
}
