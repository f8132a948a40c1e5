//! The command line: a cluster that stays up, or one for the time of a command.
//!
//! A program with commands of its own can take these in: [`ClusterCommand`] is a `clap`
//! subcommand.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::Duration;

use clap::{Args, Subcommand};
use rustix::process::{Signal, kill_process, setsid};

use crate::error::{Error, IoContext as _, Result};
use crate::poll::try_wait_until;
use crate::state::{self, Claim, State};
use crate::{Builder, TestCluster};

/// Set for the process that holds a detached cluster. It is this program again, started with
/// the same arguments, and so also comes to [`ClusterCommand::run`] when that is embedded.
const SUPERVISOR: &str = "TESTCLUSTER_SUPERVISOR";

/// How long a cluster may take to go away.
const DOWN_DEADLINE: Duration = Duration::from_secs(30);

/// What the supervisor prints when the cluster is up.
const UP: &str = "up";

/// What to do with a throw-away Ceph cluster.
#[derive(Clone, Debug, Subcommand)]
pub enum ClusterCommand {
    /// Boot a cluster that stays up until `down`
    Up {
        /// How the cluster is to be.
        #[command(flatten)]
        shape: Shape,
        /// Hold the cluster in this process, until Ctrl-C or SIGTERM
        #[arg(long)]
        foreground: bool,
        /// Write the path of the cluster's folder to this file
        #[arg(long, value_name = "PATH")]
        dir_file: Option<PathBuf>,
    },
    /// End the cluster that is up
    Down,
    /// Print shell commands that point Ceph's programs and the tests to the cluster
    Env,
    /// Boot a cluster, run a command with it, and end the cluster
    Run {
        /// How the cluster is to be.
        #[command(flatten)]
        shape: Shape,
        /// The command and its arguments
        #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
        command: Vec<OsString>,
    },
}

/// How a cluster is to be.
#[derive(Clone, Debug, Args)]
pub struct Shape {
    /// Number of storage daemons
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    osds: u32,
    /// A pool to make beside `rbd` (may be repeated)
    #[arg(long, value_name = "NAME")]
    pool: Vec<String>,
    /// A setting for ceph.conf (may be repeated)
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    conf: Vec<(String, String)>,
}

impl Shape {
    fn builder(&self) -> Builder {
        let mut builder = TestCluster::builder().osds(self.osds);
        for pool in &self.pool {
            builder = builder.pool(pool);
        }
        for (key, value) in &self.conf {
            builder = builder.conf(key, value);
        }
        builder
    }
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("this is not KEY=VALUE")?;
    Ok((key.into(), value.into()))
}

impl ClusterCommand {
    /// Does it. Blocks until it is done: in the foreground, `up` ends with the process only.
    ///
    /// # Errors
    ///
    /// Those of [`Builder::start`]; [`Error::AlreadyUp`], [`Error::NotUp`] and
    /// [`Error::Supervisor`].
    pub fn run(self) -> Result<ExitCode> {
        match self {
            Self::Up { shape, .. } if env::var_os(SUPERVISOR).is_some() => supervise(&shape),
            Self::Up {
                shape,
                foreground,
                dir_file,
            } => {
                // Held until the end of the process.
                let mut held = None;
                let dir = if foreground {
                    let cluster = held.insert(shape.builder().start()?);
                    cluster.dir().to_owned()
                } else {
                    detach()?
                };
                if let Some(path) = dir_file {
                    fs::write(&path, format!("{}\n", dir.display()))
                        .context(|| format!("write {}", path.display()))?;
                }
                print(&variables(&dir).map(|variable| variable + "\n").concat())?;
                if held.is_some() {
                    wait_for_the_end();
                }
                Ok(ExitCode::SUCCESS)
            }
            Self::Down => down(),
            Self::Env => {
                let State::Up { dir, .. } = State::read()? else {
                    return Err(Error::NotUp);
                };
                print(&format!("export {}\n", variables(&dir).join(" ")))?;
                Ok(ExitCode::SUCCESS)
            }
            Self::Run { shape, command } => run(&shape, &command),
        }
    }
}

/// The environment of a process that uses the cluster in `dir`.
fn variables(dir: &Path) -> [String; 2] {
    let conf = dir.join("ceph.conf");
    ["CEPH_CONF", "CEPH_TEST_CONF"].map(|key| format!("{key}={}", conf.display()))
}

/// Prints, without a panic when nobody reads it.
fn print(text: &str) -> Result<()> {
    let mut stdout = std::io::stdout();
    let printed = stdout.write_all(text.as_bytes());
    printed
        .and_then(|()| stdout.flush())
        .context(|| "print".into())
}

/// Signals end the process at once, and the guardian does the rest.
fn wait_for_the_end() -> ! {
    loop {
        thread::park();
    }
}

/// Starts the supervisor and returns the folder of its cluster when that is up.
fn detach() -> Result<PathBuf> {
    if !matches!(State::read()?, State::Down) {
        return Err(Error::AlreadyUp);
    }
    // Not a pipe: who waits for the end of our output must not wait for the supervisor's.
    let log = state::dir()?.join("log");
    let stderr = File::create(&log).context(|| format!("make {}", log.display()))?;
    let program = env::current_exe().context(|| "find this program".into())?;
    let mut supervisor = Command::new(program)
        .args(env::args_os().skip(1))
        .env(SUPERVISOR, "1")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(stderr)
        .spawn()
        .context(|| "start the supervisor".into())?;
    let mut said = [0; UP.len()];
    let stdout = supervisor.stdout.as_mut().expect("it is piped");
    let heard = stdout.read_exact(&mut said);
    match State::read()? {
        State::Up { dir, .. } if heard.is_ok() => Ok(dir),
        _ => {
            let _ = supervisor.wait();
            let log = fs::read_to_string(&log).unwrap_or_default();
            Err(Error::Supervisor(log.trim().to_owned()))
        }
    }
}

/// Boots a cluster and holds it until a signal comes.
fn supervise(shape: &Shape) -> Result<ExitCode> {
    // The terminal's end is not ours.
    setsid().context(|| "leave the session".into())?;
    let mut claim = Claim::new()?;
    let cluster = shape.builder().start()?;
    claim.up(cluster.dir())?;
    // If nobody listens any more, nobody wants the cluster either.
    print(UP)?;
    wait_for_the_end()
}

fn down() -> Result<ExitCode> {
    let (supervisor, dir) = match State::read()? {
        State::Down => return Err(Error::NotUp),
        State::Booting(supervisor) => (supervisor, None),
        State::Up { supervisor, dir } => (supervisor, Some(dir)),
    };
    // The lock says that it lives, so the process is the right one.
    kill_process(supervisor, Signal::TERM).context(|| "end the supervisor".into())?;
    try_wait_until("the cluster to go away", DOWN_DEADLINE, || {
        let folder = dir.as_ref().is_some_and(|dir| dir.exists());
        Ok(!folder && matches!(State::read()?, State::Down))
    })?;
    Ok(ExitCode::SUCCESS)
}

fn run(shape: &Shape, command: &[OsString]) -> Result<ExitCode> {
    let (program, args) = command.split_first().expect("clap asks for one");
    let cluster = shape.builder().start()?;
    let status = Command::new(program)
        .args(args)
        .envs(cluster.env())
        .env_remove("CEPH_ARGS")
        .status()
        .context(|| format!("run {}", program.display()))?;
    // As a shell does, a death by a signal becomes a number above 128.
    let code = status.code().or(status.signal().map(|signal| 128 + signal));
    let code = code.and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
