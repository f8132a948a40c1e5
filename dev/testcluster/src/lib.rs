//! Boots a real, throw-away Ceph cluster from the system's packages, in seconds.
//!
//! A cluster is a monitor, a manager and one or more storage daemons (bluestore on sparse
//! files), on 127.0.0.1, with cephx, in one temporary folder. It ends with the value, and
//! with the process, however that ends. Several may run at once. No privileges are needed.
//!
//! ```no_run
//! use std::time::Duration;
//! use testcluster::{Daemon, OsdState, TestCluster};
//!
//! let cluster = TestCluster::builder().osds(3).pool("backup").start()?;
//! println!("{}", cluster.ceph(&["osd", "tree"])?);
//! cluster.command("rbd").args(["create", "--size", "1G", "disk"]).status()?;
//!
//! cluster.kill(Daemon::Osd(0))?;
//! cluster.wait_osd_state(0, OsdState::Down, Duration::from_secs(30))?;
//! cluster.restart(Daemon::Osd(0))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Tests that need no cluster of their own use [`shared`]: one for the process, or the one
//! that the environment variable `CEPH_TEST_CONF` names.

mod boot;
mod builder;
pub mod cli;
mod cluster;
mod conf;
mod daemon;
mod error;
mod guardian;
mod poll;
mod programs;
mod shared;
mod state;
mod step;

pub use builder::Builder;
pub use cluster::TestCluster;
pub use daemon::{Daemon, OsdState};
pub use error::{Error, Result};
pub use poll::wait_until;
pub use programs::{PACKAGES, missing_programs};
pub use shared::{Target, shared};
