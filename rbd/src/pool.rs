//! A pool for images: preparing it, and what is in it.

use std::ptr;

use ceph_core::check;
use rados::{Force, IoCtx, Result};

use crate::{ffi, subject};

/// Marks a pool as used by RBD, and prepares it for snapshots. Blocks. Needs the feature `pool-stats`.
///
/// Images can be created without that, but only in a pool with the mark do the manager's
/// [tasks](crate::task_list) and [schedules](crate::Scheduler) work. Does nothing when it is done already.
///
/// # Errors
/// `PermissionDenied` when the user may not, or when the pool is another application's and `force` is `No`;
/// `InvalidArgument` when the pool has snapshots of its own; `Unsupported` where the library lacks the function.
#[doc(alias = "rbd_pool_init")]
pub fn pool_init(ioctx: &IoCtx, force: Force) -> Result<()> {
    const OP: &str = "rbd_pool_init";
    let init = ffi::optional(&ffi::rbd_pool_init)?;
    ioctx.conn().check_blocking(OP)?;
    // SAFETY: the pool's handle is open.
    let code = unsafe { init(ioctx.as_raw(), force == Force::Yes) };
    check(OP, code)
        .map(drop)
        .map_err(|error| error.on(subject(ioctx, "")))
}

/// What is in a pool and namespace; made by [`pool_stats`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct PoolStats {
    /// Of images.
    pub images: ImageTotals,
    /// Of images in the trash.
    pub trash: ImageTotals,
}

/// Sums over images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct ImageTotals {
    /// How many there are.
    pub images: u64,
    /// The bytes that they have.
    pub provisioned_bytes: u64,
    /// The bytes that they have, each as it was when it was largest: now or in one of its snapshots.
    pub max_provisioned_bytes: u64,
    /// How many snapshots they have.
    pub snapshots: u64,
}

/// What is in the pool and namespace of `ioctx`. Blocks: every image is looked at. Needs the feature
/// `pool-stats`.
///
/// ```no_run
/// # fn main() -> rbd::Result<()> {
/// # let conn = rados::Conn::builder().default_config_file().connect()?;
/// let stats = rbd::pool_stats(&conn.ioctx("rbd")?)?;
/// println!("{} images, {} bytes", stats.images.images, stats.images.provisioned_bytes);
/// # Ok(()) }
/// ```
///
/// # Errors
/// `PermissionDenied`; `NotFound` when the pool has been deleted; `Unsupported` where the library lacks the function.
#[doc(alias = "rbd_pool_stats_create")]
#[doc(alias = "rbd_pool_stats_option_add_uint64")]
#[doc(alias = "rbd_pool_stats_get")]
#[doc(alias = "rbd_pool_stats_destroy")]
pub fn pool_stats(ioctx: &IoCtx) -> Result<PoolStats> {
    const OP: &str = "rbd_pool_stats_get";
    const OPTIONS: [ffi::rbd_pool_stat_option_t; 8] = [
        ffi::RBD_POOL_STAT_OPTION_IMAGES,
        ffi::RBD_POOL_STAT_OPTION_IMAGE_PROVISIONED_BYTES,
        ffi::RBD_POOL_STAT_OPTION_IMAGE_MAX_PROVISIONED_BYTES,
        ffi::RBD_POOL_STAT_OPTION_IMAGE_SNAPSHOTS,
        ffi::RBD_POOL_STAT_OPTION_TRASH_IMAGES,
        ffi::RBD_POOL_STAT_OPTION_TRASH_PROVISIONED_BYTES,
        ffi::RBD_POOL_STAT_OPTION_TRASH_MAX_PROVISIONED_BYTES,
        ffi::RBD_POOL_STAT_OPTION_TRASH_SNAPSHOTS,
    ];
    let create = ffi::optional(&ffi::rbd_pool_stats_create)?;
    let destroy = ffi::optional(&ffi::rbd_pool_stats_destroy)?;
    let add = ffi::optional(&ffi::rbd_pool_stats_option_add_uint64)?;
    let get = ffi::optional(&ffi::rbd_pool_stats_get)?;
    ioctx.conn().check_blocking(OP)?;
    ioctx.pool_name()?; // to C a deleted pool is an empty one
    let mut values = [0; OPTIONS.len()];
    let mut raw = ffi::rbd_pool_stats_t(ptr::null_mut());
    // SAFETY: the output is this function's.
    unsafe { create(&raw mut raw) };
    let stats = Stats { raw, destroy };
    let start = (&raw mut values).cast::<u64>();
    for (n, option) in OPTIONS.into_iter().enumerate() {
        let value = start.wrapping_add(n);
        let option = option.0.cast_signed();
        // SAFETY: the object exists; the value is in `values`, which outlives `stats`.
        check(OP, unsafe { add(stats.raw, option, value) })?;
    }
    // SAFETY: the pool's handle is open, and C writes to `values` only.
    let code = unsafe { get(ioctx.as_raw(), stats.raw) };
    check(OP, code).map_err(|error| error.on(subject(ioctx, "")))?;
    drop(stats);
    let [images, trash] = [0, 4].map(|first| ImageTotals {
        images: values[first],
        provisioned_bytes: values[first + 1],
        max_provisioned_bytes: values[first + 2],
        snapshots: values[first + 3],
    });
    Ok(PoolStats { images, trash })
}

/// Owns a `rbd_pool_stats_t`.
struct Stats {
    raw: ffi::rbd_pool_stats_t,
    destroy: unsafe extern "C" fn(ffi::rbd_pool_stats_t),
}

impl Drop for Stats {
    fn drop(&mut self) {
        // SAFETY: it exists, and this frees it once.
        unsafe { (self.destroy)(self.raw) }
    }
}
