//! What a watch tells.

use std::fmt;
use std::mem;
use std::sync::Arc;

use ceph_core::cstr::CName;
use ceph_core::{Error, Result, check, reaper};

use super::inbox::Delivery;
use crate::{IoCtx, ffi};

/// The most that a notification or its answer can carry: C counts it in an `int`.
pub(super) const PAYLOAD_MAX: usize = i32::MAX as usize;

/// What a [`Watch`](crate::Watch) tells.
#[derive(Debug)]
#[non_exhaustive]
pub enum WatchEvent {
    /// Somebody notified the object's watchers, and waits for an answer.
    Notification(Notification),
    /// So many notifications came while the watch's queue was full, and are gone. They have not been
    /// acknowledged: those who sent them see this watcher among [`timed_out`](crate::NotifyReply::timed_out).
    Missed(u64),
    /// The watch is dead, and notifications may have been missed: `NotConnected` when it could not be kept up or
    /// the object was removed; that or `Blocklisted` when the client was blocklisted; `TimedOut` when the OSD did
    /// not answer within [`ConnBuilder::osd_timeout`](crate::ConnBuilder::osd_timeout). It is the last event until
    /// [`Watch::rewatch`](crate::Watch::rewatch). The end of the pool may not be told; see
    /// [`Watch::check`](crate::Watch::check).
    Lost(Error),
}

/// A notification, whose sender waits for an answer: [`ack`](Self::ack) sends one, and dropping it an empty
/// one. One that is leaked makes its sender wait until that's time is up.
pub struct Notification {
    // Taken when it is acknowledged.
    answer: Option<Answer>,
    notifier: u64,
    payload: Vec<u8>,
}

/// How to acknowledge.
struct Answer {
    ioctx: IoCtx,
    object: Arc<[u8]>,
    notify_id: u64,
    cookie: u64,
}

impl Notification {
    pub(super) fn new(ioctx: &IoCtx, object: &Arc<[u8]>, delivery: Delivery) -> Self {
        Self {
            answer: Some(Answer {
                ioctx: ioctx.clone(),
                object: Arc::clone(object),
                notify_id: delivery.notify_id,
                cookie: delivery.cookie,
            }),
            notifier: delivery.notifier,
            payload: delivery.payload,
        }
    }

    /// The bytes that were sent.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Takes the bytes that were sent, without a copy; none are left.
    pub fn take_payload(&mut self) -> Vec<u8> {
        mem::take(&mut self.payload)
    }

    /// The client that sent it, as its [`Conn::instance_id`](crate::Conn::instance_id).
    pub fn notifier(&self) -> u64 {
        self.notifier
    }

    /// The notification's id, the same for all watchers of the object.
    pub fn id(&self) -> u64 {
        self.answer.as_ref().map_or(0, |answer| answer.notify_id)
    }

    /// Answers with `reply`, at most 2147483647 bytes. Does not wait: it is sent, and nobody confirms it.
    ///
    /// # Errors
    /// `TooBig`, after which an empty answer is sent; `NotConnected` in a forked child.
    #[doc(alias = "rados_notify_ack")]
    pub fn ack(mut self, reply: &[u8]) -> Result<()> {
        let answer = self.answer.take();
        answer.map_or(Ok(()), |answer| answer.send(reply))
    }
}

impl Answer {
    fn send(&self, reply: &[u8]) -> Result<()> {
        const OP: &str = "rados_notify_ack";
        let raw = self.ioctx.raw(OP)?;
        let name = CName::new(OP, "object name", &self.object)?;
        let (sent, result) = match i32::try_from(reply.len()) {
            Ok(len) => ((reply.as_ptr(), len), Ok(())),
            Err(_) => {
                let hint = format!("a reply has at most {PAYLOAD_MAX} bytes");
                let error = Error::refused(OP, libc::E2BIG, hint);
                let error = error.on(self.ioctx.subject(Some(&self.object)));
                ((std::ptr::null(), 0), Err(error))
            }
        };
        // SAFETY: `raw` is open, the name lives until the call returns, and the reply is copied.
        let code = unsafe {
            ffi::rados_notify_ack(
                raw,
                name.as_ptr(),
                self.notify_id,
                self.cookie,
                sent.0.cast(),
                sent.1,
            )
        };
        result.and(check(OP, code).map(drop))
    }
}

impl Drop for Notification {
    fn drop(&mut self) {
        if let Some(answer) = self.answer.take() {
            // Sending may wait for room among the operations in flight.
            reaper::close_with(move || drop(answer.send(b"")));
        }
    }
}

impl fmt::Debug for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notification")
            .field("id", &self.id())
            .field("notifier", &self.notifier)
            .field("payload_len", &self.payload.len())
            .finish()
    }
}
