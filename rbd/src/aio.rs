//! How librbd's completions become ours.

use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;

use ceph_core::aio::{Completion, Library, Tracker, submit};
use ceph_core::{Code, Error, check};
use rados::Result;

use crate::ffi;
use crate::handle::Handle;
use crate::image::Image;

/// What an operation in flight keeps alive: the image, if it has one yet.
pub(crate) struct Aio(pub(crate) Option<Arc<Handle>>);

// SAFETY: librbd calls the trampoline once for each completion that an operation was started with; it has
// its own reference on a completion while it uses that.
unsafe impl Library for Aio {
    fn tracker(&self) -> Option<&Tracker> {
        self.0.as_ref().map(|handle| &handle.tracker)
    }

    fn create(&self, argument: *mut c_void) -> Result<*mut c_void> {
        let mut completion = ffi::rbd_completion_t(ptr::null_mut());
        // SAFETY: `completion` is this function's; the trampoline takes the argument as it is.
        let code = unsafe {
            ffi::rbd_aio_create_completion(
                argument,
                Some(trampoline::complete),
                &raw mut completion,
            )
        };
        check("rbd_aio_create_completion", code).map(|_| completion.0)
    }

    unsafe fn release(completion: *mut c_void) {
        // SAFETY: as the caller promises.
        unsafe { ffi::rbd_aio_release(ffi::rbd_completion_t(completion)) }
    }

    unsafe fn cancel(&self, _: *mut c_void) -> Result<()> {
        let hint = "librbd cannot cancel what is in flight";
        Err(Error::refused("cancel", libc::EOPNOTSUPP, hint))
    }

    const VERSION: Option<unsafe fn(*mut c_void) -> Option<u64>> = None;
}

mod trampoline {
    use super::{c_void, ffi};

    pub(super) unsafe extern "C" fn complete(
        completion: ffi::rbd_completion_t,
        argument: *mut c_void,
    ) {
        // SAFETY: librbd keeps the completion while it calls this.
        let code = unsafe { ffi::rbd_aio_get_return_value(completion) };
        // SAFETY: `argument` is what `create` was given, and librbd calls this once.
        unsafe { ceph_core::aio::complete(argument, code as i64) }
    }
}

/// How an operation began.
pub(crate) enum Started {
    /// C was called and answered this.
    Called(i64),
    /// There was nothing to do.
    Done,
}

impl Started {
    pub(crate) fn called(code: impl Code) -> Result<Self> {
        Ok(Self::Called(code.widen()))
    }

    /// As `submit` wants to know it.
    pub(crate) fn code(self) -> Option<i64> {
        match self {
            Self::Called(code) if code < 0 => Some(code),
            Self::Called(_) => None,
            Self::Done => Some(0),
        }
    }
}

impl Image {
    /// Starts the operation `op`.
    ///
    /// `start` calls C with the open handle, the completion, and the payload, which lives until the operation
    /// is done. `finish` makes the result.
    pub(crate) fn aio<P: Send + 'static, T>(
        &self,
        op: &'static str,
        payload: P,
        start: impl FnOnce(ffi::rbd_image_t, ffi::rbd_completion_t, &P) -> Result<Started>,
        finish: impl FnOnce(P, Result<u64>) -> T + Send + 'static,
    ) -> Completion<T> {
        submit(
            Aio(Some(Arc::clone(self.handle()))),
            payload,
            |_, payload, completion| {
                self.ioctx().conn().check(op)?;
                let started = start(self.as_raw(), ffi::rbd_completion_t(completion), payload);
                Ok(started.map_err(|error| error.on(self.subject()))?.code())
            },
            move |aio, payload, outcome| {
                let located = |error: Error| match &aio.0 {
                    Some(handle) => error.on(handle.subject()),
                    None => error,
                };
                let result = outcome.and_then(|code| check(op, code).map_err(located));
                finish(payload, result)
            },
        )
    }

    /// Waits for a moment at which none of the image's asynchronous operations is in flight, those included
    /// whose completion has been dropped. [`rados::block_on`] waits for it in a thread.
    pub async fn drain(&self) {
        self.handle().tracker.idle().await;
    }

    /// How many of the image's asynchronous operations are in flight.
    pub fn in_flight(&self) -> usize {
        self.handle().tracker.in_flight()
    }
}
