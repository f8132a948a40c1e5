//! Operations that write.

use std::ffi::c_int;
use std::fmt;
#[cfg(feature = "omap-range")]
use std::ops::Range;
use std::ptr;
use std::time::{SystemTime, UNIX_EPOCH};

use ceph_core::cstr::CName;
#[cfg(feature = "cmpext")]
use ceph_core::mismatch;
use ceph_core::{Error, Result, check};

use super::keys::{ByteStrings, CStrings};
use super::output::Step;
use super::steps::{Raw, Steps};
use super::{CompareOp, OperationFlags, StepFlags};
#[cfg(feature = "cmpext")]
use crate::Comparison;
use crate::object::WRITE_MAX;
use crate::{AllocHint, ffi};

/// Steps that change an object, all together or not at all; sent by [`IoCtx::operate`].
///
/// Each step is copied when it is added. One that cannot be, for a NUL byte in a name or too much data, makes the
/// operation fail when it is sent, with that error and before anything happens.
///
/// ```no_run
/// # fn main() -> rados::Result<()> {
/// # let conn = rados::Conn::builder().default_config_file().connect()?;
/// # let pool = conn.ioctx("rbd")?;
/// use rados::{CompareOp, WriteOp};
///
/// let mut op = WriteOp::new();
/// op.cmpxattr("owner", CompareOp::Eq, b"me") // or nothing is done
///     .append(b"one more line\n")
///     .omap_set([("lines", b"17")]);
/// pool.operate("log", op)?;
/// # Ok(()) }
/// ```
///
/// [`IoCtx::operate`]: crate::IoCtx::operate
#[derive(Debug)]
pub struct WriteOp {
    pub(super) steps: Steps<ffi::rados_write_op_t>,
    pub(super) mtime: Option<Mtime>,
}

/// A time for C.
#[derive(Clone, Copy)]
pub(super) struct Mtime(pub(super) libc::timespec);

impl fmt::Debug for Mtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}", self.0.tv_sec, self.0.tv_nsec)
    }
}

impl Raw for ffi::rados_write_op_t {
    fn create() -> Self {
        // SAFETY: it is released by its handle.
        unsafe { ffi::rados_create_write_op() }
    }

    fn is_null(self) -> bool {
        self.0.is_null()
    }

    unsafe fn set_flags(self, flags: c_int) {
        // SAFETY: as the caller promises.
        unsafe { ffi::rados_write_op_set_flags(self, flags) }
    }

    unsafe fn release(self) {
        // SAFETY: as the caller promises.
        unsafe { ffi::rados_release_write_op(self) }
    }
}

impl Default for WriteOp {
    fn default() -> Self {
        Self::new()
    }
}

impl WriteOp {
    /// An operation without steps.
    #[doc(alias = "rados_create_write_op")]
    #[doc(alias = "rados_release_write_op")]
    pub fn new() -> Self {
        Self {
            steps: Steps::new("rados_create_write_op"),
            mtime: None,
        }
    }

    /// Sets the flags of the whole operation.
    pub fn flags(&mut self, flags: OperationFlags) -> &mut Self {
        self.steps.flags = flags;
        self
    }

    /// Sets the time of change that the object gets; without it, it is now.
    ///
    /// A library without `rados_write_op_operate2` or `rados_aio_write_op_operate2` (before 18) cuts it to
    /// seconds, and Ceph 14's ignores it in asynchronous operations. A time before 1970 or after 2106 makes
    /// the operation fail with `InvalidArgument`.
    pub fn mtime(&mut self, time: SystemTime) -> &mut Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(since) if u32::try_from(since.as_secs()).is_ok() => {
                self.mtime = Some(Mtime(libc::timespec {
                    tv_sec: since.as_secs() as libc::time_t, // 32 bits
                    tv_nsec: since.subsec_nanos().into(),
                }));
            }
            _ => {
                let hint = "an object's time of change is from 1970 to 2106";
                let error = Error::refused("rados_write_op_operate2", libc::EINVAL, hint);
                self.steps.refused.get_or_insert(error);
            }
        }
        self
    }

    /// Adds flags to the step that was added last. Without one, the operation fails with `InvalidArgument`.
    ///
    /// ```
    /// let mut op = rados::WriteOp::new();
    /// op.remove().step_flags(rados::StepFlags::FAIL_OK);
    /// op.create(); // whether it was there or not
    /// ```
    #[doc(alias = "rados_write_op_set_flags")]
    pub fn step_flags(&mut self, flags: StepFlags) -> &mut Self {
        self.steps.set_step_flags("rados_write_op_set_flags", flags);
        self
    }

    /// Creates the object, if it does not exist.
    #[doc(alias = "rados_write_op_create")]
    pub fn create(&mut self) -> &mut Self {
        self.create_with(ffi::LIBRADOS_CREATE_IDEMPOTENT)
    }

    /// Creates the object.
    ///
    /// # Errors
    /// The operation's, when it exists: `AlreadyExists`.
    #[doc(alias = "rados_write_op_create")]
    pub fn create_exclusive(&mut self) -> &mut Self {
        self.create_with(ffi::LIBRADOS_CREATE_EXCLUSIVE)
    }

    fn create_with(&mut self, exclusive: c_int) -> &mut Self {
        self.steps.add("rados_write_op_create", 0, |raw| {
            // SAFETY: the operation is open; the category is not used any more.
            unsafe { ffi::rados_write_op_create(raw, exclusive, ptr::null()) };
            Ok(())
        });
        self
    }

    /// Goes on only if the object exists.
    ///
    /// # Errors
    /// The operation's, when it does not: `NotFound`.
    #[doc(alias = "rados_write_op_assert_exists")]
    pub fn assert_exists(&mut self) -> &mut Self {
        self.steps.add("rados_write_op_assert_exists", 0, |raw| {
            // SAFETY: the operation is open.
            unsafe { ffi::rados_write_op_assert_exists(raw) };
            Ok(())
        });
        self
    }

    /// Goes on only if the object has this version, as [`Completion::version`](crate::Completion::version) of an
    /// earlier operation told.
    ///
    /// # Errors
    /// The operation's: `OutOfRange`, with the errno ERANGE when the object has a greater version, which is that
    /// it was changed since, and EOVERFLOW when it has a smaller one; `NotFound`; `InvalidArgument` for version 0.
    #[doc(alias = "rados_write_op_assert_version")]
    pub fn assert_version(&mut self, version: u64) -> &mut Self {
        self.steps.outputs.versioned = true;
        self.steps.add("rados_write_op_assert_version", 0, |raw| {
            // SAFETY: the operation is open.
            unsafe { ffi::rados_write_op_assert_version(raw, version) };
            Ok(())
        });
        self
    }

    /// Goes on only if the object has `data` from `offset` on. Past the object's end it has zeros. With
    /// [`StepFlags::FAIL_OK`] the step's result tells, and the operation goes on anyway. Needs the feature
    /// `cmpext`.
    ///
    /// # Errors
    /// The operation's, when the object has other data: `Mismatch`, with a [`Mismatch`](crate::Mismatch) as the
    /// cause; `Unsupported` where the library lacks it.
    #[cfg(feature = "cmpext")]
    #[doc(alias = "rados_write_op_cmpext")]
    pub fn cmpext(&mut self, data: &[u8], offset: u64) -> Step<Comparison> {
        const OP: &str = "rados_write_op_cmpext";
        self.steps.add_with(
            OP,
            data.len(),
            (),
            |raw, (), code| {
                let cmpext = ffi::optional(&ffi::rados_write_op_cmpext)?;
                // SAFETY: the operation is open, the data is copied, and the code is kept with the operation.
                unsafe { cmpext(raw, data.as_ptr().cast(), data.len(), offset, code) };
                Ok(())
            },
            comparison,
        )
    }

    /// Goes on only if the value of an extended attribute, which is on the left, compares so with `value`. An
    /// attribute that does not exist is empty.
    ///
    /// # Errors
    /// The operation's, when it does not: `Canceled`; `NotFound` when the object does not exist.
    #[doc(alias = "rados_write_op_cmpxattr")]
    pub fn cmpxattr(
        &mut self,
        name: impl AsRef<[u8]>,
        op: CompareOp,
        value: impl AsRef<[u8]>,
    ) -> &mut Self {
        const OP: &str = "rados_write_op_cmpxattr";
        let value = value.as_ref();
        self.steps.add(OP, value.len(), |raw| {
            let name = CName::new(OP, "attribute's name", name)?;
            let (start, len) = (value.as_ptr().cast(), value.len());
            // SAFETY: the operation is open; the name and the value are copied.
            unsafe { ffi::rados_write_op_cmpxattr(raw, name.as_ptr(), op.of_xattrs(), start, len) };
            Ok(())
        });
        self
    }

    /// Goes on only if the value of an omap key, which is on the left, compares so with `value`. A key that does
    /// not exist has an empty value. The step's result, with [`StepFlags::FAIL_OK`], is `Canceled` if it does not.
    ///
    /// OSDs compare only by [`CompareOp::Eq`], [`CompareOp::Lt`] and [`CompareOp::Gt`] here, and take bytes from
    /// 0x80 on as negative.
    ///
    /// # Errors
    /// The operation's, when it does not: `Canceled`; `NotFound` when the object does not exist;
    /// `InvalidArgument` for another operator, and, where the library lacks `omap2`, for a key with a NUL byte.
    #[doc(alias = "rados_write_op_omap_cmp")]
    #[doc(alias = "rados_write_op_omap_cmp2")]
    pub fn omap_cmp(
        &mut self,
        key: impl AsRef<[u8]>,
        op: CompareOp,
        value: impl AsRef<[u8]>,
    ) -> Step<()> {
        const OP: &str = "rados_write_op_omap_cmp";
        let (key, value) = (key.as_ref(), value.as_ref());
        self.steps.add_with(
            OP,
            value.len(),
            (),
            |raw, (), code| {
                let op = omap_operator(OP, op)?;
                let (start, len) = (value.as_ptr().cast(), value.len());
                #[cfg(feature = "omap2")]
                if let Some(cmp2) = ffi::rados_write_op_omap_cmp2.get() {
                    let (key, key_len) = (key.as_ptr().cast(), key.len());
                    // SAFETY: the operation is open, key and value are copied, and the code is kept with it.
                    unsafe { cmp2(raw, key, op, start, key_len, len, code) };
                    return Ok(());
                }
                let key = CName::new(OP, "omap key", key)?;
                // SAFETY: as above.
                unsafe { ffi::rados_write_op_omap_cmp(raw, key.as_ptr(), op, start, len, code) };
                Ok(())
            },
            success,
        )
    }

    /// Sets an extended attribute.
    ///
    /// # Errors
    /// The operation's: `TooBig` or `NameTooLong` as the OSDs' `osd_max_attr_size` and
    /// `osd_max_attr_name_len` say.
    #[doc(alias = "rados_write_op_setxattr")]
    pub fn setxattr(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> &mut Self {
        const OP: &str = "rados_write_op_setxattr";
        let value = value.as_ref();
        self.steps.add(OP, value.len(), |raw| {
            let name = CName::new(OP, "attribute's name", name)?;
            let (start, len) = (value.as_ptr().cast(), value.len());
            // SAFETY: the operation is open; the name and the value are copied.
            unsafe { ffi::rados_write_op_setxattr(raw, name.as_ptr(), start, len) };
            Ok(())
        });
        self
    }

    /// Removes an extended attribute, if it is there.
    ///
    /// # Errors
    /// The operation's: `NotFound` when the object does not exist.
    #[doc(alias = "rados_write_op_rmxattr")]
    pub fn rmxattr(&mut self, name: impl AsRef<[u8]>) -> &mut Self {
        const OP: &str = "rados_write_op_rmxattr";
        self.steps.add(OP, 0, |raw| {
            let name = CName::new(OP, "attribute's name", name)?;
            // SAFETY: the operation is open; the name is copied.
            unsafe { ffi::rados_write_op_rmxattr(raw, name.as_ptr()) };
            Ok(())
        });
        self
    }

    /// Writes `data` at `offset`, creating the object or a gap of zeros if need be. Empty data creates the object
    /// if need be, and leaves its size alone.
    ///
    /// # Errors
    /// The operation's: `TooBig` past the OSDs' `osd_max_object_size` (128 MiB by default).
    #[doc(alias = "rados_write_op_write")]
    pub fn write(&mut self, data: &[u8], offset: u64) -> &mut Self {
        // See `IoCtx::write`: an empty write past the end loses the object.
        let offset = if data.is_empty() { 0 } else { offset };
        self.steps.add("rados_write_op_write", data.len(), |raw| {
            // SAFETY: the operation is open; the data is copied.
            unsafe { ffi::rados_write_op_write(raw, data.as_ptr().cast(), data.len(), offset) };
            Ok(())
        });
        self
    }

    /// Replaces the object's content by `data`, creating the object if need be.
    ///
    /// # Errors
    /// The operation's: as for [`write`](Self::write).
    #[doc(alias = "rados_write_op_write_full")]
    pub fn write_full(&mut self, data: &[u8]) -> &mut Self {
        self.steps
            .add("rados_write_op_write_full", data.len(), |raw| {
                // SAFETY: the operation is open; the data is copied.
                unsafe { ffi::rados_write_op_write_full(raw, data.as_ptr().cast(), data.len()) };
                Ok(())
            });
        self
    }

    /// Adds `data` at the object's end, creating the object if need be.
    ///
    /// # Errors
    /// The operation's: as for [`write`](Self::write).
    #[doc(alias = "rados_write_op_append")]
    pub fn append(&mut self, data: &[u8]) -> &mut Self {
        self.steps.add("rados_write_op_append", data.len(), |raw| {
            // SAFETY: the operation is open; the data is copied.
            unsafe { ffi::rados_write_op_append(raw, data.as_ptr().cast(), data.len()) };
            Ok(())
        });
        self
    }

    /// Writes `pattern` over and over from `offset` on, `len` bytes in all, which must be a multiple of its length.
    /// Only the pattern is sent.
    ///
    /// # Errors
    /// The operation's: `InvalidArgument` when `len` or the pattern is empty, or the one no multiple of the
    /// other; `TooBig` as for [`write`](Self::write).
    #[doc(alias = "rados_write_op_writesame")]
    pub fn writesame(&mut self, pattern: &[u8], len: usize, offset: u64) -> &mut Self {
        const OP: &str = "rados_write_op_writesame";
        self.steps.add(OP, pattern.len(), |raw| {
            if len == 0 || pattern.is_empty() || !len.is_multiple_of(pattern.len()) {
                let hint = "the length must be a multiple of the pattern's, and neither may be 0";
                return Err(Error::refused(OP, libc::EINVAL, hint));
            }
            if len > WRITE_MAX {
                let hint = format!("one write has at most {WRITE_MAX} bytes");
                return Err(Error::refused(OP, libc::E2BIG, hint));
            }
            let (start, pattern_len) = (pattern.as_ptr().cast(), pattern.len());
            // SAFETY: the operation is open; the pattern is copied.
            unsafe { ffi::rados_write_op_writesame(raw, start, pattern_len, len, offset) };
            Ok(())
        });
        self
    }

    /// Cuts the object to `size` bytes, or extends it by zeros. An object that does not exist stays so, unless an
    /// earlier step creates it.
    ///
    /// # Errors
    /// The operation's: as for [`write`](Self::write).
    #[doc(alias = "rados_write_op_truncate")]
    pub fn truncate(&mut self, size: u64) -> &mut Self {
        self.steps.add("rados_write_op_truncate", 0, |raw| {
            // SAFETY: the operation is open.
            unsafe { ffi::rados_write_op_truncate(raw, size) };
            Ok(())
        });
        self
    }

    /// Makes `len` bytes from `offset` on zeros, which take no space then. Where they reach the object's end they
    /// are cut off: it ends at `offset`. An object that does not exist stays so. No bytes are no step.
    ///
    /// # Errors
    /// The operation's: as for [`write`](Self::write).
    #[doc(alias = "rados_write_op_zero")]
    pub fn zero(&mut self, offset: u64, len: u64) -> &mut Self {
        if len == 0 {
            self.steps.add_nothing(); // an OSD would abort (16.2.15)
            return self;
        }
        self.steps.add("rados_write_op_zero", 0, |raw| {
            // SAFETY: the operation is open.
            unsafe { ffi::rados_write_op_zero(raw, offset, len) };
            Ok(())
        });
        self
    }

    /// Removes the object.
    ///
    /// # Errors
    /// The operation's, when it does not exist: `NotFound`.
    #[doc(alias = "rados_write_op_remove")]
    pub fn remove(&mut self) -> &mut Self {
        self.steps.add("rados_write_op_remove", 0, |raw| {
            // SAFETY: the operation is open.
            unsafe { ffi::rados_write_op_remove(raw) };
            Ok(())
        });
        self
    }

    /// Tells the OSDs what the object will look like, and creates it if need be: see
    /// [`IoCtx::set_alloc_hint`](crate::IoCtx::set_alloc_hint).
    #[doc(alias = "rados_write_op_set_alloc_hint")]
    #[doc(alias = "rados_write_op_set_alloc_hint2")]
    pub fn set_alloc_hint(&mut self, hint: AllocHint) -> &mut Self {
        let AllocHint {
            object_size,
            write_size,
            flags,
        } = hint;
        self.steps.add("rados_write_op_set_alloc_hint", 0, |raw| {
            if let Some(set2) = ffi::rados_write_op_set_alloc_hint2.get() {
                // SAFETY: the operation is open.
                unsafe { set2(raw, object_size, write_size, flags.bits()) };
                return Ok(());
            }
            // SAFETY: the operation is open.
            unsafe { ffi::rados_write_op_set_alloc_hint(raw, object_size, write_size) };
            Ok(())
        });
        self
    }

    /// Calls a method of an object class, which may change the object, with `input`. The step's result is the code
    /// that it returned; what it put out is not to be had.
    ///
    /// # Errors
    /// The operation's: what the method says; `Unsupported` when the OSDs have no such class or method.
    #[doc(alias = "rados_write_op_exec")]
    pub fn exec(
        &mut self,
        class: impl AsRef<[u8]>,
        method: impl AsRef<[u8]>,
        input: &[u8],
    ) -> Step<u32> {
        const OP: &str = "rados_write_op_exec";
        self.steps.add_with(
            OP,
            input.len(),
            (),
            |raw, (), code| {
                let class = CName::new(OP, "class's name", class)?;
                let method = CName::new(OP, "method's name", method)?;
                let (class, method) = (class.as_ptr(), method.as_ptr());
                let (start, len) = (input.as_ptr().cast(), input.len());
                // SAFETY: the operation is open, names and input are copied, and the code is kept with it.
                unsafe { ffi::rados_write_op_exec(raw, class, method, start, len, code) };
                Ok(())
            },
            |(), name, code| check(name, code).map(|code| code as u32), // an int
        )
    }

    /// Sets omap keys, creating the object if need be.
    ///
    /// ```
    /// let mut op = rados::WriteOp::new();
    /// op.omap_set([("one", "1"), ("two", "2")]);
    /// op.omap_set([(b"\0binary\xff", &[0_u8; 4])]);
    /// ```
    ///
    /// # Errors
    /// The operation's: `InvalidArgument`, where the library lacks `omap2`, for a key with a NUL byte; `Unsupported`
    /// (EOPNOTSUPP) in an erasure-coded pool.
    #[doc(alias = "rados_write_op_omap_set")]
    #[doc(alias = "rados_write_op_omap_set2")]
    pub fn omap_set<K: AsRef<[u8]>, V: AsRef<[u8]>>(
        &mut self,
        entries: impl IntoIterator<Item = (K, V)>,
    ) -> &mut Self {
        const OP: &str = "rados_write_op_omap_set";
        let (keys, values): (Vec<K>, Vec<V>) = entries.into_iter().unzip();
        let (keys, values) = (ByteStrings::new(&keys), ByteStrings::new(&values));
        let bytes = keys.bytes().saturating_add(values.bytes());
        self.steps.add(OP, bytes, |raw| {
            #[cfg(feature = "omap2")]
            if let Some(set2) = ffi::rados_write_op_omap_set2.get() {
                let (starts, lens) = (keys.starts(), keys.lens());
                // SAFETY: the operation is open, and the keys and values, equally many, are copied.
                unsafe {
                    set2(
                        raw,
                        starts,
                        values.starts(),
                        lens,
                        values.lens(),
                        keys.count(),
                    )
                };
                return Ok(());
            }
            let names = CStrings::new(OP, &keys)?;
            let (starts, lens) = (values.starts(), values.lens());
            // SAFETY: as above; the keys end with a NUL.
            unsafe {
                ffi::rados_write_op_omap_set(raw, names.starts(), starts, lens, keys.count())
            };
            Ok(())
        });
        self
    }

    /// Removes omap keys, as far as they are there.
    ///
    /// # Errors
    /// The operation's: `NotFound` when the object does not exist; `InvalidArgument` as for
    /// [`omap_set`](Self::omap_set).
    #[doc(alias = "rados_write_op_omap_rm_keys")]
    #[doc(alias = "rados_write_op_omap_rm_keys2")]
    pub fn omap_remove<K: AsRef<[u8]>>(&mut self, keys: impl IntoIterator<Item = K>) -> &mut Self {
        const OP: &str = "rados_write_op_omap_rm_keys";
        let keys: Vec<K> = keys.into_iter().collect();
        let keys = ByteStrings::new(&keys);
        self.steps.add(OP, keys.bytes(), |raw| {
            #[cfg(feature = "omap2")]
            if let Some(remove2) = ffi::rados_write_op_omap_rm_keys2.get() {
                // SAFETY: the operation is open, and the keys are copied.
                unsafe { remove2(raw, keys.starts(), keys.lens(), keys.count()) };
                return Ok(());
            }
            let names = CStrings::new(OP, &keys)?;
            // SAFETY: as above; the keys end with a NUL.
            unsafe { ffi::rados_write_op_omap_rm_keys(raw, names.starts(), keys.count()) };
            Ok(())
        });
        self
    }

    /// Removes the omap keys from `range.start` on that come before `range.end`. Needs the feature `omap-range`.
    ///
    /// # Errors
    /// The operation's: `NotFound` when the object does not exist; `Unsupported` where the library lacks it.
    #[cfg(feature = "omap-range")]
    #[doc(alias = "rados_write_op_omap_rm_range2")]
    pub fn omap_remove_range<K: AsRef<[u8]>>(&mut self, range: Range<K>) -> &mut Self {
        let (start, end) = (range.start.as_ref(), range.end.as_ref());
        let bytes = start.len().saturating_add(end.len());
        self.steps
            .add("rados_write_op_omap_rm_range2", bytes, |raw| {
                let remove = ffi::optional(&ffi::rados_write_op_omap_rm_range2)?;
                let (end, end_len) = (end.as_ptr().cast(), end.len());
                // SAFETY: the operation is open, and the keys are copied.
                unsafe { remove(raw, start.as_ptr().cast(), start.len(), end, end_len) };
                Ok(())
            });
        self
    }

    /// Removes all omap keys.
    ///
    /// # Errors
    /// The operation's: `NotFound` when the object does not exist.
    #[doc(alias = "rados_write_op_omap_clear")]
    pub fn omap_clear(&mut self) -> &mut Self {
        self.steps.add("rados_write_op_omap_clear", 0, |raw| {
            // SAFETY: the operation is open.
            unsafe { ffi::rados_write_op_omap_clear(raw) };
            Ok(())
        });
        self
    }
}

/// A step's result that says only whether it succeeded.
pub(super) fn success((): (), name: &'static str, code: c_int) -> Result<()> {
    check(name, code).map(drop)
}

#[cfg(feature = "cmpext")]
pub(super) fn comparison((): (), name: &'static str, code: c_int) -> Result<Comparison> {
    match mismatch(code.into()) {
        Some(offset) => Ok(Comparison::Differs { offset }),
        None => check(name, code).map(|_| Comparison::Equal),
    }
}

/// What OSDs compare omap by.
pub(super) fn omap_operator(name: &'static str, op: CompareOp) -> Result<u8> {
    op.of_omap().ok_or_else(|| {
        let hint = "OSDs compare omap values by Eq, Lt and Gt only";
        Error::refused(name, libc::EINVAL, hint)
    })
}
