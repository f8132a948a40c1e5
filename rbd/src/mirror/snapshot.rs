//! Mirroring by snapshots.

use std::ptr;

use rados::{Error, Result};

use crate::Quiesce;
use crate::image::Image;
use crate::{ffi, string};

/// By what an image is mirrored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MirrorImageMode {
    /// Its journal: every write goes there first, and is replayed on the other site soon.
    Journal,
    /// Snapshots: what differs between two of them is copied. The other site is behind by the time since the last one
    /// that was [taken](Image::mirror_create_snapshot).
    Snapshot,
    /// What this crate does not know.
    Unknown(u32),
}

impl MirrorImageMode {
    pub(super) fn from_c(mode: ffi::rbd_mirror_image_mode_t) -> Self {
        match mode {
            ffi::RBD_MIRROR_IMAGE_MODE_JOURNAL => Self::Journal,
            ffi::RBD_MIRROR_IMAGE_MODE_SNAPSHOT => Self::Snapshot,
            ffi::rbd_mirror_image_mode_t(unknown) => Self::Unknown(unknown),
        }
    }

    pub(super) fn to_c(self) -> ffi::rbd_mirror_image_mode_t {
        match self {
            Self::Journal => ffi::RBD_MIRROR_IMAGE_MODE_JOURNAL,
            Self::Snapshot => ffi::RBD_MIRROR_IMAGE_MODE_SNAPSHOT,
            Self::Unknown(unknown) => ffi::rbd_mirror_image_mode_t(unknown),
        }
    }
}

/// On which side a snapshot for mirroring was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MirrorSnapshotState {
    /// On the primary image.
    Primary,
    /// On the primary image, when it was demoted.
    PrimaryDemoted,
    /// On the copy.
    NonPrimary,
    /// On the copy, after the primary image was demoted.
    NonPrimaryDemoted,
    /// What this crate does not know.
    Unknown(u32),
}

/// What is special about a snapshot for mirroring.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MirrorSnapshot {
    /// On which side it was taken.
    pub state: MirrorSnapshotState,
    /// The ids of the [peers](crate::MirrorPeerSite) that still need it.
    pub peer_uuids: Vec<String>,
    /// Whether it is whole: on the copy, whether all data has arrived.
    pub complete: bool,
    /// On the copy: the [id](crate::mirror_uuid_get) of the primary image's pool.
    pub primary_mirror_uuid: String,
    /// On the copy: the id of the primary image's snapshot that it is a copy of.
    pub primary_snap_id: Option<u64>,
    /// On the copy: how many objects have been copied.
    pub last_copied_object_number: u64,
}

/// Snapshots for mirroring. Need the feature `mirror-snapshot`.
impl Image {
    /// Takes a snapshot for mirroring, which the peers then copy, and answers its id. Blocks. Older ones that no peer needs
    /// any more are removed.
    ///
    /// ```no_run
    /// # fn f(image: &rbd::Image) -> rbd::Result<()> {
    /// let id = image.mirror_create_snapshot(rbd::Quiesce::Ask)?;
    /// println!("needed by {:?}", image.snap_mirror_namespace(id)?.peer_uuids);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `InvalidArgument` when the image is not mirrored by snapshots, the pool has no peer to which it is
    /// mirrored, and when the image is not primary; what a client that was asked to quiesce answered; `ReadOnly`; `Unsupported` where the library lacks the function.
    #[doc(alias = "rbd_mirror_image_create_snapshot")]
    #[doc(alias = "rbd_mirror_image_create_snapshot2")]
    pub fn mirror_create_snapshot(&self, quiesce: Quiesce) -> Result<u64> {
        const OP: &str = "rbd_mirror_image_create_snapshot2";
        let create = ffi::optional(&ffi::rbd_mirror_image_create_snapshot2)?;
        let mut id = 0;
        self.call(OP, |raw| {
            // SAFETY: as `call` promises; the output is this function's.
            unsafe { create(raw, quiesce.flags(), &raw mut id) }
        })
        .map_err(why_no_snapshot)?;
        Ok(id)
    }

    /// What is special about the snapshot for mirroring with this id. Blocks.
    ///
    /// # Errors
    /// `NotFound` when there is no such snapshot; `InvalidArgument` for one that was not taken for mirroring; `Unsupported` where
    /// the library lacks the function.
    #[doc(alias = "rbd_snap_get_mirror_namespace")]
    #[doc(alias = "rbd_snap_mirror_namespace_cleanup")]
    pub fn snap_mirror_namespace(&self, snap_id: u64) -> Result<MirrorSnapshot> {
        const OP: &str = "rbd_snap_get_mirror_namespace";
        let get = ffi::optional(&ffi::rbd_snap_get_mirror_namespace)?;
        let mut namespace = Namespace {
            raw: ffi::rbd_snap_mirror_namespace_t {
                state: ffi::RBD_SNAP_MIRROR_STATE_PRIMARY,
                mirror_peer_uuids_count: 0,
                mirror_peer_uuids: ptr::null_mut(),
                complete: false,
                primary_mirror_uuid: ptr::null_mut(),
                primary_snap_id: 0,
                last_copied_object_number: 0,
            },
            cleanup: ffi::optional(&ffi::rbd_snap_mirror_namespace_cleanup)?,
        };
        self.call(OP, |raw| {
            // SAFETY: as `call` promises; the output is this function's, and has this size.
            unsafe {
                get(
                    raw,
                    snap_id,
                    &raw mut namespace.raw,
                    size_of_val(&namespace.raw),
                )
            }
        })
        .map_err(|error| error.on(format!("{}@{snap_id}", self.subject())))?;
        Ok(namespace.copy())
    }
}

#[cold]
pub(super) fn why_no_snapshot(error: Error) -> Error {
    match error.errno().raw() {
        libc::EINVAL => error.hint(
            "the image must be primary and mirrored by snapshots, and the pool have a peer that it is mirrored to",
        ),
        _ => error,
    }
}

/// What the library says of a snapshot.
struct Namespace {
    raw: ffi::rbd_snap_mirror_namespace_t,
    cleanup: unsafe extern "C" fn(*mut ffi::rbd_snap_mirror_namespace_t, usize) -> i32,
}

impl Namespace {
    /// Copies what the library has filled.
    fn copy(&self) -> MirrorSnapshot {
        let raw = &self.raw;
        let mut next = raw.mirror_peer_uuids;
        let mut peer_uuids = Vec::new();
        for _ in 0..raw.mirror_peer_uuids_count {
            // SAFETY: the library set as many strings, one after the other, which live until `self` goes.
            peer_uuids.push(unsafe { string(next) });
            // SAFETY: as above; it has a NUL.
            let len = unsafe { libc::strlen(next) };
            // SAFETY: what follows the NUL is the next string, or the end.
            next = unsafe { next.add(len + 1) };
        }
        // C says "none" by the largest number, or the one before.
        let id = raw.primary_snap_id;
        MirrorSnapshot {
            state: match raw.state {
                ffi::RBD_SNAP_MIRROR_STATE_PRIMARY => MirrorSnapshotState::Primary,
                ffi::RBD_SNAP_MIRROR_STATE_PRIMARY_DEMOTED => MirrorSnapshotState::PrimaryDemoted,
                ffi::RBD_SNAP_MIRROR_STATE_NON_PRIMARY => MirrorSnapshotState::NonPrimary,
                ffi::RBD_SNAP_MIRROR_STATE_NON_PRIMARY_DEMOTED => {
                    MirrorSnapshotState::NonPrimaryDemoted
                }
                ffi::rbd_snap_mirror_state_t(unknown) => MirrorSnapshotState::Unknown(unknown),
            },
            peer_uuids,
            complete: raw.complete,
            // SAFETY: the library set it to a string that lives until `self` goes.
            primary_mirror_uuid: unsafe { string(raw.primary_mirror_uuid) },
            primary_snap_id: (id < u64::MAX - 1).then_some(id),
            last_copied_object_number: raw.last_copied_object_number,
        }
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // SAFETY: what it points to is nothing or the library's, and freed once; the size is the struct's.
        unsafe { (self.cleanup)(&raw mut self.raw, size_of_val(&self.raw)) };
    }
}
