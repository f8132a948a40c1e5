//! Listing the objects of a pool.

use std::ffi::{CStr, c_char};
use std::iter::FusedIterator;
use std::ptr;

use ceph_core::{Error, Result, check};

use crate::buffer::copy_bytes;
use crate::ioctx::ALL_NAMESPACES;
use crate::{IoCtx, Name, ffi};

/// An object in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct ObjectEntry {
    /// The object's name.
    pub name: Name,
    /// The namespace it is in; empty for the default one.
    pub namespace: Name,
    /// The locator key that it was written with, if that is not its name.
    pub locator: Option<Name>,
}

/// The objects of a pool, one by one; made by [`IoCtx::list_objects`].
///
/// `next` blocks whenever it needs another page from an OSD. After an error it ends. Objects that
/// are created or removed meanwhile may or may not be listed. So are removed objects that a snapshot has.
pub struct ObjectIter {
    raw: ffi::rados_list_ctx_t,
    done: bool,
    // The listing reads this handle's namespace at every page, so it is nobody else's.
    ioctx: IoCtx,
}

// SAFETY: a listing has no tie to a thread, and `&mut self` keeps its users apart.
unsafe impl Send for ObjectIter {}

impl IoCtx {
    /// Lists the objects in this handle's namespace.
    ///
    /// ```no_run
    /// # fn main() -> rados::Result<()> {
    /// # let conn = rados::Conn::builder().default_config_file().connect()?;
    /// for object in conn.ioctx("rbd")?.list_objects()? {
    ///     println!("{}", object?.name);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `NotFound` when the pool has been deleted; the iterator's items fail as reads do.
    #[doc(alias = "rados_nobjects_list_open")]
    #[doc(alias = "rados_nobjects_list_next")]
    #[doc(alias = "rados_nobjects_list_next2")]
    pub fn list_objects(&self) -> Result<ObjectIter> {
        self.list_in(self.namespace())
    }

    /// Lists the objects in all namespaces of the pool.
    ///
    /// # Errors
    /// As [`list_objects`](Self::list_objects).
    #[doc(alias = "rados_nobjects_list_open")]
    pub fn list_objects_all_namespaces(&self) -> Result<ObjectIter> {
        self.list_in(ALL_NAMESPACES)
    }

    fn list_in(&self, namespace: &str) -> Result<ObjectIter> {
        const OP: &str = "rados_nobjects_list_open";
        let ioctx = Self::open_by_id(self.conn(), self.pool_id()?, namespace)?;
        let mut raw = ffi::rados_list_ctx_t(ptr::null_mut());
        // SAFETY: the handle is open and kept by the iterator; `raw` is this function's.
        let code = unsafe { ffi::rados_nobjects_list_open(ioctx.raw(OP)?, &raw mut raw) };
        check(OP, code).map_err(|error| error.on(self.subject(None)))?;
        Ok(ObjectIter {
            raw,
            done: false,
            ioctx,
        })
    }
}

impl ObjectIter {
    fn advance(&mut self) -> Result<Option<ObjectEntry>> {
        const OP: &str = "rados_nobjects_list_next2";
        self.ioctx.raw_blocking(OP)?;
        let (mut name, mut locator, mut namespace) = (Part::NONE, Part::NONE, Part::NONE);
        let code = if let Some(next2) = ffi::rados_nobjects_list_next2.get() {
            // SAFETY: `raw` is an open listing, used by nobody else; the outputs are this function's.
            unsafe {
                next2(
                    self.raw,
                    &raw mut name.data,
                    &raw mut locator.data,
                    &raw mut namespace.data,
                    &raw mut name.len,
                    &raw mut locator.len,
                    &raw mut namespace.len,
                )
            }
        } else {
            // SAFETY: as above.
            let code = unsafe {
                ffi::rados_nobjects_list_next(
                    self.raw,
                    &raw mut name.data,
                    &raw mut locator.data,
                    &raw mut namespace.data,
                )
            };
            for part in [&mut name, &mut locator, &mut namespace] {
                part.measure();
            }
            code
        };
        match check(OP, code) {
            Ok(_) => Ok(Some(ObjectEntry {
                name: name.copy(),
                namespace: namespace.copy(),
                locator: Some(locator.copy()).filter(|locator| !locator.as_bytes().is_empty()),
            })),
            Err(error) if error.errno().raw() == libc::ENOENT => Ok(None),
            Err(error) => Err(self.located(error)),
        }
    }

    #[cold]
    fn located(&self, error: Error) -> Error {
        error.on(self.ioctx.pool_name().unwrap_or_default())
    }
}

/// A string of the library's, valid until the listing's next call.
struct Part {
    data: *const c_char,
    len: usize,
}

impl Part {
    const NONE: Self = Self {
        data: ptr::null(),
        len: 0,
    };

    /// Takes the length of a string that the library gave without one.
    fn measure(&mut self) {
        if !self.data.is_null() {
            // SAFETY: the library set `data` to a C string, and the listing has not been called since.
            self.len = unsafe { CStr::from_ptr(self.data) }.count_bytes();
        }
    }

    fn copy(&self) -> Name {
        // SAFETY: the library set `data` to `len` bytes or left it NULL, and the listing has not
        // been called since.
        Name::from(unsafe { copy_bytes(self.data, self.len) })
    }
}

impl Iterator for ObjectIter {
    type Item = Result<ObjectEntry>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let item = self.advance().transpose();
        self.done = !matches!(item, Some(Ok(_)));
        item
    }
}

impl FusedIterator for ObjectIter {}

impl Drop for ObjectIter {
    fn drop(&mut self) {
        if self.ioctx.raw("rados_nobjects_list_close").is_ok() {
            // SAFETY: the listing is open, and `ioctx`, which it points to, is dropped after this.
            unsafe { ffi::rados_nobjects_list_close(self.raw) }
        }
    }
}
