//! What a build script tells Cargo.

use std::collections::BTreeSet;
use std::env;

use crate::failure::Failure;
use crate::table::functions;
use crate::{Library, RADOS, RBD};

/// Gives the crate being built the switches of the `-sys` crates that it depends on: `cfg(rados_has =
/// "..")` and `cfg(rbd_has = "..")` for each function that the library has, and the names of all
/// others for the compiler's check of misspelt ones.
///
/// Cargo hands the answers to direct dependents only, so the crate must list `rados-sys` or
/// `rbd-sys` under `[dependencies]`. Without any of the two the build stops and says so.
pub fn forward() {
    let libraries = [&RADOS, &RBD];
    let answers =
        libraries.map(|library| env::var(format!("DEP_{}_HAS", library.name.to_uppercase())).ok());
    if answers.iter().all(Option::is_none) {
        let text = "The build script calls ceph_build::forward(), which needs rados-sys or rbd-sys under \
                    [dependencies] in Cargo.toml.";
        Failure(text.into()).exit();
    }
    println!("cargo::rerun-if-changed=build.rs");
    for (library, answer) in libraries.iter().zip(&answers) {
        let has = answer.iter().flat_map(|list| list.split(',')).collect();
        println!("{}", cfg(library, &has).join("\n"));
    }
}

/// The lines that make `cfg(<library>_has = "..")` known for every function of the table, and set for
/// those in `has`.
pub(crate) fn cfg(library: &Library, has: &BTreeSet<&str>) -> Vec<String> {
    let name = library.name;
    let mut known = Vec::new();
    let mut lines = Vec::new();
    for function in functions(library) {
        known.push(format!("\"{function}\""));
        if has.contains(function) {
            lines.push(format!("cargo::rustc-cfg={name}_has=\"{function}\""));
        }
    }
    lines.push(format!(
        "cargo::rustc-check-cfg=cfg({name}_has, values({}))",
        known.join(", ")
    ));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_functions_are_known_and_those_present_are_set() {
        let lines = cfg(
            &RADOS,
            &BTreeSet::from(["rados_stat2", "rados_of_a_vendor"]),
        );
        let (check, set) = lines.split_last().unwrap();
        assert_eq!(set, ["cargo::rustc-cfg=rados_has=\"rados_stat2\""]);
        assert!(
            check
                .starts_with("cargo::rustc-check-cfg=cfg(rados_has, values(\"rados_aio_append\", ")
        );
        assert_eq!(check.matches("\"rados_").count(), functions(&RADOS).len());
    }
}
