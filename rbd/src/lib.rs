//! Safe librbd: images of block devices in a Ceph cluster, their snapshots and block I/O.
//!
//! Images live in a pool, so everything starts with a [`rados::IoCtx`]: [`create`] and
//! [`ImageOptions`] make images, [`list`], [`rename`] and [`remove`] manage them, and
//! [`Image::open`] opens one for I/O.
//!
//! ```no_run
//! fn main() -> rbd::Result<()> {
//!     let conn = rados::Conn::builder().default_config_file().connect()?;
//!     let pool = conn.ioctx("rbd")?;
//!     rbd::create(&pool, "disk1", 1 << 30)?;
//!     let image = rbd::Image::open(&pool, "disk1")?;
//!     image.write_all_at(b"hello", 0)?;
//!     image.close()?;
//!     rbd::remove(&pool, "disk1")
//! }
//! ```
//!
//! # What is where
//!
//! | | |
//! |---|---|
//! | images | [`create`], [`ImageOptions`], [`list`], [`rename`], [`remove`], [`Image::resize`], [`ImageSpec`] |
//! | the trash | `trash_move`, `trash_list`, `trash_restore`, `trash_purge` |
//! | what an image is like | [`Image::info`], [`Image::disk_usage`], [`Image::features`], [`Image::metadata_get`] |
//! | block I/O | [`Image::read_at`], [`Image::write_at`], [`Image::discard`], `Image::write_zeroes`, [`ImageCursor`] |
//! | asynchronous I/O | [`Image::aio_read`] and its like, [`Completion`], `Image::stream`, `Image::writer`, `AsyncCursor` |
//! | snapshots | [`Image::snap_create`], [`Image::snap_list`], [`Image::snap_rollback`], [`OpenOptions::snapshot`] |
//! | clones | [`clone`](clone()), [`Image::flatten`], `Image::list_children` |
//! | copies and backups | [`Image::copy`], `Image::deep_copy`, [`Image::diff`], [`Image::export_diff`], [`merge_diff`] |
//! | several images | `group_create`, `group_snap_create` |
//! | agreeing with other clients | [`Image::lock_acquire`], [`Image::update_watch`], `Image::quiesce_watch`, `Image::watchers` |
//! | pools | `pool_init`, `pool_stats`, `namespace_create`, `Qos` |
//! | other sites, other formats | `mirror_mode_set`, `Image::mirror_enable`, `Migration` |
//! | encryption | `Image::encryption_format`, `Image::encryption_load` |
//! | the manager | [`task_add_flatten`], [`Scheduler`] |
//! | what the library has | [`capabilities`], [`Capability`] |
//!
//! What is not linked here belongs to a Cargo feature, all of which are on by default. The [`cookbook`] has short
//! how-tos.
//!
//! # Conventions
//!
//! Sizes and offsets are in bytes. Methods block unless they say otherwise; those named `aio_*` do not, and return a
//! [`Completion`], and [`rados::blocking`] makes one of any other call. Every failure is an [`Error`], with a
//! [`kind`](Error::kind) to decide by and the raw [`errno`](Error::errno) kept. Where a method lists no other
//! error, it can fail with `NotConnected` in a forked child, with `Deadlock` inside a callback of Ceph's, and with
//! `TimedOut` or `Blocklisted` when it asks the cluster.

mod advisory_lock;
mod aio;
mod aio_io;
mod aio_open;
mod aio_vectored;
#[cfg(feature = "futures")]
mod async_cursor;
#[cfg(feature = "tokio")]
mod async_cursor_tokio;
#[cfg(feature = "image-spec")]
mod children;
mod clone;
#[cfg(any(feature = "compare-and-write", feature = "compare-and-writev"))]
mod compare;
#[cfg(feature = "pool-config")]
mod config;
pub mod cookbook;
mod copy;
#[cfg(feature = "write-crc32c")]
mod crc32c;
mod cursor;
#[cfg(feature = "deep-copy")]
mod deep_copy;
mod diff;
mod diff_extents;
mod diff_file;
mod directory;
mod disk_usage;
mod each;
#[cfg(any(feature = "encryption", feature = "encryption-load2"))]
mod encryption;
mod exclusive_lock;
mod features;
mod ffi;
mod flatten;
#[cfg(feature = "group")]
mod group;
#[cfg(all(feature = "group", feature = "group-snap-info"))]
mod group_snap_info;
#[cfg(feature = "group")]
mod group_snapshot;
mod handle;
mod image;
mod info;
mod io;
mod io_flags;
mod io_rest;
mod iterate;
#[cfg(feature = "serde")]
mod json;
mod metadata;
#[cfg(feature = "migration")]
mod migration;
#[cfg(all(feature = "migration", feature = "migration-import"))]
mod migration_import;
#[cfg(feature = "migration")]
mod migration_status;
#[cfg(any(
    feature = "mirror",
    feature = "mirror-bootstrap",
    feature = "mirror-namespace",
    feature = "mirror-snapshot"
))]
mod mirror;
#[cfg(feature = "namespace")]
mod namespace;
mod object_map;
mod options;
mod order;
mod partial;
#[cfg(feature = "pool-stats")]
mod pool;
#[cfg(feature = "pool-config")]
mod qos;
#[cfg(any(feature = "quiesce", feature = "mirror-snapshot"))]
mod quiesce;
mod range;
#[cfg(feature = "futures")]
mod reads;
mod removing;
mod resize;
mod schedule;
#[cfg(feature = "quiesce")]
mod snap_create;
mod snap_limit;
mod snap_lookup;
#[cfg(any(feature = "snap-id", feature = "snap-trash2"))]
mod snap_namespace;
mod snap_remove;
mod snap_set;
#[cfg(feature = "snap-trash2")]
mod snap_trash;
mod snapshot;
#[cfg(feature = "deep-copy")]
mod sparsify;
mod spec;
mod still_there;
#[cfg(feature = "futures")]
mod stream;
mod support;
mod task;
#[cfg(feature = "trash")]
mod trash;
#[cfg(feature = "trash-purge")]
mod trash_purge;
mod watch;
#[cfg(feature = "futures")]
mod writer;
#[cfg(feature = "futures")]
mod writes;

pub use aio_vectored::Buffers;
#[cfg(feature = "futures")]
pub use async_cursor::AsyncCursor;
#[cfg(feature = "image-spec")]
pub use children::LinkedImage;
pub use clone::clone;
#[cfg(feature = "clone4")]
pub use clone::clone_by_snap_id;
#[cfg(feature = "pool-config")]
pub use config::{
    ConfigOption, ConfigSource, config_pool_list, config_pool_remove, config_pool_set,
};
pub use cursor::ImageCursor;
pub use diff::{DiffExtent, DiffOptions};
pub use diff_extents::DiffExtents;
pub use diff_file::{
    DiffFileError, DiffFormat, DiffHeader, DiffProblem, DiffReader, DiffWriter, ExportDiff,
    ImportDiff, merge_diff,
};
pub use directory::{ImageEntry, list, remove, remove_with_progress, rename};
pub use disk_usage::{DiskUsage, DiskUsages, SnapUsage, disk_usage};
#[cfg(any(feature = "encryption", feature = "encryption-load2"))]
pub use encryption::{EncryptionAlgorithm, EncryptionFormat, EncryptionSpec, Passphrase};
pub use exclusive_lock::ExclusiveLock;
pub use features::{Features, ImageFlags, OpFeatures};
#[cfg(all(feature = "group", feature = "group-snap-info"))]
pub use group::group_get_id;
#[cfg(feature = "group")]
pub use group::{
    GroupImage, GroupImageState, group_create, group_image_add, group_image_list,
    group_image_remove, group_image_remove_by_id, group_list, group_remove, group_rename,
};
#[cfg(all(feature = "group", feature = "group-snap-info"))]
pub use group_snap_info::{
    GroupImageSnap, GroupSnapInfo, GroupSnapNamespace, group_snap_get_info, group_snap_list2,
};
#[cfg(all(feature = "group", feature = "quiesce"))]
pub use group_snapshot::group_snap_create_with;
#[cfg(feature = "group")]
pub use group_snapshot::{
    GroupSnap, GroupSnapState, SnapGroupNamespace, group_snap_create, group_snap_list,
    group_snap_remove, group_snap_rename, group_snap_rollback, group_snap_rollback_with_progress,
};
pub use image::{Image, OpenOptions};
pub use info::{GroupSpec, ImageInfo, ParentInfo};
pub use io_flags::IoFlags;
#[cfg(feature = "pool-config")]
pub use metadata::{
    pool_metadata_get, pool_metadata_list, pool_metadata_remove, pool_metadata_set,
};
#[cfg(feature = "migration")]
pub use migration::{Executed, Migration, MigrationError, MigrationStage, Prepared, Stuck};
#[cfg(all(feature = "migration", feature = "migration-import"))]
pub use migration_import::{ImportSource, ImportStream, SnapshotSource};
#[cfg(feature = "migration")]
pub use migration_status::{MigrationImage, MigrationState, MigrationStatus, migration_status};
#[cfg(any(
    feature = "mirror",
    feature = "mirror-bootstrap",
    feature = "mirror-namespace",
    feature = "mirror-snapshot"
))]
pub use mirror::*;
#[cfg(feature = "namespace")]
pub use namespace::{namespace_create, namespace_exists, namespace_list, namespace_remove};
pub use options::{ImageOptions, create};
pub use order::Order;
#[cfg(feature = "pool-stats")]
pub use pool::{ImageTotals, PoolStats, pool_init, pool_stats};
#[cfg(feature = "pool-config")]
pub use qos::{Qos, QosLimit, qos_pool, qos_pool_remove, qos_pool_set};
#[cfg(any(feature = "quiesce", feature = "mirror-snapshot"))]
pub use quiesce::Quiesce;
pub use rados::{
    Capability, Comparison, Completion, Errno, Error, ErrorKind, Force, IoBuf, IoBufMut, LockMode,
    Locker, Lockers, Name, Result, Window,
};
/// The raw declarations, for C functions that are not wrapped here.
pub use rbd_sys as sys;
pub use resize::Shrink;
pub use schedule::{LevelSchedules, Schedule, ScheduleLevel, Scheduled, Scheduler};
#[cfg(any(feature = "snap-id", feature = "snap-trash2"))]
pub use snap_namespace::SnapNamespaceType;
pub use snap_remove::SnapRemoveFlags;
#[cfg(feature = "snap-trash2")]
pub use snap_trash::SnapTrashNamespace;
pub use snapshot::SnapInfo;
pub use spec::ImageSpec;
#[cfg(feature = "futures")]
pub use stream::{Chunk, ImageStream};
pub use task::{
    Task, TaskAction, task_add_flatten, task_add_migration_abort, task_add_migration_commit,
    task_add_migration_execute, task_add_remove, task_add_trash_remove, task_cancel, task_get,
    task_list,
};
#[cfg(feature = "trash")]
pub use trash::{
    TrashEntry, TrashSource, trash_get, trash_list, trash_move, trash_remove,
    trash_remove_with_progress, trash_restore,
};
#[cfg(feature = "trash-purge")]
pub use trash_purge::{TrashPurge, trash_purge, trash_purge_with_progress};
#[cfg(feature = "watchers")]
pub use watch::ImageWatcher;
pub use watch::UpdateWatch;
#[cfg(feature = "quiesce")]
pub use watch::{QuiesceEvent, QuiesceToken, QuiesceWatch};
#[cfg(feature = "futures")]
pub use writer::ImageWriter;

use std::ffi::{CStr, c_char};

/// The version that the running librbd says it has: major, minor, extra.
///
/// ```
/// assert_eq!(rbd::version().0, 1);
/// ```
#[doc(alias = "rbd_version")]
pub fn version() -> (i32, i32, i32) {
    let (mut major, mut minor, mut extra) = (0, 0, 0);
    // SAFETY: the three integers are this function's.
    unsafe { ffi::rbd_version(&raw mut major, &raw mut minor, &raw mut extra) };
    (major, minor, extra)
}

/// The capabilities that this crate was built with, in alphabetical order, and what the running librbd
/// has of them. Needs no connection.
///
/// ```
/// for capability in rbd::capabilities() {
///     println!("{}: {}", capability.name, capability.is_available());
/// }
/// ```
pub fn capabilities() -> Vec<Capability> {
    let functions = ffi::OPTIONAL.iter();
    ceph_core::capabilities(functions.map(|f| (f.capability(), f.name(), f.is_present())))
}

/// `pool/image` or `pool/namespace/image`, for errors.
#[cold]
fn subject(ioctx: &rados::IoCtx, image: &str) -> String {
    let pool = ioctx
        .pool_name()
        .unwrap_or_else(|_| "(deleted pool)".to_owned());
    match ioctx.namespace() {
        "" => format!("{pool}/{image}"),
        namespace => format!("{pool}/{namespace}/{image}"),
    }
}

/// The names in a list of the library's, in which a NUL ends each.
fn names_in(list: &[u8]) -> impl Iterator<Item = String> + '_ {
    let names = list
        .split(|&byte| byte == 0)
        .filter(|name| !name.is_empty());
    names.map(|name| String::from_utf8_lossy(name).into_owned())
}

/// Copies a string of the library's; NULL is empty.
///
/// # Safety
/// `text` is NULL or a C string that nothing changes meanwhile.
unsafe fn string(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: as the caller promises.
    unsafe { CStr::from_ptr(text) }
        .to_string_lossy()
        .into_owned()
}
