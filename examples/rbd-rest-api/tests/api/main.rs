//! The service on a real cluster, by HTTP.
#![forbid(unsafe_code)]

mod common;
mod transfer;

mod data;
mod diff;
mod pools;
