//! The process that cleans up when this one cannot.
//!
//! A destructor does not run when the process is killed, aborts, exits with the cluster in a
//! `static`, or loses the thread that the kernel's parent-death signal watches. So a small
//! shell waits at the other end of a pipe that only this process holds open. Its end means
//! that the process is gone, however that came about.
//!
//! Each process of the cluster starts as a shell that writes its own process id into the
//! pipe before it becomes the daemon. It holds the pipe open until then: there is no moment
//! at which a process runs that the guardian does not know of.

use std::io::PipeWriter;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::error::{IoContext as _, Result};

/// Kills what it was told of, then removes the folder. A process id may belong to another
/// process by now, so only a command line that names the folder counts. A process that was
/// just killed may still add a file, hence the repetition.
const GUARD: &str = r#"
trap '' HUP INT QUIT TERM
dir=$1
pids=
while read -r pid; do pids="$pids $pid"; done
for pid in $pids; do
    if grep -qasF "$dir/" "/proc/$pid/cmdline"; then kill -9 "$pid"; fi
done
tries=0
while [ -e "$dir" ] && [ "$tries" -lt 100 ]; do
    rm -rf "$dir" || sleep 0.1
    tries=$((tries + 1))
done
"#;

/// Reports its process id, then becomes the program.
const REPORT: &str = r#"echo "$$" >&0 && exec "$@" </dev/null"#;

pub(crate) struct Guardian {
    shell: Child,
    /// `None` only while it is being dropped.
    lifeline: Option<PipeWriter>,
}

impl Guardian {
    /// Starts the guardian of `dir`.
    pub(crate) fn start(dir: &Path) -> Result<Self> {
        let (reader, writer) = std::io::pipe().context(|| "create a pipe".into())?;
        let shell = Command::new("sh")
            .args(["-c", GUARD, "testcluster-guardian"])
            .arg(dir)
            .current_dir("/")
            .stdin(reader)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0) // a Ctrl-C at the terminal is not for it
            .spawn()
            .context(|| "start sh".into())?;
        Ok(Self {
            shell,
            lifeline: Some(writer),
        })
    }

    /// A command for `program` that the guardian will know of.
    ///
    /// One of its arguments must name a file in the folder.
    pub(crate) fn command(&self, program: &str) -> Result<Command> {
        let lifeline = self.lifeline.as_ref().expect("taken in drop only");
        let lifeline = lifeline.try_clone().context(|| "duplicate a pipe".into())?;
        let mut command = Command::new("sh");
        command
            .args(["-c", REPORT, "testcluster-start"])
            .arg(program)
            .stdin(lifeline)
            // As in production. Debian 13 looks for the object classes relative to it.
            .current_dir("/")
            .process_group(0);
        Ok(command)
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        self.lifeline = None;
        // It ends by itself now; nothing is to be done if it cannot be waited for.
        let _ = self.shell.wait();
    }
}
