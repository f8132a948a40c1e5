//! A watch of C's.

use std::ffi::c_void;
use std::sync::Arc;

use ceph_core::cstr::CName;
use ceph_core::{Error, Result, check, reaper};

use super::inbox::{self, Outbox};
use super::{WatchOptions, whole_seconds};
use crate::{IoCtx, ffi};

/// A watch that C has, and what it uses.
pub(super) struct Registered {
    pub(super) ioctx: IoCtx,
    pub(super) object: Arc<[u8]>,
    /// C's pointer to the watch, as a number.
    pub(super) cookie: u64,
    pub(super) argument: Argument,
}

/// What C gives to the callbacks. They can come until the watch is gone and [`flush`] has returned since.
pub(super) struct Argument(Arc<inbox::Inbox>);

impl Argument {
    pub(super) fn new(options: &WatchOptions) -> (Self, Outbox) {
        let (inbox, outbox) = inbox::new(options.queue);
        (Self(Arc::new(inbox)), outbox)
    }

    pub(super) fn as_ptr(&self) -> *mut c_void {
        Arc::as_ptr(&self.0).cast_mut().cast()
    }
}

pub(super) const NOTIFIED: ffi::rados_watchcb2_t = Some(trampoline::notified);
pub(super) const LOST: ffi::rados_watcherrcb_t = Some(trampoline::lost);

impl Registered {
    /// Watches an object. Blocks.
    pub(super) fn new(
        ioctx: &IoCtx,
        object: &[u8],
        options: &WatchOptions,
    ) -> Result<(Self, Outbox)> {
        let op = match options.timeout {
            None => "rados_watch2",
            Some(_) => "rados_watch3",
        };
        let raw = ioctx.raw_blocking(op)?;
        let name = CName::new(op, "object name", object)?;
        let (argument, outbox) = Argument::new(options);
        let mut cookie = 0;
        let code = match options.timeout {
            None => {
                // SAFETY: `raw` is open, `name` and `cookie` live until the call returns, and `argument`
                // until no callback can come.
                unsafe {
                    ffi::rados_watch2(
                        raw,
                        name.as_ptr(),
                        &raw mut cookie,
                        NOTIFIED,
                        LOST,
                        argument.as_ptr(),
                    )
                }
            }
            Some(timeout) => {
                let watch = ffi::optional(&ffi::rados_watch3)?;
                let seconds = whole_seconds(op, timeout)?;
                // SAFETY: as above.
                unsafe {
                    watch(
                        raw,
                        name.as_ptr(),
                        &raw mut cookie,
                        NOTIFIED,
                        LOST,
                        seconds,
                        argument.as_ptr(),
                    )
                }
            }
        };
        if let Err(error) = check(op, code) {
            flush(ioctx, argument);
            return Err(error.on(ioctx.subject(Some(object))));
        }
        let registered = Self {
            ioctx: ioctx.clone(),
            object: object.into(),
            cookie,
            argument,
        };
        Ok((registered, outbox))
    }

    /// Ends the watch, whatever C answers. Blocks, and must not run inside a callback.
    pub(super) fn end(self) -> Result<()> {
        const OP: &str = "rados_unwatch2";
        let raw = self.ioctx.raw(OP)?;
        // SAFETY: `raw` is open; the cookie is the watch's, and since `self` goes this is the only unwatch.
        let code = unsafe { ffi::rados_unwatch2(raw, self.cookie) };
        flush(&self.ioctx, self.argument);
        check(OP, code)
            .map(drop)
            .map_err(|error: Error| error.on(self.ioctx.subject(Some(&self.object))))
    }
}

/// Waits for the callbacks that C has begun or queued, and frees what they use; their watch is gone.
fn flush(ioctx: &IoCtx, argument: Argument) {
    if let Ok(cluster) = ioctx.conn().raw("rados_watch_flush") {
        // SAFETY: `cluster` is connected, and this does not run inside a callback. It answers 0.
        unsafe { ffi::rados_watch_flush(cluster) };
    }
    drop(argument);
}

/// Ends its watch when it goes.
pub(super) struct Registration(Option<Registered>);

impl Registration {
    pub(super) fn new(registered: Registered) -> Self {
        Self(Some(registered))
    }

    pub(super) fn get(&self) -> &Registered {
        self.0.as_ref().expect("it is there until it goes")
    }

    /// Leaves the watch to the caller.
    pub(super) fn into_inner(mut self) -> Registered {
        self.0.take().expect("it is there until it goes")
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        if let Some(registered) = self.0.take() {
            reaper::close_with(move || drop(registered.end()));
        }
    }
}

mod trampoline {
    use std::ffi::{c_int, c_void};

    use ceph_core::callback::{discard, guard};

    use super::inbox::{Delivery, Inbox};
    use crate::buffer::copy_bytes;

    pub(super) unsafe extern "C" fn notified(
        argument: *mut c_void,
        notify_id: u64,
        cookie: u64,
        notifier: u64,
        data: *mut c_void,
        len: usize,
    ) {
        // SAFETY: it is an `Argument`, which lives until no callback of the watch is running or to come.
        let inbox = unsafe { &*argument.cast_const().cast::<Inbox>() };
        let delivery = || Delivery {
            cookie,
            notify_id,
            notifier,
            // SAFETY: C keeps the payload until this returns.
            payload: unsafe { copy_bytes(data.cast_const().cast(), len) },
        };
        discard(guard(|| inbox.notify(delivery)));
    }

    pub(super) unsafe extern "C" fn lost(argument: *mut c_void, _cookie: u64, code: c_int) {
        // SAFETY: as above.
        let inbox = unsafe { &*argument.cast_const().cast::<Inbox>() };
        discard(guard(|| inbox.lose(code)));
    }
}
