//! Handles whose writes do not wait for a full pool.

use ceph_core::Result;

use crate::IoCtx;

impl IoCtx {
    /// A new handle on the same pool, namespace and locator key, whose writes to a full pool fail where those
    /// of others wait: with `QuotaExceeded` over the pool's quota, with `NoSpace` on a full cluster. Changes that
    /// take no more space, such as removals, succeed.
    ///
    /// ```no_run
    /// # fn main() -> rados::Result<()> {
    /// # let conn = rados::Conn::builder().default_config_file().connect()?;
    /// # let pool = conn.ioctx("rbd")?;
    /// match pool.with_full_try()?.write_full("object", b"data") {
    ///     Err(error) if error.kind() == rados::ErrorKind::QuotaExceeded => println!("no more"),
    ///     result => result?,
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Unsupported` where the library lacks it: Ceph 14 does.
    #[doc(alias = "rados_set_pool_full_try")]
    #[doc(alias = "rados_unset_pool_full_try")]
    pub fn with_full_try(&self) -> Result<Self> {
        self.altered(|state| state.full_try = true)
    }
}
