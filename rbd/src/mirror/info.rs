//! What is known of one mirrored image.

use std::ptr;

#[cfg(feature = "mirror")]
use ceph_core::aio::Slot;

use crate::{ffi, string};

/// Whether an image is mirrored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MirrorImageState {
    /// It was, and is about not to be.
    Disabling,
    /// It is.
    Enabled,
    /// It is not.
    Disabled,
    /// It is about to be. From Ceph 20 on.
    Creating,
    /// What this crate does not know.
    Unknown(u32),
}

/// How an image takes part in mirroring.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct MirrorImageInfo {
    /// The id that the image has in all clusters; empty when it is not mirrored.
    pub global_id: String,
    /// Whether it is mirrored.
    pub state: MirrorImageState,
    /// Whether it is the image that the others are copies of. In listings of statuses this is never set.
    pub primary: bool,
}

impl MirrorImageInfo {
    /// Copies what the library says.
    ///
    /// # Safety
    /// The string is NULL or a C string that nothing changes meanwhile.
    pub(super) unsafe fn from_c(info: &ffi::rbd_mirror_image_info_t) -> Self {
        Self {
            // SAFETY: as the caller promises.
            global_id: unsafe { string(info.global_id) },
            state: match info.state {
                ffi::RBD_MIRROR_IMAGE_DISABLING => MirrorImageState::Disabling,
                ffi::RBD_MIRROR_IMAGE_ENABLED => MirrorImageState::Enabled,
                ffi::RBD_MIRROR_IMAGE_DISABLED => MirrorImageState::Disabled,
                ffi::RBD_MIRROR_IMAGE_CREATING => MirrorImageState::Creating,
                ffi::rbd_mirror_image_state_t(unknown) => MirrorImageState::Unknown(unknown),
            },
            primary: info.primary,
        }
    }
}

/// What is safe to free.
pub(super) const EMPTY: ffi::rbd_mirror_image_info_t = ffi::rbd_mirror_image_info_t {
    global_id: ptr::null_mut(),
    state: ffi::RBD_MIRROR_IMAGE_DISABLED,
    primary: false,
};

/// Where the library says how an image takes part.
#[cfg(feature = "mirror")]
pub(super) struct CInfo(Slot<ffi::rbd_mirror_image_info_t>);

// SAFETY: the string that the slot points to is the slot's alone, and `free` may be called on any thread.
#[cfg(feature = "mirror")]
unsafe impl Send for CInfo {}

#[cfg(feature = "mirror")]
impl CInfo {
    pub(super) fn new() -> Self {
        Self(Slot::new(EMPTY))
    }

    /// For C to write to.
    pub(super) fn as_ptr(&self) -> *mut ffi::rbd_mirror_image_info_t {
        self.0.as_ptr()
    }

    /// Copies what the library has written. The caller has seen that the operation is done.
    pub(super) fn into_info(self) -> MirrorImageInfo {
        // SAFETY: the operation is done, so nobody else uses the slot.
        let info = unsafe { &*self.0.as_ptr() };
        // SAFETY: the string is NULL or the library's, and lives until `self` goes.
        unsafe { MirrorImageInfo::from_c(info) }
    }
}

#[cfg(feature = "mirror")]
impl Drop for CInfo {
    fn drop(&mut self) {
        let info = self.0.as_ptr();
        if let Some(cleanup) = ffi::rbd_mirror_image_get_info_cleanup.get() {
            // SAFETY: the operation is done or never started, so nobody else uses the slot; the string is NULL or
            // the library's, and freed once.
            unsafe { cleanup(info) };
            return;
        }
        // SAFETY: as above.
        let global_id = unsafe { (*info).global_id };
        // SAFETY: the library made the string with `strdup`, as its own clean-up relies on, and this frees it once.
        unsafe { libc::free(global_id.cast()) };
    }
}
