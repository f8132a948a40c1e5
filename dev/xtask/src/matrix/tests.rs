//! The whole test suite in each release.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::matrix::chroot::Chroot;
use crate::run::Result;
use crate::skipped::{self, Skipped};

/// Where the tests write what they skip.
const SKIPPED: &str = "target/skipped.tsv";

/// What a run of the test suite came to.
pub struct Tested {
    /// How many tests passed.
    pub passed: usize,
    /// The names of those that failed.
    pub failed: Vec<String>,
    /// Those that did not run.
    pub skipped: Vec<Skipped>,
    /// Whether it ran to its end without an error.
    pub success: bool,
}

/// Runs every test, and keeps what that prints in the folder of the release's results.
///
/// # Errors
/// When it cannot be started; not when a test fails.
pub fn run(chroot: &Chroot, results: &Path) -> Result {
    let file = chroot.dir.join(SKIPPED);
    if file.exists() {
        fs::remove_file(&file)?;
    }
    let skipped = format!("CEPH_TEST_SKIPPED=/{SKIPPED}");
    let mut tests = chroot.command(&[&skipped], &["cargo", "xtask", "test", "--libraries"]);
    let log = results.join("tests.out");
    logged(&mut tests, &log)?;
    let copy = results.join("skipped.tsv");
    if file.exists() {
        fs::copy(file, copy)?;
    } else {
        fs::write(copy, "")?;
    }
    Ok(())
}

/// Runs a command, with its output both shown and in a file, whose last line says how it ended.
fn logged(command: &mut Command, file: &Path) -> Result {
    let mut log = File::create(file)?;
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let output = child.stdout.take().ok_or("it is piped")?;
    for line in BufReader::new(output).split(b'\n') {
        let mut line = line?;
        line.push(b'\n');
        std::io::stdout().write_all(&line)?;
        log.write_all(&line)?;
    }
    writeln!(log, "{}", child.wait()?)?;
    Ok(())
}

impl Tested {
    /// What is kept of the last run.
    ///
    /// # Errors
    /// When there is none.
    pub fn read(results: &Path) -> Result<Self> {
        let text = String::from_utf8_lossy(&fs::read(results.join("tests.out"))?).into_owned();
        let skipped = skipped::read(&results.join("skipped.tsv"))?;
        Ok(Self::parse(&text, skipped))
    }

    fn parse(text: &str, skipped: Vec<Skipped>) -> Self {
        let passed = text.lines().filter_map(|line| {
            let counts = line.strip_prefix("test result: ")?.split_once(". ")?.1;
            counts.split_once(" passed")?.0.parse::<usize>().ok()
        });
        let failed = text.lines().filter_map(|line| {
            let test = line.strip_prefix("test ")?;
            Some(test.strip_suffix(" ... FAILED")?.to_owned())
        });
        Self {
            // A skipped test returns early, and counts as passed.
            passed: passed
                .sum::<usize>()
                .saturating_sub(skipped::tests(&skipped)),
            failed: failed.collect(),
            skipped,
            success: text.lines().last() == Some("exit status: 0"),
        }
    }
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn what_ran_is_read_off_the_output() {
        let text = "test a::b ... ok\ntest c ... FAILED\n\
                    test result: FAILED. 3 passed; 1 failed; 0 ignored\n\
                    test result: ok. 4 passed; 0 failed; 0 ignored\nexit status: 101\n";
        let skip = Skipped {
            test: "a::b".into(),
            capability: "clone4".into(),
            missing: "rbd_clone4".into(),
        };
        let tested = Tested::parse(text, vec![skip]);
        assert_eq!((tested.passed, tested.success), (6, false));
        assert_eq!(tested.failed, ["c"]);
        assert!(Tested::parse("exit status: 0\n", vec![]).success);
    }
}
