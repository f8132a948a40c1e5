//! Files that a build script reads and writes.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

pub(crate) fn read(file: &Path) -> Result<String, Failure> {
    fs::read_to_string(file)
        .map_err(|error| Failure(format!("cannot read {}: {error}", file.display())))
}

/// Writes a file into `OUT_DIR`.
pub(crate) fn write(name: &str, text: &str) -> Result<(), Failure> {
    let dir = env::var_os("OUT_DIR").expect("Cargo sets OUT_DIR");
    let out = PathBuf::from(dir).join(name);
    fs::write(&out, text)
        .map_err(|error| Failure(format!("cannot write {}: {error}", out.display())))
}

/// The folder of the crate that is being built.
pub(crate) fn manifest_dir() -> PathBuf {
    PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("Cargo sets CARGO_MANIFEST_DIR"))
}
