//! What a person reads when a build cannot go on, as Cargo shows it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder without anything in it.
fn empty() -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("empty");
    fs::create_dir_all(&dir).unwrap();
    dir
}

/// Builds a crate with some features and one environment variable set.
fn build(package: &str, features: &[&str], variable: &str, value: &Path) -> Output {
    Command::new(env!("CARGO"))
        .args(["build", "--offline", "--package", package])
        .args(features)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap())
        .env(
            "CARGO_TARGET_DIR",
            Path::new(env!("CARGO_TARGET_TMPDIR")).join("target"),
        )
        .env(variable, value)
        .output()
        .unwrap()
}

/// Builds a crate with one environment variable set, which must fail, and returns what Cargo printed.
fn failure(package: &str, variable: &str, value: &Path) -> String {
    let output = build(package, &[], variable, value);
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
            "apt-get install librados-dev librbd-dev libclang-dev",
            "dnf install librados-devel librbd-devel clang-devel",
            "RADOS_INCLUDE_DIR  the folder",
            "RADOS_LIB_DIR      the folder",
            "CEPH_DIR           a folder",
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
            "with the feature `bindgen` off",
        ],
    );
}

#[test]
fn without_bindgen_neither_libclang_nor_a_header_is_needed() {
    let features = ["--no-default-features", "--features", "ceph-20"];
    for variable in ["LIBCLANG_PATH", "RADOS_INCLUDE_DIR"] {
        let output = build("rados-sys", &features, variable, &empty());
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{variable}: {errors}");
    }
    let output = build("rados-sys", &features, "RADOS_LIB_DIR", &empty());
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert_all(&errors, &["librados was not found", "No librados.so in"]);
    assert!(!errors.contains("No rados/librados.h"), "{errors}");
}
