//! The project's chores. `cargo xtask help` lists them.

mod consumer;
mod demo;
mod lint;
mod memcheck;
mod packages;
mod run;
mod test;

use std::process::ExitCode;

use clap::Parser;
use testcluster::cli::ClusterCommand;

/// The project's chores
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Chore {
    /// Install what is missing, boot a throw-away cluster and run the examples on it
    Demo,
    /// Install what is missing, boot a throw-away cluster and run every test on it
    Test {
        /// Arguments for the tests: a part of their names, `--nocapture`, ...
        #[arg(last = true)]
        args: Vec<String>,
    },
    /// Keep a throw-away cluster for development
    #[command(subcommand)]
    Cluster(ClusterCommand),
    /// Check format, clippy, documentation, licences and duplicate dependencies
    Lint,
    /// Run the integration tests under valgrind
    Memcheck {
        /// Arguments for the tests: a part of their names, `--nocapture`, ...
        #[arg(last = true)]
        args: Vec<String>,
    },
}

fn main() -> ExitCode {
    let result = match Chore::parse() {
        Chore::Demo => demo::demo(),
        Chore::Test { args } => test::test(&args),
        Chore::Cluster(command) => {
            return command.run().unwrap_or_else(|error| {
                eprintln!("error: {error}");
                ExitCode::FAILURE
            });
        }
        Chore::Lint => lint::lint(),
        Chore::Memcheck { args } => memcheck::memcheck(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
