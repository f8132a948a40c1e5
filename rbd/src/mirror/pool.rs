//! Calling C with a pool.

use ceph_core::check;
use rados::{IoCtx, Result};

use crate::subject;

/// Calls C with an open pool.
pub(super) fn with_pool(
    op: &'static str,
    ioctx: &IoCtx,
    call: impl FnOnce(rados::sys::rados_ioctx_t) -> i32,
) -> Result<()> {
    ioctx.conn().check_blocking(op)?;
    check(op, call(ioctx.as_raw()))
        .map(drop)
        .map_err(|error| error.on(subject(ioctx, "")))
}
