//! Asynchronous I/O on objects.

use std::ffi::c_char;

use ceph_core::aio::Slot;
#[cfg(feature = "cmpext")]
use ceph_core::mismatch;
use ceph_core::{Completion, Error, IoBufMut, Result, check};

#[cfg(feature = "cmpext")]
use crate::Comparison;
use crate::aio::{Started, Target};
use crate::object::{EPOCH, READ_MAX, WRITE_MAX, system_time, system_time_ns};
use crate::{IoCtx, ObjectStat, ffi};

/// Asynchronous reads and writes of objects: each starts at once and returns a [`Completion`], a future that
/// needs no runtime. They fail as their blocking namesakes do, through the completion only.
///
/// ```no_run
/// # async fn f(pool: rados::IoCtx) -> rados::Result<()> {
/// let writes: Vec<_> = (0..100)
///     .map(|n| pool.aio_write_full(format!("object-{n}"), b"data"))
///     .collect();
/// for write in writes {
///     write.await?;
/// }
/// let (read, buffer) = pool.aio_read("object-7", vec![0; 4096], 0).await;
/// assert_eq!(read?, 4);
/// assert_eq!(buffer, b"data");
/// # Ok(()) }
/// ```
///
/// What is written is copied before the method returns, by C; what is read into belongs to the operation and
/// comes back with its result, or is freed when the operation ends.
///
/// # Back-pressure
/// More than 1024 operations in flight, or 100 MiB (`objecter_inflight_ops`, `objecter_inflight_op_bytes`),
/// make these methods block until others are done. An executor awaits a permit of
/// [`Conn::limiter`](crate::Conn::limiter) first, or raises the options.
///
/// # Cancel safety
/// Dropping a completion detaches it: see [`Completion`]. [`Completion::cancel`] works on all of them but
/// [`aio_getxattrs`](Self::aio_getxattrs) and [`aio_flush`](Self::aio_flush).
impl IoCtx {
    /// Reads from `offset` into all of the buffer's room: its capacity, if it can grow. Gives back how many
    /// bytes were read, which are fewer only at the object's end, and the buffer.
    ///
    /// A buffer without room reads nothing, and does not ask whether the object exists.
    ///
    /// # Errors
    /// `NotFound`; `OutOfDomain` for a buffer of more than 2147483647 bytes.
    #[doc(alias = "rados_aio_read")]
    pub fn aio_read<B: IoBufMut>(
        &self,
        object: impl AsRef<[u8]>,
        buffer: B,
        offset: u64,
    ) -> Completion<(Result<usize>, B)> {
        const OP: &str = "rados_aio_read";
        let object = object.as_ref();
        self.object_aio(
            OP,
            object,
            Slot::new(buffer),
            |target, buffer| {
                // SAFETY: the operation has not started, so nobody else uses the buffer.
                let (room, len) = unsafe { &mut *buffer.as_ptr() }.room();
                if len == 0 {
                    return Ok(Started::Done); // to C it would mean the whole object
                }
                if len > READ_MAX {
                    let hint = format!("the buffer's length must be in 0..={READ_MAX} bytes");
                    let error = Error::refused(OP, libc::EDOM, hint);
                    return Err(error.on(self.subject(Some(object))));
                }
                let Target {
                    ioctx,
                    name,
                    completion,
                } = target;
                // SAFETY: as `object_aio` says; the room is in the payload and has `len` bytes.
                let code = unsafe {
                    ffi::rados_aio_read(ioctx, name, completion, room.cast(), len, offset)
                };
                Ok(Started::Called(code))
            },
            check,
            |buffer, result| {
                let mut buffer = buffer.into_inner();
                let read = result.map(|read| read as usize); // an int
                if let Ok(read) = read {
                    // SAFETY: C has written so many bytes, at most as many as asked for.
                    unsafe { buffer.filled(read) };
                }
                (read, buffer)
            },
        )
    }

    /// Writes `data` at `offset`, creating the object or a gap of zeros if need be. All or nothing.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    #[doc(alias = "rados_aio_write")]
    pub fn aio_write(
        &self,
        object: impl AsRef<[u8]>,
        data: &[u8],
        offset: u64,
    ) -> Completion<Result<()>> {
        // See `write`: an empty write past the end loses the object.
        let offset = if data.is_empty() { 0 } else { offset };
        self.data_aio(
            "rados_aio_write",
            object.as_ref(),
            data,
            |target, data, len| {
                let Target {
                    ioctx,
                    name,
                    completion,
                } = target;
                // SAFETY: as `data_aio` says.
                unsafe { ffi::rados_aio_write(ioctx, name, completion, data, len, offset) }
            },
        )
    }

    /// Replaces the object's content by `data`, creating the object if need be. All or nothing.
    ///
    /// # Errors
    /// As [`write_full`](Self::write_full).
    #[doc(alias = "rados_aio_write_full")]
    pub fn aio_write_full(&self, object: impl AsRef<[u8]>, data: &[u8]) -> Completion<Result<()>> {
        self.data_aio(
            "rados_aio_write_full",
            object.as_ref(),
            data,
            |target, data, len| {
                let Target {
                    ioctx,
                    name,
                    completion,
                } = target;
                // SAFETY: as `data_aio` says.
                unsafe { ffi::rados_aio_write_full(ioctx, name, completion, data, len) }
            },
        )
    }

    /// Adds `data` at the object's end, creating the object if need be. All or nothing.
    ///
    /// ```no_run
    /// # async fn f(pool: rados::IoCtx) -> rados::Result<()> {
    /// let mut append = pool.aio_append("log", b"one more line\n");
    /// (&mut append).await?;
    /// println!("version {:?}", append.version());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`append`](Self::append).
    #[doc(alias = "rados_aio_append")]
    pub fn aio_append(&self, object: impl AsRef<[u8]>, data: &[u8]) -> Completion<Result<()>> {
        self.data_aio(
            "rados_aio_append",
            object.as_ref(),
            data,
            |target, data, len| {
                let Target {
                    ioctx,
                    name,
                    completion,
                } = target;
                // SAFETY: as `data_aio` says.
                unsafe { ffi::rados_aio_append(ioctx, name, completion, data, len) }
            },
        )
    }

    /// Writes `pattern` over and over from `offset` on, `len` bytes in all, which must be a multiple of its
    /// length. Only the pattern is sent. All or nothing.
    ///
    /// # Errors
    /// `InvalidArgument` when `len` or the pattern is empty, or the one no multiple of the other; else as
    /// [`write`](Self::write).
    #[doc(alias = "rados_aio_writesame")]
    pub fn aio_writesame(
        &self,
        object: impl AsRef<[u8]>,
        pattern: &[u8],
        len: usize,
        offset: u64,
    ) -> Completion<Result<()>> {
        self.data_aio(
            "rados_aio_writesame",
            object.as_ref(),
            pattern,
            |target, data, data_len| {
                let Target {
                    ioctx,
                    name,
                    completion,
                } = target;
                if data_len == 0 || len == 0 || !len.is_multiple_of(data_len) {
                    return -libc::EINVAL;
                }
                // SAFETY: as `data_aio` says.
                unsafe {
                    ffi::rados_aio_writesame(ioctx, name, completion, data, data_len, len, offset)
                }
            },
        )
    }

    /// Compares the object's bytes from `offset` on with `data`. Past the object's end it has zeros.
    ///
    /// # Errors
    /// `NotFound`; `Unsupported` where the library lacks it. Needs the feature `cmpext`.
    #[cfg(feature = "cmpext")]
    #[doc(alias = "rados_aio_cmpext")]
    pub fn aio_cmpext(
        &self,
        object: impl AsRef<[u8]>,
        data: &[u8],
        offset: u64,
    ) -> Completion<Result<Comparison>> {
        self.object_aio(
            "rados_aio_cmpext",
            object.as_ref(),
            (),
            |target, ()| {
                let cmpext = ffi::optional(&ffi::rados_aio_cmpext)?;
                let Target {
                    ioctx,
                    name,
                    completion,
                } = target;
                let (start, len) = (data.as_ptr().cast(), data.len());
                // SAFETY: as `object_aio` says; `data` is copied.
                Ok(Started::Called(unsafe {
                    cmpext(ioctx, name, completion, start, len, offset)
                }))
            },
            // 0 for equal, else one more than where they differ.
            |op, code| match mismatch(code) {
                Some(at) => Ok(at + 1),
                None => check(op, code).map(|_| 0),
            },
            |(), result| {
                result.map(|code| match code.checked_sub(1) {
                    Some(offset) => Comparison::Differs { offset },
                    None => Comparison::Equal,
                })
            },
        )
    }

    /// Removes the object.
    ///
    /// # Errors
    /// `NotFound`.
    #[doc(alias = "rados_aio_remove")]
    pub fn aio_remove(&self, object: impl AsRef<[u8]>) -> Completion<Result<()>> {
        self.simple_aio("rados_aio_remove", object.as_ref(), |target| {
            let Target {
                ioctx,
                name,
                completion,
            } = target;
            // SAFETY: as `object_aio` says.
            Ok(unsafe { ffi::rados_aio_remove(ioctx, name, completion) })
        })
    }

    /// Cuts the object to `size` bytes, or extends it by zeros. An object that does not exist stays
    /// so, without an error.
    ///
    /// # Errors
    /// As [`truncate`](Self::truncate).
    #[doc(alias = "rados_write_op_truncate")]
    #[doc(alias = "rados_aio_write_op_operate")]
    pub fn aio_truncate(&self, object: impl AsRef<[u8]>, size: u64) -> Completion<Result<()>> {
        self.simple_aio("rados_aio_write_op_operate", object.as_ref(), |target| {
            let Target {
                ioctx,
                name,
                completion,
            } = target;
            // SAFETY: it is released below.
            let op = unsafe { ffi::rados_create_write_op() };
            // SAFETY: `op` is this function's.
            unsafe { ffi::rados_write_op_truncate(op, size) };
            // SAFETY: as `object_aio` says; `op` is copied, and no time is given.
            let code = unsafe {
                ffi::rados_aio_write_op_operate(
                    op,
                    ioctx,
                    completion,
                    name,
                    std::ptr::null_mut(),
                    0,
                )
            };
            // SAFETY: nothing uses `op` after this.
            unsafe { ffi::rados_release_write_op(op) };
            Ok(code)
        })
    }

    /// The object's size and time of last change.
    ///
    /// # Errors
    /// `NotFound`.
    #[doc(alias = "rados_aio_stat")]
    #[doc(alias = "rados_aio_stat2")]
    pub fn aio_stat(&self, object: impl AsRef<[u8]>) -> Completion<Result<ObjectStat>> {
        let object = object.as_ref();
        if let Some(stat2) = ffi::rados_aio_stat2.get() {
            return self.object_aio(
                "rados_aio_stat2",
                object,
                (Slot::new(0), Slot::new(EPOCH)),
                |target, (size, mtime)| {
                    let Target {
                        ioctx,
                        name,
                        completion,
                    } = target;
                    let (size, mtime) = (size.as_ptr(), mtime.as_ptr());
                    // SAFETY: as `object_aio` says; the outputs are in the payload.
                    let code = unsafe { stat2(ioctx, name, completion, size, mtime) };
                    Ok(Started::Called(code))
                },
                check,
                |(size, mtime), result| {
                    result.map(|_| ObjectStat {
                        size: size.into_inner(),
                        mtime: system_time_ns(mtime.into_inner()),
                    })
                },
            );
        }
        self.object_aio(
            "rados_aio_stat",
            object,
            (Slot::new(0), Slot::new(0)),
            |target, (size, mtime)| {
                let Target {
                    ioctx,
                    name,
                    completion,
                } = target;
                let (size, mtime) = (size.as_ptr(), mtime.as_ptr());
                // SAFETY: as above.
                let code = unsafe { ffi::rados_aio_stat(ioctx, name, completion, size, mtime) };
                Ok(Started::Called(code))
            },
            check,
            |(size, mtime), result| {
                result.map(|_| ObjectStat {
                    size: size.into_inner(),
                    mtime: system_time(mtime.into_inner()),
                })
            },
        )
    }

    /// Is done when all writes are that were started before, through this handle or its clones, whether
    /// they succeeded or not.
    #[doc(alias = "rados_aio_flush_async")]
    pub fn aio_flush(&self) -> Completion<Result<()>> {
        self.simple_aio("rados_aio_flush_async", b"", |target| {
            // SAFETY: as `object_aio` says.
            Ok(unsafe { ffi::rados_aio_flush_async(target.ioctx, target.completion) })
        })
    }

    /// Blocks until all writes are done that were started before, through this handle or its clones.
    ///
    /// # Errors
    /// `NotConnected` in a forked child; `Deadlock` inside a callback of Ceph's. What became of the writes
    /// their completions tell.
    #[doc(alias = "rados_aio_flush")]
    pub fn flush(&self) -> Result<()> {
        const OP: &str = "rados_aio_flush";
        let raw = self.raw_blocking(OP)?;
        // SAFETY: `raw` is open.
        check(OP, unsafe { ffi::rados_aio_flush(raw) }).map(drop)
    }

    /// Waits for a moment at which no operation of this handle or its clones is in flight, reads included,
    /// and those whose completion has been dropped. [`block_on`](crate::block_on) waits for it in a thread.
    pub async fn drain(&self) {
        self.tracker().idle().await;
    }

    /// How many operations of this handle and its clones are in flight.
    pub fn in_flight(&self) -> usize {
        self.tracker().in_flight()
    }

    /// Starts an operation that gives C no data and gets none.
    pub(crate) fn simple_aio(
        &self,
        op: &'static str,
        object: &[u8],
        start: impl FnOnce(Target) -> Result<i32>,
    ) -> Completion<Result<()>> {
        self.object_aio(
            op,
            object,
            (),
            |target, ()| start(target).map(Started::Called),
            check,
            |(), result| result.map(drop),
        )
    }

    /// Starts a write: `start` calls C, which copies the data.
    fn data_aio(
        &self,
        op: &'static str,
        object: &[u8],
        data: &[u8],
        start: impl FnOnce(Target, *const c_char, usize) -> i32,
    ) -> Completion<Result<()>> {
        self.simple_aio(op, object, |target| {
            if data.len() > WRITE_MAX {
                let hint = format!("one write carries at most {WRITE_MAX} bytes");
                return Err(Error::refused(op, libc::E2BIG, hint).on(self.subject(Some(object))));
            }
            Ok(start(target, data.as_ptr().cast(), data.len()))
        })
    }
}
