//! Instructions an operation, counted by callgrind.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::place::Place;
use crate::protocol::{Api, Direction, Job};
use crate::{Result, SIZE};

/// Instructions an operation, those of the library included.
pub struct Count {
    pub api: Api,
    pub direction: Direction,
    pub c: f64,
    pub ours: f64,
}

/// Counts those of the program in C and of ours.
pub fn count(place: &Place, api: Api, direction: Direction) -> Result<Count> {
    let each = |command: &dyn Fn() -> Result<Command>| -> Result<f64> {
        // What the start takes is in both.
        let [few, many] = [1000, 11_000].map(|operations| {
            let job = Job {
                api,
                direction,
                depth: 16,
                size: SIZE,
                most: operations,
                milliseconds: 600_000,
            };
            total(command()?, &job)
        });
        Ok((many? - few?) as f64 / 10_000.0)
    };
    Ok(Count {
        api,
        direction,
        c: each(&|| Ok(place.c()))?,
        ours: each(&|| place.ours())?,
    })
}

/// All instructions of a program that does one job.
fn total(program: Command, job: &Job) -> Result<u64> {
    let mut valgrind = Command::new("valgrind");
    valgrind
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program.get_program())
        .args(program.get_args())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => valgrind.env(name, value),
            None => valgrind.env_remove(name),
        };
    }
    let mut child = valgrind.spawn()?;
    let mut input = child.stdin.take().ok_or("a pipe was asked for")?;
    writeln!(input, "{job}")?;
    drop(input);
    let output = child.wait_with_output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    let collected = text
        .lines()
        .find_map(|line| line.split_once("Collected : "))
        .and_then(|(_, number)| number.trim().parse().ok());
    collected.ok_or_else(|| format!("callgrind counts nothing: {text}").into())
}
