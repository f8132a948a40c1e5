//! How to do what programs on images often do: short, and each example compiles.
//!
//! The same at length, as programs: `examples/` in the repository. Needs the feature `ceph-20`, which is on
//! by default.

/// Looking back, and going back.
#[doc = include_str!("cookbook/snapshots.md")]
pub mod snapshots {}

/// Images that begin as snapshots of others.
#[doc = include_str!("cookbook/clones.md")]
pub mod clones {}

/// Whole images, here and elsewhere.
#[doc = include_str!("cookbook/copies.md")]
pub mod copies {}

/// What has changed, into files and back.
#[doc = include_str!("cookbook/backup.md")]
pub mod backup {}

/// Being told of changes.
#[doc = include_str!("cookbook/watching.md")]
pub mod watching {}

/// Agreeing on who writes.
#[doc = include_str!("cookbook/locks.md")]
pub mod locks {}

/// Removing, and thinking better of it.
#[doc = include_str!("cookbook/trash.md")]
pub mod trash {}

/// Several images at one point in time.
#[doc = include_str!("cookbook/groups.md")]
pub mod groups {}

/// Pools, namespaces, options and limits.
#[doc = include_str!("cookbook/pools.md")]
pub mod pools {}

/// Work that the manager does.
#[doc = include_str!("cookbook/tasks.md")]
pub mod tasks {}

/// Moving images while they are used, and importing others.
#[doc = include_str!("cookbook/migration.md")]
pub mod migration {}

/// Copies on another site.
#[doc = include_str!("cookbook/mirroring.md")]
pub mod mirroring {}

/// What nobody else reads.
#[doc = include_str!("cookbook/encryption.md")]
pub mod encryption {}
