//! Who watches an image.

use std::ptr;

use ceph_core::grow;
use rados::Result;

use crate::image::Image;
use crate::{ffi, string};

/// A client that has an image open for writing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ImageWatcher {
    /// Its address, as `10.0.0.1:0/1234567`.
    pub addr: String,
    /// Its number, as its [`Conn::instance_id`](rados::Conn::instance_id).
    pub id: i64,
    /// Which of its watches.
    pub cookie: u64,
}

impl Image {
    /// Who watches the image: all that have it open for writing, this one included. Blocks. Needs the feature
    /// `watchers`.
    ///
    /// # Errors
    /// `Unsupported` where the library lacks the function.
    #[doc(alias = "rbd_watchers_list")]
    #[doc(alias = "rbd_watchers_list_cleanup")]
    pub fn watchers(&self) -> Result<Vec<ImageWatcher>> {
        const OP: &str = "rbd_watchers_list";
        let list = ffi::optional(&ffi::rbd_watchers_list)?;
        let cleanup = ffi::optional(&ffi::rbd_watchers_list_cleanup)?;
        let raw = self.raw(OP)?;
        let none = ffi::rbd_image_watcher_t {
            addr: ptr::null_mut(),
            id: 0,
            cookie: 0,
        };
        let watchers = grow::sized(OP, none, |watchers, len| {
            // SAFETY: the handle is open, and `watchers` has `len` elements.
            unsafe { list(raw, watchers.as_mut_ptr(), len) }
        });
        let watchers = watchers.map_err(|error| error.on(self.subject()))?;
        let watchers = Watchers { watchers, cleanup };
        let copied = watchers.watchers.iter().map(|watcher| ImageWatcher {
            // SAFETY: the library set it to a string that lives until `watchers` goes.
            addr: unsafe { string(watcher.addr) },
            id: watcher.id,
            cookie: watcher.cookie,
        });
        Ok(copied.collect())
    }
}

/// A listing that succeeded, whose strings are the library's.
struct Watchers {
    watchers: Vec<ffi::rbd_image_watcher_t>,
    cleanup: unsafe extern "C" fn(*mut ffi::rbd_image_watcher_t, usize),
}

impl Drop for Watchers {
    fn drop(&mut self) {
        // SAFETY: the library filled so many elements, and frees their strings once.
        unsafe { (self.cleanup)(self.watchers.as_mut_ptr(), self.watchers.len()) };
    }
}
