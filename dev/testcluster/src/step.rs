//! A command of the boot: runs with a deadline, under the guardian's eyes.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Instant;

use crate::cluster::TestCluster;
use crate::error::{Error, IoContext as _, Result, tails};

/// A command that was started. Dropping it ends the command.
pub(crate) struct Step {
    command: String,
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

impl TestCluster {
    /// Starts `program` with the cluster's configuration.
    pub(crate) fn step(&self, program: &str, args: &[&str]) -> Result<Step> {
        let number = self.next_step();
        let out = self.path(&format!("steps/{number:02}-{program}.out"));
        let err = self.path(&format!("steps/{number:02}-{program}.err"));
        let create =
            |path: &Path| File::create(path).context(|| format!("make {}", path.display()));
        let child = self
            .guarded(program)?
            .args(args)
            .stdout(create(&out)?)
            .stderr(create(&err)?)
            .spawn()
            .context(|| format!("start {program}"))?;
        let command = std::iter::once(&program)
            .chain(args)
            .copied()
            .collect::<Vec<_>>();
        Ok(Step {
            command: command.join(" "),
            child,
            out,
            err,
        })
    }
}

impl Step {
    /// Waits for the command's end, at most until `end`, and returns what it printed.
    ///
    /// Fails early when a daemon dies.
    pub(crate) fn finish(mut self, cluster: &TestCluster, end: Instant) -> Result<String> {
        let status = loop {
            let status = self
                .child
                .try_wait()
                .context(|| format!("wait for `{}`", self.command))?;
            if let Some(status) = status {
                break status;
            }
            if Instant::now() >= end {
                return Err(self.failure(cluster, "not done within the deadline".into()));
            }
            cluster.check_alive()?;
            std::thread::sleep(crate::poll::INTERVAL);
        };
        if !status.success() {
            return Err(self.failure(cluster, status.to_string()));
        }
        let out = fs::read(&self.out).context(|| format!("read {}", self.out.display()))?;
        Ok(String::from_utf8_lossy(&out).into_owned())
    }

    fn failure(&self, cluster: &TestCluster, reason: String) -> Error {
        let own = tails([self.out.as_path(), self.err.as_path()]);
        let mut error = cluster.failure(&self.command, reason);
        if let Error::Step { logs, .. } = &mut error {
            logs.insert_str(0, &own);
        }
        error
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        // Errors say that it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
