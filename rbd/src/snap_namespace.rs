//! What made a snapshot.

#[cfg(feature = "snap-id")]
use ceph_core::cstr::text;
#[cfg(feature = "snap-id")]
use ceph_core::grow;
#[cfg(feature = "snap-id")]
use rados::{ErrorKind, Result};

use crate::ffi;
#[cfg(feature = "snap-id")]
use crate::{Image, SnapInfo};

/// What made a snapshot, and so which functions work on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SnapNamespaceType {
    /// A user: it is known by its name.
    User,
    /// A snapshot of the image's group.
    Group,
    /// A user who has removed it since; it is kept for its clones.
    Trash,
    /// Mirroring.
    Mirror,
    /// What this crate does not know.
    Unknown(u32),
}

impl SnapNamespaceType {
    pub(crate) fn from_c(namespace_type: ffi::rbd_snap_namespace_type_t) -> Self {
        match namespace_type {
            ffi::RBD_SNAP_NAMESPACE_TYPE_USER => Self::User,
            ffi::RBD_SNAP_NAMESPACE_TYPE_GROUP => Self::Group,
            ffi::RBD_SNAP_NAMESPACE_TYPE_TRASH => Self::Trash,
            ffi::RBD_SNAP_NAMESPACE_TYPE_MIRROR => Self::Mirror,
            ffi::rbd_snap_namespace_type_t(unknown) => Self::Unknown(unknown),
        }
    }
}

/// Snapshots by id. All methods block, need the feature `snap-id`, and fail with `Unsupported` where the
/// library lacks the function.
#[cfg(feature = "snap-id")]
impl Image {
    /// What made the snapshot with this id.
    ///
    /// # Errors
    /// `NotFound`.
    #[doc(alias = "rbd_snap_get_namespace_type")]
    pub fn snap_namespace_type(&self, snap_id: u64) -> Result<SnapNamespaceType> {
        const OP: &str = "rbd_snap_get_namespace_type";
        let get = ffi::optional(&ffi::rbd_snap_get_namespace_type)?;
        let mut namespace_type = ffi::RBD_SNAP_NAMESPACE_TYPE_USER;
        self.call(OP, |raw| {
            // SAFETY: as `call` promises; the output is this function's.
            unsafe { get(raw, snap_id, &raw mut namespace_type) }
        })
        .map_err(|error| error.on(self.snap_id_subject(snap_id)))?;
        Ok(SnapNamespaceType::from_c(namespace_type))
    }

    /// All snapshots in the order of their ids, and what made each. One that is removed meanwhile is left
    /// out.
    ///
    /// # Errors
    /// As said above.
    #[doc(alias = "rbd_snap_get_namespace_type")]
    pub fn snap_list_with_types(&self) -> Result<Vec<(SnapInfo, SnapNamespaceType)>> {
        let mut typed = Vec::new();
        for snap in self.snap_list()? {
            match self.snap_namespace_type(snap.id) {
                Ok(namespace_type) => typed.push((snap, namespace_type)),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(typed)
    }

    /// The name that a snapshot of the type [`Trash`](SnapNamespaceType::Trash) had before it was removed.
    ///
    /// # Errors
    /// `NotFound`; `InvalidArgument` for a snapshot of another type.
    #[doc(alias = "rbd_snap_get_trash_namespace")]
    pub fn snap_trash_namespace(&self, snap_id: u64) -> Result<String> {
        const OP: &str = "rbd_snap_get_trash_namespace";
        let get = ffi::optional(&ffi::rbd_snap_get_trash_namespace)?;
        let raw = self.raw(OP)?;
        grow::doubling(OP, libc::ERANGE, |buffer| {
            // SAFETY: the handle is open, and the buffer has so many bytes.
            unsafe { get(raw, snap_id, buffer.as_mut_ptr().cast(), buffer.len()) }
        })
        .map(|name| text(&name))
        .map_err(|error| error.on(self.snap_id_subject(snap_id)))
    }
}
