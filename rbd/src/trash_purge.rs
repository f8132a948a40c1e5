//! Emptying the trash.

use std::ops::ControlFlow;
use std::time::{SystemTime, UNIX_EPOCH};

use ceph_core::callback::with_progress;
use ceph_core::check;
use rados::{Error, IoCtx, Result};

use crate::removing::alone;
use crate::{ffi, subject};

/// Which images [`trash_purge`] removes, of those that users put in the trash.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum TrashPurge {
    /// Those whose deferment has ended.
    Expired,
    /// Those whose deferment ends by this time, past or future; parts of a second are cut off.
    ExpiredBefore(SystemTime),
    /// Whatever their deferment, as many as it takes to use no more than this part, from 0 to 1, of the
    /// pool's space: first those whose deferment ends first. What is used is known to the cluster with
    /// a delay of some seconds.
    UsedAbove(f32),
}

impl TrashPurge {
    /// The time and the threshold for C, where -1 is none.
    fn to_c(self, op: &'static str) -> Result<(i64, f32)> {
        match self {
            Self::Expired => Ok((seconds(SystemTime::now()), -1.0)),
            Self::ExpiredBefore(time) => Ok((seconds(time), -1.0)),
            Self::UsedAbove(part) if (0.0..=1.0).contains(&part) => Ok((0, part)),
            Self::UsedAbove(part) => {
                let hint = format!("{part} is no part of a pool: it must be from 0 to 1");
                Err(Error::refused(op, libc::EINVAL, hint))
            }
        }
    }
}

/// To C 0 means now, and nothing ends before 1970.
fn seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX).max(1)
}

/// Removes images from the trash of the pool and namespace of `ioctx`. Blocks for as long as that takes, and as other
/// threads remove images there by this connection. Needs the feature `trash-purge`.
///
/// ```no_run
/// # fn main() -> rbd::Result<()> {
/// # let conn = rados::Conn::builder().default_config_file().connect()?;
/// rbd::trash_purge(&conn.ioctx("rbd")?, rbd::TrashPurge::Expired)
/// # }
/// ```
///
/// # Errors
/// `NotEmpty` when an image has snapshots, `Busy` when it is open; others are removed all the same,
/// from Ceph 16 on.
/// `InvalidArgument` for a part of the pool that is not from 0 to 1; `Unsupported` where the library
/// lacks the function.
#[doc(alias = "rbd_trash_purge")]
pub fn trash_purge(ioctx: &IoCtx, what: TrashPurge) -> Result<()> {
    const OP: &str = "rbd_trash_purge";
    let purge = ffi::optional(&ffi::rbd_trash_purge)?;
    let located = |error: Error| error.on(subject(ioctx, ""));
    let (time, threshold) = what.to_c(OP).map_err(located)?;
    ioctx.conn().check_blocking(OP)?;
    let purged = alone(ioctx, None, || {
        // SAFETY: the pool's handle is open.
        check(OP, unsafe { purge(ioctx.as_raw(), time, threshold) })
    });
    purged.map(drop).map_err(located)
}

/// As [`trash_purge`], reporting images done and their total to `progress`, which runs on a thread of
/// the library's or on the caller's. A break only ends the reports.
///
/// # Errors
/// As [`trash_purge`].
///
/// # Panics
/// When `progress` does, after the library is done.
#[doc(alias = "rbd_trash_purge_with_progress")]
pub fn trash_purge_with_progress(
    ioctx: &IoCtx,
    what: TrashPurge,
    mut progress: impl FnMut(u64, u64) -> ControlFlow<()> + Send,
) -> Result<()> {
    const OP: &str = "rbd_trash_purge_with_progress";
    let purge = ffi::optional(&ffi::rbd_trash_purge_with_progress)?;
    let located = |error: Error| error.on(subject(ioctx, ""));
    let (time, threshold) = what.to_c(OP).map_err(located)?;
    ioctx.conn().check_blocking(OP)?;
    let purged = alone(ioctx, None, || {
        with_progress(OP, &mut progress, |callback, arg| {
            // SAFETY: the pool's handle is open, and `arg` is what `with_progress` made for `callback`.
            unsafe { purge(ioctx.as_raw(), time, threshold, Some(callback), arg) }
        })
    });
    purged.map(drop).map_err(located)
}
