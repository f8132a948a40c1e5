//! Whether those who use an image are asked before a snapshot is taken.

use crate::ffi;

/// What taking a snapshot does about the clients that have registered to be quiet meanwhile, such as those with a
/// mounted file system to freeze: see `Image::quiesce_watch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Quiesce {
    /// Asks them, and fails if one does not obey.
    #[default]
    Ask,
    /// Asks them, and takes the snapshot even if one does not obey.
    Try,
    /// Does not ask them.
    Skip,
}

impl Quiesce {
    pub(crate) fn flags(self) -> u32 {
        match self {
            Self::Ask => 0,
            Self::Try => ffi::RBD_SNAP_CREATE_IGNORE_QUIESCE_ERROR,
            Self::Skip => ffi::RBD_SNAP_CREATE_SKIP_QUIESCE,
        }
    }
}
