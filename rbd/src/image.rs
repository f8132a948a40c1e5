//! Opening and closing images.

use std::fmt;
use std::ptr;

use ceph_core::cstr::CName;
use ceph_core::{check, reaper};
use rados::{Error, IoCtx, Result};

use crate::{ffi, subject};

/// An open image (`rbd_image_t`).
///
/// It can be used from many threads at once, and keeps the connection alive. [`close`](Self::close)
/// reports what a drop cannot. There is no `Clone`, so that nothing can be used after `close`; share
/// it in an [`Arc`](std::sync::Arc).
///
/// Methods block. Inside a progress closure, which runs on a thread that the image itself waits
/// for, they fail with `Deadlock` instead.
///
/// ```no_run
/// # fn main() -> rbd::Result<()> {
/// # let conn = rados::Conn::builder().default_config_file().connect()?;
/// let pool = conn.ioctx("rbd")?;
/// let image = rbd::Image::open(&pool, "disk1")?;
/// image.write_all_at(b"hello", 4096)?;
/// image.flush()?;
/// image.close()?;
/// # Ok(()) }
/// ```
pub struct Image {
    raw: ffi::rbd_image_t,
    closed: bool,
    // After `raw` has been closed.
    ioctx: IoCtx,
    opened: Opened,
}

/// As what an image was opened.
struct Opened {
    /// Its name or id.
    name: String,
    snapshot: Option<String>,
}

// SAFETY: a rbd_image_t is an ImageCtx with no tie to a thread; qemu and others open in one thread
// and close in another.
unsafe impl Send for Image {}
// SAFETY: librbd takes the ImageCtx's own locks in every operation; nothing reachable through
// `&Image` re-points the handle.
unsafe impl Sync for Image {}

/// How to open an image.
///
/// ```no_run
/// # fn main() -> rbd::Result<()> {
/// # let conn = rados::Conn::builder().default_config_file().connect()?;
/// # let pool = conn.ioctx("rbd")?;
/// let yesterday = rbd::OpenOptions::new().snapshot("yesterday").open(&pool, "disk1")?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenOptions {
    read_only: bool,
    snapshot: Option<String>,
}

impl OpenOptions {
    /// Read-write, at the image's head.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens for reading only. Such a handle is no watcher of the image: it does not hinder others,
    /// and does not notice when they resize the image or change its snapshots.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// Opens the image as it was when this snapshot was taken, for [reading only](Self::read_only).
    #[must_use]
    pub fn snapshot(mut self, snapshot: impl Into<String>) -> Self {
        self.snapshot = Some(snapshot.into());
        self
    }

    /// Opens the image with this name. Blocks.
    ///
    /// # Errors
    /// `NotFound` for an image or snapshot that does not exist; `InvalidArgument` for a name of either
    /// that is empty or has a NUL byte; `PermissionDenied`.
    #[doc(alias = "rbd_open")]
    #[doc(alias = "rbd_open_read_only")]
    pub fn open(&self, ioctx: &IoCtx, name: &str) -> Result<Image> {
        if self.reads_only() {
            // SAFETY: as `open_with` promises.
            self.open_with(
                "rbd_open_read_only",
                ioctx,
                name,
                |io, name, image, snap| unsafe { ffi::rbd_open_read_only(io, name, image, snap) },
            )
        } else {
            // SAFETY: as `open_with` promises.
            self.open_with("rbd_open", ioctx, name, |io, name, image, snap| unsafe {
                ffi::rbd_open(io, name, image, snap)
            })
        }
    }

    /// Opens the image with this id, which stays the same when the image is renamed. Blocks.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    #[doc(alias = "rbd_open_by_id")]
    #[doc(alias = "rbd_open_by_id_read_only")]
    pub fn open_by_id(&self, ioctx: &IoCtx, id: &str) -> Result<Image> {
        if self.reads_only() {
            // SAFETY: as `open_with` promises.
            self.open_with(
                "rbd_open_by_id_read_only",
                ioctx,
                id,
                |io, id, image, snap| unsafe { ffi::rbd_open_by_id_read_only(io, id, image, snap) },
            )
        } else {
            // SAFETY: as `open_with` promises.
            self.open_with("rbd_open_by_id", ioctx, id, |io, id, image, snap| unsafe {
                ffi::rbd_open_by_id(io, id, image, snap)
            })
        }
    }

    /// At a snapshot C refuses to write through any handle, but would let one that is not read-only
    /// take, rename, protect and remove snapshots.
    fn reads_only(&self) -> bool {
        self.read_only || self.snapshot.is_some()
    }

    /// Calls C with an open pool, strings that live until it returns (NULL for no snapshot), and
    /// an output of this function's.
    fn open_with(
        &self,
        op: &'static str,
        ioctx: &IoCtx,
        name: &str,
        call: impl FnOnce(
            rados::sys::rados_ioctx_t,
            *const std::ffi::c_char,
            *mut ffi::rbd_image_t,
            *const std::ffi::c_char,
        ) -> i32,
    ) -> Result<Image> {
        let opened = Opened {
            name: name.to_owned(),
            snapshot: self.snapshot.clone(),
        };
        let located = |error: Error| error.on(subject(ioctx, &opened.to_string()));
        for (what, name) in [
            ("name", Some(name)),
            ("snapshot name", self.snapshot.as_deref()),
        ] {
            // C would take an empty snapshot name for the head.
            if name.is_some_and(str::is_empty) {
                let hint = format!("the {what} is empty");
                return Err(located(Error::refused(op, libc::EINVAL, hint)));
            }
        }
        let c_name = CName::new(op, "image name or id", name).map_err(located)?;
        let c_snapshot = self
            .snapshot
            .as_ref()
            .map(|name| CName::new(op, "snapshot name", name));
        let c_snapshot = c_snapshot.transpose().map_err(located)?;
        let mut raw = ffi::rbd_image_t(ptr::null_mut());
        ioctx.conn().check_blocking(op)?;
        let code = call(
            ioctx.as_raw(),
            c_name.as_ptr(),
            &raw mut raw,
            c_snapshot.as_ref().map_or(ptr::null(), CName::as_ptr),
        );
        check(op, code).map_err(located)?;
        Ok(Image {
            raw,
            closed: false,
            ioctx: ioctx.clone(),
            opened,
        })
    }
}

impl Image {
    /// Opens the image with this name for reading and writing. Blocks.
    ///
    /// # Errors
    /// `NotFound`; `InvalidArgument` for an empty name or one with a NUL byte; `PermissionDenied`.
    #[doc(alias = "rbd_open")]
    pub fn open(ioctx: &IoCtx, name: &str) -> Result<Self> {
        OpenOptions::new().open(ioctx, name)
    }

    /// Opens the image with this name for reading only; see [`OpenOptions::read_only`]. Blocks.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    #[doc(alias = "rbd_open_read_only")]
    pub fn open_read_only(ioctx: &IoCtx, name: &str) -> Result<Self> {
        OpenOptions::new().read_only().open(ioctx, name)
    }

    /// The pool, and the namespace in it, that the image was opened in.
    pub fn ioctx(&self) -> &IoCtx {
        &self.ioctx
    }

    /// Writes what is cached, releases the exclusive lock, and closes the image. Blocks until
    /// operations in flight are done.
    ///
    /// # Errors
    /// What writing back or releasing answers. The image is closed in any case. Inside a callback
    /// of Ceph's, where waiting is not possible, `Deadlock`: the image is then closed in the
    /// background.
    #[doc(alias = "rbd_close")]
    pub fn close(mut self) -> Result<()> {
        const OP: &str = "rbd_close";
        let raw = self.raw(OP)?;
        self.closed = true;
        // SAFETY: the handle is open, `closed` keeps the drop from closing it again, and nobody
        // else can use it, since `self` is owned here.
        let code = unsafe { ffi::rbd_close(raw) };
        check(OP, code)
            .map(drop)
            .map_err(|error| error.on(self.subject()))
    }

    /// The handle, unless using it here would be wrong.
    pub(crate) fn raw(&self, op: &'static str) -> Result<ffi::rbd_image_t> {
        match self.ioctx.conn().check_blocking(op) {
            Ok(()) => Ok(self.raw),
            Err(error) => Err(error.on(self.opened.to_string())),
        }
    }

    /// Calls the C function `op` with the open handle.
    pub(crate) fn call<C: ceph_core::Code>(
        &self,
        op: &'static str,
        call: impl FnOnce(ffi::rbd_image_t) -> C,
    ) -> Result<u64> {
        check(op, call(self.raw(op)?)).map_err(|error| error.on(self.subject()))
    }

    /// `pool/namespace/image@snapshot`, for errors.
    #[cold]
    pub(crate) fn subject(&self) -> String {
        subject(&self.ioctx, &self.opened.to_string())
    }

    /// The name or id that the image was opened with.
    pub(crate) fn opened_as(&self) -> &str {
        &self.opened.name
    }

    /// The snapshot that the image is opened at.
    pub(crate) fn snapshot_name(&self) -> Option<&str> {
        self.opened.snapshot.as_deref()
    }

    /// The raw handle, for C functions that are not wrapped here.
    ///
    /// It is valid as long as this image is; it must not be closed or re-pointed to a snapshot.
    pub fn as_raw(&self) -> rbd_sys::rbd_image_t {
        self.raw
    }
}

impl AsRef<Image> for Image {
    fn as_ref(&self) -> &Image {
        self
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ioctx, opened, .. } = self;
        f.debug_struct("Image")
            .field("name", &opened.to_string())
            .field("ioctx", ioctx)
            .finish()
    }
}

impl fmt::Display for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match &self.snapshot {
            Some(snapshot) => write!(f, "@{snapshot}"),
            None => Ok(()),
        }
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        if self.closed || self.ioctx.conn().check("rbd_close").is_err() {
            return; // closed, or in a forked child
        }
        let closing = Closing {
            raw: self.raw,
            _ioctx: self.ioctx.clone(),
        };
        reaper::close_with(move || {
            let closing = closing;
            // SAFETY: the image is gone, so nothing uses the handle now or later; what it needs of
            // the connection is alive, and `close_with` does not run this inside a callback. It
            // frees the handle whatever it returns.
            unsafe { ffi::rbd_close(closing.raw) };
        });
    }
}

/// What an image leaves to the thread that closes it.
struct Closing {
    raw: ffi::rbd_image_t,
    _ioctx: IoCtx,
}

// SAFETY: `Image` is Send, and this is what is left of one.
unsafe impl Send for Closing {}
