//! The connection to a cluster.

use std::ffi::c_char;
use std::fmt;
use std::ptr;
use std::sync::Arc;

use ceph_core::aio::Limiter;
use ceph_core::callback::called_by_ceph;
use ceph_core::cstr::{CName, text};
use ceph_core::fork::Process;
use ceph_core::{Error, Result, check, grow, reaper};

use crate::log::LogState;
use crate::{ConnBuilder, IoCtx, ffi};

/// A connection to a Ceph cluster (`rados_t`).
///
/// Made by [`ConnBuilder::connect`]; there is no unconnected `Conn`. Clones share the connection,
/// every [`IoCtx`] and what is made from it keep it alive, and the last of them to go shuts it
/// down, on whatever thread and in whatever order. All methods may be called from many threads at
/// once, and block.
///
/// After a `fork` the connection belongs to the parent alone: in the child every call fails with
/// `NotConnected`, and dropping it there touches nothing. Connect again in the child.
///
/// ```no_run
/// # fn main() -> rados::Result<()> {
/// let conn = rados::Conn::builder().default_config_file().connect()?;
/// println!("connected to {}", conn.fsid()?);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Conn {
    inner: Arc<ConnInner>,
}

/// Owns the `rados_t`.
pub(crate) struct ConnInner {
    raw: ffi::rados_t,
    process: Process,
    log: LogState,
}

// SAFETY: a rados_t is a RadosClient, whose own lock guards its state; librados uses it from its
// own threads and documents no thread of its caller's as special.
unsafe impl Send for ConnInner {}
// SAFETY: as above; all functions called through `&ConnInner` lock inside.
unsafe impl Sync for ConnInner {}

/// Space and objects of a whole cluster, as `ceph df` counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClusterStat {
    /// Raw capacity in bytes.
    pub total: u64,
    /// Raw bytes in use.
    pub used: u64,
    /// Raw bytes available.
    pub available: u64,
    /// Number of objects, replicas not counted.
    pub objects: u64,
}

impl Conn {
    /// Starts the configuration of a connection.
    pub fn builder() -> ConnBuilder {
        ConnBuilder::new()
    }

    pub(crate) fn from_inner(inner: ConnInner) -> Self {
        Self {
            inner: Arc::new(inner),
        }
    }

    #[inline]
    pub(crate) fn raw(&self, op: &'static str) -> Result<ffi::rados_t> {
        self.inner.raw(op)
    }

    pub(crate) fn log_state(&self) -> &LogState {
        &self.inner.log
    }

    /// The handle for the C function `op`, which waits for the cluster.
    ///
    /// Inside a callback of Ceph's it would wait for the thread that it runs on.
    pub(crate) fn raw_blocking(&self, op: &'static str) -> Result<ffi::rados_t> {
        if called_by_ceph() {
            let hint =
                "this waits for the cluster, which cannot be done inside a callback of Ceph's";
            return Err(Error::refused(op, libc::EDEADLK, hint));
        }
        self.raw(op)
    }

    /// Refuses the C function `op` in a forked child. For the crate `rbd`.
    #[doc(hidden)]
    #[inline]
    pub fn check(&self, op: &'static str) -> Result<()> {
        self.raw(op).map(drop)
    }

    /// Refuses the C function `op`, which waits for the cluster, in a forked child and inside a
    /// callback of Ceph's. For the crate `rbd`.
    #[doc(hidden)]
    pub fn check_blocking(&self, op: &'static str) -> Result<()> {
        self.raw_blocking(op).map(drop)
    }

    /// The cluster's id, a UUID in text form.
    ///
    /// # Errors
    /// `NotConnected` in a forked child.
    #[doc(alias = "rados_cluster_fsid")]
    pub fn fsid(&self) -> Result<String> {
        const OP: &str = "rados_cluster_fsid";
        let raw = self.raw(OP)?;
        let mut buffer = [0_u8; 37];
        // SAFETY: `raw` is connected, and C writes at most `len` bytes, its NUL included.
        let code = unsafe { ffi::rados_cluster_fsid(raw, c_buffer(&mut buffer), buffer.len()) };
        check(OP, code).map(|_| text(&buffer))
    }

    /// This client's id in the cluster: the number in `client.4123`, unique among live connections.
    ///
    /// # Errors
    /// `NotConnected` in a forked child.
    #[doc(alias = "rados_get_instance_id")]
    pub fn instance_id(&self) -> Result<u64> {
        let raw = self.raw("rados_get_instance_id")?;
        // SAFETY: `raw` is connected.
        Ok(unsafe { ffi::rados_get_instance_id(raw) })
    }

    /// Space and object count of the cluster. Blocks; asks a monitor.
    ///
    /// # Errors
    /// `TimedOut` when no monitor answers within [`ConnBuilder::mon_timeout`].
    #[doc(alias = "rados_cluster_stat")]
    pub fn cluster_stat(&self) -> Result<ClusterStat> {
        const OP: &str = "rados_cluster_stat";
        let raw = self.raw_blocking(OP)?;
        let mut stat = ffi::rados_cluster_stat_t {
            kb: 0,
            kb_used: 0,
            kb_avail: 0,
            num_objects: 0,
        };
        // SAFETY: `raw` is connected; `stat` is this function's. On error C copies garbage there,
        // which is then not looked at.
        let code = unsafe { ffi::rados_cluster_stat(raw, &raw mut stat) };
        check(OP, code)?;
        Ok(ClusterStat {
            total: stat.kb * 1024,
            used: stat.kb_used * 1024,
            available: stat.kb_avail * 1024,
            objects: stat.num_objects,
        })
    }

    /// The value of the configuration option `key` that is in force for this connection.
    ///
    /// # Errors
    /// `NotFound` when there is no such option; `InvalidArgument` when `key` holds a NUL byte.
    #[doc(alias = "rados_conf_get")]
    pub fn config_get(&self, key: &str) -> Result<String> {
        self.inner.config_get(key)
    }

    /// A limit on what is in flight as large as this client's own (`objecter_inflight_ops` and
    /// `objecter_inflight_op_bytes`, by default 1024 operations and 100 MiB). Beyond its own, the client
    /// makes the threads that submit operations sleep.
    ///
    /// Each call makes a new one: keep it, and share clones of it.
    ///
    /// # Errors
    /// `NotConnected` in a forked child.
    pub fn limiter(&self) -> Result<Limiter> {
        let limit = |key| -> Result<u64> {
            let value = self.config_get(key)?;
            value.parse().map_err(|error| {
                let hint = format!("the option {key} is {value:?}");
                Error::refused("rados_conf_get", libc::EINVAL, hint).because(error)
            })
        };
        let operations = limit("objecter_inflight_ops")?;
        let bytes = limit("objecter_inflight_op_bytes")?;
        let operations = usize::try_from(operations).unwrap_or(usize::MAX);
        Ok(Limiter::new(operations, bytes))
    }

    /// Waits until this client has seen the newest osdmap, so that pools and blocklistings of
    /// other clients are known here. Blocks.
    ///
    /// # Errors
    /// `TimedOut` when no monitor answers within [`ConnBuilder::mon_timeout`].
    #[doc(alias = "rados_wait_for_latest_osdmap")]
    pub fn wait_for_latest_osdmap(&self) -> Result<()> {
        const OP: &str = "rados_wait_for_latest_osdmap";
        let raw = self.raw_blocking(OP)?;
        // SAFETY: `raw` is connected.
        let code = unsafe { ffi::rados_wait_for_latest_osdmap(raw) };
        check(OP, code).map(drop)
    }

    /// Opens the pool named `pool` for I/O. May block until an osdmap has come.
    ///
    /// # Errors
    /// `NotFound` when there is no such pool; `InvalidArgument` when the name holds a NUL byte.
    #[doc(alias = "rados_ioctx_create")]
    pub fn ioctx(&self, pool: &str) -> Result<IoCtx> {
        IoCtx::open(self, pool)
    }

    /// Opens the pool with the id `pool` for I/O.
    ///
    /// # Errors
    /// `NotFound` when there is no such pool.
    #[doc(alias = "rados_ioctx_create2")]
    pub fn ioctx_by_id(&self, pool: i64) -> Result<IoCtx> {
        IoCtx::open_by_id(self, pool, "")
    }

    /// The raw handle, for C functions that are not wrapped here.
    ///
    /// It is valid as long as this connection is; it must not be shut down.
    pub fn as_raw(&self) -> rados_sys::rados_t {
        self.inner.raw
    }
}

impl ConnInner {
    /// Creates the handle, unconnected. The caller holds the lock on the environment.
    pub(crate) fn create(cluster: &CName, name: &CName) -> Result<Self> {
        reaper::wait_at_exit();
        let mut raw = ffi::rados_t(ptr::null_mut());
        // SAFETY: the strings live until the call returns, and `raw` is this function's.
        let code = unsafe { ffi::rados_create2(&raw mut raw, cluster.as_ptr(), name.as_ptr(), 0) };
        check("rados_create2", code)?;
        Ok(Self {
            raw,
            process: Process::current(),
            log: LogState::default(),
        })
    }

    #[inline]
    pub(crate) fn raw(&self, op: &'static str) -> Result<ffi::rados_t> {
        if self.process.is_current() {
            Ok(self.raw)
        } else {
            Err(forked(op))
        }
    }

    pub(crate) fn config_get(&self, key: &str) -> Result<String> {
        const OP: &str = "rados_conf_get";
        let raw = self.raw(OP)?;
        let name = CName::new(OP, "option", key)?;
        grow::doubling(OP, libc::ENAMETOOLONG, |buffer| {
            // SAFETY: `raw` is created, `name` lives on, and C writes at most the buffer's length.
            unsafe { ffi::rados_conf_get(raw, name.as_ptr(), c_buffer(buffer), buffer.len()) }
        })
        .map(|buffer| text(&buffer))
        .map_err(|error| error.on(key))
    }
}

impl fmt::Debug for Conn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conn")
            .field("instance_id", &self.instance_id().ok())
            .finish()
    }
}

impl Drop for ConnInner {
    fn drop(&mut self) {
        if !self.process.is_current() {
            return; // the threads that a shutdown would join are the parent's
        }
        let raw = Sendable(self.raw);
        reaper::close_with(move || {
            let Sendable(raw) = { raw };
            // SAFETY: this was the last owner, so nothing uses the handle now or later, and
            // `close_with` does not run this inside a callback, where it would wait for itself.
            unsafe { ffi::rados_shutdown(raw) }
        });
    }
}

/// Carries a handle to the thread that closes it.
struct Sendable(ffi::rados_t);

// SAFETY: `ConnInner` is Send, and this is what is left of one.
unsafe impl Send for Sendable {}

#[cold]
fn forked(op: &'static str) -> Error {
    Error::refused(
        op,
        libc::ENOTCONN,
        "the connection was made before this process was forked; connect again in the child",
    )
}

/// The form in which C wants a buffer to fill.
pub(crate) fn c_buffer(buffer: &mut [u8]) -> *mut c_char {
    buffer.as_mut_ptr().cast()
}
