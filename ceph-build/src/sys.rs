//! The whole of a `-sys` crate's build script.

use std::collections::BTreeSet;
use std::env;
use std::fmt::Display;
use std::path::PathBuf;

use crate::Library;
use crate::archives;
#[cfg(feature = "bindgen")]
use crate::bindings;
use crate::compiler::{self, Compiler};
use crate::declarations::{optional, rust_text};
use crate::emit;
use crate::failure::Failure;
use crate::files::write;
use crate::find;
use crate::kept;
use crate::strict::{self, Source};
use crate::symbols;
use crate::table::functions;

/// The variable that asks for what documentation needs, and no more.
const DOCS_RS: &str = "DOCS_RS";

/// Finds a library, makes its declarations (`OUT_DIR/bindings.rs` and `OUT_DIR/optional.rs`), links it,
/// and says what it has: as `cfg(<library>_has = "..")` to the crate itself and as metadata to its
/// dependents.
///
/// Where the library or libclang is missing, the build stops with a message on what to install or set.
pub fn sys(library: &Library) {
    let lines = if env::var_os(DOCS_RS).is_some() {
        for_documentation(library)
    } else {
        lines(library)
    };
    match lines {
        Ok(lines) => println!("{}", lines.join("\n")),
        Err(failure) => failure.exit(),
    }
}

/// What Cargo is told where nothing is to be looked for or linked: that the library has everything.
fn for_documentation(library: &Library) -> Result<Vec<String>, Failure> {
    kept::take()?;
    write("optional.rs", &rust_text(library, &optional(library), None))?;
    let all = functions(library);
    let mut lines = emit::cfg(library, &all.iter().copied().collect());
    lines.push(format!("cargo::metadata=has={}", all.join(",")));
    lines.push("cargo::rerun-if-changed=build.rs".into());
    lines.push(format!("cargo::rerun-if-changed={}", kept::FILE));
    lines.push(format!("cargo::rerun-if-env-changed={DOCS_RS}"));
    Ok(lines)
}

/// Where the declarations come from.
struct Declarations {
    /// The functions that the installed header declares, if it was read.
    functions: Option<BTreeSet<String>>,
    /// The files that they were made from.
    files: Vec<PathBuf>,
    /// The environment variables that they depend on.
    variables: Vec<String>,
    /// The same for people.
    source: String,
}

/// Declarations from the installed header.
#[cfg(feature = "bindgen")]
fn generated(
    library: &Library,
    include: &std::path::Path,
    compiler: &Compiler,
    optional: &[crate::declarations::Function],
) -> Result<Declarations, Failure> {
    let declared = bindings::generate(library, include, compiler, optional)?;
    let installed = declared.files.into_iter();
    let installed = installed.filter(|file| file.starts_with(include));
    let own = ["src/enums.rs", "compat.h"].map(PathBuf::from);
    Ok(Declarations {
        functions: Some(declared.functions),
        files: installed.chain(own).collect(),
        variables: declared.variables.into_iter().collect(),
        source: format!("declared in {}", include.join(library.header).display()),
    })
}

/// Those that are kept.
fn kept() -> Result<Declarations, Failure> {
    let release = kept::take()?;
    Ok(Declarations {
        functions: None,
        files: vec![kept::FILE.into()],
        variables: Vec::new(),
        source: format!("declared as in Ceph {release}, no header read"),
    })
}

/// All that Cargo is told. It is held back until the end, so that a failure's message stands alone.
fn lines(library: &Library) -> Result<Vec<String>, Failure> {
    let name = library.name;
    let compiler = Compiler::ask();
    let mut variables: Vec<String> = compiler::VARIABLES.map(Into::into).into();
    variables.extend([DOCS_RS, strict::VARIABLE].map(Into::into));
    let found = find::find(library, &compiler, &mut variables)?;
    let librados = env::var_os("DEP_RADOS_STATIC").is_some();
    if name != "rados" && librados != found.statically {
        return Err(Failure::half_static());
    }
    let optional = optional(library);
    let declared = match &found.include {
        #[cfg(feature = "bindgen")]
        Some(include) if strict::enabled("bindgen") => {
            generated(library, include, &compiler, &optional)?
        }
        _ => kept()?,
    };
    let mut lines = Vec::new();
    let mut say = |key: &str, value: &dyn Display| lines.push(format!("cargo::{key}={value}"));

    let file = if found.statically {
        let archives = archives::find(library, &found, &compiler)?;
        let mut names = Vec::new();
        for (archive, path) in &archives.files {
            if let Some(dir) = path.parent() {
                say("rustc-link-search", &format!("native={}", dir.display()));
            }
            say("rustc-link-lib", &format!("static={archive}"));
            say("rerun-if-changed", &path.display());
            names.push(archive.as_str());
        }
        for system in &archives.system {
            say("rustc-link-lib", &format!("dylib={system}"));
        }
        say("metadata", &format!("static={}", names.join(",")));
        // The library's own stands first.
        archives.files[0].1.clone()
    } else {
        if !found.default_dir {
            let dir = found.lib_dir.display();
            say("rustc-link-search", &format!("native={dir}"));
        }
        say("rustc-link-lib", &format!("dylib={name}"));
        found.lib_dir.join(library.so())
    };
    let exported = symbols::exported(&file)?;
    let archive = found.statically.then_some(&exported);
    write("optional.rs", &rust_text(library, &optional, archive))?;

    if strict::wanted() {
        let header = found.include.as_ref().map(|dir| dir.join(library.header));
        let header = header.as_deref().zip(declared.functions.as_ref());
        let header = header.map(|(file, functions)| Source { file, functions });
        let library_file = Source {
            file: &file,
            functions: &exported,
        };
        let sources = (header, library_file);
        strict::check(library, &optional, &sources, strict::enabled)?;
    }

    let table = functions(library);
    let declares = |name: &&str| {
        let known = declared.functions.as_ref();
        known.is_none_or(|functions| functions.contains(*name))
    };
    let exports = |name: &&str| exported.contains(*name);
    let join = |keep: &dyn Fn(&&str) -> bool| {
        let names = table.iter().copied().filter(|name| keep(name));
        names.collect::<Vec<_>>().join(",")
    };
    let present = |name: &&str| declares(name) && exports(name);
    let has: BTreeSet<&str> = table.iter().copied().filter(present).collect();
    let names = join(&present);
    // For the crate's own tests.
    let include = found.include.unwrap_or_default();
    say("rustc-env", &format!("INCLUDE_DIR={}", include.display()));
    say("rustc-env", &format!("HAS={names}"));
    // For dependents, as `DEP_<LIBRARY>_HAS` and so on.
    say("metadata", &format!("has={names}"));
    let undeclared = join(&|name| !declares(name));
    say("metadata", &format!("undeclared={undeclared}"));
    let unexported = join(&|name| !exports(name));
    say("metadata", &format!("unexported={unexported}"));
    say("metadata", &format!("include={}", include.display()));
    say("metadata", &format!("lib_dir={}", found.lib_dir.display()));
    say("metadata", &format!("so={}", file.display()));

    say("rerun-if-changed", &"build.rs");
    say("rerun-if-changed", &file.display());
    for file in &declared.files {
        say("rerun-if-changed", &file.display());
    }
    for variable in variables.iter().chain(&declared.variables) {
        say("rerun-if-env-changed", variable);
    }
    lines.extend(emit::cfg(library, &has));
    lines.push(format!(
        "lib{name}: {} of {} functions are in {} ({})",
        has.len(),
        table.len(),
        file.display(),
        declared.source
    ));
    Ok(lines)
}
