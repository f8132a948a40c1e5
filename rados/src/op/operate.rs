//! Sending operations.

use std::ffi::{c_char, c_int};
use std::ptr;

use ceph_core::cstr::CName;
use ceph_core::{Completion, Error, Result};

use super::output::{Results, decode};
use super::steps::{Raw, Steps};
use super::write::Mtime;
use super::{ReadOp, WriteOp};
use crate::aio::{Started, Target};
use crate::{IoCtx, ffi};

/// Operations: steps on one object that happen together or not at all.
///
/// A [`WriteOp`] changes an object, a [`ReadOp`] reads from it; both are built step by step, and used up by being
/// sent. Steps are done in order. If one fails the rest is not done, nothing is changed, and the operation
/// fails with that step's error, which names the step where the library tells which it was. An operation without
/// steps succeeds without asking anyone.
impl IoCtx {
    /// Does a write operation on an object: all of its steps or none. Blocks.
    ///
    /// ```no_run
    /// # fn main() -> rados::Result<()> {
    /// # let conn = rados::Conn::builder().default_config_file().connect()?;
    /// # let pool = conn.ioctx("rbd")?;
    /// let mut op = rados::WriteOp::new();
    /// op.create_exclusive()
    ///     .write_full(b"content")
    ///     .setxattr("type", b"text/plain");
    /// pool.operate("object", op)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The first step's that fails: see the methods of [`WriteOp`]. `InvalidArgument` and `TooBig` for a step that
    /// was refused when it was added; then nothing is sent. `TooBig` (EMSGSIZE) for more data than the OSDs'
    /// `osd_max_write_size` (90 MiB by default).
    #[doc(alias = "rados_write_op_operate")]
    #[doc(alias = "rados_write_op_operate2")]
    pub fn operate(&self, object: impl AsRef<[u8]>, op: WriteOp) -> Result<Results> {
        let WriteOp { steps, mtime } = op;
        self.operate_now(
            "rados_write_op_operate",
            object.as_ref(),
            steps,
            |raw, flags, ioctx, name| match (mtime, ffi::rados_write_op_operate2.get()) {
                (Some(Mtime(mut time)), Some(operate2)) => {
                    // SAFETY: as `operate_now` says; the time is copied.
                    unsafe { operate2(raw, ioctx, name, &raw mut time, flags) }
                }
                (Some(Mtime(mut time)), None) => {
                    let seconds = &raw mut time.tv_sec;
                    // SAFETY: as above.
                    unsafe { ffi::rados_write_op_operate(raw, ioctx, name, seconds, flags) }
                }
                (None, _) => {
                    // SAFETY: as above; no time is the OSD's.
                    unsafe { ffi::rados_write_op_operate(raw, ioctx, name, ptr::null_mut(), flags) }
                }
            },
        )
    }

    /// Does a read operation on an object. Blocks.
    ///
    /// ```no_run
    /// # fn main() -> rados::Result<()> {
    /// # let conn = rados::Conn::builder().default_config_file().connect()?;
    /// # let pool = conn.ioctx("rbd")?;
    /// let mut op = rados::ReadOp::new();
    /// let stat = op.stat();
    /// let start = op.read(0, 4096);
    /// let mut results = pool.operate_read("object", op)?;
    /// println!("{} bytes", results.take(stat)?.size);
    /// let start: Vec<u8> = results.take(start)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `NotFound`, and the first step's that fails: see the methods of [`ReadOp`]. `InvalidArgument` and `TooBig`
    /// for a step that was refused when it was added; then nothing is sent.
    #[doc(alias = "rados_read_op_operate")]
    pub fn operate_read(&self, object: impl AsRef<[u8]>, op: ReadOp) -> Result<Results> {
        self.operate_now(
            "rados_read_op_operate",
            object.as_ref(),
            op.steps,
            |raw, flags, ioctx, name| {
                // SAFETY: as `operate_now` says.
                unsafe { ffi::rados_read_op_operate(raw, ioctx, name, flags) }
            },
        )
    }

    /// Starts a write operation: see [`operate`](Self::operate).
    ///
    /// # Errors
    /// As [`operate`](Self::operate), through the completion only.
    ///
    /// # Cancel safety
    /// Dropping the completion detaches it. After [`Completion::cancel`] the operation may be done or not.
    #[doc(alias = "rados_aio_write_op_operate")]
    #[doc(alias = "rados_aio_write_op_operate2")]
    pub fn aio_operate(
        &self,
        object: impl AsRef<[u8]>,
        op: WriteOp,
    ) -> Completion<Result<Results>> {
        let WriteOp { steps, mtime } = op;
        self.start_operation(
            "rados_aio_write_op_operate",
            object.as_ref(),
            steps,
            |raw, flags, target| {
                let Target {
                    ioctx,
                    name,
                    completion,
                } = target;
                match (mtime, ffi::rados_aio_write_op_operate2.get()) {
                    (Some(Mtime(mut time)), Some(operate2)) => {
                        // SAFETY: as `start_operation` says; the time is copied.
                        unsafe { operate2(raw, ioctx, completion, name, &raw mut time, flags) }
                    }
                    (mtime, _) => {
                        let mut seconds = mtime.map(|Mtime(time)| time.tv_sec);
                        let seconds = seconds.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
                        // SAFETY: as above; no time is the OSD's.
                        unsafe {
                            ffi::rados_aio_write_op_operate(
                                raw, ioctx, completion, name, seconds, flags,
                            )
                        }
                    }
                }
            },
        )
    }

    /// Starts a read operation: see [`operate_read`](Self::operate_read). Afterwards
    /// [`Completion::version`] tells the version of the object that was read.
    ///
    /// # Errors
    /// As [`operate_read`](Self::operate_read), through the completion only.
    ///
    /// # Cancel safety
    /// Dropping the completion detaches it: buffers are freed when the operation is done.
    #[doc(alias = "rados_aio_read_op_operate")]
    pub fn aio_operate_read(
        &self,
        object: impl AsRef<[u8]>,
        op: ReadOp,
    ) -> Completion<Result<Results>> {
        self.start_operation(
            "rados_aio_read_op_operate",
            object.as_ref(),
            op.steps,
            |raw, flags, target| {
                let Target {
                    ioctx,
                    name,
                    completion,
                } = target;
                // SAFETY: as `start_operation` says.
                unsafe { ffi::rados_aio_read_op_operate(raw, ioctx, completion, name, flags) }
            },
        )
    }

    /// Does an operation: `call` gets the C operation, flags, an open handle and a name, all of which, and what
    /// the operation writes to, live until it returns.
    fn operate_now<R: Raw>(
        &self,
        op: &'static str,
        object: &[u8],
        steps: Steps<R>,
        call: impl FnOnce(R, c_int, ffi::rados_ioctx_t, *const c_char) -> c_int,
    ) -> Result<Results> {
        let Steps {
            handle,
            outputs,
            refused,
            count,
            flags,
            ..
        } = steps;
        let located = |error: Error| error.on(self.subject(Some(object)));
        if let Some(error) = refused {
            return Err(located(error));
        }
        let name = CName::new(op, "object name", object)?;
        let ioctx = self.raw_blocking(op)?;
        let results = Results::new(self, object, outputs);
        let code = match count {
            0 => 0,
            _ => call(handle.raw(), flags.bits(), ioctx, name.as_ptr()),
        };
        drop(handle);
        results.when(decode(op, code.into())).map_err(located)
    }

    /// Starts an operation: `call` gets the C operation and flags, which live until it returns. What the
    /// operation writes to lives until it is done.
    fn start_operation<R: Raw>(
        &self,
        op: &'static str,
        object: &[u8],
        steps: Steps<R>,
        call: impl FnOnce(R, c_int, Target) -> c_int,
    ) -> Completion<Result<Results>> {
        // The handle goes at the end of this: C has taken what the operation in flight needs out of it.
        let Steps {
            handle,
            outputs,
            refused,
            count,
            flags,
            ..
        } = steps;
        self.object_aio(
            op,
            object,
            Results::new(self, object, outputs),
            |target, _| match (refused, count) {
                (Some(error), _) => Err(error.on(self.subject(Some(object)))),
                (None, 0) => Ok(Started::Done),
                (None, _) => Ok(Started::Called(call(handle.raw(), flags.bits(), target))),
            },
            decode,
            Results::when,
        )
    }
}
