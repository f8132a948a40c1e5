//! Where the detached cluster is written down.
//!
//! One file per user: the supervisor's process id, then the cluster's folder. The supervisor
//! holds a lock on it as long as it lives, so the file can't be mistaken for a living cluster
//! after a crash or a reboot, and two can't start at once.

use std::env;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, getuid};

use crate::error::{Error, IoContext as _, Result};

/// What is known of the detached cluster.
pub(crate) enum State {
    /// None is up.
    Down,
    /// The supervisor is still booting it.
    Booting(Pid),
    /// It is up.
    Up { supervisor: Pid, dir: PathBuf },
}

impl State {
    /// Reads the file.
    pub(crate) fn read() -> Result<Self> {
        let path = dir()?.join("state");
        let mut file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::Down),
            file => file.context(|| format!("open {}", path.display()))?,
        };
        // Shared, so that two readers do not take each other for a supervisor.
        if flock(&file, FlockOperation::NonBlockingLockShared).is_ok() {
            return Ok(Self::Down);
        }
        let mut text = String::new();
        file.read_to_string(&mut text)
            .context(|| format!("read {}", path.display()))?;
        let mut lines = text.lines();
        let supervisor = lines
            .next()
            .and_then(|pid| Pid::from_raw(pid.parse().ok()?));
        Ok(match (supervisor, lines.next()) {
            (Some(supervisor), Some(dir)) => Self::Up {
                supervisor,
                dir: dir.into(),
            },
            (Some(supervisor), None) => Self::Booting(supervisor),
            // The lock was taken this very moment.
            (None, _) => Self::Down,
        })
    }
}

/// The supervisor's hold on the file.
pub(crate) struct Claim(File);

impl Claim {
    /// Takes the lock and writes this process down.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadyUp`] if another process holds it.
    pub(crate) fn new() -> Result<Self> {
        let path = dir()?.join("state");
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .context(|| format!("open {}", path.display()))?;
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| Error::AlreadyUp)?;
        let mut claim = Self(file);
        claim.write(&format!("{}\n", std::process::id()))?;
        Ok(claim)
    }

    /// Writes down the folder of the cluster, which is up now.
    pub(crate) fn up(&mut self, dir: &Path) -> Result<()> {
        self.write(&format!("{}\n{}\n", std::process::id(), dir.display()))
    }

    fn write(&mut self, text: &str) -> Result<()> {
        let Self(file) = self;
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(text.as_bytes()))
            .context(|| "write the state".into())
    }
}

/// This user's folder for the state and the supervisor's log.
pub(crate) fn dir() -> Result<PathBuf> {
    let dir = match env::var_os("XDG_RUNTIME_DIR") {
        Some(base) if !base.is_empty() => Path::new(&base).join("ceph-testcluster"),
        _ => format!("/tmp/ceph-testcluster-{}", getuid().as_raw()).into(),
    };
    let made = DirBuilder::new().mode(0o700).create(&dir);
    match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => made.context(|| format!("make the folder {}", dir.display()))?,
    }
    // Others may have made a folder of that name in /tmp.
    let ours = fs::symlink_metadata(&dir).and_then(|found| {
        if found.is_dir() && found.uid() == getuid().as_raw() {
            fs::set_permissions(&dir, Permissions::from_mode(0o700))
        } else {
            Err(io::Error::other("it is not a folder of this user"))
        }
    });
    ours.context(|| format!("use {}", dir.display()))?;
    Ok(dir)
}
