//! The whole of a `-sys` crate's build script.

use std::collections::BTreeSet;
use std::fmt::Display;

use crate::Library;
use crate::bindings;
use crate::compiler::{self, Compiler};
use crate::declarations::optional;
use crate::emit;
use crate::failure::Failure;
use crate::find;
use crate::strict::{self, Source};
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
    let optional = optional(library);
    let declared = bindings::generate(library, &found, &compiler, &optional)?;
    let exported = symbols::exported(&so)?;

    if strict::wanted() {
        let header = Source {
            file: &found.header(library),
            functions: &declared.functions,
        };
        let so = Source {
            file: &so,
            functions: &exported,
        };
        strict::check(library, &optional, &header, &so, strict::enabled)?;
    }
    variables.push(strict::VARIABLE.into());

    let table = functions(library);
    let lacking = |names: &BTreeSet<String>| {
        let lacking = table.iter().copied().filter(|name| !names.contains(*name));
        lacking.collect::<Vec<_>>().join(",")
    };
    let present = |name: &&str| declared.functions.contains(*name) && exported.contains(*name);
    let has: BTreeSet<&str> = table.iter().copied().filter(present).collect();
    let names = has.iter().copied().collect::<Vec<_>>().join(",");

    let mut lines = emit::cfg(library, &has);
    let mut say = |key: &str, value: &dyn Display| lines.push(format!("cargo::{key}={value}"));
    say("rustc-link-lib", &format!("dylib={name}"));
    if !found.default_dir {
        let dir = found.lib_dir.display();
        say("rustc-link-search", &format!("native={dir}"));
    }
    // For the crate's own tests.
    say(
        "rustc-env",
        &format!("INCLUDE_DIR={}", found.include.display()),
    );
    say("rustc-env", &format!("HAS={names}"));
    // For dependents, as `DEP_<LIBRARY>_HAS` and so on.
    say("metadata", &format!("has={names}"));
    say(
        "metadata",
        &format!("undeclared={}", lacking(&declared.functions)),
    );
    say("metadata", &format!("unexported={}", lacking(&exported)));
    say("metadata", &format!("include={}", found.include.display()));
    say("metadata", &format!("lib_dir={}", found.lib_dir.display()));
    say("metadata", &format!("so={}", so.display()));

    say("rerun-if-changed", &"build.rs");
    say("rerun-if-changed", &"src/enums.rs");
    say("rerun-if-changed", &"compat.h");
    say("rerun-if-changed", &so.display());
    for file in declared
        .files
        .iter()
        .filter(|file| file.starts_with(&found.include))
    {
        say("rerun-if-changed", &file.display());
    }
    for variable in variables.iter().chain(&declared.variables) {
        say("rerun-if-env-changed", variable);
    }
    lines.push(format!(
        "lib{name}: {} of {} functions are in {} and in {}",
        has.len(),
        table.len(),
        found.header(library).display(),
        so.display()
    ));
    Ok(lines)
}
