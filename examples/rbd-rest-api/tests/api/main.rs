//! The service on a real cluster, by HTTP.
#![forbid(unsafe_code)]

mod common;
mod raw;
mod transfer;

mod clones;
mod data;
mod diff;
mod faults;
mod idempotency;
mod images;
mod namespaces;
mod operations;
mod pools;
mod reload;
mod security;
mod shutdown;
mod snapshots;
mod trash;
