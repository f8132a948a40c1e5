//! The project's chores. `cargo xtask help` lists them.

mod api_status;
mod asan;
mod bench;
mod bindings;
mod bundle;
mod consumer;
mod demo;
mod lint;
mod matrix;
mod memcheck;
mod packages;
mod run;
mod service;
mod skipped;
mod soak;
mod test;
mod vendor;

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
        /// Leave out the service of examples/rbd-rest-api
        #[arg(long)]
        libraries: bool,
        /// Arguments for the tests: a part of their names, `--nocapture`, ...
        #[arg(last = true)]
        args: Vec<String>,
    },
    /// Run the integration tests against a librbd that lacks something, as a vendor's may
    Vendor,
    /// Try every interleaving of an asynchronous operation's two owners (part of `test`)
    Loom,
    /// Write docs/api-status.md: which C functions are wrapped
    ApiStatus {
        /// Fail if one is left, in this library or in any
        #[arg(long, value_name = "LIBRARY", value_parser = ["rados", "rbd"])]
        check: Option<Option<String>>,
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
    /// Make the declarations anew that the -sys crates keep for builds without libclang (on Debian 12)
    Bindings,
    /// Check format, clippy, documentation, licences and duplicate dependencies
    Lint {
        /// Also look for known vulnerabilities, which fetches the list of them
        #[arg(long)]
        advisories: bool,
    },
    /// Try the service of examples/rbd-rest-api, or test all of it
    #[command(subcommand)]
    Service(service::Service),
    /// Check the libraries against the headers of every release, which are downloaded
    Headers,
    /// Make each release's system with debootstrap (as root), build and test everything in it, run what
    /// was built in one on the others, and write docs/compatibility.md
    Matrix(matrix::Matrix),
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
    /// Work on images at random while storage daemons come and go: `cargo xtask soak --help`
    #[command(disable_help_flag = true)]
    Soak {
        /// Arguments for the program
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
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
        // What these print stands last.
        Chore::Bundle { program, dir } => {
            return bundle::bundle(&program, &dir).map_or_else(failure, |()| ExitCode::SUCCESS);
        }
        Chore::Demo => return demo::demo().map_or_else(failure, |()| ExitCode::SUCCESS),
        Chore::Test { libraries, args } => test::test(libraries, &args),
        Chore::Vendor => vendor::vendor(),
        Chore::ApiStatus { check } => {
            let check = check.as_ref().map(|library| library.as_deref());
            return api_status::api_status(check).map_or_else(failure, |()| ExitCode::SUCCESS);
        }
        Chore::Loom => test::loom(),
        Chore::Consumer => consumer::consumer(),
        Chore::Bindings => bindings::bindings(),
        Chore::Lint { advisories } => lint::lint(advisories),
        Chore::Service(command) => service::service(&command),
        Chore::Headers => matrix::headers(),
        Chore::Matrix(args) => matrix::matrix(args),
        Chore::Memcheck { suppressions, args } => memcheck::memcheck(suppressions, &args),
        Chore::Asan => asan::asan(),
        Chore::Soak { args } => soak::soak(&args),
        Chore::Bench { args } => bench::bench(&args),
    };
    run::summary();
    result.map_or_else(failure, |()| ExitCode::SUCCESS)
}

fn failure(error: impl std::fmt::Display) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
