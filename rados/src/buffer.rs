//! Memory that librados allocated for us.

use std::ffi::c_char;
use std::{ptr, slice};

use zeroize::Zeroize;

use crate::ffi;

/// An output buffer of the library's, freed when it goes.
///
/// It exists, empty, before the call that fills it, since some calls fill it and then fail.
pub(crate) struct RadosBuf {
    pub(crate) data: *mut c_char,
    pub(crate) len: usize,
}

// SAFETY: it is memory with one owner, and no tie to a thread.
unsafe impl Send for RadosBuf {}

impl RadosBuf {
    pub(crate) fn empty() -> Self {
        Self {
            data: ptr::null_mut(),
            len: 0,
        }
    }

    pub(crate) fn to_vec(&self) -> Vec<u8> {
        // SAFETY: the library set `data` to `len` bytes that are ours until we free them, or left
        // it NULL.
        unsafe { copy_bytes(self.data, self.len) }
    }
}

/// Copies bytes that C points to; NULL, which C gives for an empty value, is empty.
///
/// # Safety
/// `data` is NULL or points to `len` readable bytes.
pub(crate) unsafe fn copy_bytes(data: *const c_char, len: usize) -> Vec<u8> {
    if data.is_null() {
        return Vec::new();
    }
    let mut copy = Vec::<u8>::with_capacity(len);
    // SAFETY: `data` is readable for `len` bytes, as the caller promises, and `copy` has room.
    unsafe { ptr::copy_nonoverlapping(data.cast(), copy.as_mut_ptr(), len) };
    // SAFETY: these bytes were just written.
    unsafe { copy.set_len(len) };
    copy
}

impl Drop for RadosBuf {
    fn drop(&mut self) {
        if !self.data.is_null() {
            #[expect(clippy::disallowed_methods, reason = "it is not NULL here")]
            // SAFETY: `data` has `len` bytes, which are nobody else's.
            let bytes = unsafe { slice::from_raw_parts_mut(self.data, self.len) };
            bytes.zeroize(); // some commands answer keys
            // SAFETY: the library allocated `data` for its caller to free with this function, and
            // nothing else does.
            unsafe { ffi::rados_buffer_free(self.data) }
        }
    }
}
