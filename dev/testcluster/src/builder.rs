//! What a cluster is to be like.

use std::env;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::cluster::TestCluster;
use crate::error::{Error, Result};
use crate::{boot, missing_programs};

/// How often a boot starts anew because another process took a port.
const ATTEMPTS: u32 = 5;

/// The longest folder for temporary files that leaves room for the names of sockets, which
/// may have 107 bytes.
const LONGEST_BASE: usize = 60;

/// Describes a [`TestCluster`], and boots it.
#[derive(Clone, Debug)]
#[must_use = "nothing is booted before `start`"]
pub struct Builder {
    pub(crate) osds: u32,
    pub(crate) osd_size: u64,
    pub(crate) pools: Vec<String>,
    pub(crate) conf: Vec<(String, String)>,
    pub(crate) deadline: Duration,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            osds: 1,
            osd_size: 8 << 30,
            pools: vec!["rbd".into()],
            conf: Vec::new(),
            deadline: Duration::from_secs(120),
        }
    }
}

impl Builder {
    /// The number of storage daemons, 1 unless said otherwise.
    ///
    /// Pools keep as many copies, but not more than three.
    ///
    /// # Panics
    ///
    /// If it is 0: no pool would ever answer.
    pub fn osds(mut self, count: u32) -> Self {
        assert!(count > 0, "a cluster needs an osd");
        self.osds = count;
        self
    }

    /// The size of each storage daemon's device in bytes, 8 GiB unless said otherwise.
    ///
    /// The file is sparse: only what is written takes space.
    pub fn osd_size(mut self, bytes: u64) -> Self {
        self.osd_size = bytes;
        self
    }

    /// Makes a pool of this name too, without an application; the pool `rbd` is always there.
    pub fn pool(mut self, name: impl Into<String>) -> Self {
        let name = name.into();
        if !self.pools.contains(&name) {
            self.pools.push(name);
        }
        self
    }

    /// Sets a key in the `[global]` section of ceph.conf, for daemons and clients.
    ///
    /// It replaces the value that this crate would have set.
    pub fn conf(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.conf.push((key.into(), value.into()));
        self
    }

    /// How long the whole boot may take, 120 seconds unless said otherwise.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Boots the cluster and returns when all its pools answer. Blocks.
    ///
    /// # Errors
    ///
    /// [`Error::MissingPrograms`] if Ceph is not installed; [`Error::Step`], which names the
    /// daemon or command and shows the end of its log, if something failed or the deadline
    /// passed. Nothing is left behind then.
    pub fn start(&self) -> Result<TestCluster> {
        let programs = missing_programs();
        if !programs.is_empty() {
            return Err(Error::MissingPrograms { programs });
        }
        let end = Instant::now() + self.deadline;
        for _ in 0..ATTEMPTS {
            match boot::boot(self, &base_dir(), boot::free_ports()?, end) {
                Err(Error::PortsTaken(_)) => {}
                done => return done,
            }
        }
        Err(Error::PortsTaken(ATTEMPTS))
    }
}

/// Where the cluster's folder goes.
fn base_dir() -> PathBuf {
    let usual = env::temp_dir();
    if usual.as_os_str().len() <= LONGEST_BASE {
        usual
    } else {
        Path::new("/tmp").into()
    }
}
