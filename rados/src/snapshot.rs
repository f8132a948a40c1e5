//! Snapshots of pools.

use std::fmt;
use std::time::SystemTime;

use ceph_core::cstr::{CName, until_nul};
use ceph_core::{Error, ErrorKind, Result, check, grow};

use crate::conn::c_buffer;
use crate::object::system_time;
use crate::{IoCtx, Name, ffi};

/// The id of a snapshot, of a pool or self-managed: unique in the pool, and larger than those of the
/// snapshots before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SnapId(u64);

impl SnapId {
    /// The largest; C's names for the present and for all snapshots follow.
    pub(crate) const MAX: u64 = ffi::LIBRADOS_SNAP_HEAD - 1;

    /// A snapshot's id from its number; `None` for 0 and for the two largest, which no snapshot has and
    /// which C takes for the present and for all snapshots.
    ///
    /// ```
    /// assert_eq!(rados::SnapId::new(7).unwrap().get(), 7);
    /// assert_eq!(rados::SnapId::new(0), None);
    /// ```
    pub fn new(id: u64) -> Option<Self> {
        (1..=Self::MAX).contains(&id).then_some(Self(id))
    }

    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }

    /// The id that C gave.
    pub(crate) fn from_c(op: &'static str, id: u64) -> Result<Self> {
        Self::new(id).ok_or_else(|| {
            let hint = format!("the cluster answered with {id}, which is no snapshot's id");
            Error::refused(op, libc::EBADMSG, hint)
        })
    }
}

impl fmt::Display for SnapId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A snapshot of a pool; see [`IoCtx::snap_list`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct PoolSnap {
    /// The id.
    pub id: SnapId,
    /// The name.
    pub name: Name,
    /// When it was taken, in whole seconds.
    pub created: SystemTime,
}

/// Snapshots of the whole pool, all namespaces included. Objects are copied when they are first changed
/// after a snapshot, by whatever client.
///
/// A pool has either these or [self-managed](Self::selfmanaged_snap_create) snapshots, and stays with the
/// kind that came first: one with RBD images cannot have these.
///
/// Those that change something block and ask a monitor. The others do not block and tell what this client
/// knows; it knows its own changes at once, and those of others after
/// [`Conn::wait_for_latest_osdmap`](crate::Conn::wait_for_latest_osdmap). All fail with `NotFound` when the
/// pool has been deleted (on Ceph 14, changes with `InvalidArgument`), and with `InvalidArgument` for a name with a NUL byte.
///
/// ```no_run
/// # fn main() -> rados::Result<()> {
/// # let conn = rados::Conn::builder().default_config_file().connect()?;
/// let pool = conn.ioctx("data")?;
/// pool.write_full("object", b"old")?;
/// let snapshot = pool.snap_create("before-upgrade")?;
/// pool.write_full("object", b"new")?;
///
/// let mut buffer = [0; 16];
/// let len = pool.at_snapshot(snapshot)?.read("object", &mut buffer, 0)?;
/// assert_eq!(&buffer[..len], b"old");
/// pool.snap_rollback("object", "before-upgrade")?;
/// # Ok(()) }
/// ```
impl IoCtx {
    /// Takes a snapshot of the pool.
    ///
    /// # Errors
    /// `AlreadyExists`; `InvalidArgument` for an empty name, and in a pool that has had self-managed
    /// snapshots.
    #[doc(alias = "rados_ioctx_snap_create")]
    pub fn snap_create(&self, snapshot: impl AsRef<[u8]>) -> Result<SnapId> {
        const OP: &str = "rados_ioctx_snap_create";
        let snapshot = snapshot.as_ref();
        if snapshot.is_empty() {
            // C takes it.
            let error = Error::refused(OP, libc::EINVAL, "the snapshot's name is empty");
            return Err(error.on(self.subject(None)));
        }
        let name = CName::new(OP, "snapshot's name", snapshot)?;
        let raw = self.raw_blocking(OP)?;
        // SAFETY: `raw` is open, and `name` lives until the call returns.
        let code = unsafe { ffi::rados_ioctx_snap_create(raw, name.as_ptr()) };
        check(OP, code).map_err(|error| {
            let error = error.on(self.snap_subject(snapshot));
            if error.errno().raw() == libc::EINVAL {
                let hint = "the pool may have had self-managed snapshots, as RBD's are; it then \
                    cannot have snapshots of the whole pool";
                return error.hint(hint);
            }
            error
        })?;
        self.snap_lookup(snapshot)
    }

    /// Removes a snapshot of the pool. The OSDs remove the objects' copies afterwards, one by one.
    ///
    /// # Errors
    /// `NotFound`.
    #[doc(alias = "rados_ioctx_snap_remove")]
    pub fn snap_remove(&self, snapshot: impl AsRef<[u8]>) -> Result<()> {
        const OP: &str = "rados_ioctx_snap_remove";
        let snapshot = snapshot.as_ref();
        let name = CName::new(OP, "snapshot's name", snapshot)?;
        let raw = self.raw_blocking(OP)?;
        // SAFETY: `raw` is open, and `name` lives until the call returns.
        let code = unsafe { ffi::rados_ioctx_snap_remove(raw, name.as_ptr()) };
        check(OP, code)
            .map(drop)
            .map_err(|error| error.on(self.snap_subject(snapshot)))
    }

    /// The id of the pool's snapshot with this name.
    ///
    /// # Errors
    /// `NotFound`.
    #[doc(alias = "rados_ioctx_snap_lookup")]
    pub fn snap_lookup(&self, snapshot: impl AsRef<[u8]>) -> Result<SnapId> {
        const OP: &str = "rados_ioctx_snap_lookup";
        let snapshot = snapshot.as_ref();
        let name = CName::new(OP, "snapshot's name", snapshot)?;
        let raw = self.raw(OP)?;
        let mut id = 0;
        // SAFETY: `raw` is open, `name` lives until the call returns, and `id` is this function's.
        let code = unsafe { ffi::rados_ioctx_snap_lookup(raw, name.as_ptr(), &raw mut id) };
        check(OP, code).map_err(|error| error.on(self.snap_subject(snapshot)))?;
        SnapId::from_c(OP, id)
    }

    /// The pool's snapshots, in the order of their ids; not the self-managed ones, which C does not list.
    #[doc(alias = "rados_ioctx_snap_list")]
    pub fn snap_list(&self) -> Result<Vec<PoolSnap>> {
        const OP: &str = "rados_ioctx_snap_list";
        let raw = self.raw(OP)?;
        let ids = grow::counted(OP, 0, |ids| {
            let len = i32::try_from(ids.len()).unwrap_or(i32::MAX);
            // SAFETY: `raw` is open, and C writes at most `len` elements, which `ids` has.
            unsafe { ffi::rados_ioctx_snap_list(raw, ids.as_mut_ptr(), len) }
        })
        .map_err(|error| error.on(self.subject(None)))?;
        let snaps = ids.into_iter().map(|id| {
            let id = SnapId::from_c(OP, id)?;
            let name = self.snap_name(id)?;
            let created = self.snap_created(id)?;
            Ok(PoolSnap { id, name, created })
        });
        // Those that were removed meanwhile are not there.
        let gone =
            |snap: &Result<_>| matches!(snap, Err(error) if error.kind() == ErrorKind::NotFound);
        snaps.filter(|snap| !gone(snap)).collect()
    }

    /// The name of a snapshot of the pool.
    ///
    /// # Errors
    /// `NotFound`, also for a self-managed snapshot, which has no name.
    #[doc(alias = "rados_ioctx_snap_get_name")]
    pub fn snap_name(&self, snapshot: SnapId) -> Result<Name> {
        const OP: &str = "rados_ioctx_snap_get_name";
        let raw = self.raw(OP)?;
        grow::doubling(OP, libc::ERANGE, |buffer| {
            let len = i32::try_from(buffer.len()).unwrap_or(i32::MAX);
            // SAFETY: `raw` is open, and C writes at most `len` bytes, the buffer's length.
            unsafe { ffi::rados_ioctx_snap_get_name(raw, snapshot.get(), c_buffer(buffer), len) }
        })
        .map(|buffer| Name::from(until_nul(&buffer).to_vec()))
        .map_err(|error| error.on(self.snap_subject(snapshot.to_string().as_bytes())))
    }

    /// When a snapshot of the pool was taken, in whole seconds.
    ///
    /// # Errors
    /// `NotFound`, also for a self-managed snapshot.
    #[doc(alias = "rados_ioctx_snap_get_stamp")]
    pub fn snap_created(&self, snapshot: SnapId) -> Result<SystemTime> {
        const OP: &str = "rados_ioctx_snap_get_stamp";
        let raw = self.raw(OP)?;
        let mut seconds = 0;
        // SAFETY: `raw` is open, and `seconds` is this function's.
        let code =
            unsafe { ffi::rados_ioctx_snap_get_stamp(raw, snapshot.get(), &raw mut seconds) };
        check(OP, code)
            .map(|_| system_time(seconds))
            .map_err(|error| error.on(self.snap_subject(snapshot.to_string().as_bytes())))
    }

    /// Makes the object what it was when the snapshot of the pool was taken: one that was not there then
    /// is removed. Blocks, until an OSD answers.
    ///
    /// # Errors
    /// `NotFound` when there is no such snapshot. An object that is not there, nor was, is no error.
    #[doc(alias = "rados_ioctx_snap_rollback")]
    pub fn snap_rollback(
        &self,
        object: impl AsRef<[u8]>,
        snapshot: impl AsRef<[u8]>,
    ) -> Result<()> {
        const OP: &str = "rados_ioctx_snap_rollback";
        let snapshot = CName::new(OP, "snapshot's name", snapshot)?;
        self.object_op(OP, object.as_ref(), |raw, name| {
            // SAFETY: as `object_op` promises; the snapshot's name lives until the call returns.
            unsafe { ffi::rados_ioctx_snap_rollback(raw, name, snapshot.as_ptr()) }
        })
    }

    /// `pool@snapshot`, for errors.
    #[cold]
    fn snap_subject(&self, snapshot: &[u8]) -> String {
        format!("{}@{}", self.subject(None), Name::from(snapshot.to_vec()))
    }
}
