//! An image's part in mirroring, without blocking.

use ceph_core::aio::Completion;
#[cfg(feature = "mirror-snapshot")]
use ceph_core::aio::Slot;
use ceph_core::aio::ready;
#[cfg(feature = "mirror")]
use rados::Force;
use rados::Result;

#[cfg(feature = "mirror")]
use super::MirrorImageInfo;
#[cfg(feature = "mirror-snapshot")]
use super::image::why_no_mode;
#[cfg(feature = "mirror")]
use super::image::{why_not_demoted, why_not_promoted};
#[cfg(feature = "mirror")]
use super::info::CInfo;
#[cfg(feature = "mirror-snapshot")]
use super::snapshot::why_no_snapshot;
#[cfg(feature = "mirror-snapshot")]
use super::status::CStatus;
#[cfg(feature = "mirror-snapshot")]
use super::{MirrorGlobalStatus, MirrorImageMode};
#[cfg(feature = "mirror-snapshot")]
use crate::Quiesce;
use crate::aio::Started;
use crate::ffi;
use crate::image::Image;

/// The value, or an operation that has failed.
macro_rules! get {
    ($result:expr) => {
        match $result {
            Ok(value) => value,
            Err(error) => return ready(Err(error)),
        }
    };
}

/// Mirroring without blocking.
impl Image {
    /// As [`mirror_promote`](Self::mirror_promote), without blocking.
    ///
    /// # Errors
    /// As [`mirror_promote`](Self::mirror_promote).
    ///
    /// # Cancel safety
    /// The image is promoted also when the completion is dropped.
    #[doc(alias = "rbd_aio_mirror_image_promote")]
    #[cfg(feature = "mirror")]
    pub fn aio_mirror_promote(&self, force: Force) -> Completion<Result<()>> {
        let promote = get!(ffi::optional(&ffi::rbd_aio_mirror_image_promote));
        self.aio(
            "rbd_aio_mirror_image_promote",
            (),
            |raw, completion, ()| {
                // SAFETY: the handle is open, and stays so until the operation is done.
                Started::called(unsafe { promote(raw, force == Force::Yes, completion) })
            },
            move |(), result| {
                let result = result.map(drop);
                result.map_err(|error| why_not_promoted(error, force))
            },
        )
    }

    /// As [`mirror_demote`](Self::mirror_demote), without blocking.
    ///
    /// # Errors
    /// As [`mirror_demote`](Self::mirror_demote).
    ///
    /// # Cancel safety
    /// The image is demoted also when the completion is dropped.
    #[doc(alias = "rbd_aio_mirror_image_demote")]
    #[cfg(feature = "mirror")]
    pub fn aio_mirror_demote(&self) -> Completion<Result<()>> {
        let demote = get!(ffi::optional(&ffi::rbd_aio_mirror_image_demote));
        self.aio(
            "rbd_aio_mirror_image_demote",
            (),
            |raw, completion, ()| {
                // SAFETY: the handle is open, and stays so until the operation is done.
                Started::called(unsafe { demote(raw, completion) })
            },
            |(), result| result.map(drop).map_err(why_not_demoted),
        )
    }

    /// As [`mirror_info`](Self::mirror_info), without blocking.
    ///
    /// # Errors
    /// As [`mirror_info`](Self::mirror_info).
    ///
    /// # Cancel safety
    /// Nothing is lost when the completion is dropped.
    #[doc(alias = "rbd_aio_mirror_image_get_info")]
    #[cfg(feature = "mirror")]
    pub fn aio_mirror_info(&self) -> Completion<Result<MirrorImageInfo>> {
        let get = get!(ffi::optional(&ffi::rbd_aio_mirror_image_get_info));
        self.aio(
            "rbd_aio_mirror_image_get_info",
            CInfo::new(),
            |raw, completion, info| {
                let size = size_of::<ffi::rbd_mirror_image_info_t>();
                // SAFETY: the handle is open, and stays so with the payload, in which the output is, until the operation is
                // done; it has this size.
                Started::called(unsafe { get(raw, info.as_ptr(), size, completion) })
            },
            |info, result| result.map(|_| info.into_info()),
        )
    }

    /// As [`mirror_mode`](Self::mirror_mode), without blocking.
    ///
    /// # Errors
    /// As [`mirror_mode`](Self::mirror_mode).
    ///
    /// # Cancel safety
    /// Nothing is lost when the completion is dropped.
    #[doc(alias = "rbd_aio_mirror_image_get_mode")]
    #[cfg(feature = "mirror-snapshot")]
    pub fn aio_mirror_mode(&self) -> Completion<Result<MirrorImageMode>> {
        let get = get!(ffi::optional(&ffi::rbd_aio_mirror_image_get_mode));
        self.aio(
            "rbd_aio_mirror_image_get_mode",
            Slot::new(ffi::RBD_MIRROR_IMAGE_MODE_JOURNAL),
            |raw, completion, mode| {
                // SAFETY: the handle is open, and stays so with the payload, in which the output is, until the operation is
                // done.
                Started::called(unsafe { get(raw, mode.as_ptr(), completion) })
            },
            |mode, result| {
                let result = result.map(|_| MirrorImageMode::from_c(mode.into_inner()));
                result.map_err(why_no_mode)
            },
        )
    }

    /// As [`mirror_global_status`](Self::mirror_global_status), without blocking.
    ///
    /// # Errors
    /// As [`mirror_global_status`](Self::mirror_global_status).
    ///
    /// # Cancel safety
    /// Nothing is lost when the completion is dropped.
    #[doc(alias = "rbd_aio_mirror_image_get_global_status")]
    #[cfg(feature = "mirror-snapshot")]
    pub fn aio_mirror_global_status(&self) -> Completion<Result<MirrorGlobalStatus>> {
        let get = get!(ffi::optional(&ffi::rbd_aio_mirror_image_get_global_status));
        self.aio(
            "rbd_aio_mirror_image_get_global_status",
            get!(CStatus::new()),
            |raw, completion, status| {
                let size = size_of::<ffi::rbd_mirror_image_global_status_t>();
                // SAFETY: the handle is open, and stays so with the payload, in which the output is, until the operation is
                // done; it has this size.
                Started::called(unsafe { get(raw, status.as_ptr(), size, completion) })
            },
            |status, result| result.map(|_| status.into_status()),
        )
    }

    /// As [`mirror_create_snapshot`](Self::mirror_create_snapshot), without blocking.
    ///
    /// # Errors
    /// As [`mirror_create_snapshot`](Self::mirror_create_snapshot).
    ///
    /// # Cancel safety
    /// The snapshot is taken also when the completion is dropped.
    #[doc(alias = "rbd_aio_mirror_image_create_snapshot")]
    #[cfg(feature = "mirror-snapshot")]
    pub fn aio_mirror_create_snapshot(&self, quiesce: Quiesce) -> Completion<Result<u64>> {
        let create = get!(ffi::optional(&ffi::rbd_aio_mirror_image_create_snapshot));
        self.aio(
            "rbd_aio_mirror_image_create_snapshot",
            Slot::new(0),
            |raw, completion, id| {
                // SAFETY: the handle is open, and stays so with the payload, in which the output is, until the operation is
                // done.
                Started::called(unsafe { create(raw, quiesce.flags(), id.as_ptr(), completion) })
            },
            |id, result| result.map(|_| id.into_inner()).map_err(why_no_snapshot),
        )
    }
}
