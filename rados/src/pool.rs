//! Pools: create, delete, list, look up.

use ceph_core::cstr::{CName, text};
use ceph_core::{Result, check, grow};

use crate::conn::c_buffer;
use crate::{Conn, ffi};

/// Whether to insist on what the cluster would refuse to protect its user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Force {
    /// Do not insist.
    #[default]
    No,
    /// Insist.
    Yes,
}

impl Conn {
    /// Creates a replicated pool with the cluster's default settings. Blocks until it is known
    /// here.
    ///
    /// # Errors
    /// `AlreadyExists`; `InvalidArgument` for an empty name or one with a NUL byte;
    /// `PermissionDenied`.
    #[doc(alias = "rados_pool_create")]
    pub fn pool_create(&self, pool: &str) -> Result<()> {
        const OP: &str = "rados_pool_create";
        let raw = self.raw_blocking(OP)?;
        let name = CName::new(OP, "pool name", pool)?;
        // SAFETY: `raw` is connected, and `name` lives until the call returns.
        let code = unsafe { ffi::rados_pool_create(raw, name.as_ptr()) };
        check(OP, code).map(drop).map_err(|error| error.on(pool))
    }

    /// Creates a replicated pool whose placement follows the CRUSH rule with this number. Blocks until it is
    /// known here. [`pool_create_with`](Self::pool_create_with) takes rules by name, and more.
    ///
    /// # Errors
    /// `AlreadyExists`; `NotFound` when there is no such rule; `InvalidArgument` for an empty name or one with a
    /// NUL byte; `PermissionDenied`.
    #[doc(alias = "rados_pool_create_with_crush_rule")]
    pub fn pool_create_with_crush_rule(&self, pool: &str, rule: u8) -> Result<()> {
        const OP: &str = "rados_pool_create_with_crush_rule";
        let raw = self.raw_blocking(OP)?;
        let name = CName::new(OP, "pool name", pool)?;
        // SAFETY: `raw` is connected, and `name` lives until the call returns.
        let code = unsafe { ffi::rados_pool_create_with_crush_rule(raw, name.as_ptr(), rule) };
        check(OP, code).map(drop).map_err(|error| error.on(pool))
    }

    /// Deletes a pool with everything in it. Blocks.
    ///
    /// # Errors
    /// `NotFound`; `PermissionDenied` when the user may not, or when the cluster's option
    /// `mon_allow_pool_delete` is false.
    #[doc(alias = "rados_pool_delete")]
    pub fn pool_delete(&self, pool: &str) -> Result<()> {
        const OP: &str = "rados_pool_delete";
        let raw = self.raw_blocking(OP)?;
        let name = CName::new(OP, "pool name", pool)?;
        // SAFETY: `raw` is connected, and `name` lives until the call returns.
        let code = unsafe { ffi::rados_pool_delete(raw, name.as_ptr()) };
        check(OP, code).map(drop).map_err(|error| {
            let error = error.on(pool);
            match error.errno().raw() {
                libc::EPERM => error.hint("is mon_allow_pool_delete set on the monitors?"),
                _ => error,
            }
        })
    }

    /// The names of all pools, as this client's osdmap has them.
    ///
    /// In a name that is not UTF-8 the bytes that are not become U+FFFD.
    #[doc(alias = "rados_pool_list")]
    pub fn pool_list(&self) -> Result<Vec<String>> {
        const OP: &str = "rados_pool_list";
        let raw = self.raw(OP)?;
        let names = grow::needed(OP, |buffer| {
            // SAFETY: `raw` is connected, and C writes at most the buffer's length.
            unsafe { ffi::rados_pool_list(raw, c_buffer(buffer), buffer.len()) }
        })?;
        Ok(names
            .split(|&byte| byte == 0)
            .filter(|name| !name.is_empty())
            .map(text)
            .collect())
    }

    /// The id of the pool with this name.
    ///
    /// # Errors
    /// `NotFound`; `InvalidArgument` when the name holds a NUL byte.
    #[doc(alias = "rados_pool_lookup")]
    pub fn pool_lookup(&self, pool: &str) -> Result<i64> {
        const OP: &str = "rados_pool_lookup";
        let raw = self.raw_blocking(OP)?;
        let name = CName::new(OP, "pool name", pool)?;
        // SAFETY: `raw` is connected, and `name` lives until the call returns.
        let code = unsafe { ffi::rados_pool_lookup(raw, name.as_ptr()) };
        check(OP, code)
            .map(u64::cast_signed)
            .map_err(|error| error.on(pool))
    }

    /// The name of the pool with this id.
    ///
    /// # Errors
    /// `NotFound`.
    #[doc(alias = "rados_pool_reverse_lookup")]
    pub fn pool_reverse_lookup(&self, id: i64) -> Result<String> {
        const OP: &str = "rados_pool_reverse_lookup";
        let raw = self.raw_blocking(OP)?;
        grow::doubling(OP, libc::ERANGE, |buffer| {
            // SAFETY: `raw` is connected, and C writes at most the buffer's length.
            unsafe { ffi::rados_pool_reverse_lookup(raw, id, c_buffer(buffer), buffer.len()) }
        })
        .map(|buffer| text(&buffer))
        .map_err(|error| error.on(format!("pool id {id}")))
    }
}
