//! The service on a real cluster, by HTTP.
#![forbid(unsafe_code)]

mod common;
mod raw;

mod faults;
mod idempotency;
mod images;
mod namespaces;
mod pools;
mod reload;
mod security;
mod shutdown;
mod trash;
