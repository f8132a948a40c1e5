//! Format, clippy, documentation, dependencies.

use std::process::Command;

use crate::packages::{BUILD, ensure};
use crate::run::{Result, cargo, run};

/// The feature sets that everything is checked with.
const FEATURES: &[&[&str]] = &[&[], &["--all-features"], &["--no-default-features"]];

/// What the libraries are checked with as well: no capability, and those of each release.
const RELEASES: &[&str] = &[
    "",
    "rbd/ceph-12",
    "rbd/ceph-14",
    "rbd/ceph-16",
    "rbd/ceph-18",
];

/// Checks all that can be told without a cluster, with warnings denied.
///
/// # Errors
/// At the first finding.
pub fn lint() -> Result {
    ensure(&[BUILD])?;
    run(&mut cargo(&["fmt", "--all", "--check"]))?;
    for features in FEATURES {
        let mut clippy = cargo(&["clippy", "--quiet", "--workspace", "--all-targets"]);
        run(clippy.args(*features).args(["--", "-D", "warnings"]))?;
    }
    // The root's tests turn everything on, so that the libraries by themselves are another matter.
    for release in RELEASES {
        let mut clippy = cargo(&[
            "clippy",
            "--quiet",
            "--package=rados",
            "--package=rbd",
            "--lib",
        ]);
        clippy.args(["--no-default-features", "--features", release]);
        run(clippy.args(["--", "-D", "warnings"]))?;
    }
    for features in FEATURES {
        let mut doc = cargo(&["doc", "--quiet", "--workspace", "--no-deps"]);
        run(doc.args(*features).env("RUSTDOCFLAGS", "-D warnings"))?;
    }
    dependencies()
}

/// Licences, duplicate versions and sources of the dependencies.
fn dependencies() -> Result {
    let there = Command::new("cargo-deny").arg("--version").output();
    if !there.is_ok_and(|output| output.status.success()) {
        eprintln!("\nskipped: licences and duplicates (cargo install --locked cargo-deny)");
        return Ok(());
    }
    run(&mut cargo(&[
        "deny",
        "--all-features",
        "check",
        "licenses",
        "bans",
        "sources",
    ]))
}
