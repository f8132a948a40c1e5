//! Buffers that an operation in flight owns.

use std::fmt;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

/// Data to write: a buffer that an operation owns until it is done, and then gives back.
///
/// `Vec<u8>`, `Box<[u8]>`, `Box<[u8; N]>`, `Arc<[u8]>`, `String`, `&'static [u8]`, `&'static [u8; N]`,
/// `&'static str`; with the feature `bytes` also `Bytes` and `BytesMut`; and a [`Window`] of any of them.
///
/// # Safety
/// The bytes that `bytes` returns stay where they are, and are not changed, for as long as the value exists
/// and nobody has `&mut` to it; and it may be read from any thread.
pub unsafe trait IoBuf: Send + 'static {
    /// The initialised bytes.
    fn bytes(&self) -> &[u8];
}

/// A buffer to read into, which an operation owns until it is done, and then gives back.
///
/// A `Vec<u8>` or `BytesMut` is filled from its start up to its capacity, and then is as long as what was
/// read; when the operation fails it is as long as before. `Box<[u8]>` and `Box<[u8; N]>` keep their length,
/// and so does a [`Window`], which is how to read less, or into the middle.
///
/// # Safety
/// The room starts where `bytes` starts and is at least as long. It stays where it is, and may be written
/// from any thread, for as long as the value exists and nobody uses it.
pub unsafe trait IoBufMut: IoBuf {
    /// The memory to fill: its start and how many bytes it has, initialised or not.
    fn room(&mut self) -> (*mut u8, usize);

    /// Says that the first `len` bytes of the room have been written.
    ///
    /// # Safety
    /// They have, and `len` is at most the room's length.
    unsafe fn filled(&mut self, len: usize);
}

macro_rules! io_buf {
    ($([$($parameter:tt)*] $buffer:ty;)*) => {$(
        // SAFETY: the bytes lie outside of the value itself and are shared, if at all, for reading only.
        unsafe impl<$($parameter)*> IoBuf for $buffer {
            fn bytes(&self) -> &[u8] {
                (**self).as_ref()
            }
        }
    )*};
}

io_buf! {
    [] Vec<u8>;
    [] Box<[u8]>;
    [const N: usize] Box<[u8; N]>;
    [] Arc<[u8]>;
    [] String;
    [] &'static [u8];
    [const N: usize] &'static [u8; N];
    [] &'static str;
}

// SAFETY: the allocation, which only this value owns.
unsafe impl IoBufMut for Vec<u8> {
    fn room(&mut self) -> (*mut u8, usize) {
        (self.as_mut_ptr(), self.capacity())
    }

    unsafe fn filled(&mut self, len: usize) {
        // SAFETY: as the caller promises.
        unsafe { self.set_len(len) }
    }
}

macro_rules! fixed_length {
    ($([$($parameter:tt)*] $buffer:ty;)*) => {$(
        // SAFETY: the allocation, which only this value owns.
        unsafe impl<$($parameter)*> IoBufMut for $buffer {
            fn room(&mut self) -> (*mut u8, usize) {
                (self.as_mut_ptr(), self.len())
            }

            unsafe fn filled(&mut self, _: usize) {}
        }
    )*};
}

fixed_length! {
    [] Box<[u8]>;
    [const N: usize] Box<[u8; N]>;
}

#[cfg(feature = "bytes")]
io_buf! {
    [] bytes::Bytes;
    [] bytes::BytesMut;
}

// SAFETY: the allocation from this value's start to its capacity, which only it may write to.
#[cfg(feature = "bytes")]
unsafe impl IoBufMut for bytes::BytesMut {
    fn room(&mut self) -> (*mut u8, usize) {
        (self.as_mut_ptr(), self.capacity())
    }

    unsafe fn filled(&mut self, len: usize) {
        // SAFETY: as the caller promises.
        unsafe { self.set_len(len) }
    }
}

/// A part of a buffer: what is outside is neither read nor written.
///
/// ```
/// # use ceph_core::buf as rados;
/// use rados::Window;
///
/// let header = Window::new(vec![7_u8; 4096], ..512).unwrap();
/// assert_eq!(header.into_inner().len(), 4096);
/// assert!(Window::new(vec![7_u8; 4096], 4000..5000).is_err());
/// ```
#[derive(Clone)]
pub struct Window<B> {
    buffer: B,
    start: usize,
    len: usize,
}

impl<B: IoBuf> Window<B> {
    /// The part `range` of the buffer's initialised bytes.
    ///
    /// # Errors
    /// The buffer, when it has no such part.
    pub fn new(buffer: B, range: impl RangeBounds<usize>) -> Result<Self, B> {
        let all = buffer.bytes().len();
        let start = match range.start_bound() {
            Bound::Included(&start) => Some(start),
            Bound::Excluded(&before) => before.checked_add(1),
            Bound::Unbounded => Some(0),
        };
        let end = match range.end_bound() {
            Bound::Included(&last) => last.checked_add(1),
            Bound::Excluded(&end) => Some(end),
            Bound::Unbounded => Some(all),
        };
        match (start, end) {
            (Some(start), Some(end)) if start <= end && end <= all => Ok(Self {
                buffer,
                start,
                len: end - start,
            }),
            _ => Err(buffer),
        }
    }

    /// The whole buffer.
    pub fn into_inner(self) -> B {
        self.buffer
    }
}

// SAFETY: a part of what is safe as a whole; nobody has `&mut` to the buffer.
unsafe impl<B: IoBuf> IoBuf for Window<B> {
    fn bytes(&self) -> &[u8] {
        &self.buffer.bytes()[self.start..][..self.len]
    }
}

// SAFETY: as above; the room starts where the bytes start, and the part is within the bytes.
unsafe impl<B: IoBufMut> IoBufMut for Window<B> {
    fn room(&mut self) -> (*mut u8, usize) {
        let (start, _) = self.buffer.room();
        // SAFETY: `new` checked that the part is within the bytes, and so within the room.
        (unsafe { start.add(self.start) }, self.len)
    }

    // The buffer is as long as before.
    unsafe fn filled(&mut self, _: usize) {}
}

impl<B: IoBuf> fmt::Debug for Window<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Window")
            .field("start", &self.start)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(buffer: &mut impl IoBufMut, data: &[u8]) {
        let (start, len) = buffer.room();
        assert!(data.len() <= len);
        // SAFETY: the room has at least as many bytes.
        unsafe { start.copy_from_nonoverlapping(data.as_ptr(), data.len()) };
        // SAFETY: they have just been written.
        unsafe { buffer.filled(data.len()) };
    }

    #[test]
    fn the_length_is_what_was_read_where_it_can_change() {
        let mut vec = Vec::with_capacity(10);
        vec.push(9);
        fill(&mut vec, b"abc");
        assert_eq!(vec, b"abc");
        fill(&mut vec, b"");
        assert!(vec.is_empty());
        let mut boxed = vec![7; 4].into_boxed_slice();
        fill(&mut boxed, b"abc");
        assert_eq!(&boxed[..], b"abc\x07");
    }

    #[test]
    fn what_is_written_is_what_is_initialised() {
        let mut vec = Vec::with_capacity(100);
        vec.extend(b"abc");
        assert_eq!(vec.bytes(), b"abc");
        assert_eq!(IoBuf::bytes(&"text"), b"text");
        assert_eq!(IoBuf::bytes(&b"array"), b"array");
        assert_eq!(IoBuf::bytes(&String::from("s")), b"s");
        assert_eq!(IoBuf::bytes(&Arc::<[u8]>::from(*b"arc")), b"arc");
    }

    #[test]
    fn a_window_is_checked_and_leaves_the_rest_alone() {
        let whole = || b"0123456789".to_vec();
        for (start, end) in [(0, 10), (3, 5), (4, 4), (10, 10)] {
            let window = Window::new(whole(), start..end).unwrap();
            assert_eq!(window.bytes(), &whole()[start..end]);
        }
        assert_eq!(Window::new(whole(), ..=3).unwrap().bytes(), b"0123");
        assert_eq!(Window::new(whole(), 8..).unwrap().bytes(), b"89");
        let after = (Bound::Excluded(8), Bound::Unbounded);
        assert_eq!(Window::new(whole(), after).unwrap().bytes(), b"9");
        assert_eq!(Window::new(whole(), 3..11).unwrap_err(), whole());
        #[expect(clippy::reversed_empty_ranges, reason = "that is what is tested")]
        let reversed = 5..3;
        assert!(Window::new(whole(), reversed).is_err());
        assert!(Window::new(whole(), ..=usize::MAX).is_err());
        let beyond = (Bound::Excluded(usize::MAX), Bound::Unbounded);
        assert!(Window::new(whole(), beyond).is_err());

        let mut inner = Window::new(Window::new(whole(), 2..8).unwrap(), 1..4).unwrap();
        assert_eq!(inner.room().1, 3);
        fill(&mut inner, b"ab");
        assert_eq!(inner.into_inner().into_inner(), b"012ab56789");
    }

    #[cfg(feature = "bytes")]
    #[test]
    fn bytes_are_buffers() {
        let mut buffer = bytes::BytesMut::with_capacity(8);
        fill(&mut buffer, b"abc");
        assert_eq!(&buffer[..], b"abc");
        assert_eq!(IoBuf::bytes(&buffer.freeze()), b"abc");
    }
}
