//! Which images of a pool are mirrored, and how that goes.

use std::collections::BTreeMap;

use ceph_core::grow;
use rados::{Error, IoCtx, Result};

use super::{MirrorStatusState, with_pool};
use crate::{ffi, subject};

/// Which images of a pool are mirrored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MirrorMode {
    /// None.
    Disabled,
    /// Those that [`Image::mirror_enable`](crate::Image::mirror_enable) was called on.
    Image,
    /// All with the feature `JOURNALING`, by their journals.
    Pool,
    /// None; but namespaces of the pool may be mirrored. From Ceph 20 on.
    InitOnly,
    /// What this crate does not know.
    Unknown(u32),
}

/// Which images of the pool are mirrored. Blocks. Needs the feature `mirror`.
///
/// # Errors
/// `PermissionDenied`; `Unsupported` where the library lacks the function.
#[doc(alias = "rbd_mirror_mode_get")]
pub fn mirror_mode_get(ioctx: &IoCtx) -> Result<MirrorMode> {
    let get = ffi::optional(&ffi::rbd_mirror_mode_get)?;
    let mut mode = ffi::RBD_MIRROR_MODE_DISABLED;
    with_pool("rbd_mirror_mode_get", ioctx, |io| {
        // SAFETY: the pool's handle is open, and the output is this function's.
        unsafe { get(io, &raw mut mode) }
    })?;
    Ok(match mode {
        ffi::RBD_MIRROR_MODE_DISABLED => MirrorMode::Disabled,
        ffi::RBD_MIRROR_MODE_IMAGE => MirrorMode::Image,
        ffi::RBD_MIRROR_MODE_POOL => MirrorMode::Pool,
        ffi::RBD_MIRROR_MODE_INIT_ONLY => MirrorMode::InitOnly,
        ffi::rbd_mirror_mode_t(unknown) => MirrorMode::Unknown(unknown),
    })
}

/// Sets which images of the pool are mirrored. Blocks, when mirroring ends for as long as that takes for all
/// images. Needs the feature `mirror`.
///
/// ```no_run
/// # fn main() -> rbd::Result<()> {
/// # let conn = rados::Conn::builder().default_config_file().connect()?;
/// let pool = conn.ioctx("rbd")?;
/// rbd::mirror_mode_set(&pool, rbd::MirrorMode::Image)?;
/// let image = rbd::Image::open(&pool, "disk1")?;
/// image.mirror_enable(rbd::MirrorImageMode::Snapshot)?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// `Busy` when mirroring is to end while the pool has peers; `InvalidArgument` for
/// [`Unknown`](MirrorMode::Unknown), when images are mirrored that would not be, and before Ceph 20 for
/// [`InitOnly`](MirrorMode::InitOnly); `PermissionDenied`; `Unsupported` where the library lacks the function.
#[doc(alias = "rbd_mirror_mode_set")]
pub fn mirror_mode_set(ioctx: &IoCtx, mode: MirrorMode) -> Result<()> {
    const OP: &str = "rbd_mirror_mode_set";
    let set = ffi::optional(&ffi::rbd_mirror_mode_set)?;
    let mode = match mode {
        MirrorMode::Disabled => ffi::RBD_MIRROR_MODE_DISABLED,
        MirrorMode::Image => ffi::RBD_MIRROR_MODE_IMAGE,
        MirrorMode::Pool => ffi::RBD_MIRROR_MODE_POOL,
        MirrorMode::InitOnly => ffi::RBD_MIRROR_MODE_INIT_ONLY,
        MirrorMode::Unknown(unknown) => {
            let hint = format!("there is no mode {unknown}");
            return Err(Error::refused(OP, libc::EINVAL, hint).on(subject(ioctx, "")));
        }
    };
    with_pool(OP, ioctx, |io| {
        // SAFETY: the pool's handle is open.
        unsafe { set(io, mode) }
    })
    .map_err(|error| match error.errno().raw() {
        libc::EBUSY => error.hint("the pool has peers; remove them first"),
        _ => error,
    })
}

/// How many of the pool's mirrored images are in each state: in the worst one of this site's and its peers'.
/// Blocks. Needs the feature `mirror`.
///
/// # Errors
/// `PermissionDenied`; `Unsupported` where the library lacks the function.
#[doc(alias = "rbd_mirror_image_status_summary")]
pub fn mirror_image_status_summary(ioctx: &IoCtx) -> Result<BTreeMap<MirrorStatusState, u32>> {
    const OP: &str = "rbd_mirror_image_status_summary";
    let summary = ffi::optional(&ffi::rbd_mirror_image_status_summary)?;
    ioctx.conn().check_blocking(OP)?;
    let mut counts = Vec::new();
    let states = grow::sized(OP, ffi::MIRROR_IMAGE_STATUS_STATE_UNKNOWN, |states, len| {
        counts.resize(states.len(), 0);
        // SAFETY: the pool's handle is open, and both arrays have `len` elements.
        unsafe {
            summary(
                ioctx.as_raw(),
                states.as_mut_ptr(),
                counts.as_mut_ptr(),
                len,
            )
        }
    })
    .map_err(|error| error.on(subject(ioctx, "")))?;
    let states = states.into_iter().map(MirrorStatusState::from_c);
    let counts = counts
        .into_iter()
        .map(|count| u32::try_from(count).unwrap_or(0));
    Ok(states.zip(counts).collect())
}
