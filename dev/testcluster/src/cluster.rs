//! A running cluster.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::builder::Builder;
use crate::daemon::{self, Daemon, OsdState, ask};
use crate::error::{Error, IoContext as _, Result, tails};
use crate::guardian::Guardian;
use crate::poll::{INTERVAL, try_wait_until};

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
    /// One that still runs is killed first.
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
            Daemon::Mon | Daemon::Osd(_) => None,
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

/// Starting daemons and waiting for them.
impl TestCluster {
    /// The path of a file in the folder.
    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.dir().join(file)
    }

    /// The same as an argument. The folder's name is plain ASCII unless TMPDIR isn't.
    pub(crate) fn path_str(&self, file: &str) -> String {
        self.path(file).to_string_lossy().into_owned()
    }

    pub(crate) fn next_step(&self) -> u32 {
        self.steps.fetch_add(1, Ordering::Relaxed)
    }

    /// A command that the guardian knows of, with the cluster's configuration.
    pub(crate) fn guarded(&self, program: &str) -> Result<Command> {
        let mut command = self.guardian.command(program)?;
        command
            .env_remove("CEPH_ARGS")
            .arg("--conf")
            .arg(&self.conf);
        Ok(command)
    }

    /// Starts a daemon, in the place of one that still runs.
    pub(crate) fn spawn(&self, daemon: Daemon) -> Result<()> {
        let path = self.path(&format!("{daemon}.out"));
        let out = File::options().create(true).append(true).open(&path);
        let out = out.context(|| format!("open {}", path.display()))?;
        let err = out.try_clone().context(|| "duplicate a file".into())?;
        let mut daemons = self.lock();
        if let Some(old) = daemons.remove(&daemon) {
            daemon::end(old)?;
        }
        let child = self
            .guarded(daemon.program())?
            .args(["-i", &daemon.id(), "-f"])
            .stdout(out)
            .stderr(err)
            .spawn()
            .context(|| format!("start {daemon}"))?;
        daemons.insert(daemon, child);
        Ok(())
    }

    /// Waits until the monitor leads, or the storage daemon is part of the map.
    pub(crate) fn wait_ready(&self, daemon: Daemon, end: Instant) -> Result<()> {
        let (request, state) = match daemon {
            Daemon::Mon => ("mon_status", "\"state\":\"leader\""),
            Daemon::Mgr | Daemon::Osd(_) => ("status", "\"state\":\"active\""),
        };
        let socket = self.path(&format!("{daemon}.asok"));
        self.poll(daemon, "does not become ready", end, || {
            Ok(ask(&socket, request).is_some_and(|answer| answer.contains(state)))
        })
    }

    /// Waits for a condition that `daemon` brings about, as long as all daemons are alive.
    pub(crate) fn poll(
        &self,
        daemon: Daemon,
        complaint: &str,
        end: Instant,
        mut condition: impl FnMut() -> Result<bool>,
    ) -> Result<()> {
        while !condition()? {
            self.check_alive()?;
            if Instant::now() >= end {
                return Err(self.daemon_failure(daemon, format!("{complaint} within the deadline")));
            }
            thread::sleep(INTERVAL);
        }
        Ok(())
    }

    /// Fails if a daemon has ended that nobody has killed.
    pub(crate) fn check_alive(&self) -> Result<()> {
        let ended = self
            .lock()
            .iter_mut()
            .find_map(|(&daemon, child)| Some((daemon, child.try_wait().ok().flatten()?)));
        let Some((daemon, status)) = ended else {
            return Ok(());
        };
        let failure = self.daemon_failure(daemon, format!("ended with {status}"));
        if daemon == Daemon::Mon && failure.to_string().contains("Address already in use") {
            return Err(Error::PortsTaken(1));
        }
        Err(failure)
    }

    fn daemon_failure(&self, daemon: Daemon, reason: String) -> Error {
        let logs = ["out", "log"].map(|kind| self.path(&format!("{daemon}.{kind}")));
        Error::Step {
            step: daemon.to_string(),
            reason,
            logs: tails(logs.iter().map(PathBuf::as_path)),
        }
    }

    /// A failure of a step that more than one daemon may have caused.
    pub(crate) fn failure(&self, step: &str, reason: String) -> Error {
        let daemons: Vec<Daemon> = self.lock().keys().copied().collect();
        let logs: Vec<PathBuf> = daemons
            .iter()
            .map(|daemon| self.path(&format!("{daemon}.log")))
            .collect();
        Error::Step {
            step: step.into(),
            reason,
            logs: tails(logs.iter().map(PathBuf::as_path)),
        }
    }

    /// The id of the manager's incarnation that the monitor has made active.
    fn active_mgr(&self, end: Instant) -> Result<Option<String>> {
        let dump = self.step("ceph", &["mgr", "dump"])?.finish(self, end)?;
        let field = |name: &str| {
            let value = dump.split_once(&format!("\"{name}\":"))?.1;
            Some(value.split([',', '\n']).next()?.trim().to_owned())
        };
        Ok(field("active_gid").filter(|_| field("available").as_deref() == Some("true")))
    }

    fn check_exists(&self, daemon: Daemon) -> Result<()> {
        match daemon {
            Daemon::Osd(id) if id >= self.osds => Err(Error::NoSuchDaemon(daemon)),
            Daemon::Osd(_) | Daemon::Mon | Daemon::Mgr => Ok(()),
        }
    }

    fn with_running(
        &self,
        daemon: Daemon,
        action: impl FnOnce(&Child) -> Result<()>,
    ) -> Result<()> {
        self.check_exists(daemon)?;
        let mut daemons = self.lock();
        let child = daemons.get_mut(&daemon).ok_or(Error::NotRunning(daemon))?;
        match child.try_wait() {
            Ok(None) => action(child),
            _ => Err(Error::NotRunning(daemon)),
        }
    }

    /// Ends a daemon if it runs.
    fn end(&self, daemon: Daemon) -> Result<()> {
        let child = self.lock().remove(&daemon);
        child.map_or(Ok(()), daemon::end)
    }

    /// A panic of another thread leaves the map as it is, and so usable.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Daemon, Child>> {
        self.daemons.lock().unwrap_or_else(PoisonError::into_inner)
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
