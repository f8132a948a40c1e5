//! The whole of a `-sys` crate's build script.

use std::collections::BTreeSet;

use crate::Library;
use crate::bindings;
use crate::compiler::{self, Compiler};
use crate::emit;
use crate::failure::Failure;
use crate::find;
use crate::symbols;
use crate::table::functions;

/// Finds a library, makes its declarations (`OUT_DIR/bindings.rs`), links it, and says what it has: as
/// `cfg(<library>_has = "..")` to the crate itself and as metadata to its dependents.
///
/// Where the library or libclang is missing, the build stops with a message on what to install or set.
pub fn sys(library: &Library) {
    match lines(library) {
        Ok(lines) => println!("{}", lines.join("\n")),
        Err(failure) => failure.exit(),
    }
}

/// All that Cargo is told. It is held back until the end, so that a failure's message stands alone.
fn lines(library: &Library) -> Result<Vec<String>, Failure> {
    let name = library.name;
    let compiler = Compiler::ask();
    let mut variables: Vec<String> = compiler::VARIABLES.map(Into::into).into();
    let found = find::find(library, &compiler, &mut variables)?;
    let so = found.so(library);
    let declared = bindings::generate(library, &found, &compiler)?;
    let exported = symbols::exported(&so)?;

    let table = functions(library);
    let has: BTreeSet<&str> = table
        .iter()
        .copied()
        .filter(|name| declared.functions.contains(*name) && exported.contains(*name))
        .collect();
    let mut lines = emit::cfg(library, &has);
    lines.push(format!("cargo::rustc-link-lib=dylib={name}"));
    if !found.default_dir {
        lines.push(format!(
            "cargo::rustc-link-search=native={}",
            found.lib_dir.display()
        ));
    }
    let names = has.iter().copied().collect::<Vec<_>>().join(",");
    // For the crate's own tests.
    lines.push(format!(
        "cargo::rustc-env=INCLUDE_DIR={}",
        found.include.display()
    ));
    lines.push(format!("cargo::rustc-env=HAS={names}"));
    lines.push(format!("cargo::metadata=has={names}"));
    lines.push(format!(
        "cargo::metadata=include={}",
        found.include.display()
    ));
    lines.push(format!(
        "cargo::metadata=lib_dir={}",
        found.lib_dir.display()
    ));
    lines.push(format!("cargo::metadata=so={}", so.display()));

    lines.push("cargo::rerun-if-changed=build.rs".into());
    lines.push("cargo::rerun-if-changed=src/enums.rs".into());
    let headers = declared
        .files
        .iter()
        .filter(|file| file.starts_with(&found.include));
    lines.extend(headers.map(|file| format!("cargo::rerun-if-changed={}", file.display())));
    lines.push(format!("cargo::rerun-if-changed={}", so.display()));
    variables.extend(declared.variables);
    lines.extend(
        variables
            .iter()
            .map(|name| format!("cargo::rerun-if-env-changed={name}")),
    );
    lines.push(format!(
        "lib{name}: {} of {} functions in both {} and {}",
        has.len(),
        table.len(),
        found.header(library).display(),
        so.display()
    ));
    Ok(lines)
}
