//! Blocking I/O on objects.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ceph_core::cstr::CName;
use ceph_core::{Error, Result, check};

use crate::{IoCtx, ffi};

/// The most that one write can carry: librados counts the bytes of an operation in 32 bits.
pub(crate) const WRITE_MAX: usize = (u32::MAX / 2) as usize;
/// The most that one read can ask for: it is answered in an `int`.
pub(crate) const READ_MAX: usize = i32::MAX as usize;

/// An object's size and time of last change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectStat {
    /// Bytes.
    pub size: u64,
    /// The last change; in whole seconds where the library is older than Ceph 18.
    pub mtime: SystemTime,
}

/// Whether an object has the bytes that it was compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Comparison {
    /// It has.
    Equal,
    /// It has not.
    Differs {
        /// The first byte that differs, counted from where the comparison began.
        offset: u64,
    },
}

/// C's seconds since 1970.
pub(crate) fn system_time(seconds: libc::time_t) -> SystemTime {
    let distance = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 {
        UNIX_EPOCH - distance
    } else {
        UNIX_EPOCH + distance
    }
}

pub(crate) const EPOCH: libc::timespec = libc::timespec {
    tv_sec: 0,
    tv_nsec: 0,
};

/// C's time with nanoseconds.
pub(crate) fn system_time_ns(time: libc::timespec) -> SystemTime {
    // C has 0 to 999999999 there.
    system_time(time.tv_sec) + Duration::from_nanos(time.tv_nsec.unsigned_abs())
}

/// Reads and writes of objects. All block; there is no limit on how long, unless
/// [`ConnBuilder::osd_timeout`](crate::ConnBuilder::osd_timeout) sets one.
///
/// Every method fails with `InvalidArgument` for an object name with a NUL byte, and with
/// `TimedOut`, `Blocklisted` or `PermissionDenied` as the cluster answers. A write that failed with
/// `TimedOut` may have been applied, or still be. While the pool is full or over its quota, whatever
/// changes an object waits, a removal too.
impl IoCtx {
    /// Reads from `offset` into `buffer`; answers how many bytes were read, which are fewer than
    /// asked for only at the end of the object.
    ///
    /// An empty buffer reads nothing, and does not ask whether the object exists.
    ///
    /// # Errors
    /// `NotFound`; `OutOfDomain` for a buffer of more than 2147483647 bytes.
    #[doc(alias = "rados_read")]
    pub fn read(&self, object: impl AsRef<[u8]>, buffer: &mut [u8], offset: u64) -> Result<usize> {
        const OP: &str = "rados_read";
        let object = object.as_ref();
        let name = CName::new(OP, "object name", object)?;
        if buffer.is_empty() {
            return Ok(0); // to C it would mean the whole object
        }
        if buffer.len() > READ_MAX {
            let hint = format!("the buffer's length must be in 0..={READ_MAX} bytes");
            return Err(Error::refused(OP, libc::EDOM, hint).on(self.subject(Some(object))));
        }
        let raw = self.raw_blocking(OP)?;
        // SAFETY: `raw` is open, `name` and `buffer` live until the call returns, and C writes at
        // most the buffer's length.
        let code = unsafe {
            ffi::rados_read(
                raw,
                name.as_ptr(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                offset,
            )
        };
        let read = check(OP, code).map_err(|error| error.on(self.subject(Some(object))))?;
        Ok(read as usize) // an int
    }

    /// Writes `data` at `offset`, creating the object or a gap of zeros if need be. All or nothing.
    ///
    /// Empty data creates the object if need be, and leaves its size alone.
    ///
    /// # Errors
    /// `TooBig` for more than the OSDs' `osd_max_write_size` (90 MiB by default) at once, or past
    /// `osd_max_object_size` (128 MiB by default).
    #[doc(alias = "rados_write")]
    pub fn write(&self, object: impl AsRef<[u8]>, data: &[u8], offset: u64) -> Result<()> {
        // An OSD that is asked to write nothing past the object's end records the new size but not
        // the zeros: from then on the object counts as lost, and reads of it hang.
        let offset = if data.is_empty() { 0 } else { offset };
        self.write_op(
            "rados_write",
            object.as_ref(),
            data,
            |raw, name, data, len| {
                // SAFETY: as `write_op` promises.
                unsafe { ffi::rados_write(raw, name, data, len, offset) }
            },
        )
    }

    /// Replaces the object's content by `data`, creating the object if need be. All or nothing.
    ///
    /// # Errors
    /// `TooBig` as for [`write`](Self::write).
    #[doc(alias = "rados_write_full")]
    pub fn write_full(&self, object: impl AsRef<[u8]>, data: &[u8]) -> Result<()> {
        self.write_op(
            "rados_write_full",
            object.as_ref(),
            data,
            |raw, name, data, len| {
                // SAFETY: as `write_op` promises.
                unsafe { ffi::rados_write_full(raw, name, data, len) }
            },
        )
    }

    /// Adds `data` at the object's end, creating the object if need be. All or nothing.
    ///
    /// # Errors
    /// `TooBig` as for [`write`](Self::write).
    #[doc(alias = "rados_append")]
    pub fn append(&self, object: impl AsRef<[u8]>, data: &[u8]) -> Result<()> {
        self.write_op(
            "rados_append",
            object.as_ref(),
            data,
            |raw, name, data, len| {
                // SAFETY: as `write_op` promises.
                unsafe { ffi::rados_append(raw, name, data, len) }
            },
        )
    }

    /// Writes `pattern` over and over from `offset` on, `len` bytes in all, which must be a multiple of its
    /// length. Only the pattern is sent. All or nothing.
    ///
    /// # Errors
    /// `InvalidArgument` when `len` or the pattern is empty, or the one no multiple of the other; else as
    /// [`write`](Self::write).
    #[doc(alias = "rados_writesame")]
    pub fn writesame(
        &self,
        object: impl AsRef<[u8]>,
        pattern: &[u8],
        len: usize,
        offset: u64,
    ) -> Result<()> {
        self.write_op(
            "rados_writesame",
            object.as_ref(),
            pattern,
            |raw, name, data, data_len| {
                if data_len == 0 || len == 0 || !len.is_multiple_of(data_len) {
                    return -libc::EINVAL;
                }
                // SAFETY: as `write_op` promises.
                unsafe { ffi::rados_writesame(raw, name, data, data_len, len, offset) }
            },
        )
    }

    /// Cuts the object to `size` bytes, or extends it by zeros. An object that does not exist stays
    /// so, without an error.
    ///
    /// # Errors
    /// `TooBig` past the OSDs' `osd_max_object_size` (128 MiB by default).
    #[doc(alias = "rados_trunc")]
    pub fn truncate(&self, object: impl AsRef<[u8]>, size: u64) -> Result<()> {
        self.object_op("rados_trunc", object.as_ref(), |raw, name| {
            // SAFETY: as `object_op` promises.
            unsafe { ffi::rados_trunc(raw, name, size) }
        })
    }

    /// Removes the object.
    ///
    /// # Errors
    /// `NotFound`.
    #[doc(alias = "rados_remove")]
    pub fn remove(&self, object: impl AsRef<[u8]>) -> Result<()> {
        self.object_op("rados_remove", object.as_ref(), |raw, name| {
            // SAFETY: as `object_op` promises.
            unsafe { ffi::rados_remove(raw, name) }
        })
    }

    /// The object's size and time of last change.
    ///
    /// # Errors
    /// `NotFound`.
    #[doc(alias = "rados_stat")]
    #[doc(alias = "rados_stat2")]
    pub fn stat(&self, object: impl AsRef<[u8]>) -> Result<ObjectStat> {
        let object = object.as_ref();
        let mut size = 0;
        if let Some(stat2) = ffi::rados_stat2.get() {
            let mut mtime = EPOCH;
            self.object_op("rados_stat2", object, |raw, name| {
                // SAFETY: as `object_op` promises; the outputs are ours and outlive the call.
                unsafe { stat2(raw, name, &raw mut size, &raw mut mtime) }
            })?;
            let mtime = system_time_ns(mtime);
            return Ok(ObjectStat { size, mtime });
        }
        let mut mtime = 0;
        self.object_op("rados_stat", object, |raw, name| {
            // SAFETY: as above.
            unsafe { ffi::rados_stat(raw, name, &raw mut size, &raw mut mtime) }
        })?;
        let mtime = system_time(mtime);
        Ok(ObjectStat { size, mtime })
    }

    /// Calls C with an open handle and a name that lives until it returns.
    pub(crate) fn object_op(
        &self,
        op: &'static str,
        object: &[u8],
        call: impl FnOnce(ffi::rados_ioctx_t, *const std::ffi::c_char) -> i32,
    ) -> Result<()> {
        let name = CName::new(op, "object name", object)?;
        let code = call(self.raw_blocking(op)?, name.as_ptr());
        check(op, code)
            .map(drop)
            .map_err(|error| error.on(self.subject(Some(object))))
    }

    /// Calls C with an open handle, and a name and data that live until it returns.
    pub(crate) fn write_op(
        &self,
        op: &'static str,
        object: &[u8],
        data: &[u8],
        call: impl FnOnce(
            ffi::rados_ioctx_t,
            *const std::ffi::c_char,
            *const std::ffi::c_char,
            usize,
        ) -> i32,
    ) -> Result<()> {
        if data.len() > WRITE_MAX {
            let hint = format!("one write carries at most {WRITE_MAX} bytes");
            return Err(Error::refused(op, libc::E2BIG, hint).on(self.subject(Some(object))));
        }
        self.object_op(op, object, |raw, name| {
            call(raw, name, data.as_ptr().cast(), data.len())
        })
    }
}
