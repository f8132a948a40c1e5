//! The service on a real cluster, by HTTP.
#![forbid(unsafe_code)]

mod common;

mod idempotency;
mod images;
mod namespaces;
mod pools;
mod trash;
