//! Blocking access to the extended attributes of objects, and C's iterator over them.

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char};
use std::ptr;

use ceph_core::aio::Slot;
use ceph_core::cstr::CName;
use ceph_core::{Result, check, grow};

use crate::buffer::copy_bytes;
use crate::conn::c_buffer;
use crate::{IoCtx, Name, ffi};

/// Extended attributes: names with values, both small, that belong to an object. Values are bytes and may be empty.
///
/// ```no_run
/// # fn main() -> rados::Result<()> {
/// # let conn = rados::Conn::builder().default_config_file().connect()?;
/// # let pool = conn.ioctx("rbd")?;
/// pool.setxattr("object", "type", b"text/plain")?;
/// assert_eq!(pool.getxattr("object", "type")?, b"text/plain");
/// for (name, value) in pool.getxattrs("object")? {
///     println!("{name}: {} bytes", value.len());
/// }
/// # Ok(()) }
/// ```
impl IoCtx {
    /// The value of the extended attribute `name`. Blocks.
    ///
    /// # Errors
    /// `NoData` when there is no such attribute; `NotFound`; `OutOfRange` when the value is longer than 8 MiB, which
    /// OSDs allow only with an unusual `osd_max_attr_size`.
    #[doc(alias = "rados_getxattr")]
    pub fn getxattr(&self, object: impl AsRef<[u8]>, name: impl AsRef<[u8]>) -> Result<Vec<u8>> {
        const OP: &str = "rados_getxattr";
        let object = object.as_ref();
        let attribute = CName::new(OP, "attribute's name", name)?;
        let name = CName::new(OP, "object name", object)?;
        let raw = self.raw_blocking(OP)?;
        let mut value_len = 0;
        let value = grow::doubling(OP, libc::ERANGE, |buffer| {
            let len = buffer.len();
            // SAFETY: `raw` is open, the names live until the call returns, and C writes at most `len` bytes,
            // the buffer's length.
            let code = unsafe {
                ffi::rados_getxattr(
                    raw,
                    name.as_ptr(),
                    attribute.as_ptr(),
                    c_buffer(buffer),
                    len,
                )
            };
            value_len = usize::try_from(code).unwrap_or_default();
            code
        });
        let mut value = value.map_err(|error| error.on(self.subject(Some(object))))?;
        value.truncate(value_len);
        Ok(value)
    }

    /// Sets the extended attribute `name`, creating the object if need be. Blocks.
    ///
    /// # Errors
    /// `TooBig` or `NameTooLong` as the OSDs' `osd_max_attr_size` and `osd_max_attr_name_len` say.
    #[doc(alias = "rados_setxattr")]
    pub fn setxattr(
        &self,
        object: impl AsRef<[u8]>,
        name: impl AsRef<[u8]>,
        value: impl AsRef<[u8]>,
    ) -> Result<()> {
        const OP: &str = "rados_setxattr";
        let attribute = CName::new(OP, "attribute's name", name)?;
        let value = value.as_ref();
        self.write_op(OP, object.as_ref(), value, |raw, name, value, len| {
            // SAFETY: as `write_op` promises; the attribute's name lives until the call returns.
            unsafe { ffi::rados_setxattr(raw, name, attribute.as_ptr(), value, len) }
        })
    }

    /// Removes the extended attribute `name`. Blocks.
    ///
    /// # Errors
    /// `NotFound` when there is no such object.
    #[doc(alias = "rados_rmxattr")]
    pub fn rmxattr(&self, object: impl AsRef<[u8]>, name: impl AsRef<[u8]>) -> Result<()> {
        const OP: &str = "rados_rmxattr";
        let attribute = CName::new(OP, "attribute's name", name)?;
        self.object_op(OP, object.as_ref(), |raw, name| {
            // SAFETY: as `object_op` promises; the attribute's name lives until the call returns.
            unsafe { ffi::rados_rmxattr(raw, name, attribute.as_ptr()) }
        })
    }

    /// All extended attributes of the object: their names and values. Blocks.
    ///
    /// # Errors
    /// `NotFound`.
    #[doc(alias = "rados_getxattrs")]
    #[doc(alias = "rados_getxattrs_next")]
    #[doc(alias = "rados_getxattrs_end")]
    pub fn getxattrs(&self, object: impl AsRef<[u8]>) -> Result<BTreeMap<Name, Vec<u8>>> {
        let attributes = Attributes::new();
        self.object_op("rados_getxattrs", object.as_ref(), |raw, name| {
            // SAFETY: as `object_op` promises; the output is ours and outlives the call.
            unsafe { ffi::rados_getxattrs(raw, name, attributes.as_ptr()) }
        })?;
        attributes.collect()
    }
}

/// C's iterator over attributes, once C has made it.
pub(crate) struct Attributes(Slot<ffi::rados_xattrs_iter_t>);

// SAFETY: the iterator has no tie to a thread, and has one owner.
unsafe impl Send for Attributes {}
// SAFETY: through `&` only the slot's pointer can be had.
unsafe impl Sync for Attributes {}

impl Attributes {
    pub(crate) fn new() -> Self {
        Self(Slot::new(ffi::rados_xattrs_iter_t(ptr::null_mut())))
    }

    /// Where C is to put its iterator.
    pub(crate) fn as_ptr(&self) -> *mut ffi::rados_xattrs_iter_t {
        self.0.as_ptr()
    }

    fn raw(&mut self) -> ffi::rados_xattrs_iter_t {
        // SAFETY: with `&mut`, no operation writes to it any more.
        unsafe { *self.0.as_ptr() }
    }

    /// All of them. Only after the operation has succeeded.
    pub(crate) fn collect(mut self) -> Result<BTreeMap<Name, Vec<u8>>> {
        let mut all = BTreeMap::new();
        loop {
            let (mut name, mut value) = (ptr::null::<c_char>(), ptr::null::<c_char>());
            let mut len = 0;
            let raw = self.raw();
            // SAFETY: the operation has made the iterator, and the outputs are this function's.
            let code = unsafe {
                ffi::rados_getxattrs_next(raw, &raw mut name, &raw mut value, &raw mut len)
            };
            check("rados_getxattrs_next", code)?;
            if name.is_null() {
                return Ok(all);
            }
            // SAFETY: C gives a C string, which lives until the next call.
            let name = unsafe { CStr::from_ptr(name) }.to_bytes().to_vec();
            // SAFETY: `value` has `len` bytes, or is NULL if it has none, until the next call.
            let value = unsafe { copy_bytes(value, len) };
            all.insert(name.into(), value);
        }
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        let raw = self.raw();
        if !raw.0.is_null() {
            // SAFETY: C made it, and nobody uses it after this.
            unsafe { ffi::rados_getxattrs_end(raw) }
        }
    }
}
