//! The soak.

use crate::packages::{BUILD, CLUSTER, ensure};
use crate::run::{Result, cargo, run};

/// Installs what is missing, and works on images at random on a cluster whose storage daemons come and go.
///
/// # Errors
/// When something fails that should not, bytes are wrong, or the memory grows.
pub fn soak(args: &[String]) -> Result {
    ensure(&[BUILD, CLUSTER])?;
    let mut soak = cargo(&["run", "--quiet", "--package=soak", "--"]);
    run(soak
        .args(args)
        .env_remove("CEPH_ARGS")
        .env_remove("CEPH_KEYRING"))
}
