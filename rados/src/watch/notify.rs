//! Notifying an object's watchers.

use std::time::Duration;

#[cfg(feature = "aio-watch")]
use ceph_core::aio::{Completion, Slot};
use ceph_core::cstr::CName;
use ceph_core::{Error, Result, check};

use super::event::PAYLOAD_MAX;
use super::{NotifyReply, whole_seconds};
#[cfg(feature = "aio-watch")]
use crate::aio::{Started, Target};
use crate::buffer::RadosBuf;
use crate::{IoCtx, ffi};

impl IoCtx {
    /// Notifies all watchers of an object, which must exist, and collects what they answer. Blocks until all
    /// have, or the time is up.
    ///
    /// `timeout` counts in whole seconds, rounded up, at least 1; `None` is this client's
    /// `client_notify_timeout`, 10 s by default. That some did not answer in time is no error:
    /// [`NotifyReply::timed_out`] has them. A watch of this very client answers like others, so somebody else
    /// must receive from it meanwhile.
    ///
    /// ```no_run
    /// # fn f(pool: rados::IoCtx) -> rados::Result<()> {
    /// let reply = pool.notify("object", b"it changed", None)?;
    /// println!("{} have seen it, {} have not", reply.acks.len(), reply.timed_out.len());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `NotFound`; `InvalidArgument` for a name with a NUL byte, or a timeout of more than 2147483647 seconds;
    /// `TooBig` for a payload of more than 2147483647 bytes; `TimedOut` when the OSD does not answer within
    /// [`ConnBuilder::osd_timeout`](crate::ConnBuilder::osd_timeout).
    #[doc(alias = "rados_notify2")]
    pub fn notify(
        &self,
        object: impl AsRef<[u8]>,
        payload: &[u8],
        timeout: Option<Duration>,
    ) -> Result<NotifyReply> {
        const OP: &str = "rados_notify2";
        let object = object.as_ref();
        let raw = self.raw_blocking(OP)?;
        let name = CName::new(OP, "object name", object)?;
        let (len, milliseconds) = arguments(OP, payload, timeout)?;
        let mut reply = RadosBuf::empty();
        // SAFETY: `raw` is open; the name and the payload live until the call returns; the reply is this
        // function's, empty, and freed whether the call succeeds or not.
        let code = unsafe {
            ffi::rados_notify2(
                raw,
                name.as_ptr(),
                payload.as_ptr().cast(),
                len,
                milliseconds,
                &raw mut reply.data,
                &raw mut reply.len,
            )
        };
        outcome(OP, &reply, check(OP, code)).map_err(|error| error.on(self.subject(Some(object))))
    }

    /// Notifies all watchers of an object, as [`notify`](Self::notify) does.
    ///
    /// # Errors
    /// As [`notify`](Self::notify); `Unsupported` where the library lacks it. Needs the feature `aio-watch`.
    ///
    /// # Cancel safety
    /// Dropping the completion detaches it: the watchers are notified.
    #[cfg(feature = "aio-watch")]
    #[doc(alias = "rados_aio_notify")]
    pub fn aio_notify(
        &self,
        object: impl AsRef<[u8]>,
        payload: &[u8],
        timeout: Option<Duration>,
    ) -> Completion<Result<NotifyReply>> {
        const OP: &str = "rados_aio_notify";
        self.object_aio(
            OP,
            object.as_ref(),
            Slot::new(RadosBuf::empty()),
            |target, reply| {
                let notify = ffi::optional(&ffi::rados_aio_notify)?;
                let (len, milliseconds) = arguments(OP, payload, timeout)?;
                let Target {
                    ioctx,
                    name,
                    completion,
                } = target;
                // SAFETY: the operation has not started, so nobody else uses it.
                let reply = unsafe { &mut *reply.as_ptr() };
                // SAFETY: as `object_aio` says; the payload is copied, and the reply is in the operation's payload.
                let code = unsafe {
                    notify(
                        ioctx,
                        name,
                        completion,
                        payload.as_ptr().cast(),
                        len,
                        milliseconds,
                        &raw mut reply.data,
                        &raw mut reply.len,
                    )
                };
                Ok(Started::Called(code))
            },
            check,
            |reply, result| outcome(OP, &reply.into_inner(), result),
        )
    }
}

/// The payload's length and the timeout, in milliseconds, as C wants them.
fn arguments(op: &'static str, payload: &[u8], timeout: Option<Duration>) -> Result<(i32, u64)> {
    let len = i32::try_from(payload.len()).map_err(|_| {
        let hint = format!("a notification has at most {PAYLOAD_MAX} bytes");
        Error::refused(op, libc::E2BIG, hint)
    })?;
    let seconds = timeout.map_or(Ok(0), |timeout| whole_seconds(op, timeout))?;
    Ok((len, u64::from(seconds) * 1000))
}

/// The reply; C fails with ETIMEDOUT when it tells of watchers that did not answer.
fn outcome(op: &'static str, reply: &RadosBuf, result: Result<u64>) -> Result<NotifyReply> {
    let reply = || NotifyReply::decode(op, &reply.to_vec());
    match result {
        Ok(_) => reply(),
        Err(error) if error.errno().raw() == libc::ETIMEDOUT => match reply() {
            Ok(reply) if !reply.timed_out.is_empty() => Ok(reply),
            _ => Err(error),
        },
        Err(error) => Err(error),
    }
}
