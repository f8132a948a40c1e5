//! Opening and closing images without blocking.

use std::ffi::c_char;
use std::ptr;

use ceph_core::aio::{Completion, Slot, blocking, ready, submit};
use ceph_core::check;
use rados::{IoCtx, Result};

use crate::aio::{Aio, Started};
use crate::handle::{Names, Opened};
use crate::image::{Image, OpenOptions};
use crate::{ffi, subject};

type Open = unsafe extern "C" fn(
    rados::sys::rados_ioctx_t,
    *const c_char,
    *mut ffi::rbd_image_t,
    *const c_char,
    ffi::rbd_completion_t,
) -> i32;

impl OpenOptions {
    /// Opens the image with this name; at a [snapshot](Self::snapshot) by [`blocking`](rados::blocking).
    ///
    /// # Errors
    /// As [`open`](Self::open).
    ///
    /// # Cancel safety
    /// When the completion is dropped, the image is closed again once it is open.
    #[doc(alias = "rbd_aio_open")]
    #[doc(alias = "rbd_aio_open_read_only")]
    pub fn aio_open(&self, ioctx: &IoCtx, name: &str) -> Completion<Result<Image>> {
        if self.snapshot.is_some() {
            let (options, ioctx, name) = (self.clone(), ioctx.clone(), name.to_owned());
            return blocking(move || options.open(&ioctx, &name));
        }
        match self.reads_only() {
            true => {
                let open = ffi::rbd_aio_open_read_only;
                self.aio_open_with("rbd_aio_open_read_only", ioctx, name, open)
            }
            false => self.aio_open_with("rbd_aio_open", ioctx, name, ffi::rbd_aio_open),
        }
    }

    /// Opens the image with this id, which stays the same when the image is renamed.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    ///
    /// # Cancel safety
    /// As [`aio_open`](Self::aio_open).
    #[doc(alias = "rbd_aio_open_by_id")]
    #[doc(alias = "rbd_aio_open_by_id_read_only")]
    pub fn aio_open_by_id(&self, ioctx: &IoCtx, id: &str) -> Completion<Result<Image>> {
        if self.snapshot.is_some() {
            let (options, ioctx, id) = (self.clone(), ioctx.clone(), id.to_owned());
            return blocking(move || options.open_by_id(&ioctx, &id));
        }
        match self.reads_only() {
            true => {
                let open = ffi::rbd_aio_open_by_id_read_only;
                self.aio_open_with("rbd_aio_open_by_id_read_only", ioctx, id, open)
            }
            false => self.aio_open_with("rbd_aio_open_by_id", ioctx, id, ffi::rbd_aio_open_by_id),
        }
    }

    fn aio_open_with(
        &self,
        op: &'static str,
        ioctx: &IoCtx,
        name: &str,
        open: Open,
    ) -> Completion<Result<Image>> {
        let names = match Names::new(op, ioctx, name, self) {
            Ok(names) => names,
            Err(error) => return ready(Err(error)),
        };
        let opening = Opening {
            raw: Slot::new(ffi::rbd_image_t(ptr::null_mut())),
            ioctx: ioctx.clone(),
            opened: names.opened.clone(),
        };
        submit(
            Aio(None),
            opening,
            |_, opening, completion| {
                ioctx.conn().check(op)?;
                let (name, raw) = (names.name.as_ptr(), opening.raw.as_ptr());
                let completion = ffi::rbd_completion_t(completion);
                // SAFETY: the pool is open and stays so with the payload, in which the output is; the name
                // lives until C returns, which copies it.
                let code = unsafe { open(ioctx.as_raw(), name, raw, ptr::null(), completion) };
                Ok(Started::Called(code.into()).code())
            },
            move |_, opening, outcome| {
                let opened = check(op, outcome?);
                opened.map_err(|error| {
                    error.on(subject(&opening.ioctx, &opening.opened.to_string()))
                })?;
                Ok(opening.into_image())
            },
        )
    }
}

/// An image on its way; closed if nobody takes it.
struct Opening {
    raw: Slot<ffi::rbd_image_t>,
    ioctx: IoCtx,
    opened: Opened,
}

// SAFETY: an image handle has no tie to a thread; see `Handle`.
unsafe impl Send for Opening {}

impl Opening {
    fn into_image(self) -> Image {
        Image::from_raw(self.take(), &self.ioctx, self.opened.clone())
    }

    /// Takes the handle, NULL if C made none.
    fn take(&self) -> ffi::rbd_image_t {
        // SAFETY: the operation is done or never started, so nobody else uses the slot.
        unsafe { self.raw.as_ptr().replace(ffi::rbd_image_t(ptr::null_mut())) }
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        let raw = self.take();
        if !raw.0.is_null() {
            drop(Image::from_raw(raw, &self.ioctx, self.opened.clone()));
        }
    }
}

impl Image {
    /// Opens the image with this name for reading and writing, without blocking.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    ///
    /// # Cancel safety
    /// When the completion is dropped, the image is closed again once it is open.
    #[doc(alias = "rbd_aio_open")]
    pub fn aio_open(ioctx: &IoCtx, name: &str) -> Completion<Result<Self>> {
        OpenOptions::new().aio_open(ioctx, name)
    }

    /// As [`close`](Self::close), without blocking: in async code dropping an image would block, and hide
    /// errors.
    ///
    /// # Errors
    /// What writing back or releasing answers. The image is closed in any case.
    ///
    /// # Cancel safety
    /// The image is closed also when the completion is dropped.
    #[doc(alias = "rbd_aio_close")]
    pub fn aio_close(self) -> Completion<Result<()>> {
        // C does not wait for what asks about mirroring or changes it, and ending watches blocks.
        let handle = self.handle();
        let is_quiet = self.in_flight() == 0 && !handle.watches.any() && handle.is_settled();
        let Some(held) = handle.try_hold().filter(|_| is_quiet) else {
            return blocking(move || self.close());
        };
        let closing = self.aio(
            "rbd_aio_close",
            (),
            |_, completion, ()| {
                let raw = self.handle().take();
                // SAFETY: the handle is open, and nobody else can use it: the image is owned here, and nothing
                // is in flight.
                let code = unsafe { ffi::rbd_aio_close(raw, completion) };
                if code < 0 {
                    self.handle().put_back(raw);
                }
                Started::called(code)
            },
            |(), result| result.map(drop),
        );
        drop(held);
        closing
    }
}
