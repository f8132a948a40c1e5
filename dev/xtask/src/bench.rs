//! The benchmarks.

use crate::packages::{BENCH, BUILD, CLUSTER, MEMCHECK, TEST, ensure};
use crate::run::{Result, cargo, run};

/// Installs what is missing, and compares the libraries with C, fio and Python.
///
/// # Errors
/// When something cannot be installed or a program fails. Not when a target is missed.
pub fn bench(args: &[String]) -> Result {
    ensure(&[BUILD, CLUSTER, TEST, MEMCHECK, BENCH])?;
    run(&mut cargo(&[
        "build",
        "--quiet",
        "--profile=bench",
        "--all-features",
        "--example=export",
        "--example=import",
    ]))?;
    let mut bench = cargo(&["run", "--quiet", "--profile=bench", "--package=bench", "--"]);
    run(bench
        .args(args)
        .env_remove("CEPH_ARGS")
        .env_remove("CEPH_KEYRING"))
}
