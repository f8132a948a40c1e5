//! The future of an operation in flight.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::ptr::NonNull;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use super::Permit;
use super::handoff::Content;
use super::node::Header;
use crate::Result;
use crate::callback::called_by_ceph;

/// An asynchronous operation, already under way: a [`Future`] that needs no runtime.
///
/// It comes from a method named `aio_*`, or from `blocking`. Await it in any executor, or block on it with
/// [`wait`](Self::wait). What it needs (buffers, handles) belongs to it until it is done.
///
/// # Cancel safety
/// Dropping it does not stop the operation, which goes on without anybody waiting; it frees its buffers
/// and lets go of its handles when it ends. Dropping never blocks. [`cancel`](Self::cancel) asks the cluster's
/// client to give up, where the C library can. Forgetting it leaks what it holds, and no more.
#[must_use = "an operation under way reports its errors through this"]
pub struct Completion<T> {
    header: NonNull<Header>,
    finished: bool,
    holds: bool,
    result: PhantomData<fn() -> T>,
}

// SAFETY: `submit` demands Send of all that is in the node; what the callback's thread shares with this
// one is atomic, or is handed over by an atomic.
unsafe impl<T> Send for Completion<T> {}
// SAFETY: what `&self` does is atomic, or calls the library, which is Sync, or reads what `submit` wrote.
unsafe impl<T> Sync for Completion<T> {}

impl<T> Completion<T> {
    /// Takes the future's share of a node whose result is a `T`.
    pub(super) fn new(header: NonNull<Header>) -> Self {
        Self {
            header,
            finished: false,
            holds: false,
            result: PhantomData,
        }
    }

    fn header(&self) -> &Header {
        // SAFETY: this share keeps the node until `drop`; nobody has `&mut` to the header before.
        unsafe { self.header.as_ref() }
    }

    /// Whether the result is there.
    pub fn is_complete(&self) -> bool {
        self.finished || self.header().handoff.is_done()
    }

    /// Blocks until the result is there.
    ///
    /// # Panics
    /// Inside a callback of Ceph's, such as a progress closure: it would wait for itself.
    pub fn wait(self) -> T {
        assert!(
            self.is_complete() || !called_by_ceph(),
            "waiting for an operation inside a callback of Ceph's, which would wait for itself"
        );
        block_on(self)
    }

    /// Asks for the operation to be given up. It still ends by itself, as soon as that has been done:
    /// with `Canceled`, or with what came before. A change may have reached the cluster all the same.
    /// Does not block.
    ///
    /// # Errors
    /// `Unsupported` for operations of librbd, which cannot be cancelled, and for those on the blocking pool.
    #[doc(alias = "rados_aio_cancel")]
    pub fn cancel(&self) -> Result<()> {
        if self.is_complete() {
            return Ok(());
        }
        // SAFETY: this share keeps the node, whose content is taken only when it is finished.
        unsafe { (self.header().calls.cancel)(self.header) }
    }

    /// The object's version that the operation made or saw; `None` before it is done, and for operations
    /// that are about no RADOS object. It is still there after the result has been taken, by awaiting
    /// `&mut completion`.
    #[doc(alias = "rados_aio_get_version")]
    pub fn version(&self) -> Option<u64> {
        if !self.is_complete() {
            return None;
        }
        // SAFETY: this share keeps the node, and the operation is done.
        unsafe { (self.header().calls.version)(self.header) }
    }

    /// Keeps `permit` until the operation is done, whatever becomes of this future. Not more than one.
    ///
    /// # Panics
    /// When it holds one.
    pub fn hold(mut self, permit: Permit) -> Self {
        assert!(!self.holds, "an operation holds one permit");
        self.holds = true;
        drop(self.header().handoff.hold(permit));
        self
    }
}

impl<T> Future for Completion<T> {
    type Output = T;

    /// # Panics
    /// When it has been ready before.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        assert!(!self.finished, "a completion was polled after its result");
        if !self.header().handoff.poll(context.waker()) {
            return Poll::Pending;
        }
        self.finished = true;
        let mut result = MaybeUninit::<T>::uninit();
        // SAFETY: the operation is done, and `finished` makes this the only call.
        unsafe { (self.header().calls.finish)(self.header, result.as_mut_ptr().cast()) };
        // SAFETY: `finish` wrote it; its type is that of `submit`.
        Poll::Ready(unsafe { result.assume_init() })
    }
}

impl<T> Drop for Completion<T> {
    fn drop(&mut self) {
        let content = match self.finished {
            true => Content::Taken,
            false => Content::There,
        };
        if self.header().handoff.detach(content) {
            let free = self.header().calls.free;
            // SAFETY: the callback has released its share, and this one ends here.
            unsafe { free(self.header, content) };
        }
    }
}

impl<T> fmt::Debug for Completion<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completion")
            .field("is_complete", &self.is_complete())
            .finish()
    }
}

/// Blocks the thread until a future is ready.
pub fn block_on<F: Future>(future: F) -> F::Output {
    thread_local! {
        static WAKER: Waker = Arc::new(Unpark(thread::current())).into();
    }
    let mut future = pin!(future);
    // Not borrowed from the thread-local, since polling may come here again.
    let waker = WAKER.with(Waker::clone);
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(result) => return result,
            Poll::Pending => thread::park(),
        }
    }
}

/// Wakes a thread that is parked.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}
