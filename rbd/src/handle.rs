//! The owner of an open image, which the image shares with its operations in flight.

use std::ffi::c_char;
use std::fmt;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering::*};

use ceph_core::aio::Tracker;
use ceph_core::cstr::CName;
use ceph_core::reaper;
use rados::{Error, IoCtx, Result};

use crate::image::OpenOptions;
use crate::watch::Watches;
use crate::{ffi, subject};

/// Owns a `rbd_image_t`.
pub(crate) struct Handle {
    /// NULL once it has been closed.
    raw: AtomicPtr<std::ffi::c_void>,
    pub(crate) tracker: Tracker,
    pub(crate) watches: Watches,
    // After `raw` has been closed.
    ioctx: IoCtx,
    pub(crate) opened: Opened,
}

// That a handle is Send and Sync follows from its fields, of which `raw` is an atomic pointer. It is right:
// a rbd_image_t is an ImageCtx with no tie to a thread (qemu and others open in one thread and close in
// another), which takes its own locks in every operation; nothing reachable through `&Image` re-points it.

/// As what an image was opened.
#[derive(Clone)]
pub(crate) struct Opened {
    /// Its name or id.
    pub(crate) name: String,
    /// The user's snapshot that it shows.
    pub(crate) snapshot: Option<String>,
    /// The snapshot that it shows, if no user made that.
    snap_id: Option<u64>,
    pub(crate) read_only: bool,
}

impl Opened {
    pub(crate) fn set_snapshot(&mut self, snapshot: Option<String>) {
        self.snapshot = snapshot;
        self.snap_id = None;
    }

    #[cfg(feature = "snap-id")]
    pub(crate) fn set_snap_id(&mut self, snap_id: u64) {
        self.snapshot = None;
        self.snap_id = Some(snap_id);
    }
}

impl Handle {
    pub(crate) fn new(raw: ffi::rbd_image_t, ioctx: IoCtx, opened: Opened) -> Self {
        Self {
            raw: AtomicPtr::new(raw.0),
            tracker: Tracker::default(),
            watches: Watches::default(),
            ioctx,
            opened,
        }
    }

    /// The handle. It is NULL for nobody who has the image, since closing takes that.
    #[inline]
    pub(crate) fn raw(&self) -> ffi::rbd_image_t {
        ffi::rbd_image_t(self.raw.load(Relaxed))
    }

    /// Takes the handle out to close it.
    pub(crate) fn take(&self) -> ffi::rbd_image_t {
        ffi::rbd_image_t(self.raw.swap(ptr::null_mut(), Relaxed))
    }

    /// Ends the watches, whose owners are told. Waits for their callbacks.
    pub(crate) fn end_watches(&self) {
        self.watches.end_all(self.raw());
    }

    /// Puts back what could not be closed.
    pub(crate) fn put_back(&self, raw: ffi::rbd_image_t) {
        self.raw.store(raw.0, Relaxed);
    }

    #[inline]
    pub(crate) fn ioctx(&self) -> &IoCtx {
        &self.ioctx
    }

    /// `pool/namespace/image@snapshot`, for errors.
    #[cold]
    pub(crate) fn subject(&self) -> String {
        subject(&self.ioctx, &self.opened.to_string())
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let raw = self.take();
        if raw.0.is_null() || self.ioctx.conn().check("rbd_close").is_err() {
            return; // closed, or in a forked child
        }
        let closing = Closing {
            raw,
            watches: std::mem::take(&mut self.watches),
            _ioctx: self.ioctx.clone(),
        };
        reaper::close_with(move || {
            let closing = closing;
            closing.watches.end_all(closing.raw);
            // SAFETY: the image and its operations are gone, so nothing uses the handle now or later; what
            // it needs of the connection is alive, and `close_with` does not run this inside a callback.
            // It frees the handle whatever it returns.
            unsafe { ffi::rbd_close(closing.raw) };
        });
    }
}

/// What an image leaves to the thread that closes it.
struct Closing {
    raw: ffi::rbd_image_t,
    watches: Watches,
    _ioctx: IoCtx,
}

// SAFETY: `Handle` is Send, and this is what is left of one.
unsafe impl Send for Closing {}

impl fmt::Display for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match (&self.snapshot, self.snap_id) {
            (Some(snapshot), _) => write!(f, "@{snapshot}"),
            (None, Some(snap_id)) => write!(f, "@(snapshot {snap_id})"),
            (None, None) => Ok(()),
        }
    }
}

/// The names of an image that is to be opened, checked and as C wants them.
pub(crate) struct Names {
    pub(crate) opened: Opened,
    name: CName,
    snapshot: Option<CName>,
}

impl Names {
    pub(crate) fn new(
        op: &'static str,
        ioctx: &IoCtx,
        name: &str,
        options: &OpenOptions,
    ) -> Result<Self> {
        let snapshot = options.snapshot.as_deref();
        let opened = Opened {
            name: name.to_owned(),
            snapshot: options.snapshot.clone(),
            snap_id: None,
            read_only: options.reads_only(),
        };
        let located = |error: Error| error.on(subject(ioctx, &opened.to_string()));
        for (what, name) in [("name", Some(name)), ("snapshot name", snapshot)] {
            // C would take an empty snapshot name for the head.
            if name.is_some_and(str::is_empty) {
                let hint = format!("the {what} is empty");
                return Err(located(Error::refused(op, libc::EINVAL, hint)));
            }
        }
        let name = CName::new(op, "image name or id", name).map_err(located)?;
        let snapshot = snapshot.map(|name| CName::new(op, "snapshot name", name));
        let snapshot = snapshot.transpose().map_err(located)?;
        Ok(Self {
            opened,
            name,
            snapshot,
        })
    }

    /// The name, and the snapshot's or NULL, valid as long as `self`.
    pub(crate) fn as_ptrs(&self) -> (*const c_char, *const c_char) {
        let snapshot = self.snapshot.as_ref().map_or(ptr::null(), CName::as_ptr);
        (self.name.as_ptr(), snapshot)
    }
}
