//! Running programs, visibly.

use std::borrow::Cow;
use std::env;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

/// A chore's result; the error is for people.
pub type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// What has run so far, how long it took, and whether it succeeded.
static RAN: Mutex<Vec<(String, Duration, bool)>> = Mutex::new(Vec::new());

/// The workspace's folder.
pub fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(&here).to_owned()
}

/// The workspace's folder for builds.
pub fn target() -> PathBuf {
    let given = env::var_os("CARGO_TARGET_DIR").filter(|dir| !dir.is_empty());
    given.map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// A `cargo` command in the workspace's folder.
pub fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(root());
    command
}

/// The triple of the machine that this runs on.
///
/// # Errors
/// When the compiler does not tell.
pub fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output()?;
    let text = String::from_utf8(output.stdout)?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.ok_or("`rustc -vV` names no host")?.to_owned())
}

/// Shows a command, runs it, and tells how long that took.
///
/// # Errors
/// When it cannot be started, or ends with a non-zero status.
pub fn run(command: &mut Command) -> Result {
    let shown = shown(command);
    eprintln!("\n$ {shown}");
    let start = Instant::now();
    let status = command
        .status()
        .map_err(|error| format!("cannot start `{shown}`: {error}"))?;
    let took = start.elapsed();
    eprintln!("# {:.1} s", took.as_secs_f64());
    let mut ran = RAN.lock().expect("nothing panics with it");
    ran.push((shown.clone(), took, status.success()));
    if status.success() {
        Ok(())
    } else {
        Err(format!("`{shown}` failed: {status}").into())
    }
}

/// Lists what ran and how long it took.
pub fn summary() {
    let ran = RAN.lock().expect("nothing panics with it");
    eprintln!();
    for (shown, took, success) in ran.iter() {
        let result = if *success { "ok" } else { "FAILED" };
        eprintln!("{:6.1} s  {result:6}  {shown}", took.as_secs_f64());
    }
}

/// The command as one would type it, with the variables set for it.
fn shown(command: &Command) -> String {
    let program = PathBuf::from(command.get_program());
    let name = program.file_name().unwrap_or(command.get_program());
    let variables = command
        .get_envs()
        .filter_map(|(key, value)| Some(format!("{}={}", key.display(), quoted(value?))));
    let words = std::iter::once(name).chain(command.get_args());
    variables
        .chain(words.map(|word| quoted(word).into_owned()))
        .collect::<Vec<_>>()
        .join(" ")
}

/// A word for a shell.
fn quoted(word: &OsStr) -> Cow<'_, str> {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=/.,:+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word
    } else {
        format!("'{}'", word.replace('\'', r"'\''")).into()
    }
}

/// Has more tests run at once than there are processors, unless the user says how many: most wait for Ceph.
pub fn many_at_once(tests: &mut Command) -> &mut Command {
    if env::var_os("RUST_TEST_THREADS").is_none() {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        tests.env("RUST_TEST_THREADS", (2 * processors + 1).to_string());
    }
    tests
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_one_types_it() {
        let mut command = Command::new("/usr/bin/env");
        command
            .args(["a b", "it's", "", "--x=1"])
            .env("FLAGS", "-D warnings")
            .env_remove("GONE");
        assert_eq!(
            shown(&command),
            r"FLAGS='-D warnings' env 'a b' 'it'\''s' '' --x=1"
        );
    }

    #[test]
    fn a_failure_is_an_error_that_names_the_command() {
        let error = run(Command::new("false").arg("one")).unwrap_err();
        assert!(error.to_string().starts_with("`false one` failed: "));
        let error = run(&mut Command::new("/nonexistent/program")).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("cannot start `program`: No such file")
        );
    }
}
