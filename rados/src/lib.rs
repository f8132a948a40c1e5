//! Safe librados: connections to a Ceph cluster, pools and objects.
//!
//! A [`ConnBuilder`] becomes a [`Conn`], a `Conn` opens an [`IoCtx`] on a pool, and an `IoCtx`
//! reads and writes objects. Each keeps what it came from alive, so they can be dropped in any
//! order; all can be used from many threads at once.
//!
//! ```no_run
//! fn main() -> rados::Result<()> {
//!     let conn = rados::Conn::builder().default_config_file().connect()?;
//!     let pool = conn.ioctx("rbd")?;
//!     pool.write_full("greeting", b"hello")?;
//!     let mut buffer = [0; 16];
//!     let len = pool.read("greeting", &mut buffer, 0)?;
//!     assert_eq!(&buffer[..len], b"hello");
//!     Ok(())
//! }
//! ```
//!
//! # What is where
//!
//! | | |
//! |---|---|
//! | connecting | [`ConnBuilder`], [`ConnectFailure`], [`Conn`] |
//! | pools | [`Conn::pool_create_with`], [`PoolOptions`], [`Conn::pool_set`], [`IoCtx::application_enable`] |
//! | objects | [`IoCtx::read`], [`write_full`](IoCtx::write_full), [`stat`](IoCtx::stat), [`exec`](IoCtx::exec), [`AllocHint`] |
//! | several steps at once | [`WriteOp`], [`ReadOp`], [`IoCtx::operate`], [`IoCtx::operate_read`] |
//! | attributes, keys and values | [`IoCtx::getxattr`], [`IoCtx::omap_set`], [`IoCtx::omap_entries`] |
//! | listing | [`IoCtx::list_objects`], and in parts [`IoCtx::scan_slices`] |
//! | snapshots | [`IoCtx::snap_create`], [`SnapContext`], [`SnapView`] |
//! | agreeing with other clients | [`IoCtx::lock_exclusive`], [`IoCtx::watch`], [`IoCtx::notify`] |
//! | the cluster | [`Command`], [`Conn::health`], [`Conn::log`], [`Conn::monitor_status`], [`Service`] |
//! | users, settings, fencing | [`Conn::auth_get_or_create`], [`Conn::cluster_config_set`], [`Conn::blocklist_add`] |
//! | asynchronous I/O | [`IoCtx::aio_read`] and its like, [`Completion`], [`Limiter`], [`IoBuf`] |
//! | what the library has | [`capabilities`], [`Capability`] |
//!
//! The [`cookbook`] has short how-tos.
//!
//! # Conventions
//!
//! Methods block unless they say otherwise; those named `aio_*` do not, and return a [`Completion`], a future
//! that needs no runtime. [`blocking`] makes one of any other call. Every failure is an [`Error`], with a [`kind`] to
//! decide by and the raw [`errno`] kept. Where a method lists no other error, it can fail with
//! `NotConnected` in a forked child, and, when it asks the cluster, with `TimedOut`, with `Blocklisted`,
//! and with `Deadlock` inside a callback of Ceph's (such as a progress closure), which would wait for
//! itself.
//!
//! [`kind`]: Error::kind
//! [`errno`]: Error::errno

mod addr;
mod aio;
mod aio_object;
mod aio_xattr;
mod alignment;
mod alloc_hint;
mod application;
mod args;
mod auth;
mod blocklist;
mod buffer;
mod builder;
mod cache_tier;
#[cfg(feature = "checksum")]
mod checksum;
mod command;
#[cfg(feature = "cmpext")]
mod compare;
mod config_store;
mod conn;
mod connect_failure;
#[cfg(feature = "ceph-20")]
pub mod cookbook;
#[cfg(feature = "object-cursor")]
mod cursor;
mod exec;
mod ffi;
mod full_try;
mod health;
#[cfg(feature = "cluster-info")]
mod inconsistent;
mod ioctx;
mod list;
#[cfg(feature = "futures")]
mod list_stream;
mod locator;
mod lock;
mod lockers;
mod log;
mod monitor;
mod name;
mod object;
mod omap;
#[cfg(feature = "futures")]
mod omap_stream;
mod op;
mod pool;
mod pool_options;
#[cfg(feature = "cluster-info")]
mod release;
mod selfmanaged;
#[cfg(feature = "service-daemon")]
mod service;
#[cfg(feature = "object-cursor")]
mod slice;
mod snap_view;
mod snapshot;
mod watch;
mod xattr;

pub use addr::{EntityAddr, Protocol};
pub use alloc_hint::{AllocHint, AllocHintFlags};
pub use auth::AuthKey;
pub use blocklist::{Blocked, BlocklistEntry};
pub use builder::ConnBuilder;
pub use ceph_core::aio::{Completion, Limiter, Permit, WakeStat, block_on, blocking, wake_stat};
pub use ceph_core::buf::{IoBuf, IoBufMut, Window};
pub use ceph_core::{Capability, Errno, Error, ErrorKind, Result};
#[cfg(feature = "checksum")]
pub use checksum::{ChecksumAlgorithm, Crc32c, XxHash32, XxHash64};
pub use command::{Command, CommandOutput};
pub use conn::{ClusterStat, Conn};
pub use connect_failure::ConnectFailure;
#[cfg(feature = "object-cursor")]
pub use cursor::ObjectCursor;
pub use exec::ExecOutput;
pub use health::{DaemonVersion, Health, HealthCheck, HealthStatus};
#[cfg(feature = "cluster-info")]
pub use inconsistent::PgId;
pub use ioctx::{IoCtx, PoolStat};
pub use list::{ObjectEntry, ObjectIter};
#[cfg(feature = "futures")]
pub use list_stream::ObjectStream;
pub use lock::{Lock, LockRequest};
pub use lockers::{LockMode, Locker, Lockers};
pub use log::{LogEvent, LogIter, LogLevel, LogLine, LogStream};
pub use monitor::MonitorStatus;
pub use name::Name;
pub use object::{Comparison, ObjectStat};
pub use omap::{OmapItem, OmapList};
#[cfg(feature = "futures")]
pub use omap_stream::OmapStream;
pub use op::{
    CompareOp, Mismatch, OmapPage, OperationFlags, ReadOp, Results, Step, StepFlags, WriteOp,
};
pub use pool::Force;
pub use pool_options::PoolOptions;
/// The raw declarations, for C functions that are not wrapped here.
pub use rados_sys as sys;
#[cfg(feature = "cluster-info")]
pub use release::{CompatibleClients, Release};
pub use selfmanaged::SnapContext;
#[cfg(feature = "service-daemon")]
pub use service::Service;
#[cfg(feature = "object-cursor")]
pub use slice::ObjectSlice;
pub use snap_view::SnapView;
pub use snapshot::{PoolSnap, SnapId};
pub use watch::{Notification, NotifyAck, NotifyReply, Watch, WatchEvent, WatchOptions, Watcher};

/// The version that the running librados says it has: major, minor, extra.
///
/// It is 3.0.0 in every release of the last years, and tells nothing about what the library can do.
///
/// ```
/// assert!(rados::version().0 >= 1);
/// ```
#[doc(alias = "rados_version")]
pub fn version() -> (i32, i32, i32) {
    let (mut major, mut minor, mut extra) = (0, 0, 0);
    // SAFETY: the three integers are this function's.
    unsafe { ffi::rados_version(&raw mut major, &raw mut minor, &raw mut extra) };
    (major, minor, extra)
}

/// The capabilities that this crate was built with, in alphabetical order, and what the running librados
/// has of them. Needs no connection.
///
/// ```
/// for capability in rados::capabilities() {
///     println!("{}: {}", capability.name, capability.is_available());
/// }
/// ```
pub fn capabilities() -> Vec<Capability> {
    let functions = ffi::OPTIONAL.iter();
    ceph_core::capabilities(functions.map(|f| (f.capability(), f.name(), f.is_present())))
}
