//! The service on a real cluster, by HTTP.
#![forbid(unsafe_code)]

mod common;

mod clones;
mod idempotency;
mod images;
mod namespaces;
mod operations;
mod pools;
mod snapshots;
mod trash;
