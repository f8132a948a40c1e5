//! The future of an operation in flight.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::mem;
use std::pin::{Pin, pin};
use std::ptr::NonNull;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use super::Permit;
use super::handoff::Content;
use super::node::{Finish, Header};
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
    // One word, which returns in a register. `None` once the result has been taken, unless there is a version
    // to be asked for.
    node: Option<NonNull<Header>>,
    result: PhantomData<fn() -> T>,
}

// SAFETY: `submit` demands Send of all that is in the node; what the callback's thread shares with this
// one is atomic, or is handed over by an atomic.
unsafe impl<T> Send for Completion<T> {}
// SAFETY: what `&self` does is atomic, or calls the library, which is Sync, or reads what `submit` wrote.
unsafe impl<T> Sync for Completion<T> {}

impl<T> Completion<T> {
    /// Takes the future's share of a node whose result is a `T`.
    pub(super) fn new(node: NonNull<Header>) -> Self {
        Self {
            node: Some(node),
            result: PhantomData,
        }
    }

    /// The node and its header, while this has a share of it.
    #[inline]
    fn node(&self) -> Option<(NonNull<Header>, &Header)> {
        let node = self.node?;
        // SAFETY: this share keeps the node until it is given up; nobody has `&mut` to the header before.
        Some((node, unsafe { node.as_ref() }))
    }

    /// Gives the share of the node up, whose content is still there or has been taken.
    fn end(&mut self, content: Content) {
        let Some((node, header)) = self.node() else {
            return;
        };
        let (last, free) = (header.handoff.detach(content), header.calls.free);
        self.node = None;
        if last {
            // SAFETY: the callback has released its share, and this one ends here.
            unsafe { free(node, content) };
        }
    }

    /// Whether the result is there.
    pub fn is_complete(&self) -> bool {
        self.node()
            .is_none_or(|(_, header)| header.handoff.is_done())
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
        match self.node() {
            // SAFETY: this share keeps the node, whose content is taken only when it is done.
            Some((node, header)) if !header.handoff.is_done() => unsafe {
                (header.calls.cancel)(node)
            },
            _ => Ok(()),
        }
    }

    /// The object's version that the operation made or saw; `None` before it is done, and for operations
    /// that are about no RADOS object. It is still there after the result has been taken, by awaiting
    /// `&mut completion`.
    #[doc(alias = "rados_aio_get_version")]
    pub fn version(&self) -> Option<u64> {
        let (node, header) = self.node()?;
        let version = header.calls.version.filter(|_| header.handoff.is_done())?;
        // SAFETY: this share keeps the node, and the operation is done.
        unsafe { version(node) }
    }

    /// Keeps `permit` until the operation is done, whatever becomes of this future. Not more than one.
    ///
    /// # Panics
    /// When it holds one.
    pub fn hold(self, permit: Permit) -> Self {
        if let Some((_, header)) = self.node() {
            let holds = header.future.holds.replace(true);
            assert!(!holds, "an operation holds one permit");
            drop(header.handoff.hold(permit));
        }
        self
    }
}

impl<T> Future for Completion<T> {
    type Output = T;

    /// # Panics
    /// When it has been ready before.
    // A result that is copied right after it has been written costs more than the call saved.
    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let Some((node, header)) = self
            .node()
            .filter(|(_, header)| !header.future.finished.get())
        else {
            polled_again()
        };
        if !header.handoff.poll(context.waker()) {
            return Poll::Pending;
        }
        header.future.finished.set(true);
        // SAFETY: `submit` stored a function of this type for a future of this `T`.
        let finish: Finish<T> = unsafe { mem::transmute(header.calls.finish) };
        let keeps = header.calls.version.is_some();
        // SAFETY: the operation is done, and `finished` makes this the only call.
        let result = unsafe { finish(node) };
        if !keeps {
            self.end(Content::Taken);
        }
        result
    }
}

#[cold]
fn polled_again() -> ! {
    panic!("a completion was polled after its result")
}

impl<T> Drop for Completion<T> {
    #[inline]
    fn drop(&mut self) {
        let finished = self
            .node()
            .is_some_and(|(_, header)| header.future.finished.get());
        self.end(match finished {
            true => Content::Taken,
            false => Content::There,
        });
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

/// Blocks the thread until a future is ready, or this moment has come; `None` is never.
///
/// # Panics
/// When it would have to wait inside a callback of Ceph's, which is to make the future ready.
pub fn block_on_until<F: Future>(future: F, end: Option<Instant>) -> Option<F::Output> {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(result) = future.as_mut().poll(&mut context) {
            return Some(result);
        }
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            return None;
        }
        assert!(
            !called_by_ceph(),
            "waiting inside a callback of Ceph's, which would wait for itself"
        );
        match left {
            Some(left) => thread::park_timeout(left),
            None => thread::park(),
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
