//! Opening and closing images.

use std::fmt;
use std::ptr;
use std::sync::Arc;

use ceph_core::check;
use rados::{IoCtx, Result};

use crate::handle::{Handle, Names, Opened};
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
    handle: Arc<Handle>,
}

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
    pub(crate) snapshot: Option<String>,
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

    /// Opens the image as it was when this snapshot was taken, for [reading only](Self::read_only). Should
    /// the snapshot be removed, what is gone reads as zeros; [`Image::snap_set`] tells of it.
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
                |io, name, image| unsafe { ffi::rbd_open_read_only(io, name, image, ptr::null()) },
            )
        } else {
            // SAFETY: as `open_with` promises.
            self.open_with("rbd_open", ioctx, name, |io, name, image| unsafe {
                ffi::rbd_open(io, name, image, ptr::null())
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
                |io, id, image| unsafe {
                    ffi::rbd_open_by_id_read_only(io, id, image, ptr::null())
                },
            )
        } else {
            // SAFETY: as `open_with` promises.
            self.open_with("rbd_open_by_id", ioctx, id, |io, id, image| unsafe {
                ffi::rbd_open_by_id(io, id, image, ptr::null())
            })
        }
    }

    /// At a snapshot C refuses to write through any handle, but would let one that is not read-only
    /// take, rename, protect and remove snapshots.
    pub(crate) fn reads_only(&self) -> bool {
        self.read_only || self.snapshot.is_some()
    }

    /// Calls C with an open pool, a string that lives until it returns, and an output of this function's, to
    /// open the image's head, and turns that to the snapshot.
    ///
    /// C could open it there. But the thread of its that finds the snapshot's object map goes on to lock a mutex
    /// of the image after this one has been told that the image is open, and if that closes it at once, the
    /// mutex is gone (16.2.15; [`snap_set`](Image::snap_set) answers from a queue that closing waits for).
    fn open_with(
        &self,
        op: &'static str,
        ioctx: &IoCtx,
        name: &str,
        call: impl FnOnce(
            rados::sys::rados_ioctx_t,
            *const std::ffi::c_char,
            *mut ffi::rbd_image_t,
        ) -> i32,
    ) -> Result<Image> {
        let names = Names::new(op, ioctx, name, self)?;
        let mut raw = ffi::rbd_image_t(ptr::null_mut());
        ioctx.conn().check_blocking(op)?;
        let code = call(ioctx.as_raw(), names.name.as_ptr(), &raw mut raw);
        check(op, code).map_err(|error| error.on(subject(ioctx, &names.opened.to_string())))?;
        let mut image = Image::from_raw(raw, ioctx, names.opened);
        if let Some(snapshot) = names.snapshot {
            image.turn("rbd_snap_set", |raw| {
                // SAFETY: the handle is open and nobody else's, and the name lives until the call returns.
                unsafe { ffi::rbd_snap_set(raw, snapshot.as_ptr()) }
            })?;
        }
        Ok(image)
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

    pub(crate) fn from_raw(raw: ffi::rbd_image_t, ioctx: &IoCtx, opened: Opened) -> Self {
        Self {
            handle: Arc::new(Handle::new(raw, ioctx.clone(), opened)),
        }
    }

    /// The pool, and the namespace in it, that the image was opened in.
    pub fn ioctx(&self) -> &IoCtx {
        self.handle.ioctx()
    }

    /// Writes what is cached, releases the exclusive lock, and closes the image. Blocks until
    /// operations in flight are done. Its watches end.
    ///
    /// A clone that is open for reading only is closed 50 ms after it was opened at the earliest, since Ceph
    /// may still be at work on its parent; when it is dropped, that goes on in the background.
    ///
    /// # Errors
    /// What writing back or releasing answers. The image is closed in any case. Inside a callback
    /// of Ceph's, where waiting is not possible, `Deadlock`: the image is then closed in the
    /// background.
    #[doc(alias = "rbd_close")]
    pub fn close(self) -> Result<()> {
        const OP: &str = "rbd_close";
        self.raw(OP)?;
        // C waits for reads and writes, but not for what asks about mirroring or changes it.
        rados::block_on(self.drain());
        self.handle.end_watches();
        self.handle.settle();
        let held = self.handle.hold();
        let raw = self.handle.take();
        drop(held);
        // SAFETY: the handle is open, and nobody else can use it: the image is owned here, and nothing is
        // in flight.
        let code = unsafe { ffi::rbd_close(raw) };
        check(OP, code)
            .map(drop)
            .map_err(|error| error.on(self.subject()))
    }

    /// The handle, unless using it here would be wrong.
    pub(crate) fn raw(&self, op: &'static str) -> Result<ffi::rbd_image_t> {
        match self.ioctx().conn().check_blocking(op) {
            Ok(()) => Ok(self.handle.raw()),
            Err(error) => Err(error.on(self.handle.opened.to_string())),
        }
    }

    /// What operations in flight keep alive.
    #[inline]
    pub(crate) fn handle(&self) -> &Arc<Handle> {
        &self.handle
    }

    pub(crate) fn handle_mut(&mut self) -> &mut Arc<Handle> {
        &mut self.handle
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
        self.handle.subject()
    }

    /// The name or id that the image was opened with.
    pub(crate) fn opened_as(&self) -> &str {
        &self.handle.opened.name
    }

    /// The snapshot that the image is opened at.
    pub(crate) fn snapshot_name(&self) -> Option<&str> {
        self.handle.opened.snapshot.as_deref()
    }

    /// The raw handle, for C functions that are not wrapped here.
    ///
    /// It is valid as long as this image is; it must not be closed or re-pointed to a snapshot.
    #[inline]
    pub fn as_raw(&self) -> rbd_sys::rbd_image_t {
        self.handle.raw()
    }
}

impl AsRef<Image> for Image {
    fn as_ref(&self) -> &Image {
        self
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Image")
            .field("name", &self.handle.opened.to_string())
            .field("ioctx", self.ioctx())
            .finish()
    }
}
