//! Writing data whose checksum is known.

use ceph_core::aio::Completion;
use rados::{IoBuf, Result};

use crate::aio::Started;
use crate::image::Image;
use crate::{IoFlags, ffi};

impl Image {
    /// As [`aio_write_with`](Self::aio_write_with), for data whose checksum the caller knows, from the network
    /// or a disk, so that librbd need not compute it.
    ///
    /// It is the CRC-32C (Castagnoli) that starts from `0xffff_ffff` and is not inverted at its end: the
    /// complement of the usual one, as NVMe/TCP and iSCSI have it. It must be right: data that does not match
    /// is not written, and the write may be tried again for ever.
    ///
    /// # Errors
    /// As [`aio_write`](Self::aio_write); `Unsupported` where the library lacks it: it is there since 20.2.2.
    /// Needs the feature `write-crc32c`.
    #[doc(alias = "rbd_aio_write_with_crc32c")]
    pub fn aio_write_with_crc32c<B: IoBuf>(
        &self,
        data: B,
        offset: u64,
        crc32c: u32,
        flags: IoFlags,
    ) -> Completion<(Result<()>, B)> {
        const OP: &str = "rbd_aio_write_with_crc32c";
        self.aio(
            OP,
            data,
            |raw, completion, data| {
                let write = ffi::optional(&ffi::rbd_aio_write_with_crc32c)?;
                let data = data.bytes();
                if data.is_empty() {
                    return Ok(Started::Done);
                }
                self.check_fits(OP, offset, data.len())?;
                let (start, len, flags) = (data.as_ptr().cast(), data.len(), flags.bits());
                // SAFETY: the handle is open; the data is in the payload.
                Started::called(unsafe {
                    write(raw, offset, len, start, crc32c, completion, flags)
                })
            },
            |data, result| (result.map(drop), data),
        )
    }
}
