//! The integration tests under valgrind.

use std::process::Command;

use testcluster::TestCluster;

use crate::packages::{BUILD, CLUSTER, MEMCHECK, TEST, ensure};
use crate::run::{Result, cargo, root, run};

/// Runs the integration tests of rados and rbd, and the unit tests of what is below them, under
/// memcheck. Errors and definite leaks fail, unless `dev/valgrind.supp` names the library that they
/// are in.
///
/// # Errors
/// When a test fails or memcheck finds something.
pub fn memcheck(args: &[String]) -> Result {
    ensure(&[BUILD, CLUSTER, TEST, MEMCHECK])?;
    let runner = format!(
        "CARGO_TARGET_{}_RUNNER",
        host()?.to_uppercase().replace(['-', '.'], "_")
    );
    let valgrind = format!(
        "valgrind --quiet --error-exitcode=99 --leak-check=full --show-leak-kinds=definite \
         --errors-for-leak-kinds=definite --num-callers=40 --fair-sched=yes \
         --child-silent-after-fork=yes --suppressions={}",
        root().join("dev/valgrind.supp").display(),
    );
    run(&mut cargo(&[
        "test",
        "--workspace",
        "--all-features",
        "--no-run",
    ]))?;
    let cluster = TestCluster::builder().start()?;
    let suites: [&[&str]; 2] = [
        &["--package", "ceph-core", "--lib", "--"],
        // The examples' tests run other programs only.
        &[
            "--package",
            "ceph-client",
            "--test",
            "it",
            "--",
            "--skip",
            "examples::",
        ],
    ];
    for suite in suites {
        let mut tests = cargo(&["test", "--all-features"]);
        tests.args(suite).args(args);
        run(tests
            .env(&runner, &valgrind)
            .env("CEPH_TEST_CONF", cluster.conf_path()))?;
    }
    Ok(())
}

/// The triple of the machine that this runs on.
fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output()?;
    let text = String::from_utf8(output.stdout)?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.ok_or("`rustc -vV` names no host")?.to_owned())
}
