//! Watching an image.

#[cfg(feature = "quiesce")]
mod quiesce;
mod update;
#[cfg(feature = "watchers")]
mod watchers;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::ffi;

#[cfg(feature = "quiesce")]
pub use self::quiesce::{QuiesceEvent, QuiesceToken, QuiesceWatch};
pub use self::update::UpdateWatch;
#[cfg(feature = "watchers")]
pub use self::watchers::ImageWatcher;

/// The watches that C has on an open image. Each ends once: when its owner lets go of it, or before the image.
///
/// No callback takes the lock, so it may be held while C waits for them.
#[derive(Default)]
pub(crate) struct Watches(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    updates: Vec<Update>,
    #[cfg(feature = "quiesce")]
    quiesce: Option<Arc<quiesce::Inbox>>,
}

/// A watch of C's for updates, and what its callbacks use.
struct Update {
    /// C's pointer to the watch, as a number.
    cookie: u64,
    inbox: Arc<update::Inbox>,
}

impl Watches {
    /// Whether there are any.
    pub(crate) fn any(&self) -> bool {
        let inner = self.lock();
        #[cfg(feature = "quiesce")]
        if inner.quiesce.is_some() {
            return true;
        }
        !inner.updates.is_empty()
    }

    /// Ends all of an image that is open; does not run inside a callback.
    pub(crate) fn end_all(&self, raw: ffi::rbd_image_t) {
        let mut inner = self.lock();
        for update in inner.updates.drain(..) {
            update.end(raw);
        }
        #[cfg(feature = "quiesce")]
        if let Some(inbox) = inner.quiesce.take() {
            inbox.end();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
