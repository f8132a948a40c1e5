//! Comparing objects with data, in the OSD.

use ceph_core::cstr::CName;
use ceph_core::{Result, check, mismatch};

use crate::{Comparison, IoCtx, ffi};

impl IoCtx {
    /// Compares the object's bytes from `offset` on with `data`. Past the object's end it has zeros. Needs the
    /// feature `cmpext`.
    ///
    /// ```no_run
    /// # fn main() -> rados::Result<()> {
    /// # let conn = rados::Conn::builder().default_config_file().connect()?;
    /// # let pool = conn.ioctx("rbd")?;
    /// match pool.cmpext("object", b"expected", 0)? {
    ///     rados::Comparison::Equal => println!("as expected"),
    ///     rados::Comparison::Differs { offset } => println!("differs from byte {offset} on"),
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `NotFound`; `Unsupported` where the library lacks it.
    #[doc(alias = "rados_cmpext")]
    pub fn cmpext(&self, object: impl AsRef<[u8]>, data: &[u8], offset: u64) -> Result<Comparison> {
        const OP: &str = "rados_cmpext";
        let cmpext = ffi::optional(&ffi::rados_cmpext)?;
        let object = object.as_ref();
        let name = CName::new(OP, "object name", object)?;
        let raw = self.raw_blocking(OP)?;
        // SAFETY: `raw` is open, and the name and the data live until the call returns.
        let code = unsafe { cmpext(raw, name.as_ptr(), data.as_ptr().cast(), data.len(), offset) };
        match mismatch(code.into()) {
            Some(offset) => Ok(Comparison::Differs { offset }),
            None => check(OP, code)
                .map(|_| Comparison::Equal)
                .map_err(|error| error.on(self.subject(Some(object)))),
        }
    }
}
