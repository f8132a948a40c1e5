//! What a person reads when a build cannot go on, as Cargo shows it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder without anything in it.
fn empty() -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("empty");
    fs::create_dir_all(&dir).unwrap();
    dir
}

/// Builds a crate with one environment variable set, which must fail, and returns what Cargo printed.
fn failure(package: &str, variable: &str, value: &Path) -> String {
    let output = Command::new(env!("CARGO"))
        .args(["build", "--offline", "--package", package])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap())
        .env(
            "CARGO_TARGET_DIR",
            Path::new(env!("CARGO_TARGET_TMPDIR")).join("target"),
        )
        .env(variable, value)
        .output()
        .unwrap();
    assert!(
        !output.status.success(),
        "{package} was built in spite of {variable}={}",
        value.display()
    );
    String::from_utf8(output.stderr).unwrap()
}

fn assert_all(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
    assert!(!text.contains("panicked"), "{text}");
}

#[test]
fn a_missing_header_is_explained() {
    let dir = empty();
    let text = failure("rados-sys", "RADOS_INCLUDE_DIR", &dir);
    let place = format!("{} (RADOS_INCLUDE_DIR)", dir.display());
    assert_all(
        &text,
        &[
            "librados was not found",
            "No rados/librados.h in",
            &place,
            "apt-get install librados-dev librbd-dev libclang-dev",
            "dnf install librados-devel librbd-devel clang-devel",
            "RADOS_INCLUDE_DIR  the folder",
            "RADOS_LIB_DIR      the folder",
            "CEPH_DIR           a folder",
        ],
    );
    assert!(
        !text.contains("librados.so in"),
        "the library is there:\n{text}"
    );
}

#[test]
fn a_missing_tree_is_explained() {
    let dir = empty();
    let text = failure("rados-sys", "CEPH_DIR", &dir);
    let header = format!("{}/include (CEPH_DIR)", dir.display());
    let so = format!("{}/lib64 (CEPH_DIR)", dir.display());
    assert_all(
        &text,
        &[
            "No rados/librados.h in",
            &header,
            "No librados.so in",
            &so,
            "apt-get install",
        ],
    );
}

#[test]
fn a_missing_libclang_is_explained() {
    let text = failure("rados-sys", "LIBCLANG_PATH", &empty());
    assert_all(
        &text,
        &[
            "libclang was not found",
            "apt-get install",
            "dnf install",
            "LIBCLANG_PATH",
        ],
    );
}
