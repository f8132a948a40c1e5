//! Watching an object for notifications.

#[cfg(feature = "aio-watch")]
mod aio;
mod event;
mod inbox;
mod notify;
mod registration;
mod reply;

use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use ceph_core::aio::block_on_until;
use ceph_core::{Errno, Error, Result, check};

use self::inbox::{Message, Outbox};
use self::registration::{Registered, Registration};
use crate::{IoCtx, ffi};

pub use self::event::{Notification, WatchEvent};
pub use self::reply::{NotifyAck, NotifyReply, Watcher};

/// How an object is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchOptions {
    timeout: Option<Duration>,
    queue: usize,
}

impl Default for WatchOptions {
    fn default() -> Self {
        Self {
            timeout: None,
            queue: 1024,
        }
    }
}

impl WatchOptions {
    /// The cluster's timeout, and a queue of 1024 notifications.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long the OSD keeps the watch of a client that it does not hear of, in whole seconds, rounded up, at
    /// least 1; by default the OSD's `osd_client_watch_timeout`, 30 s. Clients are heard of every 5 s
    /// (`objecter_tick_interval`): with less, a watch is lost now and then.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// How many notifications wait to be received, at most, and at least 1. What comes while the queue is full
    /// is gone and not acknowledged, and told as [`WatchEvent::Missed`].
    #[must_use]
    pub fn queue(mut self, notifications: usize) -> Self {
        self.queue = notifications.max(1);
        self
    }
}

/// A watch on an object: a source of [`WatchEvent`]s, which are mostly notifications.
///
/// Made by [`IoCtx::watch`]. Events are received by one at a time, with [`recv`](Self::recv) by threads, with
/// [`next`](Self::next) by tasks, or as a `Stream` (feature `futures`). They are queued where Ceph calls, so a
/// slow receiver delays nobody but who waits for its answers.
///
/// Once a watch is lost it stays so, until [`rewatch`](Self::rewatch):
///
/// ```no_run
/// use rados::WatchEvent;
///
/// # fn f(pool: rados::IoCtx) -> rados::Result<()> {
/// let mut watch = pool.watch("object")?;
/// loop {
///     match watch.recv() {
///         Some(WatchEvent::Notification(notification)) => notification.ack(b"seen")?,
///         Some(WatchEvent::Missed(count)) => eprintln!("{count} notifications were missed"),
///         Some(WatchEvent::Lost(error)) => {
///             eprintln!("{error}");
///             watch.rewatch()?;
///             // Look at the object's state here: nobody has told of changes meanwhile.
///         }
///         _ => {}
///     }
/// }
/// # }
/// ```
///
/// Dropping it ends the watch, which waits for the OSD, except inside a callback of Ceph's, where a thread of
/// its own does; tasks use `aio_close` (feature `aio-watch`). What has not been received is gone; those who sent
/// it do not wait for this watch any more.
pub struct Watch {
    // Before the receiver.
    registration: Registration,
    outbox: Outbox,
    lost: bool,
    options: WatchOptions,
}

impl IoCtx {
    /// Watches an object, which must exist. Blocks.
    ///
    /// With an [`osd_timeout`](crate::ConnBuilder::osd_timeout) it waits for that and a second more at most, where
    /// there is `aio_watch` (feature `aio-watch`); else until the object's OSD is up: librados forgets the limit of
    /// a watch that is being made when its OSD is marked down.
    ///
    /// # Errors
    /// `NotFound`; `InvalidArgument` for a name with a NUL byte.
    #[doc(alias = "rados_watch2")]
    pub fn watch(&self, object: impl AsRef<[u8]>) -> Result<Watch> {
        self.watch_with(object, &WatchOptions::new())
    }

    /// Watches an object with these options. Blocks.
    ///
    /// # Errors
    /// As [`watch`](Self::watch); `InvalidArgument` for a timeout of more than 2147483647 seconds; `Unsupported`
    /// where there is a timeout and the library has no `rados_watch3`.
    #[doc(alias = "rados_watch2")]
    #[doc(alias = "rados_watch3")]
    pub fn watch_with(&self, object: impl AsRef<[u8]>, options: &WatchOptions) -> Result<Watch> {
        #[cfg(feature = "aio-watch")]
        if let Some(limit) = self.watch_limit(options)? {
            return self.watch_within(object.as_ref(), options, limit);
        }
        let (registered, outbox) = Registered::new(self, object.as_ref(), options)?;
        Ok(Watch::new(registered, outbox, options.clone()))
    }
}

impl Watch {
    fn new(registered: Registered, outbox: Outbox, options: WatchOptions) -> Self {
        Self {
            registration: Registration::new(registered),
            outbox,
            lost: false,
            options,
        }
    }

    /// The handle on the pool that the object is in.
    pub fn ioctx(&self) -> &IoCtx {
        &self.registration.get().ioctx
    }

    /// The object's name.
    pub fn object(&self) -> &[u8] {
        &self.registration.get().object
    }

    /// This watch, as those who notify see it. [`rewatch`](Self::rewatch) changes it.
    ///
    /// # Errors
    /// `NotConnected` in a forked child.
    pub fn watcher(&self) -> Result<Watcher> {
        let client = self.ioctx().conn().instance_id()?;
        let cookie = self.registration.get().cookie;
        Ok(Watcher { client, cookie })
    }

    /// The next event; blocks until there is one. `None` once the watch is lost and that has been told.
    ///
    /// # Panics
    /// When it would have to wait inside a callback of Ceph's, such as in a waker.
    pub fn recv(&mut self) -> Option<WatchEvent> {
        self.recv_until(None).expect("there is no limit")
    }

    /// The next event; blocks for at most `timeout`. `None` once the watch is lost and that has been told.
    ///
    /// # Errors
    /// `TimedOut` when none comes in time.
    ///
    /// # Panics
    /// As [`recv`](Self::recv).
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Option<WatchEvent>> {
        self.recv_until(Instant::now().checked_add(timeout))
    }

    fn recv_until(&mut self, end: Option<Instant>) -> Result<Option<WatchEvent>> {
        block_on_until(self.next(), end)
            .ok_or_else(|| Error::refused("recv_timeout", libc::ETIMEDOUT, "no event came in time"))
    }

    /// The next event, `None` once the watch is lost and that has been told.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<WatchEvent> {
        poll_fn(|context| self.poll_next_event(context)).await
    }

    fn poll_next_event(&mut self, context: &mut Context<'_>) -> Poll<Option<WatchEvent>> {
        if self.lost {
            return Poll::Ready(None);
        }
        let registered = self.registration.get();
        let event = match ready!(self.outbox.poll(context)) {
            Message::Notify(delivery) => {
                let (ioctx, object) = (&registered.ioctx, &registered.object);
                WatchEvent::Notification(Notification::new(ioctx, object, delivery))
            }
            Message::Missed(count) => WatchEvent::Missed(count),
            Message::Lost(code) => {
                self.lost = true;
                let error = Error::new("rados_watch2", Errno::new(code.saturating_abs()));
                let subject = registered.ioctx.subject(Some(&registered.object));
                WatchEvent::Lost(error.on(subject).hint("the watch is lost"))
            }
        };
        Poll::Ready(Some(event))
    }

    /// How long ago the OSD confirmed the watch. Nothing has been missed until then. Does not wait.
    ///
    /// It grows while the OSD is away, and for ever when the pool is deleted, of which no event may tell.
    ///
    /// # Errors
    /// Why the watch is dead, as [`WatchEvent::Lost`] or another of its reasons; `NotConnected` in a forked child.
    #[doc(alias = "rados_watch_check")]
    pub fn check(&self) -> Result<Duration> {
        const OP: &str = "rados_watch_check";
        let Registered {
            ioctx,
            object,
            cookie,
            ..
        } = self.registration.get();
        let raw = ioctx.raw(OP)?;
        // SAFETY: `raw` is open, and the watch is there as long as its `Registration`.
        let code = unsafe { ffi::rados_watch_check(raw, *cookie) };
        check(OP, code)
            .map(Duration::from_millis)
            .map_err(|error| error.on(ioctx.subject(Some(object))))
    }

    /// Watches the object anew, then ends the old watch. Blocks; tasks use `rewatch_async` (feature `aio-watch`).
    ///
    /// What had not been received is gone. When it fails all is as before, and it can be tried again.
    ///
    /// # Errors
    /// As [`IoCtx::watch_with`]: `NotFound` when the object was removed; `Blocklisted` for ever, as long as it is
    /// the same connection.
    pub fn rewatch(&mut self) -> Result<()> {
        let fresh = self.ioctx().watch_with(self.object(), &self.options)?;
        drop(std::mem::replace(self, fresh));
        Ok(())
    }

    /// Ends the watch. Blocks until the OSD has answered.
    ///
    /// # Errors
    /// The watch is gone all the same. `NotFound` when the object is.
    #[doc(alias = "rados_unwatch2")]
    #[doc(alias = "rados_watch_flush")]
    pub fn close(self) -> Result<()> {
        self.ioctx().raw_blocking("rados_unwatch2")?;
        self.registration.into_inner().end()
    }
}

#[cfg(feature = "futures")]
impl futures_core::Stream for Watch {
    type Item = WatchEvent;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<WatchEvent>> {
        self.poll_next_event(context)
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("ioctx", self.ioctx())
            .field("object", &self.object().escape_ascii().to_string())
            .field("lost", &self.lost)
            .finish()
    }
}

/// A timeout as C counts it: seconds, of which 0 would mean the default.
fn whole_seconds(op: &'static str, timeout: Duration) -> Result<u32> {
    const MOST: u32 = i32::MAX.unsigned_abs();
    let seconds = timeout
        .as_secs()
        .saturating_add((timeout.subsec_nanos() > 0).into());
    match u32::try_from(seconds) {
        Ok(seconds @ ..=MOST) => Ok(seconds.max(1)),
        _ => {
            let hint = format!("the timeout is {timeout:?}, and at most {MOST} s");
            Err(Error::refused(op, libc::EINVAL, hint))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_rounded_up_and_have_a_limit() {
        let seconds = |timeout| whole_seconds("f", timeout).ok();
        assert_eq!(seconds(Duration::ZERO), Some(1));
        assert_eq!(seconds(Duration::from_millis(1)), Some(1));
        assert_eq!(seconds(Duration::from_secs(1)), Some(1));
        assert_eq!(seconds(Duration::from_millis(1001)), Some(2));
        assert_eq!(seconds(Duration::from_secs(0x7fff_ffff)), Some(0x7fff_ffff));
        assert_eq!(seconds(Duration::from_secs(0x8000_0000)), None);
        assert_eq!(seconds(Duration::from_secs(u64::MAX)), None);
    }
}
