//! An HTTP API and a web page over Ceph's pools and block device images.
#![forbid(unsafe_code)]
// utoipa repeats the types of parameters in a way that this lint takes for ours.
#![allow(unused_qualifications)]

mod access;
mod api;
mod app;
mod auth;
mod body;
mod ceph;
mod config;
mod exclusive;
mod extract;
mod flatten;
mod health;
mod hex;
mod idempotency;
mod limits;
mod listener;
mod metrics;
mod names;
mod operations;
mod problem;
mod quantity;
mod range;
mod reload;
mod server;
mod tls;
mod transfers;
mod ui;

use std::process::ExitCode;
use std::time::Duration;

use config::{Cli, Command};

/// How long threads that wait for the cluster may keep the program at its end.
const LAST_CALLS: Duration = Duration::from_secs(1);

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
        None => {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()?;
            let result = runtime.block_on(server::run(settings));
            // Calls that the cluster has not answered would keep it for long.
            runtime.shutdown_timeout(LAST_CALLS);
            result
        }
    }
}
