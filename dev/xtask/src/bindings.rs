//! Declarations that are kept in the repository.

use crate::packages::{BUILD, ensure};
use crate::run::{Result, cargo, run};

/// Makes them anew from the installed headers, by the test that otherwise compares them.
///
/// # Errors
/// When the headers are of another release than those declarations.
pub fn bindings() -> Result {
    ensure(&[BUILD])?;
    let packages = ["--package=rados-sys", "--package=rbd-sys"];
    let mut test = cargo(&["test", "--quiet", "--test=kept"]);
    run(test.args(packages).env("CEPH_BINDINGS", "write"))
}
