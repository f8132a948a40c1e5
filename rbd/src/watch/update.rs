//! Being told when an image changes.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use atomic_waker::AtomicWaker;
use ceph_core::aio::block_on_until;
use ceph_core::{check, reaper};
use rados::{Error, Result};

use super::Update;
use crate::ffi;
use crate::handle::Handle;
use crate::image::Image;

/// A watch on an image: tells when its size, snapshots, features, metadata or parent have changed.
///
/// Made by [`Image::update_watch`]. Updates are counted where Ceph calls, so a slow receiver delays nobody and
/// nothing piles up. They are received with [`recv`](Self::recv) by threads, with [`next`](Self::next) by
/// tasks, or as a `Stream` (feature `futures`). It tells that something has changed, for oneself to look:
///
/// ```no_run
/// # fn f(image: rbd::Image) -> rbd::Result<()> {
/// let mut watch = image.update_watch()?;
/// let mut size = image.size()?;
/// while watch.recv().is_some() {
///     let now = image.size()?;
///     if now != std::mem::replace(&mut size, now) {
///         println!("{now} bytes");
///     }
/// }
/// # Ok(()) }
/// ```
///
/// In Ceph 14 an update that comes while this image takes in another one is not told; who must not miss any looks
/// now and then, with [`recv_timeout`](Self::recv_timeout).
///
/// It keeps the image open, but closing that ends the watch. Dropping it ends the watch, too, which waits for
/// callbacks that run, but not for the cluster; inside a callback of Ceph's a thread of its own does.
pub struct UpdateWatch {
    handle: Arc<Handle>,
    cookie: u64,
    inbox: Arc<Inbox>,
}

/// What C gives to the callback, which can come until the watch has ended.
#[derive(Default)]
pub(super) struct Inbox {
    updates: AtomicU64,
    ended: AtomicBool,
    waker: AtomicWaker,
}

impl Image {
    /// Watches the image for changes, by others and by itself. Does not ask the cluster.
    ///
    /// # Errors
    /// `ReadOnly` for an image that is open for reading only, which is not told of changes.
    #[doc(alias = "rbd_update_watch")]
    pub fn update_watch(&self) -> Result<UpdateWatch> {
        const OP: &str = "rbd_update_watch";
        let raw = self.raw_watcher(OP)?;
        let handle = self.handle();
        let mut watches = handle.watches.lock();
        let inbox = Arc::new(Inbox::default());
        let argument = Arc::as_ptr(&inbox).cast_mut().cast();
        let mut cookie = 0;
        // SAFETY: the handle is open; the output is this function's; the argument lives until the watch has
        // ended, or C has refused it.
        let code = unsafe {
            ffi::rbd_update_watch(raw, &raw mut cookie, Some(trampoline::updated), argument)
        };
        check(OP, code).map_err(|error| error.on(self.subject()))?;
        watches.updates.push(Update {
            cookie,
            inbox: Arc::clone(&inbox),
        });
        Ok(UpdateWatch {
            handle: Arc::clone(handle),
            cookie,
            inbox,
        })
    }

    /// The handle, if Ceph tells it of changes.
    pub(super) fn raw_watcher(&self, op: &'static str) -> Result<ffi::rbd_image_t> {
        if self.handle().opened.read_only {
            let hint = "an image that is open for reading only is not told of what others do";
            return Err(Error::refused(op, libc::EROFS, hint).on(self.subject()));
        }
        self.raw(op)
    }
}

impl UpdateWatch {
    /// Blocks until there are updates, and answers how many since it was last asked, which may be more than
    /// there were changes. `None` once the image is closed.
    ///
    /// # Panics
    /// When it would have to wait inside a callback of Ceph's, such as in a waker.
    pub fn recv(&mut self) -> Option<u64> {
        block_on_until(self.next(), None).flatten()
    }

    /// As [`recv`](Self::recv), for at most `timeout`.
    ///
    /// # Errors
    /// `TimedOut` when there is none in time.
    ///
    /// # Panics
    /// As [`recv`](Self::recv).
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Option<u64>> {
        let end = Instant::now().checked_add(timeout);
        block_on_until(self.next(), end)
            .ok_or_else(|| Error::refused("recv_timeout", libc::ETIMEDOUT, "no update in time"))
    }

    /// As [`recv`](Self::recv), for tasks.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<u64> {
        poll_fn(|context| self.inbox.poll(context)).await
    }

    /// Ends the watch. Blocks while a callback runs.
    ///
    /// # Errors
    /// `Deadlock` inside a callback of Ceph's, and then a thread of its own ends it.
    #[doc(alias = "rbd_update_unwatch")]
    pub fn close(self) -> Result<()> {
        self.handle
            .ioctx()
            .conn()
            .check_blocking("rbd_update_unwatch")
    }
}

impl Inbox {
    fn updated(&self) {
        self.updates.fetch_add(1, SeqCst);
        self.waker.wake();
    }

    fn take(&self) -> Poll<Option<u64>> {
        let ended = self.ended.load(SeqCst);
        match self.updates.swap(0, SeqCst) {
            0 if ended => Poll::Ready(None),
            0 => Poll::Pending,
            updates => Poll::Ready(Some(updates)),
        }
    }

    fn poll(&self, context: &mut Context<'_>) -> Poll<Option<u64>> {
        // One may come before the waker is there.
        match self.take() {
            Poll::Pending => {
                self.waker.register(context.waker());
                self.take()
            }
            ready => ready,
        }
    }
}

impl Update {
    /// Ends the watch of an image that is open; does not run inside a callback.
    pub(super) fn end(self, raw: ffi::rbd_image_t) {
        // SAFETY: the handle is open; the cookie is the watch's, and since `self` goes this is the only
        // unwatch. It waits for the callbacks, whatever it answers.
        unsafe { ffi::rbd_update_unwatch(raw, self.cookie) };
        self.inbox.ended.store(true, SeqCst);
        self.inbox.waker.wake();
    }
}

impl Drop for UpdateWatch {
    fn drop(&mut self) {
        let handle = Arc::clone(&self.handle);
        if handle.ioctx().conn().check("rbd_update_unwatch").is_err() {
            return; // in a forked child
        }
        let cookie = self.cookie;
        reaper::close_with(move || {
            let mut watches = handle.watches.lock();
            let mut updates = watches.updates.iter();
            // It is not there if the image has been closed.
            if let Some(at) = updates.position(|update| update.cookie == cookie) {
                watches.updates.swap_remove(at).end(handle.raw());
            }
        });
    }
}

#[cfg(feature = "futures")]
impl futures_core::Stream for UpdateWatch {
    type Item = u64;

    fn poll_next(self: std::pin::Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<u64>> {
        self.inbox.poll(context)
    }
}

impl fmt::Debug for UpdateWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpdateWatch")
            .field("image", &self.handle.opened.to_string())
            .finish_non_exhaustive()
    }
}

mod trampoline {
    use std::ffi::c_void;

    use ceph_core::callback::{discard, guard};

    use super::Inbox;

    pub(super) unsafe extern "C" fn updated(argument: *mut c_void) {
        // SAFETY: it is an `Inbox`, which lives until no callback of the watch is running or to come.
        let inbox = unsafe { &*argument.cast_const().cast::<Inbox>() };
        discard(guard(|| inbox.updated()));
    }
}
