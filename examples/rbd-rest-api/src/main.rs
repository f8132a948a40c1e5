//! An HTTP API and a web page over Ceph's pools and block device images.
#![forbid(unsafe_code)]
// utoipa repeats the types of parameters in a way that this lint takes for ours.
#![allow(unused_qualifications)]

mod api;
mod app;
mod auth;
mod ceph;
mod config;
mod extract;
mod health;
mod hex;
mod idempotency;
mod metrics;
mod names;
mod operations;
mod problem;
mod quantity;
mod server;
mod ui;

use std::process::ExitCode;

use config::{Cli, Command};

fn main() -> ExitCode {
    run().map_or_else(
        |error| {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

fn run() -> Result<(), config::Error> {
    let Cli { command, settings } = config::parse()?;
    match command {
        Some(Command::Token { name, role }) => auth::print_new_token(&name, role),
        Some(Command::Openapi) => api::print_openapi(),
        None => tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?
            .block_on(server::run(settings)),
    }
}
