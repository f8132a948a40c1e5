//! The tests of the libraries under valgrind.

use testcluster::TestCluster;

use crate::packages::{BUILD, CLUSTER, MEMCHECK, TEST, ensure};
use crate::run::{Result, cargo, host, many_at_once, root, run};

/// Errors and definite leaks fail. Programs that tests start are not checked.
const VALGRIND: &str = "valgrind --quiet --error-exitcode=99 --leak-check=full \
     --show-leak-kinds=definite --errors-for-leak-kinds=definite --num-callers=40 \
     --fair-sched=yes --child-silent-after-fork=yes";

/// The unit tests of all libraries, the integration tests, and those of asynchronous I/O on the stub.
const TESTS: &[&str] = &[
    "--workspace",
    "--all-features",
    "--lib",
    "--test",
    "it",
    "--test",
    "soundness",
    "--test",
    "costs",
];

/// Tests which this is not for.
const SKIPPED: &[&str] = &[
    // They run other programs only.
    "example",
    "rbd_bulk::",
    // In a forked child, what only the parent's other threads point to counts as lost.
    "fork::",
    // Passphrases are slow to try, by design; `luks2` does all that these do of ours.
    "rbd_encryption::luks1",
    "rbd_encryption::resizing",
    // Waiting for daemons, by looking often; `rbd_mirror::` makes the same calls.
    "rbd_mirror_pair::",
];

/// Runs the tests under memcheck. Errors and definite leaks fail, unless `dev/valgrind.supp` names the
/// library that they are in.
///
/// # Errors
/// When a test fails or memcheck finds something.
pub fn memcheck(suppressions: bool, args: &[String]) -> Result {
    ensure(&[BUILD, CLUSTER, TEST, MEMCHECK])?;
    run(cargo(&["test", "--quiet", "--no-run"]).args(TESTS))?;
    let file = root().join("dev/valgrind.supp");
    let mut valgrind = format!("{VALGRIND} --suppressions={}", file.display());
    if suppressions {
        valgrind += " --gen-suppressions=all";
    }
    let triple = host()?.to_uppercase().replace(['-', '.'], "_");
    let cluster = TestCluster::builder().start()?;
    let mut tests = cargo(&["test", "--no-fail-fast"]);
    tests.args(TESTS).arg("--");
    tests.args(SKIPPED.iter().flat_map(|name| ["--skip", name]));
    tests.args(args);
    run(many_at_once(&mut tests)
        .env(format!("CARGO_TARGET_{triple}_RUNNER"), valgrind)
        .env("CEPH_TEST_CONF", cluster.conf_path())
        .env("CEPH_TEST_SLOW_MACHINE", "1")
        .env_remove("CEPH_ARGS")
        .env_remove("CEPH_KEYRING"))
}

#[cfg(test)]
mod tests {
    /// What is not ours, and stands in each suppression: part of a symbol or of a library's file name.
    const OTHERS: &[&str] = &[
        "ceph",
        "librados",
        "librbd",
        "boost",
        "libc.",
        "libstdc++",
        "libcrypto",
        "libnss",
    ];

    /// What looks like one of these and is ours.
    const OURS: &[&str] = &["ceph_core", "ceph_client", "ceph_build"];

    #[test]
    fn each_suppression_is_explained_and_names_a_library() {
        let text = include_str!("../../valgrind.supp");
        let mut explained = false;
        let mut entry = Vec::new();
        for line in text.lines().map(str::trim) {
            match line {
                "" => explained = false,
                "{" => assert!(explained, "a suppression without a comment above it"),
                "}" => {
                    let frames = entry.iter().filter(|line: &&&str| {
                        line.starts_with("fun:") || line.starts_with("obj:")
                    });
                    let named = |frame: &str| {
                        OTHERS.iter().any(|other| frame.contains(other))
                            && !OURS.iter().any(|our| frame.contains(our))
                    };
                    assert!(frames.clone().any(|frame| named(frame)), "{entry:?}");
                    entry.clear();
                }
                _ if line.starts_with('#') => explained = true,
                _ => entry.push(line),
            }
        }
        assert!(entry.is_empty(), "an unfinished suppression: {entry:?}");
    }
}
