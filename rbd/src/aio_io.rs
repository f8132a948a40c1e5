//! Asynchronous reading and writing.

use ceph_core::aio::{Completion, Slot};
#[cfg(feature = "compare-and-write")]
use rados::Comparison;
use rados::{Error, IoBuf, IoBufMut, Result};

use crate::aio::Started;
#[cfg(feature = "compare-and-write")]
use crate::compare::{check_same_len, comparison};
use crate::image::Image;
use crate::{IoFlags, ffi};

/// The most that one operation carries: its result is an `int`.
const MOST: usize = i32::MAX as usize;

/// Asynchronous I/O: each method starts an operation at once and returns a [`Completion`], a future that needs
/// no runtime.
///
/// ```no_run
/// # async fn f(image: rbd::Image) -> rbd::Result<()> {
/// let (written, data) = image.aio_write(vec![7; 4096], 1 << 20).await;
/// written?;
/// image.aio_flush().await?;
/// let (read, data) = image.aio_read(data, 1 << 20).await; // the buffer again
/// assert_eq!(read?, 4096);
/// image.aio_close().await
/// # }
/// ```
///
/// Buffers belong to the operation until it is done, and come back with its result, also when it is refused.
/// Operations keep the image open: one that is dropped meanwhile is closed when the last has ended and its
/// result is taken or its completion dropped. Writes may overtake each other: await one before starting another
/// that overlaps it.
///
/// They fail with `Blocklisted`, with `ReadOnly` where the image cannot be written or another client keeps the
/// exclusive lock, with `TimedOut` when an OSD timeout is set, with `OutOfDomain` for more than 2147483647 bytes
/// at once, and with `NotConnected` in a forked child.
///
/// # Cancel safety
/// Dropping a completion detaches it: the operation goes on. librbd cannot cancel.
impl Image {
    /// Reads from `offset` into all of the buffer's room: its capacity, if it can grow. Gives back how many
    /// bytes were read, which are fewer only at the image's end, and the buffer.
    ///
    /// # Errors
    /// As said above.
    #[doc(alias = "rbd_aio_read")]
    pub fn aio_read<B: IoBufMut>(&self, buffer: B, offset: u64) -> Completion<(Result<usize>, B)> {
        self.aio_read_with(buffer, offset, IoFlags::empty())
    }

    /// As [`aio_read`](Self::aio_read), with advice on how the data will be used.
    ///
    /// # Errors
    /// As [`aio_read`](Self::aio_read).
    #[doc(alias = "rbd_aio_read2")]
    pub fn aio_read_with<B: IoBufMut>(
        &self,
        buffer: B,
        offset: u64,
        flags: IoFlags,
    ) -> Completion<(Result<usize>, B)> {
        const OP: &str = "rbd_aio_read2";
        self.aio(
            OP,
            Slot::new(buffer),
            |raw, completion, buffer| {
                // SAFETY: the operation has not started, so nobody else uses the buffer.
                let (room, len) = unsafe { &mut *buffer.as_ptr() }.room();
                if len == 0 {
                    return Ok(Started::Done); // C may abort on it
                }
                check_len(OP, len)?;
                if offset >= self.current_size()? {
                    return Ok(Started::Done);
                }
                let (room, flags) = (room.cast(), flags.bits());
                // SAFETY: the handle is open; the room is in the payload and has `len` bytes.
                Started::called(unsafe {
                    ffi::rbd_aio_read2(raw, offset, len, room, completion, flags)
                })
            },
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

    /// Writes all of `data` at `offset`, and gives it back. [`aio_flush`](Self::aio_flush) makes it durable.
    ///
    /// # Errors
    /// `NoSpace` (ENOSPC) when it does not fit into the image, and then nothing is written; else as said
    /// above.
    #[doc(alias = "rbd_aio_write")]
    pub fn aio_write<B: IoBuf>(&self, data: B, offset: u64) -> Completion<(Result<()>, B)> {
        self.aio_write_with(data, offset, IoFlags::empty())
    }

    /// As [`aio_write`](Self::aio_write), with advice on how the data will be used.
    ///
    /// # Errors
    /// As [`aio_write`](Self::aio_write).
    #[doc(alias = "rbd_aio_write2")]
    pub fn aio_write_with<B: IoBuf>(
        &self,
        data: B,
        offset: u64,
        flags: IoFlags,
    ) -> Completion<(Result<()>, B)> {
        self.write_aio(data, offset, flags, |data, result| (result, data))
    }

    /// As [`aio_write_with`](Self::aio_write_with), but keeps the data.
    #[cfg(feature = "futures")]
    pub(crate) fn write_and_drop(
        &self,
        data: impl IoBuf,
        offset: u64,
        flags: IoFlags,
    ) -> Completion<Result<()>> {
        self.write_aio(data, offset, flags, |_, result| result)
    }

    fn write_aio<B: IoBuf, T>(
        &self,
        data: B,
        offset: u64,
        flags: IoFlags,
        finish: impl FnOnce(B, Result<()>) -> T + Send + 'static,
    ) -> Completion<T> {
        const OP: &str = "rbd_aio_write2";
        self.aio(
            OP,
            data,
            |raw, completion, data| {
                let data = data.bytes();
                if data.is_empty() {
                    return Ok(Started::Done);
                }
                self.check_fits(OP, offset, data.len())?;
                let (start, len, flags) = (data.as_ptr().cast(), data.len(), flags.bits());
                // SAFETY: the handle is open; the data is in the payload.
                Started::called(unsafe {
                    ffi::rbd_aio_write2(raw, offset, len, start, completion, flags)
                })
            },
            |data, result| finish(data, result.map(drop)),
        )
    }

    /// Writes `pattern` over and over from `offset` on, `len` bytes in all, which must be a multiple of its
    /// length; gives it back. A pattern of zeros discards.
    ///
    /// # Errors
    /// `InvalidArgument` when `len` or the pattern is empty, or the one no multiple of the other; else as
    /// [`aio_write`](Self::aio_write).
    #[doc(alias = "rbd_aio_writesame")]
    pub fn aio_writesame<B: IoBuf>(
        &self,
        pattern: B,
        offset: u64,
        len: usize,
    ) -> Completion<(Result<()>, B)> {
        const OP: &str = "rbd_aio_writesame";
        self.aio(
            OP,
            pattern,
            |raw, completion, pattern| {
                let pattern = pattern.bytes();
                if pattern.is_empty() || len == 0 || !len.is_multiple_of(pattern.len()) {
                    let hint = format!("{len} bytes of a pattern of {} bytes", pattern.len());
                    return Err(Error::refused(OP, libc::EINVAL, hint));
                }
                self.check_fits(OP, offset, len)?;
                let (start, pattern_len) = (pattern.as_ptr().cast(), pattern.len());
                // SAFETY: the handle is open; the pattern is in the payload.
                Started::called(unsafe {
                    ffi::rbd_aio_writesame(raw, offset, len, start, pattern_len, completion, 0)
                })
            },
            |pattern, result| (result.map(drop), pattern),
        )
    }

    /// Writes `data` at `offset` if the image has `expected` there; else writes nothing and tells where it
    /// differs, counted from `offset`. Gives both back. Nobody else writes in between.
    ///
    /// In Ceph 14 it goes past the cache (`rbd_cache`), from which this image may go on to read the old data.
    ///
    /// # Errors
    /// `InvalidArgument` when the two have not the same length, or more than C can compare: up to Ceph 16 at
    /// most 512 bytes, later what lies in one stripe unit; else as [`aio_write`](Self::aio_write). `Unsupported` where the library lacks it. Needs the feature
    /// `compare-and-write`.
    #[cfg(feature = "compare-and-write")]
    #[doc(alias = "rbd_aio_compare_and_write")]
    pub fn aio_compare_and_write<C: IoBuf, B: IoBuf>(
        &self,
        expected: C,
        data: B,
        offset: u64,
    ) -> Completion<(Result<Comparison>, C, B)> {
        const OP: &str = "rbd_aio_compare_and_write";
        self.aio(
            OP,
            (expected, data, Slot::new(0_u64)),
            |raw, completion, (expected, data, mismatch)| {
                let compare_and_write = ffi::optional(&ffi::rbd_aio_compare_and_write)?;
                let (expected, data) = (expected.bytes(), data.bytes());
                check_same_len(OP, expected.len(), data.len())?;
                if data.is_empty() {
                    return Ok(Started::Done);
                }
                let len = data.len();
                self.check_fits(OP, offset, len)?;
                let (expected, data) = (expected.as_ptr().cast(), data.as_ptr().cast());
                let mismatch = mismatch.as_ptr();
                // SAFETY: the handle is open; both buffers and the output are in the payload.
                Started::called(unsafe {
                    compare_and_write(raw, offset, len, expected, data, completion, mismatch, 0)
                })
            },
            |(expected, data, mismatch), result| {
                let result = comparison(result, || mismatch.into_inner());
                (result, expected, data)
            },
        )
    }

    /// Tells the cluster that `len` bytes from `offset` on are not needed, as [`discard`](Self::discard) does.
    ///
    /// # Errors
    /// As said above; past the image's end there is no error.
    #[doc(alias = "rbd_aio_discard")]
    pub fn aio_discard(&self, offset: u64, len: u64) -> Completion<Result<()>> {
        self.range_aio("rbd_aio_discard", offset, len, |raw, completion, len| {
            // SAFETY: the handle is open.
            Started::called(unsafe { ffi::rbd_aio_discard(raw, offset, len, completion) })
        })
    }

    /// Makes `len` bytes from `offset` on read as zeros, as [`write_zeroes`](Self::write_zeroes) does.
    ///
    /// # Errors
    /// As said above; past the image's end there is no error. `Unsupported` where the library lacks it.
    /// Needs the feature `write-zeroes`.
    #[cfg(feature = "write-zeroes")]
    #[doc(alias = "rbd_aio_write_zeroes")]
    pub fn aio_write_zeroes(&self, offset: u64, len: u64) -> Completion<Result<()>> {
        self.range_aio(
            "rbd_aio_write_zeroes",
            offset,
            len,
            |raw, completion, len| {
                let write_zeroes = ffi::optional(&ffi::rbd_aio_write_zeroes)?;
                let len = usize::try_from(len).unwrap_or(usize::MAX);
                // SAFETY: the handle is open. No flags.
                Started::called(unsafe { write_zeroes(raw, offset, len, completion, 0, 0) })
            },
        )
    }

    /// Makes all writes durable that have completed before.
    ///
    /// # Errors
    /// What writing back answers: `TimedOut`, `Blocklisted`, `NoSpace`, `QuotaExceeded`, `Io`.
    #[doc(alias = "rbd_aio_flush")]
    pub fn aio_flush(&self) -> Completion<Result<()>> {
        self.aio(
            "rbd_aio_flush",
            (),
            // SAFETY: the handle is open.
            |raw, completion, ()| Started::called(unsafe { ffi::rbd_aio_flush(raw, completion) }),
            |(), result| result.map(drop),
        )
    }

    /// Starts an operation on a part of the image, cut at its end.
    fn range_aio(
        &self,
        op: &'static str,
        offset: u64,
        len: u64,
        start: impl FnOnce(ffi::rbd_image_t, ffi::rbd_completion_t, u64) -> Result<Started>,
    ) -> Completion<Result<()>> {
        self.aio(
            op,
            (),
            |raw, completion, ()| match self.current_size()?.saturating_sub(offset).min(len) {
                0 => Ok(Started::Done),
                len => start(raw, completion, len),
            },
            |(), result| result.map(drop),
        )
    }

    /// The size, which is known without asking the cluster.
    #[inline]
    pub(crate) fn current_size(&self) -> Result<u64> {
        let mut size = 0;
        // SAFETY: the handle is open, and the output is this function's.
        let code = unsafe { ffi::rbd_get_size(self.as_raw(), &raw mut size) };
        ceph_core::check("rbd_get_size", code).map(|_| size)
    }

    /// The size, for who has not called [`aio`](Self::aio) yet.
    #[cfg(feature = "futures")]
    pub(crate) fn checked_size(&self) -> Result<u64> {
        self.ioctx().conn().check("rbd_get_size")?;
        self.current_size()
    }

    /// Refuses what C would silently cut.
    #[inline]
    pub(crate) fn check_fits(&self, op: &'static str, offset: u64, len: usize) -> Result<()> {
        check_len(op, len)?;
        let size = self.current_size()?;
        match offset.checked_add(len as u64) {
            Some(end) if end <= size => Ok(()),
            _ => {
                let hint = format!("{len} bytes at {offset} do not fit into {size}");
                Err(Error::refused(op, libc::ENOSPC, hint))
            }
        }
    }
}

/// Refuses more than C counts.
#[inline]
pub(crate) fn check_len(op: &'static str, len: usize) -> Result<()> {
    if len > MOST {
        let hint = format!("one operation carries at most {MOST} bytes, not {len}");
        return Err(Error::refused(op, libc::EDOM, hint));
    }
    Ok(())
}
