//! What a site does with an image.

use crate::ffi;

/// What a site says of an image that it mirrors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum MirrorStatusState {
    /// It says nothing: no daemon has seen the image.
    Unknown,
    /// Mirroring failed; the description says why.
    Error,
    /// The image is copied as a whole.
    Syncing,
    /// Replay is about to begin.
    StartingReplay,
    /// Changes are replayed.
    Replaying,
    /// Replay is about to end.
    StoppingReplay,
    /// Nothing is replayed, as on the primary site.
    Stopped,
    /// What this crate does not know.
    Other(u32),
}

impl MirrorStatusState {
    pub(super) fn from_c(state: ffi::rbd_mirror_image_status_state_t) -> Self {
        match state {
            ffi::MIRROR_IMAGE_STATUS_STATE_UNKNOWN => Self::Unknown,
            ffi::MIRROR_IMAGE_STATUS_STATE_ERROR => Self::Error,
            ffi::MIRROR_IMAGE_STATUS_STATE_SYNCING => Self::Syncing,
            ffi::MIRROR_IMAGE_STATUS_STATE_STARTING_REPLAY => Self::StartingReplay,
            ffi::MIRROR_IMAGE_STATUS_STATE_REPLAYING => Self::Replaying,
            ffi::MIRROR_IMAGE_STATUS_STATE_STOPPING_REPLAY => Self::StoppingReplay,
            ffi::MIRROR_IMAGE_STATUS_STATE_STOPPED => Self::Stopped,
            ffi::rbd_mirror_image_status_state_t(other) => Self::Other(other),
        }
    }
}
