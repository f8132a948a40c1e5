//! The daemons' names, and what they say about themselves.

use std::fmt;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Child;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::error::{IoContext as _, Result};
use crate::poll::wait_until;

/// How long a daemon may take to answer on its admin socket, or to stop or end on a signal.
const PATIENCE: Duration = Duration::from_secs(5);

/// One of the cluster's daemons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Daemon {
    /// The monitor.
    Mon,
    /// The manager.
    Mgr,
    /// The storage daemon of this number, from 0.
    Osd(u32),
    /// The daemon that copies images from other clusters. It does not run before its first
    /// [`restart`](crate::TestCluster::restart).
    RbdMirror,
}

impl Daemon {
    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::Mon => "ceph-mon",
            Self::Mgr => "ceph-mgr",
            Self::Osd(_) => "ceph-osd",
            Self::RbdMirror => "rbd-mirror",
        }
    }

    pub(crate) fn id(self) -> String {
        match self {
            Self::Mon => "a".into(),
            Self::Mgr => "x".into(),
            Self::Osd(id) => id.to_string(),
            Self::RbdMirror => "admin".into(), // as which client it connects
        }
    }
}

/// Writes the name that Ceph uses: `mon.a`, `mgr.x`, `osd.0`; and `rbd-mirror.admin`.
impl fmt::Display for Daemon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::Mon => "mon",
            Self::Mgr => "mgr",
            Self::Osd(_) => "osd",
            Self::RbdMirror => "rbd-mirror",
        };
        write!(f, "{kind}.{}", self.id())
    }
}

/// Whether the monitor counts a storage daemon as up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OsdState {
    /// It serves.
    Up,
    /// It is dead, or was silent for too long.
    Down,
}

/// Asks a daemon on its admin socket, without the seconds that the `ceph` command takes.
///
/// The request is a JSON object and a NUL, the answer a big-endian length and a text. `None`
/// if the daemon does not answer (yet). White space is left out of the answer.
pub(crate) fn ask(socket: &Path, request: &str) -> Option<String> {
    let mut stream = UnixStream::connect(socket).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    write!(stream, "{{\"prefix\":\"{request}\"}}\0").ok()?;
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let mut answer = String::new();
    let length = u64::from(u32::from_be_bytes(length));
    stream.take(length).read_to_string(&mut answer).ok()?;
    answer.retain(|c| !c.is_whitespace());
    Some(answer)
}

/// Freezes the process and returns when it is frozen.
pub(crate) fn pause(child: &Child) -> Result<()> {
    signal(child, Signal::STOP)?;
    let stat = format!("/proc/{}/stat", child.id());
    wait_until(format!("process {} stops", child.id()), PATIENCE, || {
        // "pid (name) T ...", and the name may hold anything.
        std::fs::read_to_string(&stat).is_ok_and(|stat| {
            let state = stat.rsplit(") ").next();
            state.is_some_and(|state| state.starts_with('T'))
        })
    })
}

/// Lets a frozen process go on.
pub(crate) fn resume(child: &Child) -> Result<()> {
    signal(child, Signal::CONT)
}

/// Ends the process, frozen or not, and reaps it.
pub(crate) fn end(mut child: Child) -> Result<()> {
    // An error of kill() says that it has ended and been reaped.
    let _ = child.kill();
    child
        .wait()
        .context(|| format!("wait for process {}", child.id()))?;
    Ok(())
}

fn signal(child: &Child, signal: Signal) -> Result<()> {
    // The child is not reaped as long as we hold it, so the id is still its own.
    kill_process(Pid::from_child(child), signal)
        .context(|| format!("send a signal to process {}", child.id()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cephs() {
        let names = [Daemon::Mon, Daemon::Mgr, Daemon::Osd(7)].map(|daemon| daemon.to_string());
        assert_eq!(names, ["mon.a", "mgr.x", "osd.7"]);
    }
}
