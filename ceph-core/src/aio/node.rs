//! The heap node of an operation in flight.

use std::cell::{Cell, UnsafeCell};
use std::ffi::c_void;
use std::mem::{self, ManuallyDrop};
use std::ptr::{self, NonNull};
use std::task::Poll;

use super::handoff::{Content, Handoff};
use super::wake::wake;
use super::{Completion, Tracker};
use crate::Result;
use crate::callback::{discard, guard};

/// One C library's asynchronous operations: what its completions need of us.
///
/// A value of it lives in each operation's node, and keeps alive what the C library needs until the
/// operation is done.
///
/// # Safety
/// The C completion that `create` returns calls [`complete`] with its `argument` exactly once, unless it is
/// never used; until `release` its pointer is valid for `cancel` and `version`.
pub unsafe trait Library: Send + Sync + 'static {
    /// Where to count the operation, if anywhere. Always the same one, which lives as long as `self`.
    fn tracker(&self) -> Option<&Tracker>;

    /// Makes a C completion that will call [`complete`] with `argument`.
    ///
    /// # Errors
    /// When C has no memory.
    fn create(&self, argument: *mut c_void) -> Result<*mut c_void>;

    /// Frees a C completion.
    ///
    /// # Safety
    /// `create` returned it, it has not been released, and no callback of it is still to come, unless C
    /// keeps its own reference.
    unsafe fn release(completion: *mut c_void);

    /// Asks C to give the operation up.
    ///
    /// # Errors
    /// `Unsupported` where C cannot.
    ///
    /// # Safety
    /// `create` returned it, and it has not been released.
    unsafe fn cancel(&self, completion: *mut c_void) -> Result<()>;

    /// Tells the version of the object that a finished operation was about, if C does.
    ///
    /// # Safety
    /// It is called with what `create` returned and has not been released.
    const VERSION: Option<unsafe fn(completion: *mut c_void) -> Option<u64>>;
}

/// What every node starts with.
#[repr(C)]
pub(super) struct Header {
    pub(super) handoff: Handoff,
    pub(super) calls: &'static Calls,
    /// Owned by the node's library.
    tracker: Option<NonNull<Tracker>>,
    /// C's completion; NULL if there is none.
    completion: Cell<*mut c_void>,
    /// What only the future's side uses.
    pub(super) future: FutureSide,
    /// What C returned, or why it was not called. Written by the callback before it says that it is done.
    outcome: UnsafeCell<ManuallyDrop<Result<i64>>>,
}

/// What a future remembers; written only through the future's `&mut` or by value.
#[derive(Default)]
pub(super) struct FutureSide {
    /// The result has been taken.
    pub(super) finished: Cell<bool>,
    /// There has been a permit.
    pub(super) holds: Cell<bool>,
}

impl Header {
    #[inline]
    fn end_tracking(&self) {
        if let Some(tracker) = self.tracker {
            // SAFETY: the library owns it, and is in the node, which the caller keeps.
            unsafe { tracker.as_ref() }.end();
        }
    }
}

/// Makes the result. Once, and only when the operation is done.
pub(super) type Finish<T> = unsafe fn(NonNull<Header>) -> Poll<T>;

/// A node's functions, which know its type.
pub(super) struct Calls {
    /// A [`Finish`] of the future's type.
    pub(super) finish: unsafe fn(),
    /// Frees the node; its content too, unless it has been taken.
    pub(super) free: unsafe fn(NonNull<Header>, Content),
    /// Asks C to give the operation up. Only before `finish`.
    pub(super) cancel: unsafe fn(NonNull<Header>) -> Result<()>,
    /// The object's version, which can be asked for as long as the node lives. Only when the operation is done.
    pub(super) version: Option<unsafe fn(NonNull<Header>) -> Option<u64>>,
}

#[repr(C)]
struct Node<L, P, F> {
    header: Header,
    library: L,
    // Taken by `finish`, or dropped with the node.
    content: ManuallyDrop<(P, F)>,
}

/// Starts an operation.
///
/// `payload` is what C uses while the operation is in flight: it lies still on the heap until then, whatever
/// becomes of the future. `start` calls C with C's completion and what it needs of the payload, whose parts
/// that C writes to are [`Slot`]s. `finish` makes the result from the payload and what C returned; it
/// runs where the future is polled.
///
/// `start` answers `None` when the operation is under way. When it answers a code, or fails, the callback must
/// not come, and the result is there at once.
#[inline]
pub fn submit<L: Library, P: Send + 'static, T, F>(
    library: L,
    payload: P,
    start: impl FnOnce(&L, &P, *mut c_void) -> Result<Option<i64>>,
    finish: F,
) -> Completion<T>
where
    F: FnOnce(&L, P, Result<i64>) -> T + Send + 'static,
{
    // Written where it will be, which a large node notices.
    let mut node = Box::write(
        Box::new_uninit(),
        Node {
            header: Header {
                handoff: Handoff::new(),
                calls: const {
                    &Calls {
                        // SAFETY: a `Completion<T>` gives it its type again.
                        finish: unsafe {
                            mem::transmute::<Finish<T>, unsafe fn()>(finish_node::<L, P, F, T>)
                        },
                        free: free_node::<L, P, F>,
                        cancel: cancel_node::<L, P, F>,
                        version: match L::VERSION {
                            Some(_) => Some(version_node::<L>),
                            None => None,
                        },
                    }
                },
                tracker: None,
                completion: Cell::new(ptr::null_mut()),
                future: FutureSide::default(),
                outcome: UnsafeCell::new(ManuallyDrop::new(Ok(0))),
            },
            library,
            content: ManuallyDrop::new((payload, finish)),
        },
    );
    node.header.tracker = node.library.tracker().map(|tracker| {
        tracker.start();
        NonNull::from(tracker)
    });
    let node = NonNull::from(Box::leak(node));
    let header = node.cast::<Header>();
    let future = Completion::new(header);
    // SAFETY: the future's share keeps the node; C writes to slots only, so shared references are right.
    let (library, payload) = unsafe {
        let node = node.as_ref();
        (&node.library, &node.content.0)
    };
    let started = library
        .create(header.as_ptr().cast())
        .and_then(|completion| {
            // SAFETY: the future's share keeps the node.
            unsafe { header.as_ref() }.completion.set(completion);
            start(library, payload, completion)
        });
    if let Some(outcome) = started.transpose() {
        // SAFETY: the future's share keeps the node.
        let header = unsafe { header.as_ref() };
        // SAFETY: there is no callback, so nobody else uses the outcome; what was there owns nothing.
        unsafe { header.outcome.get().write(ManuallyDrop::new(outcome)) };
        header.end_tracking();
        header.handoff.refuse();
    }
    future
}

/// What a callback of C's calls: the operation with this argument has ended with `code`.
///
/// # Safety
/// `argument` is what [`Library::create`] was given, `start` returned `Ok` or has not returned, and this is
/// the only call for it.
#[inline]
pub unsafe fn complete(argument: *mut c_void, code: i64) {
    // SAFETY: the callback's share keeps the node, and `submit` gave a pointer that is not NULL.
    let header = unsafe { NonNull::new_unchecked(argument.cast::<Header>()) };
    // SAFETY: as above.
    let shared = unsafe { header.as_ref() };
    // SAFETY: before it is done only the callback uses the outcome. What was there owns nothing.
    unsafe { shared.outcome.get().write(ManuallyDrop::new(Ok(code))) };
    let free = shared.calls.free;
    shared.end_tracking();
    let Some(completed) = shared.handoff.complete() else {
        return;
    };
    // What is dropped and woken is other people's code.
    discard(guard(move || {
        if let Some(content) = completed.free {
            // SAFETY: the future is gone, so this is the only owner.
            unsafe { free(header, content) };
        }
        drop(completed.permit);
        if let Some(waker) = completed.waker {
            wake(waker);
        }
    }));
}

/// # Safety
/// The operation is done, and this is the only call.
unsafe fn finish_node<L, P, F, T>(header: NonNull<Header>) -> Poll<T>
where
    F: FnOnce(&L, P, Result<i64>) -> T,
{
    let node = header.cast::<Node<L, P, F>>().as_ptr();
    // SAFETY: the future's share keeps the node.
    let shared = unsafe { header.as_ref() };
    // SAFETY: the operation is done, so the future's side has the outcome alone; it is read once.
    let outcome = unsafe { shared.outcome.get().read() };
    // SAFETY: as the outcome.
    let content = unsafe { &mut (*node).content };
    // SAFETY: read once; from now on it counts as taken.
    let (payload, finish) = unsafe { ManuallyDrop::take(content) };
    // SAFETY: the library stays in the node until that is freed.
    let library = unsafe { &(*node).library };
    Poll::Ready(finish(library, payload, ManuallyDrop::into_inner(outcome)))
}

/// # Safety
/// The caller is the only owner, and this is the only call.
unsafe fn free_node<L: Library, P, F>(header: NonNull<Header>, content: Content) {
    // SAFETY: it came from a Box in `submit`, and the caller is the only owner.
    let mut node = unsafe { Box::from_raw(header.cast::<Node<L, P, F>>().as_ptr()) };
    let completion = *node.header.completion.get_mut();
    if !completion.is_null() {
        // SAFETY: nobody else uses it any more; C has its own reference while it runs the callback.
        unsafe { L::release(completion) };
    }
    if content == Content::There {
        // SAFETY: not taken by `finish_node`.
        unsafe { ManuallyDrop::drop(&mut node.content) };
        // SAFETY: as the content.
        unsafe { ManuallyDrop::drop(node.header.outcome.get_mut()) };
    }
}

/// # Safety
/// The caller keeps the node, and the content has not been taken.
unsafe fn cancel_node<L: Library, P, F>(header: NonNull<Header>) -> Result<()> {
    let node = header.cast::<Node<L, P, F>>().as_ptr();
    // SAFETY: the caller keeps the node; nobody writes to this part while it is shared.
    let library = unsafe { &(*node).library };
    // SAFETY: as above.
    let completion = unsafe { header.as_ref() }.completion.get();
    if completion.is_null() {
        return Ok(()); // never started
    }
    // SAFETY: `create` returned it, and it is released with the node only.
    unsafe { library.cancel(completion) }
}

/// # Safety
/// The caller keeps the node, and the operation is done.
unsafe fn version_node<L: Library>(header: NonNull<Header>) -> Option<u64> {
    // SAFETY: as the caller promises.
    let completion = unsafe { header.as_ref() }.completion.get();
    let version = L::VERSION.filter(|_| !completion.is_null())?;
    // SAFETY: `create` returned it, and it is released with the node only.
    unsafe { version(completion) }
}

/// A part of a payload that C writes to while the operation is in flight.
#[derive(Debug, Default)]
#[repr(transparent)]
pub struct Slot<T>(UnsafeCell<T>);

// SAFETY: only a pointer can be had through `&Slot`, and using that is up to the caller.
unsafe impl<T: Send> Sync for Slot<T> {}

impl<T> Slot<T> {
    /// A slot with a first value.
    pub fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// The pointer for C.
    pub fn as_ptr(&self) -> *mut T {
        self.0.get()
    }

    /// What C has written, or the first value.
    pub fn into_inner(self) -> T {
        self.0.into_inner()
    }
}
