//! The project's chores. `cargo xtask help` lists them.

mod api_status;
mod bundle;
mod consumer;
mod demo;
mod lint;
mod memcheck;
mod packages;
mod run;
mod test;

use std::path::PathBuf;
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
    /// Try every interleaving of an asynchronous operation's two owners (part of `test`)
    Loom,
    /// Write docs/api-status.md: which C functions are wrapped
    ApiStatus {
        /// Fail if one is left
        #[arg(long)]
        check: bool,
    },
    /// Make a crate that depends on the libraries, and run its program (part of `test`)
    Consumer,
    /// Collect what a program needs at run time into a folder, to make a container image from
    Bundle {
        /// The program; libraries are taken from LD_LIBRARY_PATH first
        #[arg(value_name = "BINARY")]
        program: PathBuf,
        /// The folder, which must be empty or new: it becomes the image's root
        dir: PathBuf,
    },
    /// Keep a throw-away cluster for development
    #[command(subcommand)]
    Cluster(ClusterCommand),
    /// Check format, clippy, documentation, licences and duplicate dependencies
    Lint {
        /// Also look for known vulnerabilities, which fetches the list of them
        #[arg(long)]
        advisories: bool,
    },
    /// Run the unit and integration tests of the libraries under valgrind
    Memcheck {
        /// Print a suppression for each finding, to prune and explain in dev/valgrind.supp
        #[arg(long)]
        suppressions: bool,
        /// Arguments for the tests: a part of their names, `--nocapture`, ...
        #[arg(last = true)]
        args: Vec<String>,
    },
}

fn main() -> ExitCode {
    let result = match Chore::parse() {
        Chore::Cluster(command) => return command.run().unwrap_or_else(failure),
        // What these print stands last.
        Chore::Bundle { program, dir } => {
            return bundle::bundle(&program, &dir).map_or_else(failure, |()| ExitCode::SUCCESS);
        }
        Chore::Demo => return demo::demo().map_or_else(failure, |()| ExitCode::SUCCESS),
        Chore::Test { args } => test::test(&args),
        Chore::ApiStatus { check } => {
            return api_status::api_status(check).map_or_else(failure, |()| ExitCode::SUCCESS);
        }
        Chore::Loom => test::loom(),
        Chore::Consumer => consumer::consumer(),
        Chore::Lint { advisories } => lint::lint(advisories),
        Chore::Memcheck { suppressions, args } => memcheck::memcheck(suppressions, &args),
    };
    run::summary();
    result.map_or_else(failure, |()| ExitCode::SUCCESS)
}

fn failure(error: impl std::fmt::Display) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
