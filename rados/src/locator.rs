//! Handles with a locator key.

use ceph_core::Result;

use crate::{IoCtx, Name};

impl IoCtx {
    /// A new handle on the same pool and namespace, whose objects are placed by `key` instead of by their
    /// names; `""` is no key. Objects with the same key are in the same placement group.
    ///
    /// The key is part of an object's identity: it is found again only with the key that it was written with,
    /// which listings tell.
    ///
    /// ```no_run
    /// # fn main() -> rados::Result<()> {
    /// # let conn = rados::Conn::builder().default_config_file().connect()?;
    /// # let pool = conn.ioctx("rbd")?;
    /// let together = pool.with_locator("invoice-7")?;
    /// together.write_full("invoice-7.head", b"...")?;
    /// together.write_full("invoice-7.body", b"...")?;
    /// for object in pool.list_objects()? {
    ///     let object = object?;
    ///     let key = object.locator.unwrap_or_default();
    ///     pool.with_locator(key)?.remove(&object.name)?;
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `InvalidArgument` for a key with a NUL byte. Operations fail with `NameTooLong` when the key is longer
    /// than the OSDs' `osd_max_object_name_len` (2048 by default).
    #[doc(alias = "rados_ioctx_locator_set_key")]
    pub fn with_locator(&self, key: impl AsRef<[u8]>) -> Result<Self> {
        self.altered(|state| state.locator = key.as_ref().to_vec().into())
    }

    /// The locator key, if there is one.
    pub fn locator(&self) -> Option<&Name> {
        Some(&self.state().locator).filter(|key| !key.as_bytes().is_empty())
    }
}
