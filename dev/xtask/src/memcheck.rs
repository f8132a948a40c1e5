//! The tests of the libraries under valgrind.

use std::thread;

use testcluster::TestCluster;

use crate::packages::{BUILD, CLUSTER, MEMCHECK, TEST, ensure};
use crate::run::{Result, cargo, host, many_at_once, root, run};

/// Errors and definite leaks fail. Programs that tests start are not checked.
const VALGRIND: &str = "valgrind --quiet --error-exitcode=99 --leak-check=full \
     --show-leak-kinds=definite --errors-for-leak-kinds=definite --num-callers=40 \
     --fair-sched=yes --child-silent-after-fork=yes";

/// The unit tests of all libraries, and those of asynchronous I/O on the stub.
const UNITS: &[&str] = &[
    "--workspace",
    "--all-features",
    "--lib",
    "--test=soundness",
    "--test=costs",
];
/// The integration tests.
const INTEGRATION: &[&str] = &["--workspace", "--all-features", "--test=it"];

/// What runs one after the other, on two sides at once, since valgrind runs one thread at a time: the arguments
/// for cargo, and for the tests.
const SIDES: [&[(&[&str], &[&str])]; 2] = [
    &[(INTEGRATION, &["rbd_", "--skip=rbd_m", "--skip=rbd_s"])],
    &[
        (UNITS, &[]),
        (INTEGRATION, &["--skip=rbd_"]),
        (INTEGRATION, &["rbd_m", "rbd_s"]),
    ],
];

/// Tests which this is not for.
const SKIPPED: &[&str] = &[
    // They run other programs only.
    "example",
    "rbd_bulk::",
    "rbd_stall::",
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
    for tests in [UNITS, INTEGRATION] {
        run(cargo(&["test", "--quiet", "--no-run"]).args(tests))?;
    }
    let file = root().join("dev/valgrind.supp");
    let mut valgrind = format!("{VALGRIND} --suppressions={}", file.display());
    if suppressions {
        valgrind += " --gen-suppressions=all";
    }
    let runner = host()?.to_uppercase().replace(['-', '.'], "_");
    let runner = format!("CARGO_TARGET_{runner}_RUNNER");
    let cluster = TestCluster::builder().start()?;
    let check = |which: &[&str], chosen: &[&str]| {
        let mut tests = cargo(&["test", "--no-fail-fast"]);
        tests.args(which).arg("--").args(chosen);
        tests.args(SKIPPED.iter().flat_map(|name| ["--skip", name]));
        let ran = run(many_at_once(&mut tests)
            .env(&runner, &valgrind)
            .env("CEPH_TEST_CONF", cluster.conf_path())
            .env("CEPH_TEST_SLOW_MACHINE", "1")
            .env_remove("CEPH_ARGS")
            .env_remove("CEPH_KEYRING"));
        ran.is_ok()
    };
    // All of them run, whatever becomes of the first.
    let all = |side: &[(&[&str], &[&str])]| {
        let failed = side.iter().filter(|(which, chosen)| !check(which, chosen));
        failed.count() == 0
    };
    let chosen: Vec<&str> = args.iter().map(String::as_str).collect();
    let fine = match chosen.is_empty() {
        true => thread::scope(|scope| {
            let sides = SIDES.map(|side| scope.spawn(|| all(side)));
            let fine = sides.map(|side| side.join().expect("nothing panics in it"));
            fine.into_iter().all(|fine| fine)
        }),
        false => all(&[(UNITS, &chosen), (INTEGRATION, &chosen)]),
    };
    match fine {
        true => Ok(()),
        false => Err("valgrind found something, or a test failed".into()),
    }
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
