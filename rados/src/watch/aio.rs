//! Watching and unwatching without waiting.

use std::cell::Cell;
use std::ffi::c_void;
use std::mem;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicPtr, Ordering};
use std::time::{Duration, Instant};

use ceph_core::aio::{Completion, Library, Slot, Tracker, block_on_until, blocking, submit};
use ceph_core::cstr::CName;
use ceph_core::{Error, Result, check, reaper};

use super::inbox::Outbox;
use super::registration::{Argument, LOST, NOTIFIED, Registered, Registration};
use super::{Watch, WatchOptions, whole_seconds};
use crate::aio::{Aio, Started, new_completion};
use crate::{IoCtx, ffi};

impl IoCtx {
    /// Watches an object, as [`watch`](Self::watch) does.
    ///
    /// ```no_run
    /// # async fn f(pool: rados::IoCtx) -> rados::Result<()> {
    /// use rados::WatchEvent;
    ///
    /// let mut watch = pool.aio_watch("object").await?;
    /// while let Some(event) = watch.next().await {
    ///     if let WatchEvent::Notification(notification) = event {
    ///         notification.ack(b"seen")?;
    ///     }
    /// }
    /// watch.aio_close().await
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`watch`](Self::watch); `Unsupported` where the library lacks it. Needs the feature `aio-watch`.
    ///
    /// # Cancel safety
    /// When the completion is dropped, so is the watch, without waiting.
    #[doc(alias = "rados_aio_watch")]
    pub fn aio_watch(&self, object: impl AsRef<[u8]>) -> Completion<Result<Watch>> {
        self.aio_watch_with(object, &WatchOptions::new())
    }

    /// Watches an object with these options, as [`watch_with`](Self::watch_with) does.
    ///
    /// # Errors
    /// As [`watch_with`](Self::watch_with); `Unsupported` where the library has no `rados_aio_watch`, or no
    /// `rados_aio_watch2` and there is a timeout. Needs the feature `aio-watch`.
    ///
    /// # Cancel safety
    /// As [`aio_watch`](Self::aio_watch).
    #[doc(alias = "rados_aio_watch")]
    #[doc(alias = "rados_aio_watch2")]
    pub fn aio_watch_with(
        &self,
        object: impl AsRef<[u8]>,
        options: &WatchOptions,
    ) -> Completion<Result<Watch>> {
        let object: Arc<[u8]> = object.as_ref().into();
        let op = match options.timeout {
            None => "rados_aio_watch",
            Some(_) => "rados_aio_watch2",
        };
        let (argument, outbox) = Argument::new(options);
        let end = Arc::new(End::default());
        let payload = Registering {
            cookie: Slot::new(0),
            end: Arc::clone(&end),
            parts: Some((self.clone(), Arc::clone(&object), argument, outbox)),
        };
        let library = Watching {
            aio: Aio(self.clone()),
            end,
        };
        let (name, options) = (Arc::clone(&object), options.clone());
        let timeout = options.timeout;
        submit(
            library,
            payload,
            |library, payload, completion| {
                let raw = library.aio.0.raw(op)?;
                let name = CName::new(op, "object name", &object)?;
                let completion = ffi::rados_completion_t(completion);
                let cookie = payload.cookie.as_ptr();
                let argument = payload.argument();
                let code = match timeout {
                    None => {
                        let watch = ffi::optional(&ffi::rados_aio_watch)?;
                        // SAFETY: `raw` is open as long as the operation; the name is copied; C writes the
                        // cookie before it returns; the payload ends the watch before the argument goes.
                        unsafe {
                            watch(
                                raw,
                                name.as_ptr(),
                                completion,
                                cookie,
                                NOTIFIED,
                                LOST,
                                argument,
                            )
                        }
                    }
                    Some(timeout) => {
                        let watch = ffi::optional(&ffi::rados_aio_watch2)?;
                        let seconds = whole_seconds(op, timeout)?;
                        // SAFETY: as above.
                        unsafe {
                            watch(
                                raw,
                                name.as_ptr(),
                                completion,
                                cookie,
                                NOTIFIED,
                                LOST,
                                seconds,
                                argument,
                            )
                        }
                    }
                };
                Ok((code < 0).then_some(code.into()))
            },
            move |library, mut payload, outcome| {
                let (ioctx, taken) = (&library.aio.0, &name);
                let located = |error: Error| error.on(ioctx.subject(Some(taken)));
                outcome.and_then(|code| check(op, code).map_err(located))?;
                let (registered, outbox) = payload.take().expect("nobody else takes it");
                Ok(Watch::new(registered, outbox, options))
            },
        )
    }
}

/// Watching with a limit: librados forgets its own when the OSD is marked down.
impl IoCtx {
    /// The most that making a watch may take, if that is limited and can be waited for so.
    pub(super) fn watch_limit(&self, options: &WatchOptions) -> Result<Option<Duration>> {
        self.raw_blocking("rados_aio_watch")?;
        let there = match options.timeout {
            None => ffi::rados_aio_watch.get().is_some(),
            Some(_) => ffi::rados_aio_watch2.get().is_some(),
        };
        let limit = self.conn().config_get("rados_osd_op_timeout")?;
        let limit = limit.parse().ok().filter(|&seconds| seconds > 0.0);
        let limit = limit.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        Ok(limit.filter(|_| there))
    }

    pub(super) fn watch_within(
        &self,
        object: &[u8],
        options: &WatchOptions,
        limit: Duration,
    ) -> Result<Watch> {
        // librados' own limit comes first, if it comes.
        let end = Instant::now().checked_add(limit.saturating_add(Duration::from_secs(1)));
        let watching = self.aio_watch_with(object, options);
        block_on_until(watching, end).unwrap_or_else(|| {
            let hint = format!("the object's OSD did not answer within {limit:?}");
            let error = Error::refused("rados_aio_watch", libc::ETIMEDOUT, hint);
            Err(error.on(self.subject(Some(object))))
        })
    }
}

impl Watch {
    /// Watches the object anew, as [`rewatch`](Self::rewatch) does, without blocking.
    ///
    /// # Errors
    /// As [`IoCtx::aio_watch_with`], and all is as before.
    ///
    /// # Cancel safety
    /// The old watch stays until the new one is there. Needs the feature `aio-watch`.
    #[doc(alias = "rados_aio_watch")]
    pub async fn rewatch_async(&mut self) -> Result<()> {
        let fresh = self.ioctx().aio_watch_with(self.object(), &self.options);
        let old = mem::replace(self, fresh.await?);
        drop(old.aio_close());
        Ok(())
    }

    /// Ends the watch, as [`close`](Self::close) does; where the library has no `rados_aio_unwatch`, on a
    /// thread of [`blocking`](crate::blocking).
    ///
    /// # Errors
    /// As [`close`](Self::close). Needs the feature `aio-watch`.
    ///
    /// # Cancel safety
    /// The watch is ended also when the completion is dropped.
    #[doc(alias = "rados_aio_unwatch")]
    #[doc(alias = "rados_aio_watch_flush")]
    pub fn aio_close(self) -> Completion<Result<()>> {
        unwatch(self.registration.into_inner())
    }
}

/// The payload of a watch that is being made.
struct Registering {
    cookie: Slot<u64>,
    end: Arc<End>,
    /// Until it is a watch.
    parts: Option<Parts>,
}

type Parts = (IoCtx, Arc<[u8]>, Argument, Outbox);

impl Registering {
    fn argument(&self) -> *mut c_void {
        self.parts
            .as_ref()
            .map_or(ptr::null_mut(), |parts| parts.2.as_ptr())
    }

    fn take(&mut self) -> Option<(Registered, Outbox)> {
        let (ioctx, object, argument, outbox) = self.parts.take()?;
        let registered = Registered {
            ioctx,
            object,
            cookie: mem::take(&mut self.cookie).into_inner(),
            argument,
        };
        Some((registered, outbox))
    }
}

impl Drop for Registering {
    fn drop(&mut self) {
        let code = self.end.code.load(Ordering::Acquire);
        if let Some((registered, _)) = self.take()
            && code != End::NOT_YET
        {
            // Submitting may wait for room among the operations in flight.
            reaper::close_with(move || match code {
                0.. => drop(unwatch(registered)),
                _ => flush(&registered.ioctx, registered.argument), // C has ended it
            });
        }
    }
}

/// How the operation ended, for who drops its payload without a look at the result.
struct End {
    /// What `complete` is to be told.
    operation: AtomicPtr<c_void>,
    code: AtomicI64,
}

impl End {
    const NOT_YET: i64 = i64::MIN;
}

impl Default for End {
    fn default() -> Self {
        Self {
            operation: AtomicPtr::default(),
            code: AtomicI64::new(Self::NOT_YET),
        }
    }
}

/// What the making of a watch keeps alive.
struct Watching {
    aio: Aio,
    end: Arc<End>,
}

// SAFETY: as `Aio`, but that the trampoline comes by way of `end`, which lives as long as the operation.
unsafe impl Library for Watching {
    fn tracker(&self) -> Option<&Tracker> {
        self.aio.tracker()
    }

    fn create(&self, argument: *mut c_void) -> Result<*mut c_void> {
        self.end.operation.store(argument, Ordering::Release);
        let end = Arc::as_ptr(&self.end).cast_mut().cast();
        new_completion(end, Some(trampoline::complete))
    }

    unsafe fn release(completion: *mut c_void) {
        // SAFETY: as the caller promises.
        unsafe { Aio::release(completion) }
    }

    unsafe fn cancel(&self, completion: *mut c_void) -> Result<()> {
        // SAFETY: as the caller promises.
        unsafe { self.aio.cancel(completion) }
    }

    const VERSION: Option<unsafe fn(*mut c_void) -> Option<u64>> = None;
}

/// Starts to end a watch.
fn unwatch(registered: Registered) -> Completion<Result<()>> {
    let functions = ffi::optional(&ffi::rados_aio_unwatch)
        .and_then(|unwatch| ffi::optional(&ffi::rados_aio_watch_flush).map(|_| unwatch));
    let Ok(unwatch) = functions else {
        let registration = Registration::new(registered);
        return blocking(move || registration.into_inner().end());
    };
    let Registered {
        ioctx,
        object,
        cookie,
        argument,
    } = registered;
    ioctx.clone().object_aio(
        "rados_aio_unwatch",
        &object,
        Unwatching {
            ioctx,
            argument: Some(argument),
            called: Cell::new(false),
        },
        |target, unwatching| {
            unwatching.called.set(true);
            // SAFETY: as `object_aio` says; the cookie is the watch's, and its owner is gone.
            let code = unsafe { unwatch(target.ioctx, cookie, target.completion) };
            Ok(Started::Called(code))
        },
        check,
        |_, result| result.map(drop),
    )
}

/// The payload of an unwatch: callbacks may come until it is done and flushed.
struct Unwatching {
    ioctx: IoCtx,
    argument: Option<Argument>,
    called: Cell<bool>,
}

impl Drop for Unwatching {
    fn drop(&mut self) {
        match self.argument.take() {
            Some(argument) if self.called.get() => flush(&self.ioctx, argument),
            argument => mem::forget(argument), // the watch lives on
        }
    }
}

/// Frees what callbacks use once those that C has begun or queued are through; their watch is gone.
fn flush(ioctx: &IoCtx, argument: Argument) {
    const OP: &str = "rados_aio_watch_flush";
    let flushing = Flushing {
        argument: Some(argument),
        called: Cell::new(false),
    };
    let flushed = ioctx.object_aio(
        OP,
        b"",
        flushing,
        |target, flushing| {
            let cluster = ioctx.conn().raw(OP)?;
            let flush = ffi::optional(&ffi::rados_aio_watch_flush)?;
            // SAFETY: `cluster` is connected; the completion is as `object_aio` says.
            let code = unsafe { flush(cluster, target.completion) };
            flushing.called.set(code >= 0);
            Ok(Started::Called(code))
        },
        check,
        |_, result| result.map(drop),
    );
    drop(flushed);
}

/// The payload of a flush: without one, what callbacks use stays for ever.
struct Flushing {
    argument: Option<Argument>,
    called: Cell<bool>,
}

impl Drop for Flushing {
    fn drop(&mut self) {
        if !self.called.get() {
            mem::forget(self.argument.take());
        }
    }
}

mod trampoline {
    use super::{End, Ordering, c_void, ffi};

    pub(super) unsafe extern "C" fn complete(
        completion: ffi::rados_completion_t,
        argument: *mut c_void,
    ) {
        // SAFETY: librados keeps the completion while it calls this.
        let code = unsafe { ffi::rados_aio_get_return_value(completion) };
        // SAFETY: the operation keeps it until `complete`, of which librados makes one call.
        let end = unsafe { &*argument.cast_const().cast::<End>() };
        let operation = end.operation.load(Ordering::Acquire);
        end.code.store(code.into(), Ordering::Release);
        // SAFETY: it is what `create` was given, and this is the only call.
        unsafe { ceph_core::aio::complete(operation, code.into()) }
    }
}
