//! Writing only where the image has what is expected.

#[cfg(feature = "compare-and-writev")]
use ceph_core::aio::{Completion, Slot};
#[cfg(feature = "compare-and-writev")]
use rados::IoBuf;
use rados::{Comparison, Error, ErrorKind, Result};

#[cfg(feature = "compare-and-writev")]
use crate::aio::Started;
#[cfg(feature = "compare-and-writev")]
use crate::aio_io::check_len;
#[cfg(feature = "compare-and-writev")]
use crate::aio_vectored::{Buffers, Payload};
use crate::ffi;
use crate::image::Image;

impl Image {
    /// Writes `data` at `offset` if the image has `expected` there; else writes nothing and tells where it
    /// differs, counted from `offset`. Nobody else writes in between. Blocks. Needs the feature
    /// `compare-and-write`.
    ///
    /// In Ceph 14 it goes past the cache, as [`aio_compare_and_write`](Self::aio_compare_and_write) does.
    ///
    /// ```no_run
    /// # fn f(image: &rbd::Image) -> rbd::Result<()> {
    /// use rbd::Comparison;
    ///
    /// match image.compare_and_write(b"free", b"mine", 0)? {
    ///     Comparison::Equal => println!("it is mine"),
    ///     Comparison::Differs { offset } => println!("it is not free: see byte {offset}"),
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `InvalidArgument` when the two have not the same length, or more than C can compare: up to Ceph 16 at
    /// most 512 bytes, later what lies in one stripe unit; `NoSpace` (ENOSPC) when it does not fit into the
    /// image; else as [`write_at`](Self::write_at). `Unsupported` where the library lacks it.
    #[cfg(feature = "compare-and-write")]
    #[doc(alias = "rbd_compare_and_write")]
    pub fn compare_and_write(
        &self,
        expected: &[u8],
        data: &[u8],
        offset: u64,
    ) -> Result<Comparison> {
        const OP: &str = "rbd_compare_and_write";
        let compare_and_write = ffi::optional(&ffi::rbd_compare_and_write)?;
        let raw = self.raw(OP)?;
        check_same_len(OP, expected.len(), data.len())
            .and_then(|()| self.check_fits(OP, offset, data.len()))
            .map_err(|error| error.on(self.subject()))?;
        if data.is_empty() {
            return Ok(Comparison::Equal);
        }
        let mut mismatch = 0;
        // SAFETY: the handle is open; both buffers have so many bytes and outlive the call, as the output.
        let code = unsafe {
            compare_and_write(
                raw,
                offset,
                data.len(),
                expected.as_ptr().cast(),
                data.as_ptr().cast(),
                &raw mut mismatch,
                0,
            )
        };
        let result = ceph_core::check(OP, code).map_err(|error| error.on(self.subject()));
        comparison(result, || mismatch)
    }

    /// As [`aio_compare_and_write`](Self::aio_compare_and_write), with several buffers on each side, which need
    /// not be cut in the same way. Gives all back.
    ///
    /// # Errors
    /// As [`aio_compare_and_write`](Self::aio_compare_and_write). Needs the feature `compare-and-writev`.
    #[cfg(feature = "compare-and-writev")]
    #[doc(alias = "rbd_aio_compare_and_writev")]
    pub fn aio_compare_and_writev<C, V, B, W>(
        &self,
        expected: V,
        data: W,
        offset: u64,
    ) -> Completion<(Result<Comparison>, V, W)>
    where
        C: IoBuf,
        V: Buffers<C>,
        B: IoBuf,
        W: Buffers<B>,
    {
        const OP: &str = "rbd_aio_compare_and_writev";
        self.aio(
            OP,
            (Payload::new(expected), Payload::new(data), Slot::new(0_u64)),
            |raw, completion, (expected, data, mismatch)| {
                let compare_and_writev = ffi::optional(&ffi::rbd_aio_compare_and_writev)?;
                let (expected, expected_count, expected_bytes) = expected.describe_sources();
                let (data, count, bytes) = data.describe_sources();
                check_same_len(OP, expected_bytes, bytes)?;
                check_len(OP, expected_count.max(count))?;
                if bytes == 0 {
                    return Ok(Started::Done);
                }
                self.check_fits(OP, offset, bytes)?;
                let mismatch = mismatch.as_ptr();
                // SAFETY: the handle is open; the lists, what they describe, which C only reads, and the output
                // are in the payload.
                Started::called(unsafe {
                    compare_and_writev(
                        raw,
                        offset,
                        expected,
                        expected_count as i32,
                        data,
                        count as i32,
                        completion,
                        mismatch,
                        0,
                    )
                })
            },
            |(expected, data, mismatch), result| {
                let result = comparison(result, || mismatch.into_inner());
                (result, expected.into_buffers(), data.into_buffers())
            },
        )
    }
}

/// Refuses to compare with more or less than what is written.
pub(crate) fn check_same_len(op: &'static str, expected: usize, data: usize) -> Result<()> {
    if expected != data {
        let hint = format!("{expected} bytes against {data}");
        return Err(Error::refused(op, libc::EINVAL, hint));
    }
    Ok(())
}

/// What C's answer means.
pub(crate) fn comparison(
    result: Result<u64>,
    mismatch: impl FnOnce() -> u64,
) -> Result<Comparison> {
    match result {
        Ok(_) => Ok(Comparison::Equal),
        Err(error) if error.kind() == ErrorKind::Mismatch => {
            Ok(Comparison::Differs { offset: mismatch() })
        }
        Err(error) if error.kind() == ErrorKind::InvalidArgument => Err(error.hint(
            "up to Ceph 16 at most 512 bytes are compared, later what lies in one stripe unit",
        )),
        Err(error) => Err(error),
    }
}
