//! One cluster for all tests of a process, or for all processes.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::cluster::{TestCluster, client_command};
use crate::error::Error;

/// A cluster to test against: an existing one, or one booted for this process.
#[derive(Debug)]
#[non_exhaustive]
pub enum Target {
    /// The cluster of this configuration file, which someone else looks after.
    Existing(PathBuf),
    /// A cluster of this process's own.
    Booted(Box<TestCluster>),
}

impl Target {
    /// The configuration file, which is all that a client needs to connect as `client.admin`.
    pub fn conf_path(&self) -> &Path {
        match self {
            Self::Existing(conf) => conf,
            Self::Booted(cluster) => cluster.conf_path(),
        }
    }

    /// A command for `program` that talks to this cluster.
    pub fn command(&self, program: &str) -> Command {
        client_command(program, self.conf_path())
    }
}

/// The cluster that all tests share.
///
/// It is the one whose configuration file the environment variable `CEPH_TEST_CONF` names.
/// Without that, the first call boots a cluster with one storage daemon, which lives as long
/// as the process. Blocks while it boots.
///
/// # Errors
///
/// As for [`Builder::start`](crate::Builder::start). Every later call returns the same error.
pub fn shared() -> Result<&'static Target, &'static Error> {
    static SHARED: OnceLock<Result<Target, Error>> = OnceLock::new();
    let target = SHARED.get_or_init(|| match env::var_os("CEPH_TEST_CONF") {
        Some(conf) if !conf.is_empty() => Ok(Target::Existing(conf.into())),
        _ => TestCluster::builder()
            .start()
            .map(|cluster| Target::Booted(Box::new(cluster))),
    });
    target.as_ref()
}
