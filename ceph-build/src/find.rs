//! Where a library's header and shared object are.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::Library;
use crate::compiler::Compiler;
use crate::failure::Failure;
use crate::message::Missing;

/// A library that was found.
#[derive(Debug)]
pub(crate) struct Found {
    /// The folder that the header is included from.
    pub(crate) include: PathBuf,
    /// The folder of the shared object.
    pub(crate) lib_dir: PathBuf,
    /// Whether the linker looks in `lib_dir` unasked.
    pub(crate) default_dir: bool,
}

impl Found {
    /// The header's file.
    pub(crate) fn header(&self, library: &Library) -> PathBuf {
        self.include.join(library.header)
    }

    /// The shared object that the linker takes.
    pub(crate) fn so(&self, library: &Library) -> PathBuf {
        self.lib_dir.join(library.so())
    }
}

/// A folder to look in, and who named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) dir: PathBuf,
    pub(crate) named_by: String,
}

/// Finds a library, or explains where it was sought in vain. `variables` receives the names of the
/// environment variables that the answer depends on.
pub(crate) fn find(
    library: &Library,
    compiler: &Compiler,
    variables: &mut Vec<String>,
) -> Result<Found, Failure> {
    let target = env::var("TARGET").expect("Cargo sets TARGET");
    variables.extend(["PKG_CONFIG", "PKG_CONFIG_PATH"].map(String::from));
    let mut vars = |name: &str| {
        spellings(&target, name).into_iter().find_map(|name| {
            let value = env::var_os(&name).filter(|value| !value.is_empty());
            variables.push(name.clone());
            value.map(|value| (name, value))
        })
    };
    let include = places(library, &target, &mut vars, Sort::Include, compiler);
    let lib = places(library, &target, &mut vars, Sort::Lib, compiler);
    let holds = |places: &[Place], file: &str| {
        places
            .iter()
            .find(|place| place.dir.join(file).is_file())
            .cloned()
    };
    match (holds(&include, library.header), holds(&lib, &library.so())) {
        (Some(include), Some(lib)) => Ok(Found {
            default_dir: lib
                .dir
                .canonicalize()
                .is_ok_and(|dir| compiler.lib_dirs.contains(&dir)),
            include: include.dir,
            lib_dir: lib.dir,
        }),
        (header, so) => Err(Failure::not_found(
            library,
            &target,
            header.is_none().then_some(Missing {
                file: library.header.into(),
                places: &include,
            }),
            so.is_none().then_some(Missing {
                file: library.so(),
                places: &lib,
            }),
        )),
    }
}

/// What to look for.
#[derive(Clone, Copy)]
enum Sort {
    Include,
    Lib,
}

/// The folders to look in, in order: what the environment says and nothing else, or where librados is
/// (for librbd), what pkg-config knows and what the compiler searches.
fn places(
    library: &Library,
    target: &str,
    var: &mut dyn FnMut(&str) -> Option<(String, OsString)>,
    sort: Sort,
    compiler: &Compiler,
) -> Vec<Place> {
    let upper = library.name.to_uppercase();
    let (own, beside) = match sort {
        Sort::Include => (format!("{upper}_INCLUDE_DIR"), "DEP_RADOS_INCLUDE"),
        Sort::Lib => (format!("{upper}_LIB_DIR"), "DEP_RADOS_LIB_DIR"),
    };
    if let Some((name, dir)) = var(&own) {
        return vec![Place {
            dir: dir.into(),
            named_by: name,
        }];
    }
    if let Some((name, dir)) = var("CEPH_DIR") {
        let dirs = within(Path::new(&dir), target, sort);
        return dirs
            .map(|dir| Place {
                dir,
                named_by: name.clone(),
            })
            .collect();
    }
    let beside = env::var_os(beside).map(PathBuf::from);
    let (known, searched) = match sort {
        Sort::Include => (
            pkg_config(library).map(|found| found.include_paths),
            compiler.include_dirs.clone(),
        ),
        Sort::Lib => (
            pkg_config(library).map(|found| found.link_paths),
            compiler.lib_dirs.clone(),
        ),
    };
    let named = |dirs: Vec<PathBuf>, by: &'static str| {
        dirs.into_iter().map(move |dir| Place {
            dir,
            named_by: by.into(),
        })
    };
    named(beside.into_iter().collect(), "beside librados")
        .chain(named(known.unwrap_or_default(), "pkg-config"))
        .chain(named(searched, "the C compiler"))
        .collect()
}

/// Where a tree under one folder, installed or unpacked, has its headers or libraries.
fn within(dir: &Path, target: &str, sort: Sort) -> impl Iterator<Item = PathBuf> {
    let arch = target.split('-').next().unwrap_or_default();
    let below = match sort {
        Sort::Include => vec!["include".to_owned()],
        Sort::Lib => vec![
            "lib64".into(),
            "lib".into(),
            format!("lib/{arch}-linux-gnu"),
        ],
    };
    let prefixes = [dir.to_owned(), dir.join("usr")];
    prefixes
        .into_iter()
        .flat_map(move |prefix| below.clone().into_iter().map(move |name| prefix.join(name)))
}

/// The environment variables that can set `name`, the target's own first: a cross build has two of them.
fn spellings(target: &str, name: &str) -> [String; 2] {
    [
        format!("{}_{name}", target.to_uppercase().replace(['-', '.'], "_")),
        name.to_owned(),
    ]
}

/// What pkg-config knows. Debian's packages tell it nothing.
fn pkg_config(library: &Library) -> Option<pkg_config::Library> {
    let probe = |name: &str| {
        pkg_config::Config::new()
            .cargo_metadata(false)
            .env_metadata(false)
            .probe(name)
            .ok()
    };
    probe(&format!("lib{}", library.name)).or_else(|| probe(library.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RADOS;

    const TARGET: &str = "x86_64-unknown-linux-gnu";

    fn compiler() -> Compiler {
        Compiler {
            include_dirs: vec!["/usr/include".into()],
            lib_dirs: vec!["/usr/lib".into()],
        }
    }

    fn dirs(vars: &[(&str, &str)], sort: Sort) -> Vec<String> {
        let mut var = |name: &str| {
            let (name, value) = vars.iter().find(|(known, _)| *known == name)?;
            Some((String::from(*name), OsString::from(value)))
        };
        let places = places(&RADOS, TARGET, &mut var, sort, &compiler());
        places
            .into_iter()
            .map(|place| place.dir.display().to_string())
            .collect()
    }

    #[test]
    fn the_targets_own_variable_comes_first() {
        assert_eq!(
            spellings(TARGET, "RADOS_LIB_DIR"),
            ["X86_64_UNKNOWN_LINUX_GNU_RADOS_LIB_DIR", "RADOS_LIB_DIR"]
        );
    }

    #[test]
    fn an_override_is_the_only_place() {
        let vars = [("RADOS_INCLUDE_DIR", "/own"), ("CEPH_DIR", "/ceph")];
        assert_eq!(dirs(&vars, Sort::Include), ["/own"]);
        assert_eq!(
            dirs(&vars, Sort::Lib)[..3],
            ["/ceph/lib64", "/ceph/lib", "/ceph/lib/x86_64-linux-gnu"]
        );
        assert_eq!(
            dirs(&vars[1..], Sort::Include),
            ["/ceph/include", "/ceph/usr/include"]
        );
    }

    #[test]
    fn without_an_override_the_compiler_is_asked() {
        assert_eq!(dirs(&[], Sort::Include).last().unwrap(), "/usr/include");
        assert_eq!(dirs(&[], Sort::Lib).last().unwrap(), "/usr/lib");
    }
}
