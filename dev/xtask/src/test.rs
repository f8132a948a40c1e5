//! Every test.

use testcluster::TestCluster;

use crate::consumer;
use crate::packages::{BUILD, CLUSTER, TEST, ensure};
use crate::run::{Result, cargo, root, run};

/// Installs what is missing, boots a cluster for all tests to share, and runs them.
///
/// With `args` only the tests that they choose run, and neither the check of a dependent crate
/// nor the interleavings.
///
/// # Errors
/// When something cannot be installed or a test fails.
pub fn test(args: &[String]) -> Result {
    ensure(&[BUILD, CLUSTER, TEST])?;
    let everything = ["test", "--workspace", "--all-features"];
    run(cargo(&everything).args(["--quiet", "--no-run"]))?;
    let cluster = TestCluster::builder().start()?;
    let mut tests = cargo(&everything);
    tests.args(["--no-fail-fast", "--"]).args(args);
    run(tests
        .env("CEPH_TEST_CONF", cluster.conf_path())
        .env_remove("CEPH_ARGS")
        .env_remove("CEPH_KEYRING"))?;
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
    let dir = root().join("target/loom");
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
