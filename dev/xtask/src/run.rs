//! Running programs, visibly.

use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

/// A chore's result; the error is for people.
pub type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The workspace's folder.
pub fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(&here).to_owned()
}

/// A `cargo` command in the workspace's folder.
pub fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(root());
    command
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
    if !status.success() {
        return Err(format!("`{shown}` failed: {status}").into());
    }
    eprintln!("# {:.1} s: {shown}", start.elapsed().as_secs_f64());
    Ok(())
}

/// The command as one would type it.
fn shown(command: &Command) -> String {
    let program = PathBuf::from(command.get_program());
    let name = program.file_name().unwrap_or(command.get_program());
    let words = std::iter::once(name).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}
