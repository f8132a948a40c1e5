//! The list of capabilities.

use crate::Library;
use crate::table::{Capability, table};

/// A capability: what a Cargo feature of that name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name of the capability and of its feature.
    pub name: &'static str,
    /// The first release that has it, as in the feature `ceph-14`.
    pub since: &'static str,
    /// What it is.
    pub description: &'static str,
}

/// The releases that have a feature of their own, oldest first.
pub const RELEASES: [&str; 5] = ["12", "14", "16", "18", "20"];

/// All capabilities, oldest first.
///
/// # Panics
///
/// If the list is malformed, which this crate's tests rule out.
pub fn capabilities() -> Vec<Entry> {
    let text = include_str!("../../api/capabilities.tsv");
    text.lines().skip(1).map(entry).collect()
}

/// The capabilities of one library. The last one of librbd's, `journaling`, is an image feature without
/// functions of its own.
pub fn capabilities_of(library: &Library) -> Vec<Entry> {
    let functions = table(library);
    let has = |entry: &Entry| {
        let own = Capability::Feature(entry.name);
        functions.iter().any(|row| row.capability == own)
            || (library.name == "rbd" && entry.name == "journaling")
    };
    capabilities().into_iter().filter(has).collect()
}

fn entry(line: &'static str) -> Entry {
    let fields: Vec<&'static str> = line.split('\t').collect();
    let [name, since, description] = fields[..] else {
        panic!("{} columns instead of 3: {line}", fields.len());
    };
    Entry {
        name,
        since,
        description,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RADOS, RBD};
    use std::collections::BTreeSet;

    #[test]
    fn every_capability_belongs_to_one_library_and_one_release() {
        let names = |list: Vec<Entry>| list.iter().map(|entry| entry.name).collect::<Vec<_>>();
        let all = names(capabilities());
        let both = [names(capabilities_of(&RADOS)), names(capabilities_of(&RBD))].concat();
        assert_eq!(all.len(), both.len());
        let all: BTreeSet<_> = all.into_iter().collect();
        assert_eq!(all, both.into_iter().collect());
        for row in table(&RADOS).into_iter().chain(table(&RBD)) {
            if let Capability::Feature(word) = row.capability {
                assert!(all.contains(word), "{word} is not in capabilities.tsv");
            }
        }
        let known = |entry: &Entry| RELEASES.contains(&entry.since);
        assert!(capabilities().iter().all(known));
    }

    #[test]
    fn a_release_has_what_the_libraries_of_its_time_export() {
        let releases = ["14", "16", "18", "20"];
        for row in table(&RADOS).into_iter().chain(table(&RBD)) {
            let Capability::Feature(word) = row.capability else {
                continue;
            };
            let list = capabilities();
            let entry = list.iter().find(|entry| entry.name == word).unwrap();
            for (release, exported) in releases.into_iter().zip(row.exported) {
                let has = RELEASES.iter().position(|r| *r == entry.since)
                    <= RELEASES.iter().position(|r| *r == release);
                assert_eq!(exported, Some(has), "{} in {release}", row.name);
            }
            if entry.since == "12" {
                assert_ne!(row.hdr_12, Some(false), "{}", row.name);
            }
        }
    }
}
