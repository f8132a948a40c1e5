//! Format, clippy, documentation, dependencies.

use std::process::Stdio;

use crate::packages::{BUILD, ensure};
use crate::run::{Result, cargo, run};

/// The feature sets that everything is checked with.
const FEATURES: &[&[&str]] = &[&[], &["--all-features"], &["--no-default-features"]];

/// What the libraries by themselves are checked with as well, since the root's tests turn everything
/// on: no capability, and those of each release but the last, which are all.
const RELEASES: &[&str] = &[
    "",
    "rbd/ceph-12",
    "rbd/ceph-14",
    "rbd/ceph-16",
    "rbd/ceph-18",
];

/// Checks all that can be told without a cluster, with warnings denied; with `advisories` also
/// whether a dependency is known to be vulnerable, for which a list is fetched.
///
/// # Errors
/// At the first finding.
pub fn lint(advisories: bool) -> Result {
    ensure(&[BUILD])?;
    run(&mut cargo(&["fmt", "--all", "--check"]))?;
    crate::api_status::check(None)?;
    for features in FEATURES {
        clippy(&["--workspace", "--all-targets"], features)?;
    }
    for release in RELEASES {
        let libraries = ["--package=rados", "--package=rbd", "--lib"];
        clippy(
            &libraries,
            &["--no-default-features", "--features", release],
        )?;
    }
    for features in FEATURES {
        let mut doc = cargo(&["doc", "--quiet", "--workspace", "--no-deps"]);
        run(doc.args(*features).env("RUSTDOCFLAGS", "-D warnings"))?;
    }
    dependencies(advisories)
}

fn clippy(targets: &[&str], features: &[&str]) -> Result {
    let mut clippy = cargo(&["clippy", "--quiet"]);
    clippy.args(targets).args(features);
    run(clippy.args(["--", "-D", "warnings"]))
}

/// Licences, duplicate versions and sources of the dependencies.
fn dependencies(advisories: bool) -> Result {
    let there = cargo(&["deny", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if !there.is_ok_and(|status| status.success()) {
        let get = "cargo install --locked cargo-deny";
        if advisories {
            return Err(format!("cargo-deny is not installed: {get}").into());
        }
        eprintln!("\nskipped, as cargo-deny is not installed: licences, duplicates ({get})");
        return Ok(());
    }
    let mut deny = cargo(&["deny", "--workspace", "--all-features", "check"]);
    deny.args(["licenses", "bans", "sources"]);
    run(deny.args(advisories.then_some("advisories")))
}
