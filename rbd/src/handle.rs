//! The owner of an open image, which the image shares with its operations in flight.

use std::fmt;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering::*};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

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
    /// Held by a thread that uses `raw` without having the image.
    in_use: Mutex<()>,
    /// When it may be closed, if it may not be at once.
    settled: Option<Instant>,
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
    pub(crate) snap_id: Option<u64>,
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
        let mut handle = Self {
            raw: AtomicPtr::new(raw.0),
            tracker: Tracker::default(),
            watches: Watches::default(),
            in_use: Mutex::default(),
            settled: None,
            ioctx,
            opened,
        };
        handle.parent_opened();
        handle
    }

    /// Keeps the handle open for a moment if C has opened a parent with it.
    ///
    /// The thread of C's that opened the parent goes on to lock a mutex of that, and if the handle is closed
    /// before it does, the mutex is gone (16.2.15). An image that was open for writing is not closed without
    /// asking the cluster, which takes longer.
    pub(crate) fn parent_opened(&mut self) {
        const SETTLING: Duration = Duration::from_millis(50);
        let has_parent = || {
            let mut overlap = 0;
            // SAFETY: the handle is open, and the output is this function's.
            let code = unsafe { ffi::rbd_get_overlap(self.raw(), &raw mut overlap) };
            code == 0 && overlap > 0
        };
        let settles = self.opened.read_only && has_parent();
        self.settled = settles.then(|| Instant::now() + SETTLING);
    }

    /// Whether closing it need not wait for a thread of C's.
    pub(crate) fn is_settled(&self) -> bool {
        self.settled.is_none_or(|settled| settled <= Instant::now())
    }

    /// Waits until it is [settled](Self::is_settled).
    pub(crate) fn settle(&self) {
        sleep_until(self.settled);
    }

    /// The handle. It is NULL for nobody who has the image, since closing takes that.
    #[inline]
    pub(crate) fn raw(&self) -> ffi::rbd_image_t {
        ffi::rbd_image_t(self.raw.load(Relaxed))
    }

    /// Waits until no thread without the image uses the handle, and keeps it so.
    pub(crate) fn hold(&self) -> MutexGuard<'_, ()> {
        self.in_use.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`hold`](Self::hold), without waiting.
    pub(crate) fn try_hold(&self) -> Option<MutexGuard<'_, ()>> {
        match self.in_use.try_lock() {
            Err(TryLockError::WouldBlock) => None,
            Err(TryLockError::Poisoned(guard)) => Some(guard.into_inner()),
            Ok(guard) => Some(guard),
        }
    }

    /// Takes the handle out to close it, which is [held](Self::hold).
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
        let is_settled = self.is_settled();
        let closing = Closing {
            raw,
            settled: self.settled,
            watches: std::mem::take(&mut self.watches),
            _ioctx: self.ioctx.clone(),
        };
        let close = move || {
            let closing = closing;
            closing.watches.end_all(closing.raw);
            sleep_until(closing.settled);
            // SAFETY: the image and its operations are gone, so nothing uses the handle now or later; what
            // it needs of the connection is alive, and `close_with` does not run this inside a callback.
            // It frees the handle whatever it returns.
            unsafe { ffi::rbd_close(closing.raw) };
        };
        match is_settled {
            true => reaper::close_with(close),
            false => reaper::close_later(close),
        }
    }
}

/// What an image leaves to the thread that closes it.
struct Closing {
    raw: ffi::rbd_image_t,
    settled: Option<Instant>,
    watches: Watches,
    _ioctx: IoCtx,
}

// SAFETY: `Handle` is Send, and this is what is left of one.
unsafe impl Send for Closing {}

fn sleep_until(settled: Option<Instant>) {
    if let Some(settled) = settled {
        thread::sleep(settled.saturating_duration_since(Instant::now()));
    }
}

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
    pub(crate) name: CName,
    pub(crate) snapshot: Option<CName>,
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
}
