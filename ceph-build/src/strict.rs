//! `CEPH_STRICT=1`: a function of a capability that is on, and that the library lacks, stops the build.

use std::collections::BTreeSet;
use std::env;
use std::fmt::Write as _;
use std::path::Path;

use crate::Library;
use crate::capability::{Entry, RELEASES, capabilities_of};
use crate::declarations::Function;
use crate::failure::Failure;

/// The variable that asks for it.
pub(crate) const VARIABLE: &str = "CEPH_STRICT";

/// A file, and the functions that it has.
pub(crate) struct Source<'a> {
    pub(crate) file: &'a Path,
    pub(crate) functions: &'a BTreeSet<String>,
}

/// Whether the environment asks for it.
pub(crate) fn wanted() -> bool {
    env::var_os(VARIABLE).is_some_and(|value| !value.is_empty() && value != "0")
}

/// Whether a feature of the crate being built is on.
pub(crate) fn enabled(feature: &str) -> bool {
    let name = feature.to_uppercase().replace('-', "_");
    env::var_os(format!("CARGO_FEATURE_{name}")).is_some()
}

/// Refuses to go on if a function of a capability that is on is missing from the library, or from its
/// header if that was read.
pub(crate) fn check(
    library: &Library,
    functions: &[Function],
    (header, so): &(Option<Source<'_>>, Source<'_>),
    enabled: impl Fn(&str) -> bool,
) -> Result<(), Failure> {
    let name = library.name;
    let mut text = String::new();
    let mut missing = BTreeSet::new();
    for function in functions {
        let Some(feature) = function.feature.filter(|feature| enabled(feature)) else {
            continue;
        };
        let lacks = |source: &Source<'_>| !source.functions.contains(function.name);
        let header = header.as_ref().filter(|header| lacks(header));
        if header.is_some() || lacks(so) {
            missing.insert(feature);
            let _ = writeln!(text, "  {} (capability {feature})", function.name);
        }
        if let Some(header) = header {
            let _ = writeln!(text, "    {} does not declare it", header.file.display());
        }
        if lacks(so) {
            let _ = writeln!(text, "    {} does not export it", so.file.display());
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let on: Vec<Entry> = capabilities_of(library)
        .into_iter()
        .filter(|entry| enabled(entry.name) && !missing.contains(entry.name))
        .collect();
    Err(Failure(format!(
        "{VARIABLE} is set, and lib{name} lacks functions of capabilities that are on:\n\n{text}\n\
         Without {VARIABLE} they are looked up when the program runs, and answer Unsupported where they\n\
         are missing. To turn these capabilities off, write in Cargo.toml:\n\n  \
         {name} = {{ .., default-features = false, features = [{}] }}\n",
        features(library, &on, enabled("bindgen")).join(", ")
    )))
}

/// The shortest list of features that turns on exactly these capabilities: a release's, and the others;
/// and bindgen, if that is on.
fn features(library: &Library, on: &[Entry], bindgen: bool) -> Vec<String> {
    let all = capabilities_of(library);
    let index = |since: &str| RELEASES.iter().position(|release| *release == since);
    let complete = |release: &&&str| {
        all.iter()
            .filter(|entry| index(entry.since) <= index(release))
            .all(|entry| on.contains(entry))
    };
    let base = RELEASES.iter().rev().find(complete);
    let rest = on
        .iter()
        .filter(|entry| base.is_none_or(|base| index(entry.since) > index(base)))
        .map(|entry| format!("\"{}\"", entry.name));
    let base = base.map(|release| format!("\"ceph-{release}\""));
    let bindgen = bindgen.then(|| "\"bindgen\"".to_owned());
    bindgen.into_iter().chain(base).chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declarations::optional;
    use crate::{RADOS, RBD};

    fn all(library: &Library, but: &[&str]) -> BTreeSet<String> {
        let names = optional(library).into_iter().map(|function| function.name);
        names
            .filter(|name| !but.contains(name))
            .map(str::to_owned)
            .collect()
    }

    fn message(library: &Library, declared: &[&str], exported: &[&str], off: &[&str]) -> String {
        let header = Source {
            file: Path::new("/v/rbd.h"),
            functions: &all(library, declared),
        };
        let so = Source {
            file: Path::new("/v/librbd.so"),
            functions: &all(library, exported),
        };
        let on = |feature: &str| !off.contains(&feature);
        check(library, &optional(library), &(Some(header), so), on)
            .err()
            .map_or_else(String::new, |failure| failure.to_string())
    }

    #[test]
    fn the_message_says_what_where_and_how_to_turn_it_off() {
        let text = message(
            &RBD,
            &["rbd_clone4"],
            &["rbd_clone4", "rbd_diff_iterate3"],
            &[],
        );
        for part in [
            "  rbd_clone4 (capability clone4)\n    /v/rbd.h does not declare it\n    /v/librbd.so does not export it\n",
            "  rbd_diff_iterate3 (capability diff3)\n    /v/librbd.so does not export it\n",
            "\n  rbd = { .., default-features = false, features = [\"bindgen\", \"ceph-16\", \"compare-and-writev\", ",
        ] {
            assert!(text.contains(part), "{part:?} is not in:\n{text}");
        }
        assert!(!text.contains("\"clone4\""), "{text}");
    }

    #[test]
    fn what_is_off_or_internal_may_be_missing() {
        assert_eq!(message(&RBD, &["rbd_clone4"], &[], &["clone4"]), "");
        assert_eq!(message(&RADOS, &["rados_stat2"], &["rados_stat2"], &[]), "");
    }
}
