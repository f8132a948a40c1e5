//! Being asked to be quiet before a snapshot is taken.

use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use atomic_waker::AtomicWaker;
use ceph_core::aio::block_on_until;
use ceph_core::check;
use rados::{Errno, Error, Result};

use crate::ffi;
use crate::handle::Handle;
use crate::image::Image;

type Complete = unsafe extern "C" fn(ffi::rbd_image_t, u64, i32);
type Unwatch = unsafe extern "C" fn(ffi::rbd_image_t, u64) -> i32;

/// A watch on an image that is asked before a snapshot of it is taken, by whomever, so that what uses the image
/// can bring it into a consistent state: a file system freezes, a database ends its transactions.
///
/// Made by [`Image::quiesce_watch`]. Who takes the snapshot waits until every such watch of every client has
/// answered. Writes through an image that does not have the exclusive lock yet may wait for the snapshot.
///
/// ```no_run
/// use rbd::QuiesceEvent;
///
/// # fn freeze() -> rbd::Result<()> { Ok(()) }
/// # fn thaw() {}
/// # fn f(image: rbd::Image) -> rbd::Result<()> {
/// let mut watch = image.quiesce_watch()?;
/// while let Some(event) = watch.recv() {
///     match event {
///         QuiesceEvent::Quiesce(token) => {
///             let frozen = freeze().and_then(|()| image.flush());
///             token.complete(frozen.map_err(|error| error.errno()));
///         }
///         QuiesceEvent::Unquiesce => thaw(),
///         _ => {}
///     }
/// }
/// # Ok(()) }
/// ```
///
/// It keeps the image open, but closing that ends the watch. A watch that has been dropped consents to everything;
/// tokens that were received before stay valid. Dropping does not block.
pub struct QuiesceWatch {
    handle: Arc<Handle>,
    inbox: Arc<Inbox>,
    /// The last request that was received.
    seen: u64,
    /// How many of C's calls to go on have been looked at.
    thaws: u64,
    /// Whether a request was received, and not yet that it is over.
    quiet: bool,
}

/// What a [`QuiesceWatch`] tells.
#[derive(Debug)]
#[non_exhaustive]
pub enum QuiesceEvent {
    /// A snapshot is to be taken: be quiet, and say so with the token.
    Quiesce(QuiesceToken),
    /// It has been taken, or has failed: go on.
    Unquiesce,
}

/// Someone waits to take a snapshot; this lets them.
///
/// When it is dropped without an answer, such as by a panic, the snapshot fails with `Canceled`: nothing is known
/// about the state of what uses the image.
#[must_use = "who takes the snapshot waits for it; dropped it makes the snapshot fail"]
pub struct QuiesceToken {
    handle: Arc<Handle>,
    inbox: Arc<Inbox>,
    request: u64,
}

/// What C gives to the callbacks, which can come until the watch has ended.
///
/// C's watch lives as long as the image once there has been one, since ending it while C asks can wait for ever:
/// without a [`QuiesceWatch`], everything is consented to.
pub(super) struct Inbox {
    /// The image, which is open until the watch has ended.
    raw: AtomicPtr<std::ffi::c_void>,
    complete: Complete,
    unwatch: Unwatch,
    /// C's pointer to the watch, as a number.
    cookie: AtomicU64,
    /// Whether there is a `QuiesceWatch`.
    listening: AtomicBool,
    /// How many there have been.
    requests: AtomicU64,
    /// The number of the request that waits for an answer, or 0; who changes it to 0 answers.
    pending: AtomicU64,
    thaws: AtomicU64,
    ended: AtomicBool,
    waker: AtomicWaker,
    /// Held while a request is answered from outside a callback, and while the watch is made to end.
    answering: Mutex<()>,
}

impl Image {
    /// Watches for snapshots that are to be taken; one such watch may be there at a time. Does not ask the
    /// cluster. Needs the feature `quiesce`.
    ///
    /// # Errors
    /// `Busy` when this image has one already; `ReadOnly` for an image that is open for reading only, which is
    /// not asked; `Unsupported` where the library lacks the function.
    #[doc(alias = "rbd_quiesce_watch")]
    #[doc(alias = "rbd_quiesce_unwatch")]
    pub fn quiesce_watch(&self) -> Result<QuiesceWatch> {
        const OP: &str = "rbd_quiesce_watch";
        let watch = ffi::optional(&ffi::rbd_quiesce_watch)?;
        let complete = ffi::optional(&ffi::rbd_quiesce_complete)?;
        let unwatch = ffi::optional(&ffi::rbd_quiesce_unwatch)?;
        let raw = self.raw_watcher(OP)?;
        let handle = self.handle();
        let mut watches = handle.watches.lock();
        let inbox = match &watches.quiesce {
            Some(inbox) => {
                if inbox.listening.swap(true, SeqCst) {
                    let hint = "the image has a quiesce watch";
                    return Err(Error::refused(OP, libc::EBUSY, hint).on(self.subject()));
                }
                Arc::clone(inbox)
            }
            None => {
                let inbox = Arc::new(Inbox::new(raw, complete, unwatch));
                let argument = Arc::as_ptr(&inbox).cast_mut().cast();
                let mut cookie = 0;
                // SAFETY: the handle is open; the output is this function's; the argument lives until the
                // watch has ended, or C has refused it.
                let code = unsafe {
                    watch(
                        raw,
                        Some(trampoline::quiesce),
                        Some(trampoline::unquiesce),
                        argument,
                        &raw mut cookie,
                    )
                };
                check(OP, code).map_err(|error| error.on(self.subject()))?;
                inbox.cookie.store(cookie, SeqCst);
                watches.quiesce = Some(Arc::clone(&inbox));
                inbox
            }
        };
        Ok(QuiesceWatch {
            handle: Arc::clone(handle),
            seen: 0,
            thaws: inbox.thaws.load(SeqCst),
            quiet: false,
            inbox,
        })
    }
}

impl QuiesceWatch {
    /// The next event; blocks until there is one. `None` once the image is closed.
    ///
    /// # Panics
    /// When it would have to wait inside a callback of Ceph's, such as in a waker.
    pub fn recv(&mut self) -> Option<QuiesceEvent> {
        block_on_until(self.next(), None).flatten()
    }

    /// As [`recv`](Self::recv), for at most `timeout`.
    ///
    /// # Errors
    /// `TimedOut` when none comes in time.
    ///
    /// # Panics
    /// As [`recv`](Self::recv).
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Option<QuiesceEvent>> {
        let end = Instant::now().checked_add(timeout);
        block_on_until(self.next(), end)
            .ok_or_else(|| Error::refused("recv_timeout", libc::ETIMEDOUT, "no event in time"))
    }

    /// As [`recv`](Self::recv), for tasks.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<QuiesceEvent> {
        poll_fn(|context| self.poll_next_event(context)).await
    }

    fn poll_next_event(&mut self, context: &mut Context<'_>) -> Poll<Option<QuiesceEvent>> {
        // One may come before the waker is there.
        match self.take() {
            Poll::Pending => {
                self.inbox.waker.register(context.waker());
                self.take()
            }
            ready => ready,
        }
    }

    fn take(&mut self) -> Poll<Option<QuiesceEvent>> {
        let ended = self.inbox.ended.load(SeqCst);
        let thaws = self.inbox.thaws.load(SeqCst);
        if thaws != std::mem::replace(&mut self.thaws, thaws) && std::mem::take(&mut self.quiet) {
            return Poll::Ready(Some(QuiesceEvent::Unquiesce));
        }
        let request = self.inbox.pending.load(SeqCst);
        if request > self.seen {
            self.seen = request;
            self.quiet = true;
            return Poll::Ready(Some(QuiesceEvent::Quiesce(QuiesceToken {
                handle: Arc::clone(&self.handle),
                inbox: Arc::clone(&self.inbox),
                request,
            })));
        }
        match ended {
            true if std::mem::take(&mut self.quiet) => Poll::Ready(Some(QuiesceEvent::Unquiesce)),
            true => Poll::Ready(None),
            false => Poll::Pending,
        }
    }
}

impl QuiesceToken {
    /// Lets the snapshot be taken, or fail with this errno, unless who takes it does not mind. Does not block.
    ///
    /// Does nothing once the image has been closed.
    #[doc(alias = "rbd_quiesce_complete")]
    pub fn complete(self, result: Result<(), Errno>) {
        let code = match result {
            Ok(()) => 0,
            // Only what is negative is a failure to C.
            Err(errno) => match errno.raw().saturating_abs() {
                0 => -libc::EINVAL,
                errno => -errno,
            },
        };
        self.inbox.answer(&self.handle, self.request, code);
    }
}

impl Drop for QuiesceToken {
    fn drop(&mut self) {
        // It is too late if `complete` has done so.
        self.inbox
            .answer(&self.handle, self.request, -libc::ECANCELED);
    }
}

impl Drop for QuiesceWatch {
    fn drop(&mut self) {
        self.inbox.listening.store(false, SeqCst);
        // A request that nobody has received, and nobody will. The callback looks after what comes later.
        let request = self.inbox.pending.load(SeqCst);
        if request > self.seen {
            self.inbox.answer(&self.handle, request, 0);
        }
    }
}

impl Inbox {
    fn new(raw: ffi::rbd_image_t, complete: Complete, unwatch: Unwatch) -> Self {
        Self {
            raw: AtomicPtr::new(raw.0),
            complete,
            unwatch,
            cookie: AtomicU64::new(0),
            listening: AtomicBool::new(true),
            requests: AtomicU64::new(0),
            pending: AtomicU64::new(0),
            thaws: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            waker: AtomicWaker::new(),
            answering: Mutex::new(()),
        }
    }

    fn quiesce(&self) {
        let request = self.requests.fetch_add(1, SeqCst) + 1;
        self.pending.store(request, SeqCst);
        match self.listening.load(SeqCst) {
            true => self.waker.wake(),
            false => self.answer_now(request, 0),
        }
    }

    fn unquiesce(&self) {
        self.thaws.fetch_add(1, SeqCst);
        self.waker.wake();
    }

    /// Answers a request if nobody has, and the image is still open.
    fn answer(&self, handle: &Handle, request: u64, code: i32) {
        if handle.ioctx().conn().check("rbd_quiesce_complete").is_err() {
            return; // in a forked child
        }
        let _answering = self
            .answering
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !self.ended.load(SeqCst) {
            self.answer_now(request, code);
        }
    }

    /// Answers a request if nobody has, while the image is open.
    fn answer_now(&self, request: u64, code: i32) {
        let pending = &self.pending;
        if pending
            .compare_exchange(request, 0, SeqCst, SeqCst)
            .is_err()
        {
            return;
        }
        // SAFETY: the image is open, as the caller says; C waits for this answer, and gets it once. The cookie
        // is for C's messages only.
        unsafe { (self.complete)(self.raw(), self.cookie.load(SeqCst), code) };
    }

    fn raw(&self) -> ffi::rbd_image_t {
        ffi::rbd_image_t(self.raw.load(SeqCst))
    }

    /// Ends the watch of an image that is open; does not run inside a callback.
    pub(super) fn end(&self) {
        self.listening.store(false, SeqCst);
        {
            let _answering = self
                .answering
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let request = self.pending.load(SeqCst);
            if request != 0 {
                self.answer_now(request, -libc::ECANCELED);
            }
            self.ended.store(true, SeqCst);
        }
        // SAFETY: the image is open, and this is the only unwatch. It waits for the callbacks, whatever it
        // answers.
        unsafe { (self.unwatch)(self.raw(), self.cookie.load(SeqCst)) };
        self.waker.wake();
    }
}

#[cfg(feature = "futures")]
impl futures_core::Stream for QuiesceWatch {
    type Item = QuiesceEvent;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<QuiesceEvent>> {
        self.poll_next_event(context)
    }
}

impl fmt::Debug for QuiesceWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuiesceWatch")
            .field("image", &self.handle.opened.to_string())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for QuiesceToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuiesceToken")
            .field("image", &self.handle.opened.to_string())
            .finish_non_exhaustive()
    }
}

mod trampoline {
    use std::ffi::c_void;

    use ceph_core::callback::{discard, guard};

    use super::Inbox;

    pub(super) unsafe extern "C" fn quiesce(argument: *mut c_void) {
        // SAFETY: it is an `Inbox`, which lives until no callback of the watch is running or to come.
        let inbox = unsafe { &*argument.cast_const().cast::<Inbox>() };
        discard(guard(|| inbox.quiesce()));
    }

    pub(super) unsafe extern "C" fn unquiesce(argument: *mut c_void) {
        // SAFETY: as above.
        let inbox = unsafe { &*argument.cast_const().cast::<Inbox>() };
        discard(guard(|| inbox.unquiesce()));
    }
}
