//! Reading and writing with advice, patterns, and the cache.

use rados::{Error, Result};

use crate::image::Image;
use crate::io::{CHUNK, partly};
use crate::{IoFlags, ffi};

impl Image {
    /// As [`read_at`](Self::read_at), with advice on how the data will be used.
    ///
    /// # Errors
    /// As [`read_at`](Self::read_at).
    #[doc(alias = "rbd_read2")]
    pub fn read_at_with(&self, buffer: &mut [u8], offset: u64, flags: IoFlags) -> Result<usize> {
        let len = buffer.len().min(CHUNK as usize);
        if len == 0 {
            return Ok(0); // C may abort on it
        }
        let (room, flags) = (buffer.as_mut_ptr().cast(), flags.bits());
        let read = self.call("rbd_read2", |raw| {
            // SAFETY: as `call` promises; `buffer` has `len` bytes and outlives the call.
            unsafe { ffi::rbd_read2(raw, offset, len, room, flags) }
        });
        self.read_until_end(read, offset)
    }

    /// As [`write_at`](Self::write_at), with advice on how the data will be used.
    ///
    /// # Errors
    /// As [`write_at`](Self::write_at).
    #[doc(alias = "rbd_write2")]
    pub fn write_at_with(&self, data: &[u8], offset: u64, flags: IoFlags) -> Result<usize> {
        const OP: &str = "rbd_write2";
        let len = data.len().min(CHUNK as usize);
        if len == 0 {
            return Ok(0);
        }
        let (start, flags) = (data.as_ptr().cast(), flags.bits());
        let written = self.call(OP, |raw| {
            // SAFETY: as `call` promises; `data` has `len` bytes and outlives the call.
            unsafe { ffi::rbd_write2(raw, offset, len, start, flags) }
        });
        written
            .map(|written| written as usize)
            .map_err(|error| self.past_end(error, OP, offset))
    }

    /// Writes `pattern` over and over from `offset` on, `len` bytes in all, which must be a multiple of its
    /// length. A pattern of zeros discards. Blocks.
    ///
    /// # Errors
    /// `InvalidArgument` when `len` or the pattern is empty, the one is no multiple of the other, or the
    /// pattern has more than 1 GiB; else as [`write_all_at`](Self::write_all_at).
    #[doc(alias = "rbd_writesame")]
    pub fn writesame(&self, pattern: &[u8], offset: u64, len: u64) -> Result<()> {
        const OP: &str = "rbd_writesame";
        let refused = |errno, hint| Err(Error::refused(OP, errno, hint).on(self.subject()));
        let pattern_len = pattern.len() as u64;
        if len == 0 || !(1..=CHUNK).contains(&pattern_len) || !len.is_multiple_of(pattern_len) {
            let hint = format!("{len} bytes of a pattern of {pattern_len} bytes");
            return refused(libc::EINVAL, hint);
        }
        let size = self.size()?;
        if offset.checked_add(len).is_none_or(|end| end > size) {
            let hint = format!("{len} bytes at {offset} do not fit into {size}");
            return refused(libc::ENOSPC, hint);
        }
        let chunk = CHUNK - CHUNK % pattern_len;
        let mut done = 0;
        while done < len {
            let (at, now) = (offset + done, chunk.min(len - done) as usize);
            self.call(OP, |raw| {
                // SAFETY: as `call` promises; the pattern has so many bytes and outlives the call.
                unsafe {
                    ffi::rbd_writesame(raw, at, now, pattern.as_ptr().cast(), pattern.len(), 0)
                }
            })
            .map_err(|error| partly(error, done, "written"))?;
            done += now as u64;
        }
        Ok(())
    }

    /// Writes back what is cached, and forgets it, so that the next reads ask the cluster: for an image that
    /// others write without its exclusive lock. Blocks.
    ///
    /// # Errors
    /// As [`flush`](Self::flush); `Busy` when writes go on.
    #[doc(alias = "rbd_invalidate_cache")]
    pub fn invalidate_cache(&self) -> Result<()> {
        self.flush()?;
        self.call("rbd_invalidate_cache", |raw| {
            // SAFETY: as `call` promises.
            unsafe { ffi::rbd_invalidate_cache(raw) }
        })
        .map(drop)
    }
}
