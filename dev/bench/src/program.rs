//! The programs that are compared.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::Result;
use crate::protocol::{Api, Direction, Done, Job};

/// A program that is compared with others.
pub enum Program {
    /// One that runs all the time and speaks the [protocol](crate::protocol).
    Serving {
        name: &'static str,
        child: Child,
        input: ChildStdin,
        output: BufReader<ChildStdout>,
    },
    /// One that is started for each turn.
    Fio {
        conf: PathBuf,
        pool: &'static str,
        image: &'static str,
        area: u64,
    },
}

/// What a program did in one turn.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Operations a second.
    pub rate: f64,
    /// Nanoseconds of processor time an operation, of all its threads.
    pub processor: Option<f64>,
}

impl Program {
    /// Starts a program, and waits until it is ready.
    pub fn serving(name: &'static str, mut command: Command) -> Result<Self> {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let input = child.stdin.take().ok_or("a pipe was asked for")?;
        let mut output = BufReader::new(child.stdout.take().ok_or("a pipe was asked for")?);
        let ready = line(name, &mut output)?;
        if ready.trim() != "ready" {
            return Err(format!("{name} is not ready: {ready}").into());
        }
        Ok(Self::Serving {
            name,
            child,
            input,
            output,
        })
    }

    pub fn fio(conf: &Path, pool: &'static str, image: &'static str, area: u64) -> Self {
        Self::Fio {
            conf: conf.to_owned(),
            pool,
            image,
            area,
        }
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Serving { name, .. } => name,
            Self::Fio { .. } => "fio",
        }
    }

    /// Whether it can use this library.
    pub fn can(&self, api: Api) -> bool {
        api == Api::Rbd || !matches!(self, Self::Fio { .. })
    }

    /// Does a job.
    pub fn run(&mut self, job: &Job) -> Result<Sample> {
        match self {
            Self::Serving {
                name,
                child,
                input,
                output,
            } => {
                let before = processor_time(child.id())?;
                writeln!(input, "{job}")?;
                let done: Done = line(name, output)?.parse()?;
                let processor = processor_time(child.id())? - before;
                let count = done.count as f64;
                Ok(Sample {
                    rate: count * 1e9 / done.nanoseconds as f64,
                    processor: Some(processor as f64 / count),
                })
            }
            Self::Fio {
                conf,
                pool,
                image,
                area,
            } => {
                let output = fio(conf, pool, image, *area, job).output()?;
                let text = String::from_utf8_lossy(&output.stdout);
                let errors = String::from_utf8_lossy(&output.stderr);
                // It may print notes before.
                let json = text.find('{').map_or("", |start| &text[start..]);
                let report: serde_json::Value = serde_json::from_str(json)
                    .map_err(|error| format!("fio: {error}: {errors}"))?;
                let rate = report["jobs"][0][direction(job)]["iops"].as_f64();
                Ok(Sample {
                    rate: rate.ok_or("fio reports no iops")?,
                    processor: None,
                })
            }
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Self::Serving { child, .. } = self {
            // It has nothing to save.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Whether there is a program of this name.
pub fn there_is(program: &str) -> bool {
    let mut command = Command::new(program);
    let quiet = command.arg("--version").stdout(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// Whether fio is there, and can use images.
pub fn fio_has_rbd() -> bool {
    let output = Command::new("fio").arg("--enghelp=rbd").output();
    output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("rbdname"))
}

fn direction(job: &Job) -> &'static str {
    match job.direction {
        Direction::Read => "read",
        Direction::Write => "write",
    }
}

fn fio(conf: &Path, pool: &str, image: &str, area: u64, job: &Job) -> Command {
    let mut fio = Command::new("fio");
    fio.args(["--name=bench", "--output-format=json", "--ioengine=rbd"])
        .args(["--clientname=admin", "--invalidate=0", "--norandommap"])
        .args([format!("--pool={pool}"), format!("--rbdname={image}")])
        .arg(format!("--rw=rand{}", direction(job)))
        .args([format!("--bs={}", job.size), format!("--size={area}")])
        .arg(format!("--iodepth={}", job.depth))
        .arg("--time_based")
        .arg(format!("--runtime={}ms", job.milliseconds))
        .env("CEPH_CONF", conf);
    fio
}

/// A line that a program prints.
fn line(name: &str, output: &mut BufReader<ChildStdout>) -> Result<String> {
    let mut line = String::new();
    match output.read_line(&mut line)? {
        0 => Err(format!("{name} has ended").into()),
        _ => Ok(line),
    }
}

/// The nanoseconds for which a process' threads have run.
fn processor_time(process: u32) -> Result<u64> {
    let mut sum = 0;
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        // One that has ended meanwhile has none.
        let text = fs::read_to_string(thread?.path().join("schedstat")).unwrap_or_default();
        let first = text.split_whitespace().next();
        sum += first.map_or(Ok(0), str::parse)?;
    }
    Ok(sum)
}
