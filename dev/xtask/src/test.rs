//! Every test.

use std::env;
use std::path::PathBuf;

use testcluster::TestCluster;

use crate::consumer;
use crate::packages::{BUILD, CLUSTER, TEST, ensure};
use crate::run::{Result, cargo, many_at_once, run, target};
use crate::skipped;

/// Installs what is missing, boots a cluster for all tests to share, and runs them.
///
/// With `args` only the tests that they choose run, and neither the check of a dependent crate
/// nor the interleavings. With `libraries` the service is left out.
///
/// # Errors
/// When something cannot be installed or a test fails.
pub fn test(libraries: bool, args: &[String]) -> Result {
    ensure(&[BUILD, CLUSTER, TEST])?;
    let mut everything = vec!["test", "--workspace", "--all-features"];
    everything.extend(libraries.then_some("--exclude=rbd-rest-api"));
    run(cargo(&everything).args(["--quiet", "--no-run"]))?;
    if args.is_empty() {
        // Declarations that are kept instead of made.
        let sys = [
            "test",
            "--quiet",
            "--package=rados-sys",
            "--package=rbd-sys",
        ];
        let kept = ["--no-default-features", "--features=ceph-20", "--test=abi"];
        run(cargo(&sys).args(kept))?;
    }
    let cluster = TestCluster::builder().start()?;
    let dir = tempfile::tempdir()?;
    let skipped = env::var_os("CEPH_TEST_SKIPPED").map(PathBuf::from);
    let skipped = skipped.unwrap_or_else(|| dir.path().join("skipped.tsv"));
    let mut tests = cargo(&everything);
    tests.args(["--no-fail-fast", "--"]).args(args);
    let ran = run(many_at_once(&mut tests)
        .env("CEPH_TEST_CONF", cluster.conf_path())
        .env("CEPH_TEST_SKIPPED", &skipped)
        .env_remove("CEPH_ARGS")
        .env_remove("CEPH_KEYRING"));
    for skip in skipped::read(&skipped)? {
        let (test, capability, missing) = (skip.test, skip.capability, skip.missing);
        eprintln!(
            "skipped: {test} needs the capability {capability}: the libraries lack {missing}"
        );
    }
    ran?;
    if args.is_empty() {
        consumer::check(&cluster)?;
        loom()?;
    }
    Ok(())
}

/// Tries every interleaving of what the owners of an asynchronous operation do.
///
/// # Errors
/// When one of them goes wrong.
pub fn loom() -> Result {
    // In a folder of its own, or everything would be built anew for these flags, and back.
    let dir = target().join("loom");
    let tests = [
        "test",
        "--quiet",
        "--package",
        "ceph-core",
        "--lib",
        "--",
        "interleavings",
    ];
    run(cargo(&tests)
        .env("RUSTFLAGS", "--cfg loom")
        .env("CARGO_TARGET_DIR", dir))
}
