//! An image's part in mirroring.

#[cfg(feature = "mirror")]
use rados::Force;
use rados::{Error, Result};

#[cfg(feature = "mirror")]
use super::MirrorImageInfo;
#[cfg(feature = "mirror")]
use super::info::CInfo;
#[cfg(feature = "mirror-snapshot")]
use super::status::CStatus;
#[cfg(feature = "mirror-snapshot")]
use super::{MirrorGlobalStatus, MirrorImageMode};
use crate::ffi;
use crate::image::Image;

/// Mirroring. All methods block; the asynchronous ones are named `aio_mirror_*`.
///
/// Of an image and its copies on other sites one is *primary*, and can be written to. To fail over in an orderly way,
/// [demote](Self::mirror_demote) it, wait until the copies have all that was written, and
/// [promote](Self::mirror_promote) one of them. When the primary's site is gone, promote a copy by force; once the
/// site is back there are two primaries, of which one is demoted and [copied anew](Self::mirror_resync).
///
/// What changes something wants a handle that is opened for writing. Through another it fails with `ReadOnly`, but much of
/// it is done all the same for an image that is mirrored by its journal.
impl Image {
    /// Has the image mirrored, in a pool of the mode [`MirrorMode::Image`](crate::MirrorMode::Image). By journal, the
    /// feature `JOURNALING` is enabled if it is not. Needs the feature `mirror-snapshot`; with Ceph 14's library images
    /// are mirrored by the mode [`MirrorMode::Pool`](crate::MirrorMode::Pool).
    ///
    /// # Errors
    /// `InvalidArgument` for [`MirrorImageMode::Unknown`], in a pool of another mode, for an image that is mirrored in the
    /// other way, and for a clone whose parent is not mirrored; `ReadOnly`; `Unsupported` where the library lacks the
    /// function.
    #[doc(alias = "rbd_mirror_image_enable2")]
    #[cfg(feature = "mirror-snapshot")]
    pub fn mirror_enable(&self, mode: MirrorImageMode) -> Result<()> {
        const OP: &str = "rbd_mirror_image_enable2";
        let enable = ffi::optional(&ffi::rbd_mirror_image_enable2)?;
        if let MirrorImageMode::Unknown(unknown) = mode {
            let hint = format!("there is no way {unknown} of mirroring");
            return Err(Error::refused(OP, libc::EINVAL, hint).on(self.subject()));
        }
        self.call(OP, |raw| {
            // SAFETY: as `call` promises.
            unsafe { enable(raw, mode.to_c()) }
        })
        .map(drop)
        .map_err(|error| match error.errno().raw() {
            libc::EINVAL => error.hint("the pool's mode must be MirrorMode::Image"),
            _ => error,
        })
    }

    /// Ends mirroring of the image: the daemons remove the copies. `force` also ends it for an image that is not primary,
    /// which then stays. An image that is not mirrored is no error. Needs the feature `mirror`.
    ///
    /// # Errors
    /// `InvalidArgument` when the pool's mode is not [`MirrorMode::Image`](crate::MirrorMode::Image), and for an image
    /// that is not primary without `force`; `Busy` when clones of it are mirrored; `Unsupported` where the library lacks
    /// the function.
    #[doc(alias = "rbd_mirror_image_disable")]
    #[cfg(feature = "mirror")]
    pub fn mirror_disable(&self, force: Force) -> Result<()> {
        let disable = ffi::optional(&ffi::rbd_mirror_image_disable)?;
        self.call("rbd_mirror_image_disable", |raw| {
            // SAFETY: as `call` promises.
            unsafe { disable(raw, force == Force::Yes) }
        })
        .map(drop)
        .map_err(|error| match error.errno().raw() {
            libc::EINVAL if force == Force::No => error
                .hint("the pool's mode must be MirrorMode::Image, and the image primary or forced"),
            _ => error,
        })
    }

    /// Makes this copy the primary image. `force` does so while another is. Needs the feature `mirror`.
    ///
    /// # Errors
    /// `Busy` while another is primary, or has not been copied to its end; `InvalidArgument` when the image is primary;
    /// `NotFound`, or by release `InvalidArgument`, when it is not mirrored; `Unsupported` where the library lacks the
    /// function.
    #[doc(alias = "rbd_mirror_image_promote")]
    #[cfg(feature = "mirror")]
    pub fn mirror_promote(&self, force: Force) -> Result<()> {
        let promote = ffi::optional(&ffi::rbd_mirror_image_promote)?;
        self.call("rbd_mirror_image_promote", |raw| {
            // SAFETY: as `call` promises.
            unsafe { promote(raw, force == Force::Yes) }
        })
        .map(drop)
        .map_err(|error| why_not_promoted(error, force))
    }

    /// Makes this primary image a copy, which can only be read: writes fail with `ReadOnly`, or, where it is mirrored by its
    /// journal and no daemon has that open, with `PermissionDenied`. Needs the feature `mirror`.
    ///
    /// # Errors
    /// `InvalidArgument` when the image is not mirrored, or not primary; `Unsupported` where the library lacks the function.
    #[doc(alias = "rbd_mirror_image_demote")]
    #[cfg(feature = "mirror")]
    pub fn mirror_demote(&self) -> Result<()> {
        let demote = ffi::optional(&ffi::rbd_mirror_image_demote)?;
        self.call("rbd_mirror_image_demote", |raw| {
            // SAFETY: as `call` promises.
            unsafe { demote(raw) }
        })
        .map(drop)
        .map_err(why_not_demoted)
    }

    /// Has the daemon copy the image anew: it removes this copy, and makes another with a new id. Returns before that. What
    /// only this copy has is lost. Needs the feature `mirror`.
    ///
    /// # Errors
    /// `InvalidArgument` when the image is primary; `NotFound`, or by release `InvalidArgument`, when it is not mirrored;
    /// `Unsupported` where the library lacks the function.
    #[doc(alias = "rbd_mirror_image_resync")]
    #[cfg(feature = "mirror")]
    pub fn mirror_resync(&self) -> Result<()> {
        let resync = ffi::optional(&ffi::rbd_mirror_image_resync)?;
        self.call("rbd_mirror_image_resync", |raw| {
            // SAFETY: as `call` promises.
            unsafe { resync(raw) }
        })
        .map(drop)
        .map_err(|error| match error.errno().raw() {
            libc::EINVAL | libc::ENOENT => {
                error.hint("the image must be mirrored, and not primary")
            }
            _ => error,
        })
    }

    /// How the image takes part in mirroring. Needs the feature `mirror`.
    ///
    /// # Errors
    /// `Unsupported` where the library lacks the function. An image that is not mirrored is no error.
    #[doc(alias = "rbd_mirror_image_get_info")]
    #[doc(alias = "rbd_mirror_image_get_info_cleanup")]
    #[cfg(feature = "mirror")]
    pub fn mirror_info(&self) -> Result<MirrorImageInfo> {
        let get = ffi::optional(&ffi::rbd_mirror_image_get_info)?;
        let info = CInfo::new();
        self.call("rbd_mirror_image_get_info", |raw| {
            // SAFETY: as `call` promises; the output is this function's, and has this size.
            unsafe {
                get(
                    raw,
                    info.as_ptr(),
                    size_of::<ffi::rbd_mirror_image_info_t>(),
                )
            }
        })?;
        Ok(info.into_info())
    }

    /// By what the image is mirrored. That it is, [`mirror_info`](Self::mirror_info) tells: Ceph 16 answers
    /// [`Journal`](MirrorImageMode::Journal) for an image that is not. Needs the feature `mirror-snapshot`.
    ///
    /// # Errors
    /// `InvalidArgument` when it is not mirrored; `Unsupported` where the library lacks the function.
    #[doc(alias = "rbd_mirror_image_get_mode")]
    #[cfg(feature = "mirror-snapshot")]
    pub fn mirror_mode(&self) -> Result<MirrorImageMode> {
        let get = ffi::optional(&ffi::rbd_mirror_image_get_mode)?;
        let mut mode = ffi::RBD_MIRROR_IMAGE_MODE_JOURNAL;
        self.call("rbd_mirror_image_get_mode", |raw| {
            // SAFETY: as `call` promises; the output is this function's.
            unsafe { get(raw, &raw mut mode) }
        })
        .map_err(why_no_mode)?;
        Ok(MirrorImageMode::from_c(mode))
    }

    /// What all sites say of the image; their daemons do so every half minute. Needs the feature `mirror-snapshot`.
    ///
    /// # Errors
    /// `Unsupported` where the library lacks the function. An image that is not mirrored is no error.
    #[doc(alias = "rbd_mirror_image_get_global_status")]
    #[doc(alias = "rbd_mirror_image_global_status_cleanup")]
    #[cfg(feature = "mirror-snapshot")]
    pub fn mirror_global_status(&self) -> Result<MirrorGlobalStatus> {
        let get = ffi::optional(&ffi::rbd_mirror_image_get_global_status)?;
        let status = CStatus::new()?;
        self.call("rbd_mirror_image_get_global_status", |raw| {
            // SAFETY: as `call` promises; the output is this function's, and has this size.
            unsafe {
                get(
                    raw,
                    status.as_ptr(),
                    size_of::<ffi::rbd_mirror_image_global_status_t>(),
                )
            }
        })?;
        Ok(status.into_status())
    }
}

#[cold]
#[cfg(feature = "mirror")]
pub(super) fn why_not_promoted(error: Error, force: Force) -> Error {
    match error.errno().raw() {
        libc::EBUSY if force == Force::No => error.hint(
            "another image is primary, or has changes that are not here; demote it and wait, or promote by force",
        ),
        libc::EINVAL | libc::ENOENT => error.hint("the image must be mirrored, and not primary"),
        _ => error,
    }
}

#[cold]
#[cfg(feature = "mirror")]
pub(super) fn why_not_demoted(error: Error) -> Error {
    match error.errno().raw() {
        libc::EINVAL => error.hint("the image must be mirrored, and primary"),
        _ => error,
    }
}

#[cold]
#[cfg(feature = "mirror-snapshot")]
pub(super) fn why_no_mode(error: Error) -> Error {
    match error.errno().raw() {
        libc::EINVAL => error.hint("the image is not mirrored"),
        _ => error,
    }
}
