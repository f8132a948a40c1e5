//! The service on a real cluster, by HTTP.
#![forbid(unsafe_code)]

mod common;
mod raw;

mod pools;
mod security;
mod shutdown;
