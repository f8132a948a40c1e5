//! The project's chores. `cargo xtask help` lists them.

mod asan;
mod bench;
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
    /// Make a crate that depends on the libraries, and run its program (part of `test`)
    Consumer,
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
    /// Run the tests of asynchronous I/O under AddressSanitizer
    Asan,
    /// Compare the libraries with C, fio and Python: `cargo xtask bench --help`
    #[command(disable_help_flag = true)]
    Bench {
        /// Arguments for the benchmark
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

fn main() -> ExitCode {
    let result = match Chore::parse() {
        Chore::Cluster(command) => return command.run().unwrap_or_else(failure),
        // What the examples print stands last.
        Chore::Demo => return demo::demo().map_or_else(failure, |()| ExitCode::SUCCESS),
        Chore::Test { args } => test::test(&args),
        Chore::Consumer => consumer::consumer(),
        Chore::Lint { advisories } => lint::lint(advisories),
        Chore::Memcheck { suppressions, args } => memcheck::memcheck(suppressions, &args),
        Chore::Asan => asan::asan(),
        Chore::Bench { args } => bench::bench(&args),
    };
    run::summary();
    result.map_or_else(failure, |()| ExitCode::SUCCESS)
}

fn failure(error: impl std::fmt::Display) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
