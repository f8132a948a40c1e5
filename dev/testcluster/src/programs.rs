//! The programs that a cluster is made of.

use std::env;

/// What a boot runs.
const PROGRAMS: &[&str] = &[
    "ceph",
    "ceph-authtool",
    "ceph-mgr",
    "ceph-mon",
    "ceph-osd",
    "monmaptool",
    "osdmaptool",
    "rados",
    "rbd",
];

/// The packages of Debian and Ubuntu that hold the programs.
pub const PACKAGES: &[&str] = &["ceph-mon", "ceph-osd", "ceph-mgr", "ceph-common"];

/// The programs that a cluster needs and that are not in `PATH`.
pub fn missing_programs() -> Vec<&'static str> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = env::split_paths(&path).collect();
    let missing = |program: &&str| !folders.iter().any(|folder| folder.join(program).is_file());
    PROGRAMS.iter().copied().filter(missing).collect()
}
