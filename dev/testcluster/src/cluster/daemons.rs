//! Starting daemons, waiting for them, and telling how they failed.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use crate::cluster::TestCluster;
use crate::daemon::{self, Daemon, ask};
use crate::error::{Error, IoContext as _, Result, tails};
use crate::poll::INTERVAL;

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
        let mut command = self.guarded(daemon.program())?;
        if daemon == Daemon::RbdMirror {
            // For every connection it looks for `ceph.conf`, or one named as the other site.
            command.current_dir(self.dir());
            // To the configuration file it is a client.
            for (option, kind) in [("--log-file", "log"), ("--admin-socket", "asok")] {
                command.args([option, &self.path_str(&format!("{daemon}.{kind}"))]);
            }
        }
        let child = command
            .args(["-i", &daemon.id(), "-f"])
            .stdout(out)
            .stderr(err)
            .spawn()
            .context(|| format!("start {daemon}"))?;
        daemons.insert(daemon, child);
        Ok(())
    }

    /// Waits until the monitor leads, the storage daemon is part of the map, or another answers.
    pub(crate) fn wait_ready(&self, daemon: Daemon, end: Instant) -> Result<()> {
        let (request, state) = match daemon {
            Daemon::Mon => ("mon_status", "\"state\":\"leader\""),
            Daemon::Mgr | Daemon::Osd(_) => ("status", "\"state\":\"active\""),
            Daemon::RbdMirror => ("version", "\"version\":"),
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
    pub(super) fn active_mgr(&self, end: Instant) -> Result<Option<String>> {
        let dump = self.step("ceph", &["mgr", "dump"])?.finish(self, end)?;
        let field = |name: &str| {
            let value = dump.split_once(&format!("\"{name}\":"))?.1;
            Some(value.split([',', '\n']).next()?.trim().to_owned())
        };
        Ok(field("active_gid").filter(|_| field("available").as_deref() == Some("true")))
    }

    pub(super) fn check_exists(&self, daemon: Daemon) -> Result<()> {
        match daemon {
            Daemon::Osd(id) if id >= self.osds => Err(Error::NoSuchDaemon(daemon)),
            Daemon::Osd(_) | Daemon::Mon | Daemon::Mgr | Daemon::RbdMirror => Ok(()),
        }
    }

    pub(super) fn with_running(
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
    pub(super) fn end(&self, daemon: Daemon) -> Result<()> {
        let child = self.lock().remove(&daemon);
        child.map_or(Ok(()), daemon::end)
    }

    /// A panic of another thread leaves the map as it is, and so usable.
    pub(super) fn lock(&self) -> MutexGuard<'_, BTreeMap<Daemon, Child>> {
        self.daemons.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
