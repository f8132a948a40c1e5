//! Checksums that OSDs compute.

use std::num::NonZeroU32;

use ceph_core::{Error, Result};

use crate::{IoCtx, ffi};

/// An algorithm of checksums, with its seed: [`XxHash32`], [`XxHash64`] or [`Crc32c`].
pub trait ChecksumAlgorithm: sealed::Sealed<<Self as ChecksumAlgorithm>::Value> {
    /// A checksum.
    type Value;
}

/// 32-bit xxHash with this seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct XxHash32(pub u32);

/// 64-bit xxHash with this seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct XxHash64(pub u64);

/// CRC-32C that goes on from this value, without inverting it before or after: Ceph's own begins with
/// `u32::MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Crc32c(pub u32);

mod sealed {
    use crate::ffi;

    /// What C and the OSD make of an algorithm.
    pub trait Sealed<V>: Copy {
        const TYPE: ffi::rados_checksum_type_t;
        fn seed(self) -> Vec<u8>;
        fn decode(chunks: &[u8]) -> Vec<V>;
    }
}

macro_rules! algorithms {
    ($($name:ident($number:ty) = $constant:ident;)*) => { $(
        impl ChecksumAlgorithm for $name {
            type Value = $number;
        }

        impl sealed::Sealed<$number> for $name {
            const TYPE: ffi::rados_checksum_type_t = ffi::$constant;

            fn seed(self) -> Vec<u8> {
                self.0.to_le_bytes().to_vec()
            }

            fn decode(chunks: &[u8]) -> Vec<$number> {
                let (values, _) = chunks.as_chunks();
                values.iter().map(|&bytes| <$number>::from_le_bytes(bytes)).collect()
            }
        }
    )* };
}

algorithms! {
    XxHash32(u32) = LIBRADOS_CHECKSUM_TYPE_XXHASH32;
    XxHash64(u64) = LIBRADOS_CHECKSUM_TYPE_XXHASH64;
    Crc32c(u32) = LIBRADOS_CHECKSUM_TYPE_CRC32C;
}

/// The most checksums in one answer, so that the buffer for them stays small.
pub(crate) const SUMS_MAX: usize = 1 << 20;

impl IoCtx {
    /// The checksum of the whole object, which the OSD computes; `None` for an empty object. Needs the feature
    /// `checksum`.
    ///
    /// ```no_run
    /// # fn main() -> rados::Result<()> {
    /// # let conn = rados::Conn::builder().default_config_file().connect()?;
    /// # let pool = conn.ioctx("rbd")?;
    /// let crc = pool.checksum("object", rados::Crc32c(u32::MAX))?;
    /// println!("{crc:08x?}");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `NotFound`; `Unsupported` where the library lacks it.
    #[doc(alias = "rados_checksum")]
    pub fn checksum<A: ChecksumAlgorithm>(
        &self,
        object: impl AsRef<[u8]>,
        algorithm: A,
    ) -> Result<Option<A::Value>> {
        // To the OSD, no length means the whole object.
        self.checksums(object.as_ref(), algorithm, 0, 0, 0, 1)
            .map(|mut sums| sums.pop())
    }

    /// The checksums of each `chunk` bytes of the `len` from `offset` on, which the OSD computes. What is past
    /// the object's end is left out. Needs the feature `checksum`.
    ///
    /// ```no_run
    /// # fn main() -> rados::Result<()> {
    /// # let conn = rados::Conn::builder().default_config_file().connect()?;
    /// # let pool = conn.ioctx("rbd")?;
    /// let block = 4096.try_into().unwrap();
    /// let blocks = pool.checksum_chunks("object", rados::XxHash64(0), 0, 4 << 20, block)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `NotFound`; `InvalidArgument` when `len`, or what the object has of it, is no multiple of `chunk`;
    /// `OutOfDomain` for more than 1048576 chunks; `Unsupported` where the library lacks it.
    #[doc(alias = "rados_checksum")]
    pub fn checksum_chunks<A: ChecksumAlgorithm>(
        &self,
        object: impl AsRef<[u8]>,
        algorithm: A,
        offset: u64,
        len: usize,
        chunk: NonZeroU32,
    ) -> Result<Vec<A::Value>> {
        let object = object.as_ref();
        let chunk = chunk.get() as usize; // at least 32 bits
        let most = len / chunk;
        if most > SUMS_MAX {
            let hint = format!("there are {most} chunks, which must be in 0..={SUMS_MAX}");
            return Err(
                Error::refused("rados_checksum", libc::EDOM, hint).on(self.subject(Some(object)))
            );
        }
        self.checksums(object, algorithm, offset, len, chunk, most)
    }

    fn checksums<A: ChecksumAlgorithm>(
        &self,
        object: &[u8],
        algorithm: A,
        offset: u64,
        len: usize,
        chunk: usize,
        most: usize,
    ) -> Result<Vec<A::Value>> {
        const OP: &str = "rados_checksum";
        let checksum = ffi::optional(&ffi::rados_checksum)?;
        let seed = algorithm.seed();
        // C writes how many there are, and those, each as wide as the seed.
        let mut answer = vec![0; size_of::<u32>() + most * seed.len()];
        self.object_op(OP, object, |raw, name| {
            // SAFETY: as `object_op` promises; the seed and the answer are ours and outlive the call, and C
            // writes at most the answer's length.
            unsafe {
                checksum(
                    raw,
                    name,
                    A::TYPE,
                    seed.as_ptr().cast(),
                    seed.len(),
                    len,
                    offset,
                    chunk,
                    answer.as_mut_ptr().cast(),
                    answer.len(),
                )
            }
        })?;
        Ok(sums::<A>(&answer))
    }
}

/// The checksums in C's answer, which begins with their number.
pub(crate) fn sums<A: ChecksumAlgorithm>(answer: &[u8]) -> Vec<A::Value> {
    let (count, sums) = answer.split_at(size_of::<u32>());
    let count = <Crc32c as sealed::Sealed<u32>>::decode(count);
    let mut sums = A::decode(sums);
    sums.truncate(count.first().map_or(0, |&count| count as usize));
    sums
}
