//! Static linking: a library's archive, with those of all that it needs.

use std::env;
use std::path::PathBuf;

use crate::Library;
use crate::compiler::Compiler;
use crate::failure::Failure;
use crate::find::{Found, pkg_config};
use crate::symbols;

/// Libraries of the C library and of the compiler's, which stay dynamic as in every program.
const SYSTEM: [&str; 8] = ["c", "dl", "gcc_s", "m", "pthread", "resolv", "rt", "util"];

/// What to link, by the names that linkers take.
#[derive(Debug, Default)]
pub(crate) struct Archives {
    /// The library's own archive, and then the others.
    pub(crate) files: Vec<(String, PathBuf)>,
    /// Those of [`SYSTEM`] that are needed.
    pub(crate) system: Vec<String>,
}

/// Finds all archives that a library needs, but for those that librados brought, or says which are
/// missing.
pub(crate) fn find(
    library: &Library,
    found: &Found,
    compiler: &Compiler,
) -> Result<Archives, Failure> {
    let brought = env::var("DEP_RADOS_STATIC").unwrap_or_default();
    let brought: Vec<&str> = brought.split(',').collect();
    let known = pkg_config(library, true);
    // Packages keep Ceph's private libraries in a folder of their own.
    let mut dirs = vec![found.lib_dir.clone(), found.lib_dir.join("ceph")];
    dirs.extend(known.iter().flat_map(|known| known.link_paths.clone()));
    let others = compiler.lib_dirs.iter();
    dirs.extend(others.filter(|dir| **dir != found.lib_dir).cloned());
    let mut names = vec![library.name.to_owned()];
    names.extend(match known {
        Some(known) => known.libs,
        None => needed(library, &dirs)?,
    });

    let mut archives = Archives::default();
    let mut missing = Vec::new();
    for (at, name) in names.iter().enumerate() {
        if names[..at].contains(name) || brought.contains(&name.as_str()) {
            continue;
        }
        let file = format!("lib{name}.a");
        if SYSTEM.contains(&name.as_str()) {
            archives.system.push(name.clone());
        } else if let Some(path) = locate(&dirs, &file) {
            archives.files.push((name.clone(), path));
        } else {
            missing.push(file);
        }
    }
    if missing.is_empty() {
        Ok(archives)
    } else {
        Err(Failure::no_archives(library, &missing, &dirs))
    }
}

/// What a library's shared form needs, and what that needs in turn.
fn needed(library: &Library, dirs: &[PathBuf]) -> Result<Vec<String>, Failure> {
    let so = library.so();
    if locate(dirs, &so).is_none() {
        return Err(Failure::unknown_needs(library));
    }
    let mut files = vec![so];
    let mut at = 0;
    while let Some(path) = files.get(at).map(|file| locate(dirs, file)) {
        at += 1;
        let Some(path) = path else { continue };
        for file in symbols::needed(&path)? {
            if !files.contains(&file) && !file.starts_with("ld-") {
                files.push(file);
            }
        }
    }
    Ok(files.iter().map(|file| stem(file).to_owned()).collect())
}

/// The name that linkers take, of `libfmt.so.9` for example.
fn stem(file: &str) -> &str {
    let name = file.strip_prefix("lib").unwrap_or(file);
    name.split(".so").next().unwrap_or(name)
}

fn locate(dirs: &[PathBuf], file: &str) -> Option<PathBuf> {
    let mut paths = dirs.iter().map(|dir| dir.join(file));
    paths.find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RADOS;

    #[test]
    fn what_an_archive_needs_must_be_said_somewhere() {
        let error = needed(&RADOS, &[]).unwrap_err().to_string();
        assert!(
            error.contains("nothing says what librados.a needs"),
            "{error}"
        );
    }

    #[test]
    fn a_file_name_has_what_linkers_call_it() {
        assert_eq!(stem("librados.so"), "rados");
        assert_eq!(stem("libboost_thread.so.1.74.0"), "boost_thread");
        assert_eq!(stem("libstdc++.so.6"), "stdc++");
    }
}
