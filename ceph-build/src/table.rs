//! The table of C functions and capabilities.

use crate::Library;

/// One row of the table: an item of the C API. The columns are explained in `api/README.md`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The C name.
    pub name: &'static str,
    /// What sort of item it is.
    pub kind: Kind,
    /// The first release whose header declares it; `None` if none does.
    pub since: Option<&'static str>,
    /// The first release whose header marks it as deprecated.
    pub deprecated: Option<&'static str>,
    /// Whether the header of a 12.x library declares it, where that is known.
    pub hdr_12: Option<bool>,
    /// Whether the libraries of the releases 14, 16, 18 and 20 export it; `None` for what is no symbol.
    pub exported: [Option<bool>; 4],
    /// The part of the API that it belongs to.
    pub area: &'static str,
    /// The capability that needs it.
    pub capability: Capability,
    /// What a caller must know.
    pub note: Option<&'static str>,
    /// The C prototype without names, of functions.
    pub signature: Option<&'static str>,
}

/// What sort of item a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A function.
    Function,
    /// A preprocessor definition.
    Macro,
    /// A constant in a C `enum`.
    EnumConstant,
    /// A structure.
    Struct,
    /// Another named type.
    Typedef,
}

/// What needs a function, and so what is missing without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// Part of every supported library.
    Base,
    /// A capability with a Cargo feature of this name.
    Feature(&'static str),
    /// An improvement that the safe crates do without where it is missing: no Cargo feature.
    Internal(&'static str),
    /// Only in the `-sys` crate, for this reason.
    SysOnly(&'static str),
}

/// The rows of a library, in the order of the table.
///
/// # Panics
///
/// If the table is malformed, which this crate's tests rule out.
pub fn table(library: &Library) -> Vec<Row> {
    parse(library.table)
}

/// The names of all functions in the table.
pub(crate) fn functions(library: &Library) -> Vec<&'static str> {
    let rows = table(library).into_iter();
    rows.filter(|row| row.kind == Kind::Function)
        .map(|row| row.name)
        .collect()
}

fn parse(text: &'static str) -> Vec<Row> {
    text.lines().skip(1).map(row).collect()
}

fn row(line: &'static str) -> Row {
    let fields: Vec<&'static str> = line.split('\t').collect();
    let [
        name,
        kind,
        since,
        deprecated,
        hdr_12,
        so_14,
        so_16,
        so_18,
        so_20,
        area,
        capability,
        note,
        signature,
    ] = fields[..]
    else {
        panic!("{} columns instead of 13: {line}", fields.len());
    };
    Row {
        name,
        kind: Kind::parse(kind),
        since: optional(since),
        deprecated: optional(deprecated),
        hdr_12: yes_no(hdr_12),
        exported: [so_14, so_16, so_18, so_20].map(yes_no),
        area,
        capability: Capability::parse(capability),
        note: optional(note),
        signature: optional(signature),
    }
}

fn optional(field: &'static str) -> Option<&'static str> {
    (field != "-").then_some(field)
}

fn yes_no(field: &'static str) -> Option<bool> {
    optional(field).map(|answer| answer == "yes")
}

impl Kind {
    fn parse(word: &str) -> Self {
        match word {
            "function" => Self::Function,
            "macro" => Self::Macro,
            "enum-constant" => Self::EnumConstant,
            "struct" => Self::Struct,
            "typedef" => Self::Typedef,
            _ => panic!("unknown kind: {word}"),
        }
    }
}

impl Capability {
    fn parse(word: &'static str) -> Self {
        match word.split_once(':') {
            None if word == "-" => Self::Base,
            None => Self::Feature(word),
            Some(("internal", name)) => Self::Internal(name),
            Some(("sys-only", reason)) => Self::SysOnly(reason),
            Some(_) => panic!("unknown capability: {word}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RADOS, RBD};
    use std::collections::BTreeSet;

    fn find(library: &Library, name: &str) -> Row {
        table(library)
            .into_iter()
            .find(|row| row.name == name)
            .unwrap()
    }

    #[test]
    fn a_row_has_all_its_columns() {
        let row = find(&RBD, "rbd_encryption_load2");
        assert_eq!(row.kind, Kind::Function);
        assert_eq!(row.since, Some("18"));
        assert_eq!(row.deprecated, None);
        assert_eq!(row.hdr_12, Some(false));
        assert_eq!(
            row.exported,
            [Some(false), Some(false), Some(true), Some(true)]
        );
        assert_eq!(row.area, "encryption");
        assert_eq!(row.capability, Capability::Feature("encryption-load2"));
        assert!(row.signature.unwrap().starts_with("int (rbd_image_t"));
    }

    #[test]
    fn every_encoding_of_a_capability_is_understood() {
        assert_eq!(find(&RADOS, "rados_create").capability, Capability::Base);
        assert_eq!(
            find(&RADOS, "rados_stat2").capability,
            Capability::Internal("timespec")
        );
        assert_eq!(
            find(&RADOS, "rados_watch").capability,
            Capability::SysOnly("deprecated")
        );
        assert_eq!(find(&RADOS, "rados_tmap_get").since, None);
    }

    #[test]
    fn names_are_unique_and_functions_have_the_prefix() {
        for library in [&RADOS, &RBD] {
            let rows = table(library);
            let names: BTreeSet<_> = rows.iter().map(|row| row.name).collect();
            assert_eq!(names.len(), rows.len());
            assert!(
                functions(library)
                    .iter()
                    .all(|name| name.starts_with(&format!("{}_", library.name)))
            );
        }
    }

    #[test]
    fn only_functions_are_exported() {
        for row in table(&RADOS).into_iter().chain(table(&RBD)) {
            let function = row.kind == Kind::Function;
            assert_eq!(
                row.exported.iter().all(Option::is_some),
                function,
                "{}",
                row.name
            );
        }
    }
}
