//! How to do what programs on RADOS often do: short, and each example compiles.
//!
//! The same at length, as programs: `examples/` in the repository. Needs the feature `ceph-20`, which is on
//! by default.

/// Objects, and where they lie.
#[doc = include_str!("cookbook/objects.md")]
pub mod objects {}

/// Several steps at once, all or nothing.
#[doc = include_str!("cookbook/operations.md")]
pub mod operations {}

/// Sorted keys and values of an object.
#[doc = include_str!("cookbook/omap.md")]
pub mod omap {}

/// Listing pools that are large.
#[doc = include_str!("cookbook/scans.md")]
pub mod scans {}

/// Pools as they were.
#[doc = include_str!("cookbook/snapshots.md")]
pub mod snapshots {}

/// Agreeing on who may.
#[doc = include_str!("cookbook/locks.md")]
pub mod locks {}

/// Telling other clients.
#[doc = include_str!("cookbook/watch_notify.md")]
pub mod watch_notify {}

/// Making and setting up pools, and who may use them.
#[doc = include_str!("cookbook/pools.md")]
pub mod pools {}

/// Asking and telling the cluster's daemons.
#[doc = include_str!("cookbook/commands.md")]
pub mod commands {}
