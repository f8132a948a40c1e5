//! Keeping an image to oneself while it is cut or filled.

use rbd::{ExclusiveLock, Features, Image};

/// Keeps the image's exclusive lock, if it has one, as long as the value lives: writers that ask for it are refused,
/// and a second operation of this kind fails.
///
/// Left to itself librbd hands the lock over in the middle, to whoever asks, and may then abort the whole process: it
/// finds that it cuts an image whose lock it does not have (TrimRequest, 16.2.15).
pub fn keep(image: &Image) -> rados::Result<Option<ExclusiveLock<&Image>>> {
    let has_lock = image.features()?.contains(Features::EXCLUSIVE_LOCK);
    has_lock.then(|| image.lock_acquire()).transpose()
}
