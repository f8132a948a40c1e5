//! From Ceph's callbacks to who receives: a bounded queue whose sending side neither locks nor waits.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use atomic_waker::AtomicWaker;

/// What a callback tells.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Message {
    Notify(Delivery),
    /// There was no room for so many notifications.
    Missed(u64),
    /// The watch is dead, for this reason: a negative errno.
    Lost(i32),
}

/// A notification as C gives it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Delivery {
    pub(super) cookie: u64,
    pub(super) notify_id: u64,
    pub(super) notifier: u64,
    pub(super) payload: Vec<u8>,
}

/// The callbacks' side, which C has a pointer to.
pub(super) struct Inbox {
    // Holds at most `capacity` notifications, one `Missed`, and one `Lost`, which is the last.
    sender: Sender<Message>,
    shared: Arc<Shared>,
    capacity: usize,
    lost: AtomicBool,
}

/// The receiver's side.
pub(super) struct Outbox {
    // The lock is never taken: it makes a receiver `Sync`.
    receiver: Mutex<Receiver<Message>>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    queued: AtomicUsize,
    missed: AtomicU64,
    waker: AtomicWaker,
}

pub(super) fn new(capacity: usize) -> (Inbox, Outbox) {
    let (sender, receiver) = channel();
    let shared = Arc::new(Shared::default());
    let inbox = Inbox {
        sender,
        shared: Arc::clone(&shared),
        capacity,
        lost: AtomicBool::new(false),
    };
    let receiver = Mutex::new(receiver);
    (inbox, Outbox { receiver, shared })
}

impl Inbox {
    /// Takes a notification, which is made only if there is room, and wakes who waits for it.
    pub(super) fn notify(&self, delivery: impl FnOnce() -> Delivery) {
        if self.lost.load(Ordering::SeqCst) {
            return; // C has reconnected a watch that it had told to be lost
        }
        let queued = self.shared.queued.fetch_add(1, Ordering::SeqCst);
        if queued < self.capacity {
            return self.send(Message::Notify(delivery()));
        }
        self.shared.queued.fetch_sub(1, Ordering::SeqCst);
        if self.shared.missed.fetch_add(1, Ordering::SeqCst) == 0 {
            self.send(Message::Missed(0)); // counted when it is received
        }
    }

    pub(super) fn lose(&self, code: i32) {
        if !self.lost.swap(true, Ordering::SeqCst) {
            self.send(Message::Lost(code));
        }
    }

    fn send(&self, message: Message) {
        // It fails when the receiver is gone.
        if self.sender.send(message).is_ok() {
            self.shared.waker.wake();
        }
    }
}

impl Outbox {
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Message> {
        if let Some(message) = self.take() {
            return Poll::Ready(message);
        }
        self.shared.waker.register(context.waker());
        // One may have come before the waker was there.
        match self.take() {
            Some(message) => Poll::Ready(message),
            None => Poll::Pending,
        }
    }

    pub(super) fn take(&mut self) -> Option<Message> {
        let receiver = self.receiver.get_mut();
        let message = receiver.unwrap_or_else(PoisonError::into_inner).try_recv();
        Some(match message.ok()? {
            Message::Notify(delivery) => {
                self.shared.queued.fetch_sub(1, Ordering::SeqCst);
                Message::Notify(delivery)
            }
            Message::Missed(_) => Message::Missed(self.shared.missed.swap(0, Ordering::SeqCst)),
            lost => lost,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::{Wake, Waker};
    use std::thread;

    fn numbered(notify_id: u64) -> Delivery {
        Delivery {
            cookie: 1,
            notify_id,
            notifier: 2,
            payload: vec![3],
        }
    }

    fn number(message: Option<Message>) -> u64 {
        match message {
            Some(Message::Notify(delivery)) => delivery.notify_id,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_does_not_fit_is_counted_at_its_place() {
        let (inbox, mut outbox) = new(2);
        for id in 0..5 {
            inbox.notify(|| numbered(id));
        }
        assert_eq!(number(outbox.take()), 0);
        inbox.notify(|| numbered(5));
        assert_eq!(number(outbox.take()), 1);
        assert_eq!(outbox.take(), Some(Message::Missed(3)));
        assert_eq!(number(outbox.take()), 5);
        assert_eq!(outbox.take(), None);
        inbox.notify(|| numbered(6));
        assert_eq!(number(outbox.take()), 6);
        drop(outbox);
        inbox.notify(|| numbered(7));
    }

    #[test]
    fn a_loss_is_the_last() {
        let (inbox, mut outbox) = new(1);
        inbox.notify(|| numbered(0));
        inbox.lose(-5);
        inbox.notify(|| numbered(1));
        inbox.lose(-6);
        assert_eq!(number(outbox.take()), 0);
        inbox.notify(|| numbered(2));
        assert_eq!(outbox.take(), Some(Message::Lost(-5)));
        assert_eq!(outbox.take(), None);
    }

    #[test]
    fn whoever_waits_is_woken() {
        struct Flag(AtomicBool);
        impl Wake for Flag {
            fn wake(self: Arc<Self>) {
                self.0.store(true, Ordering::SeqCst);
            }
        }
        let flag = Arc::new(Flag(AtomicBool::new(false)));
        let waker = Waker::from(Arc::clone(&flag));
        let mut context = Context::from_waker(&waker);
        let (inbox, mut outbox) = new(1);
        assert!(outbox.poll(&mut context).is_pending());
        inbox.notify(|| numbered(0));
        assert!(flag.0.load(Ordering::SeqCst));
        assert!(outbox.poll(&mut context).is_ready());
    }

    #[test]
    fn nothing_is_lost_between_threads() {
        let (inbox, mut outbox) = new(8);
        thread::scope(|scope| {
            scope.spawn(move || {
                for id in 0..10_000 {
                    inbox.notify(|| numbered(id));
                }
                inbox.lose(-1);
            });
            let (mut received, mut missed) = (0, 0);
            loop {
                match ceph_core::aio::block_on(std::future::poll_fn(|cx| outbox.poll(cx))) {
                    Message::Notify(_) => received += 1,
                    Message::Missed(count) => missed += count,
                    Message::Lost(_) => break,
                }
            }
            assert_eq!(received + missed, 10_000);
        });
    }
}
