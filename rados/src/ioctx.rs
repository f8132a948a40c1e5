//! The handle on a pool.

use std::fmt;
use std::ptr;
use std::sync::Arc;

use ceph_core::aio::Tracker;
use ceph_core::cstr::{CName, text};
use ceph_core::{Error, Result, check, grow};

use crate::conn::c_buffer;
use crate::{Conn, Name, SnapContext, SnapId, ffi};

/// What librados takes for "all namespaces" in a listing.
pub(crate) const ALL_NAMESPACES: &str = "\u{1}";

/// A pool opened for I/O, and the namespace in it (`rados_ioctx_t`).
///
/// Made by [`Conn::ioctx`]. Clones share the C handle. The namespace is fixed when the handle is
/// made, because changing it under other users of the handle would be a race:
/// [`with_namespace`](Self::with_namespace) makes a new one. So do [`with_locator`](Self::with_locator),
/// [`with_full_try`](Self::with_full_try) and [`with_snap_context`](Self::with_snap_context), which keep
/// what the handle had.
///
/// ```no_run
/// # fn main() -> rados::Result<()> {
/// # let conn = rados::Conn::builder().default_config_file().connect()?;
/// let pool = conn.ioctx("rbd")?;
/// let tenant = pool.with_namespace("tenant-1")?;
/// tenant.write_full("object", b"not seen in the pool's default namespace")?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct IoCtx {
    inner: Arc<IoCtxInner>,
}

struct IoCtxInner {
    raw: ffi::rados_ioctx_t,
    tracker: Tracker,
    state: State,
    // After `raw` has been destroyed.
    conn: Conn,
}

/// What librados keeps per handle: fixed when that is made.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    pub(crate) namespace: String,
    /// Empty for none.
    pub(crate) locator: Name,
    /// Whether a write to a full pool fails instead of waiting.
    pub(crate) full_try: bool,
    pub(crate) snap_context: SnapContext,
    /// What is read, if not what is there now.
    pub(crate) snapshot: Option<SnapId>,
}

// SAFETY: a rados_ioctx_t is a reference-counted IoCtxImpl with no tie to a thread.
unsafe impl Send for IoCtxInner {}
// SAFETY: librados.h warns only of the functions that change an ioctx (namespace, locator, snapshot
// contexts); they are called before the handle is shared, or on a private one. Operations lock.
unsafe impl Sync for IoCtxInner {}

/// Objects, space and traffic of a pool, as the OSDs last reported them: a few seconds old.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PoolStat {
    /// Space used in bytes.
    pub bytes: u64,
    /// Bytes that users wrote, before replication and compression.
    pub user_bytes: u64,
    /// Number of objects.
    pub objects: u64,
    /// Number of clones of objects, which snapshots keep.
    pub object_clones: u64,
    /// Number of copies of objects, replicas included.
    pub object_copies: u64,
    /// Objects missing on their primary OSD.
    pub objects_missing_on_primary: u64,
    /// Objects found on no OSD.
    pub objects_unfound: u64,
    /// Objects with fewer copies than they should have.
    pub objects_degraded: u64,
    /// Read operations so far.
    pub reads: u64,
    /// Bytes read so far, in steps of 1 KiB.
    pub bytes_read: u64,
    /// Write operations so far.
    pub writes: u64,
    /// Bytes written so far, in steps of 1 KiB.
    pub bytes_written: u64,
    /// Bytes before compression, of what is compressed.
    pub compressed_bytes_orig: u64,
    /// Bytes after compression, of what is compressed.
    pub compressed_bytes: u64,
    /// Bytes allocated for what is compressed.
    pub compressed_bytes_alloc: u64,
}

impl IoCtx {
    pub(crate) fn open(conn: &Conn, pool: &str) -> Result<Self> {
        const OP: &str = "rados_ioctx_create";
        let cluster = conn.raw_blocking(OP)?;
        let name = CName::new(OP, "pool name", pool)?;
        let mut raw = ffi::rados_ioctx_t(ptr::null_mut());
        // SAFETY: `cluster` is connected, `name` lives until the call returns, `raw` is ours.
        let code = unsafe { ffi::rados_ioctx_create(cluster, name.as_ptr(), &raw mut raw) };
        check(OP, code).map_err(|error| error.on(pool))?;
        Ok(Self::from_raw(raw, State::default(), conn))
    }

    /// Opens a handle of its own on the pool, in `namespace`, which may be `ALL_NAMESPACES`.
    pub(crate) fn open_by_id(conn: &Conn, pool: i64, namespace: &str) -> Result<Self> {
        let namespace = namespace.to_owned();
        let state = State {
            namespace,
            ..State::default()
        };
        Self::open_with(conn, pool, state)
    }

    /// A handle of its own on the same pool, which differs from this one by what `change` does.
    pub(crate) fn altered(&self, change: impl FnOnce(&mut State)) -> Result<Self> {
        let mut state = self.inner.state.clone();
        change(&mut state);
        Self::open_with(self.conn(), self.pool_id()?, state)
    }

    fn open_with(conn: &Conn, pool: i64, state: State) -> Result<Self> {
        const OP: &str = "rados_ioctx_create2";
        let cluster = conn.raw(OP)?;
        let namespace = CName::new("rados_ioctx_set_namespace", "namespace", &state.namespace)?;
        let locator = CName::new("rados_ioctx_locator_set_key", "locator key", &state.locator)?;
        let full_try = match state.full_try {
            true => Some(ffi::optional(&ffi::rados_set_pool_full_try)?),
            false => None,
        };
        let mut raw = ffi::rados_ioctx_t(ptr::null_mut());
        // SAFETY: `cluster` is connected, and `raw` is this function's.
        let code = unsafe { ffi::rados_ioctx_create2(cluster, pool, &raw mut raw) };
        check(OP, code).map_err(|error| error.on(format!("pool id {pool}")))?;
        let ioctx = Self::from_raw(raw, state, conn);
        let state = &ioctx.inner.state;
        if !state.namespace.is_empty() {
            // SAFETY: `raw` was created just now and nobody else has it; the name is copied.
            unsafe { ffi::rados_ioctx_set_namespace(raw, namespace.as_ptr()) };
        }
        if !state.locator.as_bytes().is_empty() {
            // SAFETY: as above.
            unsafe { ffi::rados_ioctx_locator_set_key(raw, locator.as_ptr()) };
        }
        if let Some(set_full_try) = full_try {
            // SAFETY: as above.
            unsafe { set_full_try(raw) };
        }
        state.snap_context.set(raw)?;
        if let Some(snapshot) = state.snapshot {
            // SAFETY: `raw` was created just now and nobody else has it.
            unsafe { ffi::rados_ioctx_snap_set_read(raw, snapshot.get()) };
        }
        Ok(ioctx)
    }

    fn from_raw(raw: ffi::rados_ioctx_t, state: State, conn: &Conn) -> Self {
        Self {
            inner: Arc::new(IoCtxInner {
                raw,
                tracker: Tracker::default(),
                state,
                conn: conn.clone(),
            }),
        }
    }

    #[inline]
    pub(crate) fn raw(&self, op: &'static str) -> Result<ffi::rados_ioctx_t> {
        self.inner.conn.raw(op).map(|_| self.inner.raw)
    }

    /// The handle for the C function `op`, which waits for the cluster.
    pub(crate) fn raw_blocking(&self, op: &'static str) -> Result<ffi::rados_ioctx_t> {
        self.inner.conn.raw_blocking(op).map(|_| self.inner.raw)
    }

    #[inline]
    pub(crate) fn tracker(&self) -> &Tracker {
        &self.inner.tracker
    }

    /// The connection that this handle belongs to.
    pub fn conn(&self) -> &Conn {
        &self.inner.conn
    }

    /// A new handle on the same pool in another namespace; `""` is the default one. It keeps the
    /// [`SnapContext`].
    ///
    /// # Errors
    /// `InvalidArgument` for a namespace with a NUL byte, or for `"\u{1}"`, which means all
    /// namespaces in listings: see [`list_objects_all_namespaces`].
    ///
    /// [`list_objects_all_namespaces`]: Self::list_objects_all_namespaces
    #[doc(alias = "rados_ioctx_set_namespace")]
    pub fn with_namespace(&self, namespace: &str) -> Result<Self> {
        if namespace == ALL_NAMESPACES {
            let hint = "\"\\x01\" stands for all namespaces in listings and is no namespace";
            return Err(Error::refused(
                "rados_ioctx_set_namespace",
                libc::EINVAL,
                hint,
            ));
        }
        self.altered(|state| namespace.clone_into(&mut state.namespace))
    }

    /// The namespace; `""` is the default one.
    #[doc(alias = "rados_ioctx_get_namespace")]
    pub fn namespace(&self) -> &str {
        &self.inner.state.namespace
    }

    pub(crate) fn state(&self) -> &State {
        &self.inner.state
    }

    /// The pool's id.
    #[doc(alias = "rados_ioctx_get_id")]
    pub fn pool_id(&self) -> Result<i64> {
        let raw = self.raw("rados_ioctx_get_id")?;
        // SAFETY: `raw` is open.
        Ok(unsafe { ffi::rados_ioctx_get_id(raw) })
    }

    /// The pool's name now: pools can be renamed.
    ///
    /// # Errors
    /// `NotFound` when the pool has been deleted.
    #[doc(alias = "rados_ioctx_get_pool_name")]
    pub fn pool_name(&self) -> Result<String> {
        const OP: &str = "rados_ioctx_get_pool_name";
        let raw = self.raw(OP)?;
        grow::doubling(OP, libc::ERANGE, |buffer| {
            let len = u32::try_from(buffer.len()).unwrap_or(u32::MAX);
            // SAFETY: `raw` is open, and C writes at most `len` bytes, the buffer's length.
            unsafe { ffi::rados_ioctx_get_pool_name(raw, c_buffer(buffer), len) }
        })
        .map(|buffer| text(&buffer))
    }

    /// Objects, space and traffic of the pool. Blocks; asks a monitor.
    ///
    /// # Errors
    /// `NotFound` when the pool has been deleted.
    #[doc(alias = "rados_ioctx_pool_stat")]
    pub fn pool_stat(&self) -> Result<PoolStat> {
        const OP: &str = "rados_ioctx_pool_stat";
        let raw = self.raw_blocking(OP)?;
        let mut stat = ffi::rados_pool_stat_t {
            num_bytes: 0,
            num_kb: 0,
            num_objects: 0,
            num_object_clones: 0,
            num_object_copies: 0,
            num_objects_missing_on_primary: 0,
            num_objects_unfound: 0,
            num_objects_degraded: 0,
            num_rd: 0,
            num_rd_kb: 0,
            num_wr: 0,
            num_wr_kb: 0,
            num_user_bytes: 0,
            compressed_bytes_orig: 0,
            compressed_bytes: 0,
            compressed_bytes_alloc: 0,
        };
        // SAFETY: `raw` is open, and `stat` is this function's.
        let code = unsafe { ffi::rados_ioctx_pool_stat(raw, &raw mut stat) };
        check(OP, code).map_err(|error| error.on(self.subject(None)))?;
        Ok(PoolStat {
            bytes: stat.num_bytes,
            user_bytes: stat.num_user_bytes,
            objects: stat.num_objects,
            object_clones: stat.num_object_clones,
            object_copies: stat.num_object_copies,
            objects_missing_on_primary: stat.num_objects_missing_on_primary,
            objects_unfound: stat.num_objects_unfound,
            objects_degraded: stat.num_objects_degraded,
            reads: stat.num_rd,
            bytes_read: stat.num_rd_kb * 1024,
            writes: stat.num_wr,
            bytes_written: stat.num_wr_kb * 1024,
            compressed_bytes_orig: stat.compressed_bytes_orig,
            compressed_bytes: stat.compressed_bytes,
            compressed_bytes_alloc: stat.compressed_bytes_alloc,
        })
    }

    /// The raw handle, for C functions that are not wrapped here.
    ///
    /// It is valid as long as this handle is; it must not be destroyed, and its namespace, locator
    /// and snapshots must not be set.
    pub fn as_raw(&self) -> rados_sys::rados_ioctx_t {
        self.inner.raw
    }

    /// `pool`, `pool/object` or `pool/namespace/object`, for errors; `@7` follows at a snapshot.
    #[cold]
    pub(crate) fn subject(&self, object: Option<&[u8]>) -> String {
        let pool = self
            .pool_name()
            .unwrap_or_else(|_| "(deleted pool)".to_owned());
        let namespace = match self.namespace() {
            "" => String::new(),
            namespace => format!("/{namespace}"),
        };
        let snapshot = match self.state().snapshot {
            Some(snapshot) => format!("@{snapshot}"),
            None => String::new(),
        };
        match object {
            Some(object) => format!(
                "{pool}{namespace}/{}{snapshot}",
                Name::from(object.to_vec())
            ),
            None => format!("{pool}{namespace}{snapshot}"),
        }
    }
}

impl fmt::Debug for IoCtx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IoCtx")
            .field("pool_id", &self.pool_id().ok())
            .field("state", self.state())
            .finish()
    }
}

impl Drop for IoCtxInner {
    fn drop(&mut self) {
        const OP: &str = "rados_ioctx_destroy";
        if self.conn.raw(OP).is_ok() {
            // SAFETY: this was the last owner; what the handle needs of the connection is alive,
            // since `conn` is dropped after this. It only gives up a reference and never waits.
            unsafe { ffi::rados_ioctx_destroy(self.raw) }
        }
    }
}
