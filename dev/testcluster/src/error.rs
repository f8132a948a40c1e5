//! What can go wrong, with the end of the log that tells why.

use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::Daemon;

/// The lines of a log that an error carries.
const TAIL_LINES: usize = 25;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a cluster could not be booted, reached or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Programs that a cluster is made of are not in `PATH`.
    #[error(
        "not installed: {}. On Debian or Ubuntu: apt-get install {}",
        .programs.join(", "),
        crate::PACKAGES.join(" ")
    )]
    MissingPrograms {
        /// Their names.
        programs: Vec<&'static str>,
    },
    /// A step of the boot, or of a restart, failed or took too long.
    #[error("{step}: {reason}{logs}")]
    Step {
        /// The daemon or command.
        step: String,
        /// What happened.
        reason: String,
        /// The last lines of the logs concerned.
        logs: String,
    },
    /// The monitor's ports were taken between their choice and their use, time after time.
    #[error("the monitor found its ports taken {0} times in a row")]
    PortsTaken(u32),
    /// A command ended with an error.
    #[error("`{command}` ended with {status}: {stderr}")]
    Command {
        /// The command line.
        command: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// What it said.
        stderr: String,
    },
    /// The daemon was killed before and not restarted.
    #[error("{0} is not running")]
    NotRunning(Daemon),
    /// The cluster has no such daemon.
    #[error("the cluster has no {0}")]
    NoSuchDaemon(Daemon),
    /// The condition did not become true in time.
    #[error("still waiting after {after:?}: {what}")]
    TimedOut {
        /// What was waited for.
        what: String,
        /// For how long.
        after: Duration,
    },
    /// A detached cluster is up already.
    #[error("a cluster is up already: `env` prints how to use it, `down` ends it")]
    AlreadyUp,
    /// No detached cluster is up.
    #[error("no cluster is up: start one with `up`")]
    NotUp,
    /// The detached cluster could not be started.
    #[error("the cluster's supervisor failed: {0}")]
    Supervisor(String),
    /// An operation of the system failed.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// The system's answer.
        source: io::Error,
    },
}

/// Says what was being done when an [`io::Error`] came.
pub(crate) trait IoContext<T> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<io::Error>> IoContext<T> for std::result::Result<T, E> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| Error::Io {
            what: what(),
            source: source.into(),
        })
    }
}

/// The last lines of each of `logs` that has any, under its name.
pub(crate) fn tails<'a>(logs: impl IntoIterator<Item = &'a Path>) -> String {
    let mut text = String::new();
    for log in logs {
        // A daemon that did not come to write its log has none.
        let Ok(bytes) = std::fs::read(log) else {
            continue;
        };
        let content = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = content.lines().collect();
        let tail = &lines[lines.len().saturating_sub(TAIL_LINES)..];
        if !tail.is_empty() {
            let name = log.file_name().unwrap_or_default().to_string_lossy();
            let _ = write!(text, "\n--- {name} ---\n{}", tail.join("\n"));
        }
    }
    text
}
