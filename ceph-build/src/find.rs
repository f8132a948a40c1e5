//! Where a library's header and shared object are.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::Library;
use crate::compiler::Compiler;
use crate::failure::Failure;
use crate::strict;

/// A library that was found.
#[derive(Debug)]
pub(crate) struct Found {
    /// The folder that the header is included from: there, if bindgen is to read it.
    pub(crate) include: Option<PathBuf>,
    /// The folder of the library.
    pub(crate) lib_dir: PathBuf,
    /// Whether the linker looks in `lib_dir` unasked.
    pub(crate) default_dir: bool,
    /// Whether static linking is asked for. In `lib_dir` is the archive then, or a shared object alone.
    pub(crate) statically: bool,
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
    let statically = vars(&format!("{}_STATIC", library.name.to_uppercase()))
        .is_some_and(|(_, value)| value != "0");
    let so = library.so();
    let header = holding(&include, library.header);
    let held = match statically {
        true => holding(&lib, &library.archive()).or_else(|| holding(&lib, &so)),
        false => holding(&lib, &so),
    };
    let header_missed = header.is_none() && strict::enabled("bindgen");
    match held {
        Some(lib) if !header_missed => {
            let unasked = compiler.lib_dirs.iter().find(|dir| dir.join(&so).is_file());
            Ok(Found {
                default_dir: lib.dir.canonicalize().ok().as_ref() == unasked,
                include: header.map(|place| place.dir.clone()),
                lib_dir: lib.dir.clone(),
                statically,
            })
        }
        _ => {
            let header = header_missed.then_some((library.header, &include[..]));
            let shared = held.is_none().then_some((&so[..], &lib[..]));
            Err(Failure::not_found(library, &target, [header, shared]))
        }
    }
}

/// The first of the places that has the file.
fn holding<'a>(places: &'a [Place], file: &str) -> Option<&'a Place> {
    places.iter().find(|place| place.dir.join(file).is_file())
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
        return named(vec![dir.into()], &name);
    }
    if let Some((name, dir)) = var("CEPH_DIR") {
        let prefixes = [PathBuf::from(&dir), Path::new(&dir).join("usr")];
        return named(
            prefixes
                .iter()
                .flat_map(|dir| within(dir, target, sort))
                .collect(),
            &name,
        );
    }
    // Empty: librados was found without a header.
    let beside = env::var_os(beside).filter(|dir| !dir.is_empty());
    let beside = beside.map(PathBuf::from);
    let pkg_config = pkg_config(library, false).map(|found| match sort {
        Sort::Include => found.include_paths,
        Sort::Lib => found.link_paths,
    });
    let mut searched = Vec::new();
    match sort {
        Sort::Include => searched.extend_from_slice(&compiler.include_dirs),
        Sort::Lib => {
            // Compilers search /usr/local for headers but leave its libraries to the linker, and not all
            // linkers look there.
            if env::var("HOST").is_ok_and(|host| host == target) {
                searched = within(Path::new("/usr/local"), target, sort);
            }
            searched.extend_from_slice(&compiler.lib_dirs);
        }
    }
    [
        named(beside.into_iter().collect(), "beside librados"),
        named(pkg_config.unwrap_or_default(), "pkg-config"),
        named(searched, "searched by default"),
    ]
    .concat()
}

fn named(dirs: Vec<PathBuf>, by: &str) -> Vec<Place> {
    let named_by = |dir| Place {
        dir,
        named_by: by.to_owned(),
    };
    dirs.into_iter().map(named_by).collect()
}

/// Where an installed tree has its headers or libraries.
fn within(dir: &Path, target: &str, sort: Sort) -> Vec<PathBuf> {
    let arch = target.split('-').next().unwrap_or_default();
    match sort {
        Sort::Include => vec![dir.join("include")],
        Sort::Lib => vec![
            dir.join("lib64"),
            dir.join("lib"),
            dir.join(format!("lib/{arch}-linux-gnu")),
        ],
    }
}

/// The environment variables that can set `name`, the target's own first: a cross build has two of them.
fn spellings(target: &str, name: &str) -> [String; 2] {
    [
        format!("{}_{name}", target.to_uppercase().replace(['-', '.'], "_")),
        name.to_owned(),
    ]
}

/// What pkg-config knows, of a static library with all that it needs. Debian's packages tell it nothing.
pub(crate) fn pkg_config(library: &Library, statically: bool) -> Option<pkg_config::Library> {
    let probe = |name: &str| {
        pkg_config::Config::new()
            .statik(statically)
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
        let found = places(&RADOS, TARGET, &mut var, sort, &compiler());
        found
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
