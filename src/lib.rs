#![doc = include_str!("../README.md")]

pub use rados;
pub use rbd;

/// The guide's examples compile.
#[cfg(doctest)]
#[doc = include_str!("../docs/async.md")]
mod guide {}
