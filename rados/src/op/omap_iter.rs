//! C's iterator over omap.

use std::ffi::{CStr, c_char};
use std::ptr;

use ceph_core::aio::Slot;
use ceph_core::{Result, check};

use crate::buffer::copy_bytes;
use crate::{Name, ffi};

/// A part of an object's omap, in the order of its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OmapPage<T> {
    /// The keys, or keys and values.
    pub items: Vec<T>,
    /// Whether there are more after them.
    pub more: bool,
}

/// An iterator that C makes when a step is added, and fills when the operation is done.
pub(super) struct OmapIter(Slot<ffi::rados_omap_iter_t>);

// SAFETY: the iterator has no tie to a thread, and has one owner.
unsafe impl Send for OmapIter {}
// SAFETY: through `&` only the slot's pointer can be had.
unsafe impl Sync for OmapIter {}

impl OmapIter {
    pub(super) fn new() -> Self {
        Self(Slot::new(ffi::rados_omap_iter_t(ptr::null_mut())))
    }

    /// Where C is to put its iterator.
    pub(super) fn as_ptr(&self) -> *mut ffi::rados_omap_iter_t {
        self.0.as_ptr()
    }

    fn raw(&mut self) -> ffi::rados_omap_iter_t {
        // SAFETY: with `&mut`, no operation points to it any more.
        unsafe { *self.0.as_ptr() }
    }

    /// All keys and values. Only after the step has succeeded: C crashes on an iterator that was not filled.
    pub(super) fn entries(mut self) -> Result<Vec<(Name, Vec<u8>)>> {
        let mut all = Vec::new();
        #[cfg(feature = "omap2")]
        if let Some(size) = ffi::rados_omap_iter_size.get() {
            // SAFETY: the iterator is open.
            all.reserve_exact(unsafe { size(self.raw()) } as usize);
        }
        while let Some(entry) = self.next()? {
            all.push(entry);
        }
        Ok(all)
    }

    fn next(&mut self) -> Result<Option<(Name, Vec<u8>)>> {
        let (mut key, mut value) = (ptr::null_mut::<c_char>(), ptr::null_mut::<c_char>());
        #[cfg_attr(not(feature = "omap2"), expect(unused_mut, reason = "unknown then"))]
        let mut key_len = None;
        let mut len = 0;
        let raw = self.raw();
        #[cfg(feature = "omap2")]
        if let Some(next2) = ffi::rados_omap_get_next2.get() {
            let (key, value, len) = (&raw mut key, &raw mut value, &raw mut len);
            let key_len = key_len.insert(0);
            // SAFETY: the iterator is open and filled, and the outputs are this function's.
            let code = unsafe { next2(raw, key, value, key_len, len) };
            check("rados_omap_get_next2", code)?;
        }
        if key_len.is_none() {
            // SAFETY: as above.
            let code = unsafe {
                ffi::rados_omap_get_next(raw, &raw mut key, &raw mut value, &raw mut len)
            };
            check("rados_omap_get_next", code)?;
        }
        if key.is_null() {
            return Ok(None);
        }
        let key_len = key_len.unwrap_or_else(|| {
            // SAFETY: without a length, it is a C string, which lives as long as the iterator.
            unsafe { CStr::from_ptr(key) }.count_bytes()
        });
        // SAFETY: the key has so many bytes, and lives as long as the iterator.
        let key = unsafe { copy_bytes(key, key_len) };
        // SAFETY: as the key; a value without bytes may be NULL.
        let value = unsafe { copy_bytes(value, len) };
        Ok(Some((key.into(), value)))
    }
}

impl Drop for OmapIter {
    fn drop(&mut self) {
        let raw = self.raw();
        if !raw.0.is_null() {
            // SAFETY: C made it, and nobody uses it after this.
            unsafe { ffi::rados_omap_get_end(raw) }
        }
    }
}
