//! Everything on every release, each in a Debian of its own.

mod chroot;
pub mod debian;
mod release;
mod report;
mod selftest;
mod tests;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;

use crate::packages::{BUILD, MATRIX, ensure};
use crate::run::{Result, cargo, root, run};

use chroot::Chroot;
use release::Release;
use selftest::{Built, Place};

/// What to try, and where to keep it.
#[derive(Args)]
pub struct Matrix {
    /// The releases; without any, all
    releases: Vec<Release>,
    /// Where the systems, builds and results are kept, some 6 GB a release [default: in ~/.cache]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Makes the systems that are not there yet, runs all tests in each, and the self-tests built in each on
/// all of them; then writes the tables, in which what did not run now is as it was the last time.
///
/// # Errors
/// When a system cannot be made, something does not build, or a test fails.
pub fn matrix(args: Matrix) -> Result {
    ensure(&[MATRIX])?;
    let cache = args.dir.unwrap_or_else(|| cache("matrix"));
    let releases = match args.releases {
        none if none.is_empty() => Release::ALL.to_vec(),
        some => some,
    };
    let shared = cache.join("shared");
    fs::create_dir_all(&shared)?;
    // Not into the user's registry, in which other builds may change files at any time.
    run(cargo(&["fetch", "--quiet", "--locked"]).env("CARGO_HOME", cache.join("cargo")))?;
    let source = tempfile::tempdir_in(&cache)?;
    copy_source(source.path())?;
    for headers in Built::ALL.iter().filter_map(|built| built.headers) {
        debian::headers(&shared, headers)?;
    }
    for &release in &releases {
        let chroot = Chroot::get(&cache, source.path(), release)?;
        let results = cache.join("results").join(release.suite());
        fs::create_dir_all(&results)?;
        tests::run(&chroot, &results)?;
        let versions = [chroot.version("librbd1")?, chroot.version("libc6")?];
        fs::write(results.join("versions"), versions.join(" "))?;
        for built in Built::ALL.iter().filter(|built| built.on == release) {
            built.build(&chroot, &shared)?;
        }
    }
    for &release in &releases {
        let chroot = Chroot::get(&cache, source.path(), release)?;
        let results = cache.join("results").join(release.suite());
        for place in Place::ALL.iter().filter(|place| place.on == release) {
            for built in Built::ALL {
                place.try_out(built, &chroot, &shared, &results)?;
            }
        }
    }
    finish(&cache)
}

/// Copies what is or could be committed, so that one may go on editing. Files keep their times, and with
/// that builds their use.
fn copy_source(to: &Path) -> Result {
    let copy = "git ls-files -z --cached --others --exclude-standard |
        xargs -0 cp --parents --preserve=timestamps --target-directory \"$1\"";
    run(Command::new("sh")
        .args(["-c", copy, "sh"])
        .arg(to)
        .current_dir(root()))
}

/// Writes and shows the tables.
fn finish(cache: &Path) -> Result {
    let (text, complaints) = report::write(cache, &root().join("docs/compatibility.md"))?;
    println!("{text}");
    match &complaints[..] {
        [] => Ok(()),
        complaints => Err(complaints.join("\n").into()),
    }
}

/// Checks the libraries against the headers and libraries of every release, with warnings denied.
///
/// # Errors
/// When these cannot be had, or at the first finding.
pub fn headers() -> Result {
    ensure(&[BUILD])?;
    for release in Release::ALL {
        let dir = debian::headers(&cache("matrix").join("shared"), release)?;
        let mut clippy = cargo(&[
            "clippy",
            "--quiet",
            "--package=rados",
            "--package=rbd",
            "--lib",
        ]);
        clippy.args(["--", "-D", "warnings"]);
        run(clippy.env("CEPH_DIR", dir.join("usr")))?;
    }
    Ok(())
}

/// A folder that outlives this checkout, for this.
pub fn cache(of: &str) -> PathBuf {
    let dir = env::var_os("XDG_CACHE_HOME").filter(|dir| !dir.is_empty());
    let dir = dir.map(PathBuf::from);
    let dir = dir.or_else(|| Some(env::home_dir()?.join(".cache")));
    dir.unwrap_or_else(env::temp_dir)
        .join("ceph-client")
        .join(of)
}
