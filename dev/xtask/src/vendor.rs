//! The integration tests against a librbd as a vendor has it.

use std::fs;
use std::process::Command;

use serde_json::Value;
use testcluster::TestCluster;
use vendortree::{Installed, Tree, VENDOR_LACKS};

use crate::packages::{BUILD, CLUSTER, TEST, ensure};
use crate::run::{Result, cargo, many_at_once, run, target};
use crate::skipped::{self, Skipped};

/// Makes a [tree](Tree::of_a_vendor) of what is installed, builds the integration tests against it, with
/// the default features and without a single warning, and runs them.
///
/// # Errors
/// When one fails, or does not run though its functions are in the tree.
pub fn vendor() -> Result {
    ensure(&[BUILD, CLUSTER, TEST])?;
    let dir = target().join("vendor");
    let installed = installed()?;
    let tree = Tree::of_a_vendor(dir.join("tree"), &installed);
    // The tests alone load its libraries: the programs that they start may need what it lacks.
    let flags = format!("-Clink-arg=-Wl,-rpath,{}", tree.lib().display());
    let against = |command: &mut Command| {
        command
            .env("CARGO_TARGET_DIR", dir.join("target"))
            .env("RBD_INCLUDE_DIR", tree.include())
            .env("RBD_LIB_DIR", tree.lib())
            .env("RUSTFLAGS", &flags);
    };

    let mut build = cargo(&["test", "--test", "it", "--no-run"]);
    against(&mut build);
    eprintln!("\nbuilding against {}", tree.lib().display());
    let output = build.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() || said.contains("warning") {
        return Err(format!("it is not built without a warning:\n{said}").into());
    }

    let cluster = TestCluster::builder().start()?;
    let skipped = dir.join("skipped");
    fs::write(&skipped, "")?;
    let mut tests = cargo(&["test", "--test", "it", "--no-fail-fast"]);
    against(&mut tests);
    run(many_at_once(&mut tests)
        .env("CEPH_TEST_CONF", cluster.conf_path())
        .env("CEPH_TEST_SKIPPED", &skipped)
        .env_remove("CEPH_ARGS")
        .env_remove("CEPH_KEYRING"))?;
    check(&skipped::read(&skipped)?, |function| {
        installed.exports(function)
    })
}

/// Asks a build of the workspace where it finds what is installed.
fn installed() -> Result<Installed> {
    let mut build = cargo(&["build", "--quiet", "--package", "ceph-client"]);
    let output = build.args(["--message-format", "json"]).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let text = String::from_utf8(output.stdout)?;
    let mut messages = text.lines().map(serde_json::from_str);
    let found = messages.find_map(|message: serde_json::Result<Value>| {
        let variables = message.ok()?["env"].take();
        let of = |name: &str| {
            let mut pairs = variables.as_array()?.iter();
            let pair = pairs.find(|pair| pair[0] == name)?;
            Some(pair[1].as_str()?.into())
        };
        Some(Installed {
            include: of("DEP_RBD_INCLUDE")?,
            rados: of("DEP_RADOS_SO")?,
            rbd: of("DEP_RBD_SO")?,
        })
    });
    found.ok_or_else(|| "the build names no libraries".into())
}

/// Lists the tests that did not run, and looks for one that should have.
fn check(skipped: &[Skipped], is_installed: impl Fn(&str) -> bool) -> Result {
    let mut lacks_of_the_tree = 0;
    for skip in skipped {
        let (test, capability, missing) = (&skip.test, &skip.capability, &skip.missing);
        eprintln!("not run for want of {missing} ({capability}): {test}");
        for function in missing.split(' ') {
            if VENDOR_LACKS.contains(&function) {
                lacks_of_the_tree += 1;
            } else if is_installed(function) {
                return Err(format!("{test} did not find {function}").into());
            }
        }
    }
    match lacks_of_the_tree {
        0 => Err("every test ran, as if nothing had been taken away".into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_tree_is_no_reason_not_to_run() {
        let skipped = |test: &str, missing: &str| Skipped {
            test: test.to_owned(),
            capability: "a-capability".to_owned(),
            missing: missing.to_owned(),
        };
        let check = |skipped: &[Skipped]| {
            check(skipped, |function| function == "rbd_trash_list")
                .map_err(|error| error.to_string())
        };
        let vendor = skipped("m::one", "rbd_trash_list_cleanup");
        let release = skipped("m::two", "rbd_encryption_load2");
        let wrong = skipped("m::three", "rbd_trash_get rbd_trash_list");
        check(std::slice::from_ref(&vendor)).unwrap();
        check(&[release.clone(), vendor.clone()]).unwrap();
        let error = check(&[vendor, wrong]).unwrap_err();
        assert_eq!(error, "m::three did not find rbd_trash_list");
        check(&[release]).unwrap_err();
        check(&[]).unwrap_err();
    }
}
