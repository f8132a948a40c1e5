//! A running cluster.

mod daemons;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Mutex;
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::builder::Builder;
use crate::daemon::{self, Daemon, OsdState};
use crate::error::{Error, IoContext as _, Result};
use crate::guardian::Guardian;
use crate::poll::try_wait_until;

/// A Ceph cluster of this process's own: a monitor, a manager and storage daemons, on
/// 127.0.0.1, with cephx, in one temporary folder.
///
/// Dropping it ends the daemons and removes the folder. The same happens when the process
/// ends in any other way, be it by SIGKILL.
pub struct TestCluster {
    daemons: Mutex<BTreeMap<Daemon, Child>>,
    fsid: String,
    mon_host: String,
    pub(crate) admin_key: String,
    osds: u32,
    restart_deadline: Duration,
    conf: PathBuf,
    keyring: PathBuf,
    steps: AtomicU32,
    // Fields are dropped in this order: the folder goes first, the guardian sees it gone.
    dir: TempDir,
    guardian: Guardian,
}

impl TestCluster {
    /// Describes a cluster to boot.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// An empty folder with a guardian.
    pub(crate) fn new(
        base: &Path,
        fsid: String,
        mon_host: String,
        builder: &Builder,
    ) -> Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("ceph-")
            .permissions(Permissions::from_mode(0o700)) // it has keys in it
            .tempdir_in(base)
            .context(|| format!("make a folder in {}", base.display()))?;
        let steps = dir.path().join("steps");
        fs::create_dir(&steps).context(|| format!("make {}", steps.display()))?;
        Ok(Self {
            daemons: Mutex::default(),
            fsid,
            mon_host,
            admin_key: String::new(),
            osds: builder.osds,
            restart_deadline: builder.deadline,
            conf: dir.path().join("ceph.conf"),
            keyring: dir.path().join("keyring"),
            steps: AtomicU32::new(0),
            guardian: Guardian::start(dir.path())?,
            dir,
        })
    }

    /// The configuration file, which is all that a client needs to connect as `client.admin`.
    pub fn conf_path(&self) -> &Path {
        &self.conf
    }

    /// The keyring of `client.admin`.
    pub fn keyring(&self) -> &Path {
        &self.keyring
    }

    /// The folder with all of the cluster's state and logs.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The cluster's unique id.
    pub fn fsid(&self) -> &str {
        &self.fsid
    }

    /// The monitor's addresses as the option `mon_host` takes them.
    pub fn mon_host(&self) -> &str {
        &self.mon_host
    }

    /// The secret key of `client.admin`, in base64.
    pub fn admin_key(&self) -> &str {
        &self.admin_key
    }

    /// The number of storage daemons, running or not.
    pub fn osd_count(&self) -> u32 {
        self.osds
    }

    /// Environment variables that point programs to the cluster.
    ///
    /// `CEPH_CONF` is for Ceph's own programs and libraries, `CEPH_TEST_CONF` for
    /// [`shared`](crate::shared) in another process.
    pub fn env(&self) -> [(&'static str, &Path); 2] {
        [("CEPH_CONF", &self.conf), ("CEPH_TEST_CONF", &self.conf)]
    }

    /// A command for `program` (`ceph`, `rados`, `rbd`, or one that uses their libraries)
    /// that talks to this cluster.
    pub fn command(&self, program: &str) -> Command {
        client_command(program, &self.conf)
    }

    /// Runs `ceph` with these arguments and returns what it printed. Blocks until it ends.
    ///
    /// # Errors
    ///
    /// [`Error::Command`] with the command's error output if it fails.
    pub fn ceph(&self, args: &[&str]) -> Result<String> {
        let output = self
            .command("ceph")
            .args(args)
            .output()
            .context(|| "start ceph".into())?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(Error::Command {
                command: format!("ceph {}", args.join(" ")),
                status: output.status,
                stderr: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            })
        }
    }

    /// Kills a daemon with SIGKILL, paused or not, and reaps it.
    ///
    /// The monitor does not know of it yet: see [`wait_osd_state`](Self::wait_osd_state).
    ///
    /// # Errors
    ///
    /// [`Error::NotRunning`] if it was killed before, [`Error::NoSuchDaemon`].
    pub fn kill(&self, daemon: Daemon) -> Result<()> {
        self.with_running(daemon, |_| Ok(()))?;
        self.end(daemon)
    }

    /// Freezes a daemon with SIGSTOP: its connections stay open, but nothing answers.
    ///
    /// Returns when it is frozen. A storage daemon that stays frozen for some seconds is
    /// counted as down.
    ///
    /// # Errors
    ///
    /// [`Error::NotRunning`] if it was killed before, [`Error::NoSuchDaemon`].
    pub fn pause(&self, daemon: Daemon) -> Result<()> {
        self.with_running(daemon, daemon::pause)
    }

    /// Lets a frozen daemon go on.
    ///
    /// # Errors
    ///
    /// [`Error::NotRunning`] if it was killed before, [`Error::NoSuchDaemon`].
    pub fn resume(&self, daemon: Daemon) -> Result<()> {
        self.with_running(daemon, daemon::resume)
    }

    /// Starts a daemon again, on its old data, and waits until it serves.
    ///
    /// One that still runs is killed first. [`Daemon::RbdMirror`], which no boot starts, needs the package
    /// `rbd-mirror`, and serves as soon as it answers on its admin socket.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchDaemon`]; [`Error::Step`] with the end of its log if it does not come
    /// up within the deadline of the cluster's boot.
    pub fn restart(&self, daemon: Daemon) -> Result<()> {
        self.check_exists(daemon)?;
        let end = Instant::now() + self.restart_deadline;
        let old = match daemon {
            Daemon::Mgr => {
                self.end(daemon)?;
                // The monitor goes on counting on it for a while.
                self.active_mgr(end)?
            }
            Daemon::Mon | Daemon::Osd(_) | Daemon::RbdMirror => None,
        };
        self.spawn(daemon)?;
        if daemon == Daemon::Mgr {
            self.poll(daemon, "does not become active", end, || {
                let new = self.active_mgr(end)?;
                Ok(new.is_some() && new != old)
            })
        } else {
            self.wait_ready(daemon, end)
        }
    }

    /// Waits until the monitor counts the storage daemon as up, or as down.
    ///
    /// It notices the death of one of several at once, a freeze, or the death of the only
    /// one, after some ten seconds at most.
    ///
    /// # Errors
    ///
    /// [`Error::TimedOut`] if it does not within `within`; [`Error::Command`] if the monitor
    /// can't be asked.
    pub fn wait_osd_state(&self, osd: u32, state: OsdState, within: Duration) -> Result<()> {
        self.check_exists(Daemon::Osd(osd))?;
        let what = format!("the monitor to count osd.{osd} as {state:?}");
        try_wait_until(what, within, || Ok(self.osd_state(osd)? == state))
    }

    /// Whether the monitor counts the storage daemon as up.
    ///
    /// # Errors
    ///
    /// [`Error::Command`] if the monitor can't be asked.
    pub fn osd_state(&self, osd: u32) -> Result<OsdState> {
        // "osd.0 up   in  weight 1 ..."
        let dump = self.ceph(&["osd", "dump"])?;
        let name = Daemon::Osd(osd).to_string();
        let up = dump.lines().any(|line| {
            let mut words = line.split_whitespace();
            words.next() == Some(&name) && words.next() == Some("up")
        });
        Ok(if up { OsdState::Up } else { OsdState::Down })
    }
}

/// Without the key.
impl fmt::Debug for TestCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestCluster")
            .field("dir", &self.dir())
            .field("fsid", &self.fsid)
            .field("mon_host", &self.mon_host)
            .field("osds", &self.osds)
            .finish_non_exhaustive()
    }
}

impl Drop for TestCluster {
    fn drop(&mut self) {
        let daemons = std::mem::take(&mut *self.lock());
        for (_, child) in daemons {
            // What can't be ended here is left to the guardian.
            let _ = daemon::end(child);
        }
    }
}

/// A client program that uses the configuration file and nothing of the caller's.
pub(crate) fn client_command(program: &str, conf: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env("CEPH_CONF", conf)
        .env("CEPH_TEST_CONF", conf)
        .env_remove("CEPH_ARGS")
        .env_remove("CEPH_KEYRING");
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_may_share_a_cluster() {
        fn shareable<T: Send + Sync>() {}
        shareable::<TestCluster>();
        shareable::<crate::Target>();
    }
}
