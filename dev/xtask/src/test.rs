//! Every test.

use testcluster::TestCluster;

use crate::consumer;
use crate::packages::{BUILD, CLUSTER, TEST, ensure};
use crate::run::{Result, cargo, run};

/// Installs what is missing, boots a cluster for all tests to share, and runs them.
///
/// With `args` only the tests that they choose run, and not the check of a dependent crate.
///
/// # Errors
/// When something cannot be installed or a test fails.
pub fn test(args: &[String]) -> Result {
    ensure(&[BUILD, CLUSTER, TEST])?;
    run(&mut cargo(&[
        "test",
        "--workspace",
        "--all-features",
        "--no-run",
    ]))?;
    let cluster = TestCluster::builder().start()?;
    let mut tests = cargo(&[
        "test",
        "--workspace",
        "--all-features",
        "--no-fail-fast",
        "--",
    ]);
    run(tests.args(args).env("CEPH_TEST_CONF", cluster.conf_path()))?;
    if args.is_empty() {
        consumer::check(&cluster)?;
    }
    Ok(())
}
