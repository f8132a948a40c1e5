//! How a future and a callback share one heap node, and who of them frees it.
//!
//! ```text
//! nobody waits        0 ----callback----> DONE|RELEASED      the future is the only owner
//! somebody waits      WAKER --callback--> DONE, the callback takes the waker, then RELEASED
//! nobody wants it     DETACHED --callback--> DONE            the callback is the only owner
//! ```

use std::mem::MaybeUninit;
use std::task::Waker;

use super::limiter::Permit;
use super::sync::{AtomicU8, Ordering::*, UnsafeCell};

/// The outcome is there. From here on only the callback touches the waker and the permit.
const DONE: u8 = 1;
/// The callback will not touch the node again.
const RELEASED: u8 = 2;
/// There is a waker.
const WAKER: u8 = 4;
/// There is a permit.
const PERMIT: u8 = 8;
/// The future will not touch the node again.
const DETACHED: u8 = 16;
/// The future has taken the node's content.
const FINISHED: u8 = 32;

/// The part of the node that both owners use at once.
///
/// The future's side is `poll`, `hold`, `is_done` and `detach`, all from one thread at a time; the
/// callback's is `complete`, once.
pub(super) struct Handoff {
    state: AtomicU8,
    waker: UnsafeCell<MaybeUninit<Waker>>,
    permit: UnsafeCell<MaybeUninit<Permit>>,
}

/// What is in a node that is to be freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// It is still there.
    There,
    /// The future has taken it.
    Taken,
}

/// What the callback has to do.
#[derive(Default)]
pub(super) struct Completed {
    /// Free the node, and its content unless that has been taken.
    pub free: Option<Content>,
    /// Wake whoever waits.
    pub waker: Option<Waker>,
    /// Give it back.
    pub permit: Option<Permit>,
}

impl Handoff {
    pub fn new() -> Self {
        Self {
            state: AtomicU8::new(0),
            waker: UnsafeCell::new(MaybeUninit::uninit()),
            permit: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    /// The callback's only step, after it has stored the outcome. What is left for it to do, if anything.
    #[inline]
    pub fn complete(&self) -> Option<Completed> {
        if self
            .state
            .compare_exchange(0, DONE | RELEASED, Release, Relaxed)
            .is_ok()
        {
            return None;
        }
        Some(self.complete_noticed())
    }

    /// [`complete`](Self::complete) where the future's side has left something to do.
    fn complete_noticed(&self) -> Completed {
        let seen = self.state.fetch_or(DONE, AcqRel);
        let mut completed = Completed::default();
        if seen & PERMIT != 0 {
            // SAFETY: it was written before its bit was set, and `hold` leaves it alone from DONE on.
            completed.permit = Some(
                self.permit
                    .with(|cell| unsafe { cell.cast::<Permit>().read() }),
            );
        }
        if seen & DETACHED != 0 {
            completed.free = Some(Content::There);
            return completed;
        }
        if seen & WAKER != 0 {
            // SAFETY: it was written before its bit was set; the future's side at most compares it
            // from DONE on.
            completed.waker = Some(
                self.waker
                    .with(|cell| unsafe { cell.cast::<Waker>().read() }),
            );
        }
        // The future may have seen that it is done, taken the content, and gone, all since.
        let seen = self.state.fetch_or(RELEASED, AcqRel);
        completed.free = match (seen & DETACHED != 0, seen & FINISHED != 0) {
            (false, _) => None,
            (true, false) => Some(Content::There),
            (true, true) => Some(Content::Taken),
        };
        completed
    }

    /// Marks an operation as done that never had a callback.
    pub fn refuse(&self) {
        self.state.store(DONE | RELEASED, Relaxed);
    }

    /// Whether the outcome is there, which the caller may then read.
    pub fn is_done(&self) -> bool {
        self.state.load(Acquire) & DONE != 0
    }

    /// Whether the outcome is there; if not, `waker` is woken when it is.
    #[inline]
    pub fn poll(&self, waker: &Waker) -> bool {
        let state = self.state.load(Acquire);
        state & DONE != 0 || self.await_with(waker, state)
    }

    /// [`poll`](Self::poll) where it was not there when the state was this.
    fn await_with(&self, waker: &Waker, state: u8) -> bool {
        if state & WAKER != 0 {
            let same = self.waker.with(|cell| {
                // SAFETY: this side alone writes the cell, and its bit says that it has. The callback may
                // have read it by now, which leaves its bytes in place, and only they are compared.
                unsafe { &*cell.cast::<Waker>() }.will_wake(waker)
            });
            if same {
                return false;
            }
            if self.withdraw_waker() {
                return true;
            }
        }
        let waker = waker.clone();
        self.waker.with_mut(|cell| {
            // SAFETY: the bit is off, so the callback does not look, and there is nothing to drop.
            unsafe { cell.cast::<Waker>().write(waker) };
        });
        if self.state.fetch_or(WAKER, AcqRel) & DONE == 0 {
            return false;
        }
        // The callback came first, and saw no waker.
        self.drop_waker();
        true
    }

    /// Gives `permit` to the callback, to be dropped when the operation is done; gives it back if it is.
    /// Called once.
    pub fn hold(&self, permit: Permit) -> Option<Permit> {
        self.permit.with_mut(|cell| {
            // SAFETY: the bit is off, so the callback does not look, and there is nothing to drop.
            unsafe { cell.cast::<Permit>().write(permit) };
        });
        let done = self.state.fetch_or(PERMIT, AcqRel) & DONE != 0;
        done.then(|| {
            self.permit.with(|cell| {
                // SAFETY: written above; the callback came first, and saw no permit.
                unsafe { cell.cast::<Permit>().read() }
            })
        })
    }

    /// The future's last step. Whether it has to free the node; if not, the callback does.
    #[inline]
    pub fn detach(&self, content: Content) -> bool {
        let state = self.state.load(Acquire);
        if state & RELEASED != 0 {
            return true;
        }
        if state & WAKER != 0 {
            self.withdraw_waker();
        }
        let bits = match content {
            Content::There => DETACHED,
            Content::Taken => DETACHED | FINISHED,
        };
        self.state.fetch_or(bits, AcqRel) & RELEASED != 0
    }

    /// Drops the waker, unless the callback has it. Whether the outcome is there.
    fn withdraw_waker(&self) -> bool {
        let done = self.state.fetch_and(!WAKER, AcqRel) & DONE != 0;
        if !done {
            self.drop_waker();
        }
        done
    }

    /// Drops the waker, which is there and which the callback has not seen.
    fn drop_waker(&self) {
        self.waker.with_mut(|cell| {
            // SAFETY: as said above: it is initialised, and this side has it alone.
            unsafe { cell.cast::<Waker>().drop_in_place() };
        });
    }
}
