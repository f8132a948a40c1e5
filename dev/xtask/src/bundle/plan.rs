//! Which files a bundle has, each for a reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::elf::Elf;
use super::loader::Loader;
use super::opened;
use crate::run::Result;

/// All files of a bundle.
pub struct Plan {
    loader: Loader,
    /// The folder for libraries, which the loader searches by itself.
    folder: PathBuf,
    parts: Vec<Part>,
    /// The names of the libraries that are loaded, and where each is now.
    loaded: Vec<(String, PathBuf)>,
}

/// A file or a link of the bundle.
struct Part {
    /// Its path in the bundle's root.
    to: PathBuf,
    source: Source,
    why: String,
}

#[derive(PartialEq, Eq)]
enum Source {
    /// A copy of this file.
    File(PathBuf),
    /// A link to this path in the bundle's root.
    Link(PathBuf),
}

impl Plan {
    /// What a program needs.
    ///
    /// # Errors
    /// When it is no program, or a library cannot be found.
    pub fn of(program: &Path) -> Result<Self> {
        let shown = program.display();
        let Some(loader) = Elf::read(program)?.loader else {
            return Err(format!(
                "{shown} names no loader: it is a library, or linked statically and complete as it is"
            )
            .into());
        };
        let loader = Loader(loader);
        let mut plan = Self {
            folder: loader.folder(program)?,
            loader,
            parts: Vec::new(),
            loaded: Vec::new(),
        };
        let name = name(program);
        plan.place(program, Path::new("/usr/bin").join(&name), "the program")?;
        let loader = plan.loader.0.clone();
        plan.place(&loader, loader.clone(), &format!("the loader of {name}"))?;
        plan.load(program)?;
        let mut at = 0;
        while let Some((by, file)) = plan.loaded.get(at).cloned() {
            let why = format!("opened by {by} at run time");
            for (from, to) in opened::by(&by, &file, &plan.folder)? {
                // NSS compares its libraries with their checksums.
                let sum = from.with_extension("chk");
                if sum.exists() {
                    plan.place(&sum, to.with_extension("chk"), &why)?;
                }
                plan.place(&from, to, &why)?;
                plan.load(&from)?;
            }
            at += 1;
        }
        Ok(plan)
    }

    /// Adds the libraries that come with a file.
    fn load(&mut self, file: &Path) -> Result {
        let known: BTreeSet<_> = self.loaded.iter().map(|(name, _)| name.clone()).collect();
        let mut listed = self.loader.list(file)?;
        listed.retain(|listed| {
            !known.contains(&listed.name) && Path::new(&listed.name) != self.loader.0
        });

        let mut needed_by = BTreeMap::new();
        let libraries = listed.iter().filter_map(|listed| listed.file.as_deref());
        for file in std::iter::once(file).chain(libraries) {
            for needed in Elf::read(file)?.needed {
                needed_by.entry(needed).or_insert_with(|| name(file));
            }
        }
        let mut missing = Vec::new();
        for library in listed {
            let why = match needed_by.get(&library.name) {
                Some(by) => format!("needed by {by}"),
                None => format!("needed with {}", name(file)),
            };
            match library.file {
                Some(file) => {
                    // One that is asked for by a path is looked for there.
                    self.place(&file, self.folder.join(&library.name), &why)?;
                    self.loaded.push((library.name, fs::canonicalize(file)?));
                }
                None => missing.push(format!("\n  {}, {why}", library.name)),
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        Err(format!(
            "not found, so that the program would not start:{}\n\
             install it, or name its folder in LD_LIBRARY_PATH",
            missing.concat()
        )
        .into())
    }

    /// Adds a file under its own name, and a link to that for the name `to` if that is another. A file
    /// that is there already is linked to.
    fn place(&mut self, from: &Path, to: PathBuf, why: &str) -> Result {
        let real = fs::canonicalize(from)
            .map_err(|error| format!("cannot find {}: {error}", from.display()))?;
        let home = to.with_file_name(name(&real));
        let file = Source::File(real);
        let home = match self.parts.iter().find(|part| part.source == file) {
            Some(part) => part.to.clone(),
            None => {
                self.add(home.clone(), file, why)?;
                home
            }
        };
        if home == to {
            return Ok(());
        }
        self.add(to, Source::Link(home), why)
    }

    fn add(&mut self, to: PathBuf, source: Source, why: &str) -> Result {
        match self.parts.iter().find(|part| part.to == to) {
            Some(part) if part.source == source => {}
            Some(part) => {
                return Err(format!(
                    "two different files would be {}: {} and {source}",
                    to.display(),
                    part.source
                )
                .into());
            }
            None => self.parts.push(Part {
                to,
                source,
                why: why.to_owned(),
            }),
        }
        Ok(())
    }

    /// Makes the files and links in `dir`, and returns their size in bytes.
    ///
    /// # Errors
    /// When something cannot be read or written.
    pub fn write(&self, dir: &Path) -> Result<u64> {
        let mut bytes = 0;
        for part in &self.parts {
            let to = dir.join(part.to.strip_prefix("/")?);
            fs::create_dir_all(to.with_file_name(""))?;
            match &part.source {
                Source::File(file) => {
                    bytes += fs::copy(file, &to)
                        .map_err(|error| format!("cannot copy {}: {error}", file.display()))?;
                }
                Source::Link(home) if home.parent() == part.to.parent() => {
                    symlink(name(home), &to)?;
                }
                Source::Link(home) => symlink(home, &to)?,
            }
        }
        Ok(bytes)
    }
}

/// A line for each file: where it is in the bundle, what for, and where it was if that is elsewhere.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Part { to, source, why } in &self.parts {
            match source {
                Source::File(file) if file == to => writeln!(f, "{}: {why}", to.display())?,
                Source::File(_) => writeln!(f, "{}: {why}, {source}", to.display())?,
                Source::Link(_) => {}
            }
        }
        Ok(())
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => write!(f, "from {}", file.display()),
            Self::Link(home) => write!(f, "a link to {}", home.display()),
        }
    }
}

/// The last part of a path.
fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}
