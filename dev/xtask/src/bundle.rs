//! What a program needs at run time, as the root file system of a container.

mod elf;
mod loader;
mod opened;
mod plan;

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::run::Result;
use plan::Plan;

/// Fills `dir` with the program, its loader and all libraries, and prints what each is there for.
///
/// # Errors
/// When the program is none, something that it needs cannot be found, or `dir` holds something
/// already. Then nothing is written.
pub fn bundle(program: &Path, dir: &Path) -> Result {
    require_empty(dir)?;
    let plan = Plan::of(program)?;
    let bytes = plan.write(dir)?;
    print!("{plan}");
    let megabytes = bytes as f64 / 1e6;
    println!("{megabytes:8.1} MB in {}", dir.display());
    Ok(())
}

fn require_empty(dir: &Path) -> Result {
    match fs::read_dir(dir).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(()),
        Ok(false) => Err(format!("{} is not empty: name a new folder", dir.display()).into()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(format!("cannot read {}: {error}", dir.display()).into()),
    }
}
