//! The tests of asynchronous I/O under AddressSanitizer.

use testcluster::TestCluster;

use crate::packages::{BUILD, CLUSTER, TEST, ensure};
use crate::run::{Result, cargo, host, root, run};

/// Runs the tests of asynchronous I/O, those on the stub and those on a cluster, with all Rust code checked
/// for uses of freed memory and the like, and for leaks.
///
/// A released compiler can do it, but hides that it can.
///
/// # Errors
/// When a test fails or something is found.
pub fn asan() -> Result {
    ensure(&[BUILD, CLUSTER, TEST])?;
    let cluster = TestCluster::builder().start()?;
    let triple = host()?;
    for tests in [
        &["--package", "nullceph", "--tests", "--"][..],
        &[
            "--package",
            "ceph-client",
            "--all-features",
            "--test",
            "it",
            "--",
            "_aio::",
        ],
    ] {
        let mut test = cargo(&["test", "--target", &triple]);
        let leaks = root().join("dev/lsan.supp");
        run(test
            .args(tests)
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTFLAGS", "-Zsanitizer=address")
            .env("LSAN_OPTIONS", format!("suppressions={}", leaks.display()))
            .env("CEPH_TEST_CONF", cluster.conf_path())
            .env_remove("CEPH_ARGS")
            .env_remove("CEPH_KEYRING"))?;
    }
    Ok(())
}
