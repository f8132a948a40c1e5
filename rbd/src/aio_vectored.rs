//! Asynchronous I/O of several buffers at once.

use ceph_core::aio::{Completion, Slot};
use rados::{IoBuf, IoBufMut, Result};

use crate::aio::Started;
use crate::aio_io::check_len;
use crate::ffi;
use crate::image::Image;

/// Buffers for vectored I/O: `[B; N]`, which costs no allocation, or a `Vec<B>`.
pub trait Buffers<B>: AsRef<[B]> + AsMut<[B]> + Send + private::Sealed + 'static {
    /// C's list of them.
    #[doc(hidden)]
    type List: AsMut<[libc::iovec]> + 'static;

    /// A list to fill.
    #[doc(hidden)]
    fn list(&self) -> Self::List;
}

mod private {
    pub trait Sealed {}
    impl<B, const N: usize> Sealed for [B; N] {}
    impl<B> Sealed for Vec<B> {}
}

const EMPTY: libc::iovec = libc::iovec {
    iov_base: std::ptr::null_mut(),
    iov_len: 0,
};

impl<B: Send + 'static, const N: usize> Buffers<B> for [B; N] {
    type List = [libc::iovec; N];

    fn list(&self) -> Self::List {
        [EMPTY; N]
    }
}

impl<B: Send + 'static> Buffers<B> for Vec<B> {
    type List = Vec<libc::iovec>;

    fn list(&self) -> Self::List {
        vec![EMPTY; self.len()]
    }
}

/// Buffers, and the list of them that C reads while the operation is in flight.
pub(crate) struct Payload<V, L> {
    buffers: Slot<V>,
    list: Slot<L>,
}

// SAFETY: the list points into the buffers only, which are Send.
unsafe impl<V: Send, L> Send for Payload<V, L> {}

impl<V, L: AsMut<[libc::iovec]>> Payload<V, L> {
    pub(crate) fn new<B>(buffers: V) -> Self
    where
        V: Buffers<B, List = L>,
    {
        Self {
            list: Slot::new(buffers.list()),
            buffers: Slot::new(buffers),
        }
    }

    pub(crate) fn into_buffers(self) -> V {
        self.buffers.into_inner()
    }

    /// As `describe`, of buffers that are only read.
    pub(crate) fn describe_sources<B: IoBuf>(&self) -> (*mut libc::iovec, usize, usize)
    where
        V: AsMut<[B]>,
    {
        self.describe(|buffer: &mut B| {
            let bytes = buffer.bytes();
            (bytes.as_ptr().cast_mut(), bytes.len())
        })
    }

    /// Fills the list in; answers where it is, its length, and how many bytes it describes.
    fn describe<B>(
        &self,
        part: impl Fn(&mut B) -> (*mut u8, usize),
    ) -> (*mut libc::iovec, usize, usize)
    where
        V: AsMut<[B]>,
    {
        // SAFETY: the operation has not started, so nobody else uses the buffers.
        let buffers = unsafe { &mut *self.buffers.as_ptr() }.as_mut();
        // SAFETY: as the buffers.
        let list = unsafe { &mut *self.list.as_ptr() }.as_mut();
        let mut bytes = 0_usize;
        for (entry, buffer) in list.iter_mut().zip(buffers) {
            let (start, len) = part(buffer);
            *entry = libc::iovec {
                iov_base: start.cast(),
                iov_len: len,
            };
            bytes = bytes.saturating_add(len);
        }
        (list.as_mut_ptr(), list.len(), bytes)
    }
}

impl Image {
    /// Reads from `offset` into one buffer after the other. Gives back how many bytes were read, which are
    /// fewer than the buffers' room only at the image's end, and the buffers.
    ///
    /// # Errors
    /// As [`aio_read`](Self::aio_read).
    #[doc(alias = "rbd_aio_readv")]
    pub fn aio_readv<B: IoBufMut, V: Buffers<B>>(
        &self,
        buffers: V,
        offset: u64,
    ) -> Completion<(Result<usize>, V)> {
        const OP: &str = "rbd_aio_readv";
        self.aio(
            OP,
            Payload::new(buffers),
            |raw, completion, payload| {
                let (list, count, bytes) = payload.describe(B::room);
                check_len(OP, bytes.max(count))?;
                if bytes == 0 || offset >= self.current_size()? {
                    return Ok(Started::Done);
                }
                // SAFETY: the handle is open; the list and what it describes are in the payload.
                Started::called(unsafe {
                    ffi::rbd_aio_readv(raw, list, count as i32, offset, completion)
                })
            },
            |payload, result| {
                let mut buffers = payload.into_buffers();
                let read = result.map(|read| read as usize); // an int
                if let Ok(read) = read {
                    let mut rest = read;
                    for buffer in buffers.as_mut() {
                        let len = buffer.room().1.min(rest);
                        rest -= len;
                        // SAFETY: C fills one after the other, and this is this one's share.
                        unsafe { buffer.filled(len) };
                    }
                }
                (read, buffers)
            },
        )
    }

    /// Writes one buffer after the other from `offset` on, and gives them back.
    ///
    /// # Errors
    /// As [`aio_write`](Self::aio_write).
    #[doc(alias = "rbd_aio_writev")]
    pub fn aio_writev<B: IoBuf, V: Buffers<B>>(
        &self,
        buffers: V,
        offset: u64,
    ) -> Completion<(Result<()>, V)> {
        const OP: &str = "rbd_aio_writev";
        self.aio(
            OP,
            Payload::new(buffers),
            |raw, completion, payload| {
                let (list, count, bytes) = payload.describe_sources();
                check_len(OP, count)?;
                if bytes == 0 {
                    return Ok(Started::Done);
                }
                self.check_fits(OP, offset, bytes)?;
                // SAFETY: the handle is open; the list and what it describes, which C only reads, are in
                // the payload.
                Started::called(unsafe {
                    ffi::rbd_aio_writev(raw, list, count as i32, offset, completion)
                })
            },
            |payload, result| (result.map(drop), payload.into_buffers()),
        )
    }
}
