//! Operations that read.

use std::collections::BTreeMap;
use std::ffi::c_int;
#[cfg(feature = "checksum")]
use std::num::NonZeroU32;
use std::time::Duration;

use ceph_core::aio::Slot;
use ceph_core::cstr::CName;
use ceph_core::{Error, IoBufMut, Result, check};

use super::keys::{ByteStrings, CStrings};
use super::omap_iter::{OmapIter, OmapPage};
use super::output::{Decoder, Step};
use super::steps::{Raw, Steps};
#[cfg(feature = "cmpext")]
use super::write::comparison;
use super::write::{omap_operator, success};
use super::{CompareOp, OperationFlags, StepFlags};
#[cfg(feature = "cmpext")]
use crate::Comparison;
use crate::buffer::RadosBuf;
#[cfg(feature = "checksum")]
use crate::checksum::{ChecksumAlgorithm, SUMS_MAX, sums};
use crate::object::{READ_MAX, system_time};
use crate::xattr::Attributes;
use crate::{ExecOutput, Name, ObjectStat, ffi};

/// Steps that read from an object at one moment; sent by [`IoCtx::operate_read`].
///
/// Steps that answer something return a [`Step`], with which [`Results::take`] gives the answer. A step that
/// cannot be added, for a NUL byte in a name for instance, makes the operation fail when it is sent.
///
/// ```no_run
/// # fn main() -> rados::Result<()> {
/// # let conn = rados::Conn::builder().default_config_file().connect()?;
/// # let pool = conn.ioctx("rbd")?;
/// let mut op = rados::ReadOp::new();
/// op.assert_exists();
/// let attributes = op.getxattrs();
/// let entries = op.omap_get_vals("", "user:", 100);
/// let mut results = pool.operate_read("object", op)?;
/// for (key, value) in results.take(entries)?.items {
///     println!("{key}: {} bytes", value.len());
/// }
/// # Ok(()) }
/// ```
///
/// [`IoCtx::operate_read`]: crate::IoCtx::operate_read
/// [`Results::take`]: crate::Results::take
#[derive(Debug)]
pub struct ReadOp {
    pub(super) steps: Steps<ffi::rados_read_op_t>,
}

impl Raw for ffi::rados_read_op_t {
    fn create() -> Self {
        // SAFETY: it is released by its handle.
        unsafe { ffi::rados_create_read_op() }
    }

    fn is_null(self) -> bool {
        self.0.is_null()
    }

    unsafe fn set_flags(self, flags: c_int) {
        // SAFETY: as the caller promises.
        unsafe { ffi::rados_read_op_set_flags(self, flags) }
    }

    unsafe fn release(self) {
        // SAFETY: as the caller promises.
        unsafe { ffi::rados_release_read_op(self) }
    }
}

impl Default for ReadOp {
    fn default() -> Self {
        Self::new()
    }
}

impl ReadOp {
    /// An operation without steps.
    #[doc(alias = "rados_create_read_op")]
    #[doc(alias = "rados_release_read_op")]
    pub fn new() -> Self {
        Self {
            steps: Steps::new("rados_create_read_op"),
        }
    }

    /// Sets the flags of the whole operation.
    pub fn flags(&mut self, flags: OperationFlags) -> &mut Self {
        self.steps.flags = flags;
        self
    }

    /// Adds flags to the step that was added last. Without one, the operation fails with `InvalidArgument`.
    #[doc(alias = "rados_read_op_set_flags")]
    pub fn step_flags(&mut self, flags: StepFlags) -> &mut Self {
        self.steps.set_step_flags("rados_read_op_set_flags", flags);
        self
    }

    /// Goes on only if the object exists.
    ///
    /// # Errors
    /// The operation's, when it does not: `NotFound`.
    #[doc(alias = "rados_read_op_assert_exists")]
    pub fn assert_exists(&mut self) -> &mut Self {
        self.steps.add("rados_read_op_assert_exists", 0, |raw| {
            // SAFETY: the operation is open.
            unsafe { ffi::rados_read_op_assert_exists(raw) };
            Ok(())
        });
        self
    }

    /// Goes on only if the object has this version, as [`Completion::version`](crate::Completion::version) of an
    /// earlier operation told.
    ///
    /// # Errors
    /// The operation's: as for [`WriteOp::assert_version`](crate::WriteOp::assert_version).
    #[doc(alias = "rados_read_op_assert_version")]
    pub fn assert_version(&mut self, version: u64) -> &mut Self {
        self.steps.outputs.versioned = true;
        self.steps.add("rados_read_op_assert_version", 0, |raw| {
            // SAFETY: the operation is open.
            unsafe { ffi::rados_read_op_assert_version(raw, version) };
            Ok(())
        });
        self
    }

    /// Goes on only if the object has `data` from `offset` on: see
    /// [`WriteOp::cmpext`](crate::WriteOp::cmpext). Needs the feature `cmpext`.
    ///
    /// # Errors
    /// The operation's: as there.
    #[cfg(feature = "cmpext")]
    #[doc(alias = "rados_read_op_cmpext")]
    pub fn cmpext(&mut self, data: &[u8], offset: u64) -> Step<Comparison> {
        self.steps.add_with(
            "rados_read_op_cmpext",
            data.len(),
            (),
            |raw, (), code| {
                let cmpext = ffi::optional(&ffi::rados_read_op_cmpext)?;
                // SAFETY: the operation is open, the data is copied, and the code is kept with the operation.
                unsafe { cmpext(raw, data.as_ptr().cast(), data.len(), offset, code) };
                Ok(())
            },
            comparison,
        )
    }

    /// Goes on only if the value of an extended attribute, which is on the left, compares so with `value`: see
    /// [`WriteOp::cmpxattr`](crate::WriteOp::cmpxattr).
    ///
    /// # Errors
    /// The operation's, when it does not: `Canceled`.
    #[doc(alias = "rados_read_op_cmpxattr")]
    pub fn cmpxattr(
        &mut self,
        name: impl AsRef<[u8]>,
        op: CompareOp,
        value: impl AsRef<[u8]>,
    ) -> &mut Self {
        const OP: &str = "rados_read_op_cmpxattr";
        let value = value.as_ref();
        self.steps.add(OP, value.len(), |raw| {
            let name = CName::new(OP, "attribute's name", name)?;
            let (start, len) = (value.as_ptr().cast(), value.len());
            // SAFETY: the operation is open; the name and the value are copied.
            unsafe { ffi::rados_read_op_cmpxattr(raw, name.as_ptr(), op.of_xattrs(), start, len) };
            Ok(())
        });
        self
    }

    /// Goes on only if the value of an omap key, which is on the left, compares so with `value`: see
    /// [`WriteOp::omap_cmp`](crate::WriteOp::omap_cmp).
    ///
    /// # Errors
    /// The operation's: as there.
    #[doc(alias = "rados_read_op_omap_cmp")]
    #[doc(alias = "rados_read_op_omap_cmp2")]
    pub fn omap_cmp(
        &mut self,
        key: impl AsRef<[u8]>,
        op: CompareOp,
        value: impl AsRef<[u8]>,
    ) -> Step<()> {
        const OP: &str = "rados_read_op_omap_cmp";
        let (key, value) = (key.as_ref(), value.as_ref());
        self.steps.add_with(
            OP,
            value.len(),
            (),
            |raw, (), code| {
                let op = omap_operator(OP, op)?;
                let (start, len) = (value.as_ptr().cast(), value.len());
                #[cfg(feature = "omap2")]
                if let Some(cmp2) = ffi::rados_read_op_omap_cmp2.get() {
                    let (key, key_len) = (key.as_ptr().cast(), key.len());
                    // SAFETY: the operation is open, key and value are copied, and the code is kept with it.
                    unsafe { cmp2(raw, key, op, start, key_len, len, code) };
                    return Ok(());
                }
                let key = CName::new(OP, "omap key", key)?;
                // SAFETY: as above.
                unsafe { ffi::rados_read_op_omap_cmp(raw, key.as_ptr(), op, start, len, code) };
                Ok(())
            },
            success,
        )
    }

    /// The object's size and time of last change, in whole seconds where the library lacks `rados_read_op_stat2`
    /// (before 18).
    #[doc(alias = "rados_read_op_stat")]
    #[doc(alias = "rados_read_op_stat2")]
    pub fn stat(&mut self) -> Step<ObjectStat> {
        let time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        self.steps.add_with(
            "rados_read_op_stat",
            0,
            (Slot::new(0), Slot::new(time)),
            |raw, (size, time), code| {
                let (size, time) = (size.as_ptr(), time.as_ptr());
                if let Some(stat2) = ffi::rados_read_op_stat2.get() {
                    // SAFETY: the operation is open; the outputs are kept with it.
                    unsafe { stat2(raw, size, time, code) };
                    return Ok(());
                }
                // SAFETY: the slot is there.
                let seconds = unsafe { &raw mut (*time).tv_sec };
                // SAFETY: as above.
                unsafe { ffi::rados_read_op_stat(raw, size, seconds, code) };
                Ok(())
            },
            |(size, time), name, code| {
                check(name, code)?;
                let time = time.into_inner();
                let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or_default();
                Ok(ObjectStat {
                    size: size.into_inner(),
                    mtime: system_time(time.tv_sec) + Duration::new(0, nanoseconds),
                })
            },
        )
    }

    /// Reads at most `len` bytes from `offset` on; fewer only at the object's end.
    ///
    /// # Errors
    /// The operation's: `OutOfDomain` for more than 2147483647 bytes.
    #[doc(alias = "rados_read_op_read")]
    pub fn read(&mut self, offset: u64, len: usize) -> Step<Vec<u8>> {
        let room = if len > READ_MAX { 0 } else { len }; // more is refused
        self.read_at_most(
            offset,
            len,
            Vec::with_capacity(room),
            |slots, name, code| filled(slots, name, code).map(|(_, buffer)| buffer),
        )
    }

    /// Reads from `offset` on into all of the buffer's room: its capacity, if it can grow. The step's result is how
    /// many bytes were read, which are fewer only at the object's end, and the buffer, which is freed if the
    /// operation fails.
    ///
    /// # Errors
    /// The operation's: `OutOfDomain` for a buffer of more than 2147483647 bytes.
    #[doc(alias = "rados_read_op_read")]
    pub fn read_into<B: IoBufMut>(&mut self, offset: u64, mut buffer: B) -> Step<(usize, B)> {
        let (_, room) = buffer.room();
        self.read_at_most(offset, room, buffer, filled)
    }

    /// Reads into the first `len` bytes of the buffer's room, which has as many unless they are too many.
    fn read_at_most<B: IoBufMut, T: 'static>(
        &mut self,
        offset: u64,
        len: usize,
        buffer: B,
        decode: Decoder<ReadSlots<B>, T>,
    ) -> Step<T> {
        const OP: &str = "rados_read_op_read";
        self.steps.add_with(
            OP,
            0,
            (Slot::new(buffer), Slot::new(0)),
            |raw, (buffer, read), code| {
                if len > READ_MAX {
                    let hint = format!("the length must be in 0..={READ_MAX} bytes");
                    return Err(Error::refused(OP, libc::EDOM, hint));
                }
                if len == 0 {
                    // To the OSD no length would mean the whole object.
                    // SAFETY: the operation is open.
                    unsafe { ffi::rados_read_op_assert_exists(raw) };
                    return Ok(());
                }
                // SAFETY: the operation has not started, so nobody else uses the buffer.
                let (room, _) = unsafe { &mut *buffer.as_ptr() }.room();
                // SAFETY: the operation is open; the outputs are kept with it, and the room has `len` bytes.
                unsafe {
                    ffi::rados_read_op_read(raw, offset, len, room.cast(), read.as_ptr(), code)
                };
                Ok(())
            },
            decode,
        )
    }

    /// Calls a method of an object class that only reads, with `input`. The step's result is its output.
    ///
    /// # Errors
    /// The operation's: what the method says; `Unsupported` when the OSDs have no such class or method.
    #[doc(alias = "rados_read_op_exec")]
    pub fn exec(
        &mut self,
        class: impl AsRef<[u8]>,
        method: impl AsRef<[u8]>,
        input: &[u8],
    ) -> Step<ExecOutput> {
        const OP: &str = "rados_read_op_exec";
        self.steps.add_with(
            OP,
            input.len(),
            Slot::new(RadosBuf::empty()),
            |raw, output, code| {
                let class = CName::new(OP, "class's name", class)?;
                let method = CName::new(OP, "method's name", method)?;
                let (class, method) = (class.as_ptr(), method.as_ptr());
                let (start, len) = (input.as_ptr().cast(), input.len());
                // SAFETY: the slot is there.
                let data = unsafe { &raw mut (*output.as_ptr()).data };
                // SAFETY: as above.
                let data_len = unsafe { &raw mut (*output.as_ptr()).len };
                // SAFETY: the operation is open, names and input are copied, and the outputs are kept with it.
                unsafe {
                    ffi::rados_read_op_exec(raw, class, method, start, len, data, data_len, code)
                };
                Ok(())
            },
            |output, name, code| {
                check(name, code).map(|code| ExecOutput {
                    data: output.into_inner().to_vec(),
                    code: code as u32, // an int
                })
            },
        )
    }

    /// The checksum of the whole object, which the OSD computes; `None` for an empty object. Needs the feature
    /// `checksum`.
    ///
    /// # Errors
    /// The operation's: `Unsupported` where the library lacks it.
    #[cfg(feature = "checksum")]
    #[doc(alias = "rados_read_op_checksum")]
    pub fn checksum<A: ChecksumAlgorithm>(&mut self, algorithm: A) -> Step<Option<A::Value>>
    where
        A::Value: 'static,
    {
        // To the OSD, no length means the whole object.
        self.checksums(algorithm, (0, 0, 0), 1, |answer, name, code| {
            check(name, code)?;
            Ok(sums::<A>(&answer.into_inner()).pop())
        })
    }

    /// The checksums of each `chunk` bytes of the `len` from `offset` on, which the OSD computes. What is past the
    /// object's end is left out. Needs the feature `checksum`.
    ///
    /// # Errors
    /// The operation's: `InvalidArgument` when `len`, or what the object has of it, is no multiple of `chunk`;
    /// `OutOfDomain` for more than 1048576 chunks; `Unsupported` where the library lacks it.
    #[cfg(feature = "checksum")]
    #[doc(alias = "rados_read_op_checksum")]
    pub fn checksum_chunks<A: ChecksumAlgorithm>(
        &mut self,
        algorithm: A,
        offset: u64,
        len: usize,
        chunk: NonZeroU32,
    ) -> Step<Vec<A::Value>>
    where
        A::Value: 'static,
    {
        let chunk = chunk.get() as usize; // at least 32 bits
        let most = len / chunk;
        self.checksums(
            algorithm,
            (offset, len, chunk),
            most,
            |answer, name, code| {
                check(name, code)?;
                Ok(sums::<A>(&answer.into_inner()))
            },
        )
    }

    #[cfg(feature = "checksum")]
    fn checksums<A: ChecksumAlgorithm, T: 'static>(
        &mut self,
        algorithm: A,
        (offset, len, chunk): (u64, usize, usize),
        most: usize,
        decode: Decoder<Slot<Vec<u8>>, T>,
    ) -> Step<T> {
        const OP: &str = "rados_read_op_checksum";
        let seed = algorithm.seed();
        // C writes how many there are, and those, each as wide as the seed.
        let room = size_of::<u32>() + most.min(SUMS_MAX) * seed.len();
        self.steps.add_with(
            OP,
            seed.len(),
            Slot::new(vec![0_u8; room]),
            |raw, answer, code| {
                let checksum = ffi::optional(&ffi::rados_read_op_checksum)?;
                if most > SUMS_MAX {
                    let hint = format!("there are {most} chunks, which must be in 0..={SUMS_MAX}");
                    return Err(Error::refused(OP, libc::EDOM, hint));
                }
                // SAFETY: the operation has not started, so nobody else uses the buffer.
                let start = unsafe { &mut *answer.as_ptr() }.as_mut_ptr().cast();
                let (seed, seed_len) = (seed.as_ptr().cast(), seed.len());
                // SAFETY: the operation is open, the seed is copied, and the outputs are kept with it; the
                // buffer has so much room.
                unsafe {
                    checksum(
                        raw,
                        A::TYPE,
                        seed,
                        seed_len,
                        offset,
                        len,
                        chunk,
                        start,
                        room,
                        code,
                    )
                };
                Ok(())
            },
            decode,
        )
    }

    /// All extended attributes: their names and values.
    #[doc(alias = "rados_read_op_getxattrs")]
    pub fn getxattrs(&mut self) -> Step<BTreeMap<Name, Vec<u8>>> {
        self.steps.add_with(
            "rados_read_op_getxattrs",
            0,
            Attributes::new(),
            |raw, attributes, code| {
                // SAFETY: the operation is open; the outputs are kept with it.
                unsafe { ffi::rados_read_op_getxattrs(raw, attributes.as_ptr(), code) };
                Ok(())
            },
            |attributes, name, code| check(name, code).and_then(|_| attributes.collect()),
        )
    }

    /// Omap keys that begin with `prefix` and come after `start_after`, with their values, in the keys' order; `""`
    /// is none of either. The empty key comes after nothing, and so is not among them. At most `max`, and at most as
    /// many as the OSDs allow at once (`osd_max_omap_entries_per_request`, by default 1024, and
    /// `osd_max_omap_bytes_per_request`, 1 GiB): see [`OmapPage::more`].
    ///
    /// [`IoCtx::omap_entries`](crate::IoCtx::omap_entries) asks for one page after the other.
    ///
    /// # Errors
    /// The operation's: `InvalidArgument` for a NUL byte in `start_after` or `prefix`, which C takes as strings.
    #[doc(alias = "rados_read_op_omap_get_vals2")]
    #[doc(alias = "rados_omap_get_next")]
    #[doc(alias = "rados_omap_get_next2")]
    pub fn omap_get_vals(
        &mut self,
        start_after: impl AsRef<[u8]>,
        prefix: impl AsRef<[u8]>,
        max: u64,
    ) -> Step<OmapPage<(Name, Vec<u8>)>> {
        const OP: &str = "rados_read_op_omap_get_vals2";
        self.steps.add_with(
            OP,
            0,
            (OmapIter::new(), Slot::new(0)),
            |raw, (iter, more), code| {
                let start_after = CName::new(OP, "key to start after", start_after)?;
                let prefix = CName::new(OP, "prefix", prefix)?;
                let (start_after, prefix) = (start_after.as_ptr(), prefix.as_ptr());
                let (iter, more) = (iter.as_ptr(), more.as_ptr());
                // SAFETY: the operation is open, the strings are copied, and the outputs are kept with it.
                unsafe {
                    ffi::rados_read_op_omap_get_vals2(
                        raw,
                        start_after,
                        prefix,
                        max,
                        iter,
                        more,
                        code,
                    )
                };
                Ok(())
            },
            |(iter, more), name, code| {
                check(name, code)?;
                Ok(OmapPage {
                    items: iter.entries()?,
                    more: more.into_inner() != 0,
                })
            },
        )
    }

    /// Omap keys that come after `start_after`, without their values: see [`omap_get_vals`](Self::omap_get_vals).
    ///
    /// # Errors
    /// The operation's: as there.
    #[doc(alias = "rados_read_op_omap_get_keys2")]
    pub fn omap_get_keys(
        &mut self,
        start_after: impl AsRef<[u8]>,
        max: u64,
    ) -> Step<OmapPage<Name>> {
        const OP: &str = "rados_read_op_omap_get_keys2";
        self.steps.add_with(
            OP,
            0,
            (OmapIter::new(), Slot::new(0)),
            |raw, (iter, more), code| {
                let start_after = CName::new(OP, "key to start after", start_after)?;
                let (start_after, iter, more) =
                    (start_after.as_ptr(), iter.as_ptr(), more.as_ptr());
                // SAFETY: the operation is open, the key is copied, and the outputs are kept with it.
                unsafe {
                    ffi::rados_read_op_omap_get_keys2(raw, start_after, max, iter, more, code)
                };
                Ok(())
            },
            |(iter, more), name, code| {
                check(name, code)?;
                let keys = iter.entries()?.into_iter().map(|(key, _)| key);
                Ok(OmapPage {
                    items: keys.collect(),
                    more: more.into_inner() != 0,
                })
            },
        )
    }

    /// The omap values of these keys; those that are not there are not in the result.
    ///
    /// # Errors
    /// The operation's: `InvalidArgument`, where the library lacks `omap2`, for a key with a NUL byte.
    #[doc(alias = "rados_read_op_omap_get_vals_by_keys")]
    #[doc(alias = "rados_read_op_omap_get_vals_by_keys2")]
    pub fn omap_get_vals_by_keys<K: AsRef<[u8]>>(
        &mut self,
        keys: impl IntoIterator<Item = K>,
    ) -> Step<BTreeMap<Name, Vec<u8>>> {
        const OP: &str = "rados_read_op_omap_get_vals_by_keys";
        let keys: Vec<K> = keys.into_iter().collect();
        let keys = ByteStrings::new(&keys);
        self.steps.add_with(
            OP,
            keys.bytes(),
            OmapIter::new(),
            |raw, iter, code| {
                #[cfg(feature = "omap2")]
                if let Some(get2) = ffi::rados_read_op_omap_get_vals_by_keys2.get() {
                    let (starts, lens) = (keys.starts(), keys.lens());
                    // SAFETY: the operation is open, the keys are copied, and the outputs are kept with it.
                    unsafe { get2(raw, starts, keys.count(), lens, iter.as_ptr(), code) };
                    return Ok(());
                }
                let names = CStrings::new(OP, &keys)?;
                let (starts, iter) = (names.starts(), iter.as_ptr());
                // SAFETY: as above; the keys end with a NUL.
                unsafe {
                    ffi::rados_read_op_omap_get_vals_by_keys(raw, starts, keys.count(), iter, code)
                };
                Ok(())
            },
            |iter, name, code| {
                check(name, code)?;
                Ok(iter.entries()?.into_iter().collect())
            },
        )
    }
}

/// A buffer to read into, and how many bytes C has read.
type ReadSlots<B> = (Slot<B>, Slot<usize>);

fn filled<B: IoBufMut>(
    (buffer, read): ReadSlots<B>,
    name: &'static str,
    code: c_int,
) -> Result<(usize, B)> {
    check(name, code)?;
    let (mut buffer, read) = (buffer.into_inner(), read.into_inner());
    // SAFETY: C has written so many bytes, at most as many as asked for.
    unsafe { buffer.filled(read) };
    Ok((read, buffer))
}
