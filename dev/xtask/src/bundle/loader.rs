//! Asking a program's own loader, which alone knows where libraries are.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::Result;

/// The program that loads programs: `ld-linux-x86-64.so.2`, by its path.
pub struct Loader(pub PathBuf);

/// A library that the loader looked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Listed {
    /// What it was asked for: a name, or a path.
    pub name: String,
    /// Where it is, if anywhere.
    pub file: Option<PathBuf>,
}

impl Loader {
    /// The libraries that come with a file, in the order of loading. `LD_LIBRARY_PATH` counts, as it
    /// does when a program starts. No code of the file runs.
    ///
    /// # Errors
    /// When the loader does not run on this system or cannot load the file. A library that it cannot
    /// find is no error here.
    pub fn list(&self, file: &Path) -> Result<Vec<Listed>> {
        self.ask(&mut self.command(file)?)
    }

    /// The folder that holds the C library, where the loader looks unasked.
    ///
    /// # Errors
    /// When the loader does not run, or the program does not use the C library.
    pub fn folder(&self, program: &Path) -> Result<PathBuf> {
        let listed = self.ask(self.command(program)?.env_remove("LD_LIBRARY_PATH"))?;
        let libc = listed.into_iter().find(|listed| listed.name == "libc.so.6");
        let Some(libc) = libc.and_then(|listed| listed.file) else {
            return Err(format!("{} does not use libc.so.6", program.display()).into());
        };
        Ok(fs::canonicalize(libc.with_file_name(""))?)
    }

    fn command(&self, file: &Path) -> Result<Command> {
        let mut command = Command::new(&self.0);
        // Without a slash it would be looked for as a library; what else is loaded into every program
        // here is not what this one needs.
        command
            .arg(fs::canonicalize(file)?)
            .env("LD_TRACE_LOADED_OBJECTS", "1")
            .env_remove("LD_PRELOAD");
        Ok(command)
    }

    fn ask(&self, command: &mut Command) -> Result<Vec<Listed>> {
        let loader = self.0.display();
        let output = command.output().map_err(|error| {
            format!("cannot run the program's loader {loader}, is it for this system? {error}")
        })?;
        let listed: Vec<_> = String::from_utf8_lossy(&output.stdout)
            .lines()
            .filter_map(listed)
            .collect();
        if output.status.success() || listed.iter().any(|listed| listed.file.is_none()) {
            Ok(listed)
        } else {
            let errors = String::from_utf8_lossy(&output.stderr);
            Err(format!(
                "{loader} cannot load it: {}: {}",
                output.status,
                errors.trim()
            )
            .into())
        }
    }
}

/// What a line says: `name => file (address)`, `name => not found`, `path (address)`.
fn listed(line: &str) -> Option<Listed> {
    let line = line.trim();
    let line = line.rsplit_once(" (0x").map_or(line, |(line, _)| line);
    let (name, file) = match line.split_once(" => ") {
        Some((name, "not found")) => (name, None),
        Some((name, file)) => (name, Some(file)),
        None if line.starts_with('/') => (line, Some(line)),
        // The kernel's own library, which is in no file.
        None => return None,
    };
    Some(Listed {
        name: name.to_owned(),
        file: file.map(PathBuf::from),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_loader_are_understood() {
        let is = |line: &str, name: &str, file: Option<&str>| {
            let expected = Listed {
                name: name.to_owned(),
                file: file.map(PathBuf::from),
            };
            assert_eq!(listed(line), Some(expected), "{line}");
        };
        is(
            "\tlibrbd.so.1 => /opt/my lib/librbd.so.1 (0x00007f35fee70000)",
            "librbd.so.1",
            Some("/opt/my lib/librbd.so.1"),
        );
        is("\tlibrbd.so.1 => not found", "librbd.so.1", None);
        let loader = "/lib64/ld-linux-x86-64.so.2";
        is(
            "\t/lib64/ld-linux-x86-64.so.2 (0x00007fae7c682000)",
            loader,
            Some(loader),
        );
        assert_eq!(listed("\tlinux-vdso.so.1 (0x00007fae7c680000)"), None);
        assert_eq!(listed("\tstatically linked"), None);
    }
}
