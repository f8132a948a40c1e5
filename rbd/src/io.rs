//! Reading and writing, blocking.

use rados::{Error, ErrorKind, Result};

use crate::ffi;
use crate::image::Image;

/// The most that goes to C at once: its results are `int`s.
pub(crate) const CHUNK: u64 = 1 << 30;

impl Image {
    /// Reads from `offset` into `buffer`; answers how many bytes were read: fewer than asked for at
    /// the image's end, 0 at or past it, and at most 1 GiB. What was never written reads as zeros.
    ///
    /// # Errors
    /// `TimedOut` when an OSD timeout is set; `Blocklisted`.
    #[doc(alias = "rbd_read")]
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let len = buffer.len().min(CHUNK as usize);
        if len == 0 {
            return Ok(0); // C may abort on it
        }
        let read = self.call("rbd_read", |raw| {
            // SAFETY: as `call` promises; `buffer` has `len` bytes and outlives the call.
            unsafe { ffi::rbd_read(raw, offset, len, buffer.as_mut_ptr().cast()) }
        });
        self.read_until_end(read, offset)
    }

    /// Fills `buffer` from `offset` on.
    ///
    /// # Errors
    /// `OutOfRange` (ERANGE) when the image ends before; then the buffer's content is unspecified.
    /// Else as [`read_at`](Self::read_at).
    #[doc(alias = "rbd_read")]
    pub fn read_exact_at(&self, mut buffer: &mut [u8], mut offset: u64) -> Result<()> {
        while !buffer.is_empty() {
            match self.read_at(buffer, offset)? {
                0 => {
                    let hint = format!("the image ends at {}", self.size()?);
                    let error = Error::refused("rbd_read", libc::ERANGE, hint);
                    return Err(error.on(self.subject()));
                }
                read => {
                    buffer = &mut buffer[read..];
                    offset += read as u64;
                }
            }
        }
        Ok(())
    }

    /// Writes `data` at `offset`; answers how many bytes were written: fewer than given when the
    /// image ends within, and at most 1 GiB. [`flush`](Self::flush) makes them durable.
    ///
    /// # Errors
    /// `NoSpace` (ENOSPC) at or past the image's end, which only [`resize`](Self::resize) moves;
    /// `ReadOnly` for an image opened read-only or at a snapshot, or when another client keeps the
    /// exclusive lock; `Blocklisted`; `TimedOut` when an OSD timeout is set, and then the data may
    /// have been written, or still be.
    #[doc(alias = "rbd_write")]
    pub fn write_at(&self, data: &[u8], offset: u64) -> Result<usize> {
        const OP: &str = "rbd_write";
        let len = data.len().min(CHUNK as usize);
        if len == 0 {
            return Ok(0);
        }
        let written = self.call(OP, |raw| {
            // SAFETY: as `call` promises; `data` has `len` bytes and outlives the call.
            unsafe { ffi::rbd_write(raw, offset, len, data.as_ptr().cast()) }
        });
        written
            .map(|written| written as usize)
            .map_err(|error| self.past_end(error, OP, offset))
    }

    /// Writes all of `data` at `offset`.
    ///
    /// # Errors
    /// `NoSpace` (ENOSPC) when it does not fit into the image, and then nothing was written. Else
    /// as [`write_at`](Self::write_at); more than 1 GiB goes in pieces, and the error tells how
    /// much was written.
    #[doc(alias = "rbd_write")]
    pub fn write_all_at(&self, data: &[u8], offset: u64) -> Result<()> {
        const OP: &str = "rbd_write";
        let size = self.size()?;
        if offset
            .checked_add(data.len() as u64)
            .is_none_or(|end| end > size)
            && !data.is_empty()
        {
            let hint = format!("{} bytes at {offset} do not fit into {size}", data.len());
            return Err(Error::refused(OP, libc::ENOSPC, hint).on(self.subject()));
        }
        let mut done = 0;
        while done < data.len() {
            done += self
                .write_at(&data[done..], offset + done as u64)
                .map_err(|error| partly(error, done as u64, "written"))?;
        }
        Ok(())
    }

    /// Tells the cluster that `len` bytes from `offset` on are not needed; what lies past the
    /// image's end is ignored. A hint, for guarantees see `write_zeroes`:
    /// parts of objects that are no whole blocks of `rbd_discard_granularity_bytes` (64 KiB) keep
    /// their data, unless `rbd_skip_partial_discard` is off; what is discarded reads as zeros.
    ///
    /// # Errors
    /// As [`write_all_at`](Self::write_all_at), but past the end there is no error.
    #[doc(alias = "rbd_discard")]
    pub fn discard(&self, offset: u64, len: u64) -> Result<()> {
        self.in_chunks(
            "rbd_discard",
            "discarded",
            offset,
            len,
            |raw, offset, len| {
                // SAFETY: as `call` promises.
                i64::from(unsafe { ffi::rbd_discard(raw, offset, len) })
            },
        )
    }

    /// Makes `len` bytes from `offset` on read as zeros, and frees the space where it can; what
    /// lies past the image's end is ignored.
    ///
    /// # Errors
    /// As [`write_all_at`](Self::write_all_at), but past the end there is no error.
    /// `Unsupported` where the library lacks it. Needs the feature `write-zeroes`.
    #[doc(alias = "rbd_write_zeroes")]
    #[cfg(feature = "write-zeroes")]
    pub fn write_zeroes(&self, offset: u64, len: u64) -> Result<()> {
        let write_zeroes = ffi::optional(&ffi::rbd_write_zeroes)?;
        self.in_chunks(
            "rbd_write_zeroes",
            "zeroed",
            offset,
            len,
            |raw, offset, len| {
                // SAFETY: as `call` promises; `len` is at most a chunk. No flags.
                (unsafe { write_zeroes(raw, offset, len as usize, 0, 0) }) as i64
            },
        )
    }

    /// Makes all writes that have returned durable. Blocks.
    ///
    /// # Errors
    /// What writing back answers: `TimedOut`, `Blocklisted`, `NoSpace`, `QuotaExceeded`, `Io`.
    #[doc(alias = "rbd_flush")]
    pub fn flush(&self) -> Result<()> {
        // SAFETY: as `call` promises.
        self.call("rbd_flush", |raw| unsafe { ffi::rbd_flush(raw) })
            .map(drop)
    }

    /// Calls C for pieces that end at multiples of the chunk, so that no object is cut in two
    /// but those of striped images.
    fn in_chunks(
        &self,
        op: &'static str,
        done: &'static str,
        offset: u64,
        len: u64,
        call: impl Fn(ffi::rbd_image_t, u64, u64) -> i64,
    ) -> Result<()> {
        let end = offset.saturating_add(len).min(self.size()?);
        let mut at = offset;
        while at < end {
            let next = (at / CHUNK + 1).saturating_mul(CHUNK).min(end);
            self.call(op, |raw| call(raw, at, next - at))
                .map_err(|error| partly(error, at - offset, done))?;
            at = next;
        }
        Ok(())
    }

    /// Makes C's EINVAL for a read at or past the end a read of nothing.
    pub(crate) fn read_until_end(&self, read: Result<u64>, offset: u64) -> Result<usize> {
        match read {
            Ok(read) => Ok(read as usize), // at most what was asked for
            // The size is looked at only now: it can change.
            Err(error)
                if error.kind() == ErrorKind::InvalidArgument && offset >= self.size()? =>
            {
                Ok(0)
            }
            Err(error) => Err(error),
        }
    }

    /// Makes C's EINVAL for a write at or past the end what it is on other devices.
    #[cold]
    pub(crate) fn past_end(&self, error: Error, op: &'static str, offset: u64) -> Error {
        match self.size() {
            Ok(size) if error.kind() == ErrorKind::InvalidArgument && offset >= size => {
                let hint = format!("offset {offset} is at or past the image's end at {size}");
                Error::refused(op, libc::ENOSPC, hint).on(self.subject())
            }
            _ => error,
        }
    }
}

/// Says how much was done before the error.
#[cold]
pub(crate) fn partly(error: Error, bytes: u64, done: &str) -> Error {
    if bytes == 0 {
        error
    } else {
        error.hint(format!("{bytes} bytes were {done} before"))
    }
}
