//! Boots throw-away Ceph clusters from the command line.

use std::process::ExitCode;

use clap::Parser;
use testcluster::cli::ClusterCommand;

/// Boots throw-away Ceph clusters from the installed packages.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: ClusterCommand,
}

fn main() -> ExitCode {
    Cli::parse().command.run().unwrap_or_else(|error| {
        eprintln!("testcluster: {error}");
        ExitCode::FAILURE
    })
}
