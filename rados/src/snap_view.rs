//! A pool as it was.

use std::collections::BTreeMap;

use ceph_core::{Completion, IoBufMut, Result};

use crate::{IoCtx, Name, ObjectStat, ReadOp, Results, SnapId};

/// A pool's objects as they were at a snapshot, of the pool or self-managed, for reading.
///
/// Made by [`IoCtx::at_snapshot`]. The methods are those of [`IoCtx`] with the same names. All fail with
/// `NotFound` for an object that was not there at the snapshot.
///
/// Whether the snapshot exists Ceph asks at each object, and answers by what it has kept: when it has been
/// removed, an object that was changed since is not found, but one that was not is read as it is now.
///
/// Ceph has no listing of what a snapshot holds. [`IoCtx::list_objects`] lists what is there now, and what
/// has been removed as long as a snapshot has it: which of these the snapshot has, [`stat`](Self::stat)
/// tells.
#[derive(Debug, Clone)]
pub struct SnapView {
    // Reads of its handle are at the snapshot, and writes fail.
    ioctx: IoCtx,
    snapshot: SnapId,
}

impl IoCtx {
    /// The objects of the pool and namespace as they were at a snapshot. Does not block, nor ask whether
    /// there is such a snapshot.
    ///
    /// ```no_run
    /// # fn main() -> rados::Result<()> {
    /// # let conn = rados::Conn::builder().default_config_file().connect()?;
    /// let pool = conn.ioctx("data")?;
    /// let then = pool.at_snapshot(pool.snap_lookup("before-upgrade")?)?;
    /// println!("{} bytes", then.stat("object")?.size);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `NotConnected` in a forked child.
    #[doc(alias = "rados_ioctx_snap_set_read")]
    pub fn at_snapshot(&self, snapshot: SnapId) -> Result<SnapView> {
        let ioctx = self.altered(|state| state.snapshot = Some(snapshot))?;
        Ok(SnapView { ioctx, snapshot })
    }
}

impl SnapView {
    /// The snapshot.
    pub fn snapshot(&self) -> SnapId {
        self.snapshot
    }

    /// The namespace; `""` is the default one.
    pub fn namespace(&self) -> &str {
        self.ioctx.namespace()
    }

    /// As [`IoCtx::read`].
    ///
    /// # Errors
    /// As there.
    pub fn read(&self, object: impl AsRef<[u8]>, buffer: &mut [u8], offset: u64) -> Result<usize> {
        self.ioctx.read(object, buffer, offset)
    }

    /// As [`IoCtx::stat`].
    ///
    /// # Errors
    /// As there.
    pub fn stat(&self, object: impl AsRef<[u8]>) -> Result<ObjectStat> {
        self.ioctx.stat(object)
    }

    /// As [`IoCtx::getxattr`].
    ///
    /// # Errors
    /// As there.
    pub fn getxattr(&self, object: impl AsRef<[u8]>, name: impl AsRef<[u8]>) -> Result<Vec<u8>> {
        self.ioctx.getxattr(object, name)
    }

    /// As [`IoCtx::getxattrs`].
    ///
    /// # Errors
    /// As there.
    pub fn getxattrs(&self, object: impl AsRef<[u8]>) -> Result<BTreeMap<Name, Vec<u8>>> {
        self.ioctx.getxattrs(object)
    }

    /// As [`IoCtx::operate_read`].
    ///
    /// # Errors
    /// As there.
    pub fn operate_read(&self, object: impl AsRef<[u8]>, op: ReadOp) -> Result<Results> {
        self.ioctx.operate_read(object, op)
    }

    /// As [`IoCtx::aio_operate_read`].
    pub fn aio_operate_read(
        &self,
        object: impl AsRef<[u8]>,
        op: ReadOp,
    ) -> Completion<Result<Results>> {
        self.ioctx.aio_operate_read(object, op)
    }

    /// As [`IoCtx::aio_read`].
    pub fn aio_read<B: IoBufMut>(
        &self,
        object: impl AsRef<[u8]>,
        buffer: B,
        offset: u64,
    ) -> Completion<(Result<usize>, B)> {
        self.ioctx.aio_read(object, buffer, offset)
    }

    /// As [`IoCtx::aio_stat`].
    pub fn aio_stat(&self, object: impl AsRef<[u8]>) -> Completion<Result<ObjectStat>> {
        self.ioctx.aio_stat(object)
    }

    /// As [`IoCtx::aio_getxattr`].
    pub fn aio_getxattr<B: IoBufMut>(
        &self,
        object: impl AsRef<[u8]>,
        name: impl AsRef<[u8]>,
        buffer: B,
    ) -> Completion<(Result<usize>, B)> {
        self.ioctx.aio_getxattr(object, name, buffer)
    }

    /// As [`IoCtx::aio_getxattrs`].
    pub fn aio_getxattrs(
        &self,
        object: impl AsRef<[u8]>,
    ) -> Completion<Result<BTreeMap<Name, Vec<u8>>>> {
        self.ioctx.aio_getxattrs(object)
    }
}
