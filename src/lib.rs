#![doc = include_str!("../README.md")]

pub use rados;
pub use rbd;
