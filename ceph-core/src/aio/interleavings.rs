//! Every interleaving of an operation's two owners, by loom: `cargo xtask loom`.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Poll, Wake, Waker};

use loom::alloc::Track;
use loom::cell::UnsafeCell;

use super::handoff::{Content, Handoff};
use super::limiter::{Limiter, Permit};

/// The content once C has called back, and once the future has taken it.
const DONE: u32 = 7;
const TAKEN: u32 = 9;

/// As the real node, but that loom sees each use of its content, and a leak or a second free.
struct Node {
    handoff: Handoff,
    content: UnsafeCell<u32>,
    _track: Track<()>,
}

/// One owner's pointer to the node.
#[derive(Clone, Copy)]
struct Share(*const Node);

// SAFETY: what is tested is that the two owners may do so.
unsafe impl Send for Share {}

impl Share {
    fn node(&self) -> &Node {
        // SAFETY: what is tested is that the node lives for as long as an owner uses it.
        unsafe { &*self.0 }
    }

    fn write(&self, value: u32) {
        // SAFETY: loom checks that nobody else uses the content.
        self.node()
            .content
            .with_mut(|content| unsafe { *content = value });
    }

    fn read(&self) -> u32 {
        // SAFETY: loom checks that nobody writes to the content.
        self.node().content.with(|content| unsafe { *content })
    }

    /// Takes the content, as a future that is done does.
    fn take(&self) {
        assert_eq!(self.read(), DONE);
        self.write(TAKEN);
    }

    fn free(self, content: Content) {
        assert_eq!(content == Content::Taken, self.read() == TAKEN);
        self.write(0);
        // SAFETY: loom checks that this happens once, and after all else.
        drop(unsafe { Box::from_raw(self.0.cast_mut()) });
    }
}

/// C's side.
fn callback(share: Share) {
    share.write(DONE);
    let completed = share.node().handoff.complete().unwrap_or_default();
    if let Some(content) = completed.free {
        share.free(content);
    }
    drop(completed.permit);
    if let Some(waker) = completed.waker {
        waker.wake();
    }
}

/// Counts how often it is woken, and how often it exists.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// Runs the future's side beside a callback, in every interleaving.
fn beside_callback(future: impl Fn(Share, Permit) + Send + Sync + 'static) {
    loom::model(move || {
        let limiter = Limiter::new(1, 1);
        let permit = limiter.try_acquire(1).unwrap();
        let share = Share(Box::into_raw(Box::new(Node {
            handoff: Handoff::new(),
            content: UnsafeCell::new(1),
            _track: Track::new(()),
        })));
        let callback = loom::thread::spawn(move || {
            let share = share;
            callback(share);
        });
        future(share, permit);
        callback.join().unwrap();
        assert!(
            limiter.try_acquire(1).is_some(),
            "the permit did not come back"
        );
    });
}

fn detach(share: Share, content: Content) {
    if share.node().handoff.detach(content) {
        share.free(content);
    }
}

fn take_and_detach(share: Share) {
    share.take();
    detach(share, Content::Taken);
}

/// Waits for the outcome as a future does.
fn wait(share: Share) {
    loom::future::block_on(poll_fn(|context| {
        match share.node().handoff.poll(context.waker()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }));
    assert!(share.node().handoff.is_done());
    share.take();
}

#[test]
fn dropped_at_once() {
    beside_callback(|share, _permit| detach(share, Content::There));
}

#[test]
fn awaited() {
    beside_callback(|share, _permit| {
        wait(share);
        detach(share, Content::Taken);
    });
}

#[test]
fn polled_and_dropped() {
    beside_callback(|share, _permit| {
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let done = share.node().handoff.poll(&waker);
        let again = share.node().handoff.poll(&waker);
        assert!(again || !done);
        match again {
            true => take_and_detach(share),
            false => detach(share, Content::There),
        }
        assert!(count.0.load(Relaxed) <= 1);
    });
}

#[test]
fn awaited_by_another_task_than_before() {
    beside_callback(|share, _permit| {
        let waker = Waker::from(Arc::new(Count::default()));
        if share.node().handoff.poll(&waker) {
            return take_and_detach(share);
        }
        wait(share);
        detach(share, Content::Taken);
    });
}

#[test]
fn no_waker_is_lost_or_leaked() {
    beside_callback(|share, _permit| {
        let counts = [(); 2].map(|()| Arc::new(Count::default()));
        for count in &counts {
            share.node().handoff.poll(&Waker::from(Arc::clone(count)));
        }
        detach(share, Content::There);
        while Arc::strong_count(&counts[0]) + Arc::strong_count(&counts[1]) > 2 {
            loom::thread::yield_now(); // the callback has one and is about to wake it
        }
    });
}

#[test]
fn asked_whether_it_is_done() {
    beside_callback(|share, _permit| {
        if share.node().handoff.is_done() {
            return take_and_detach(share);
        }
        detach(share, Content::There);
    });
}

#[test]
fn a_permit_is_given_back_by_one_of_them() {
    beside_callback(|share, permit| {
        drop(share.node().handoff.hold(permit));
        detach(share, Content::There);
    });
    beside_callback(|share, permit| {
        drop(share.node().handoff.hold(permit));
        wait(share);
        detach(share, Content::Taken);
    });
}

#[test]
fn refused() {
    loom::model(|| {
        let handoff = Handoff::new();
        handoff.refuse();
        assert!(handoff.is_done() && handoff.poll(Waker::noop()) && handoff.detach(Content::There));
    });
}
