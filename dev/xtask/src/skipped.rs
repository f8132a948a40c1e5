//! Tests that did not run because the libraries lack a capability.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::run::Result;

/// The table of capabilities.
const CAPABILITIES: &str = include_str!("../../../api/capabilities.tsv");

/// A test that did not run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Skipped {
    /// Its name.
    pub test: String,
    /// What the libraries lack.
    pub capability: String,
    /// The functions that it misses, with spaces in between.
    pub missing: String,
}

/// What the tests wrote to the file that `CEPH_TEST_SKIPPED` named; nothing if there is none.
///
/// # Errors
/// When it cannot be read, or is not as the tests write it.
pub fn read(file: &Path) -> Result<Vec<Skipped>> {
    if !file.exists() {
        return Ok(Vec::new());
    }
    parse(&fs::read_to_string(file)?)
}

fn parse(text: &str) -> Result<Vec<Skipped>> {
    let line = |line: &str| {
        let fields: Vec<_> = line.split('\t').map(str::to_owned).collect();
        let fields = <[String; 3]>::try_from(fields);
        let [test, capability, missing] =
            fields.map_err(|_| format!("not a skipped test: {line:?}"))?;
        Ok(Skipped {
            test,
            capability,
            missing,
        })
    };
    let mut skipped = text.lines().map(line).collect::<Result<Vec<_>>>()?;
    skipped.sort();
    skipped.dedup();
    Ok(skipped)
}

/// How many tests these are: one may want several capabilities.
pub fn tests(skipped: &[Skipped]) -> usize {
    let tests: BTreeSet<_> = skipped.iter().map(|skipped| &skipped.test).collect();
    tests.len()
}

/// The first release of Ceph that has a capability.
pub fn since(capability: &str) -> Option<u32> {
    CAPABILITIES.lines().find_map(|line| {
        let mut fields = line.split('\t');
        (fields.next() == Some(capability)).then(|| fields.next()?.parse().ok())?
    })
}

/// Those of the capabilities that a library of this version, as "18.2.7", should have.
pub fn unexpected<'a>(
    capabilities: impl IntoIterator<Item = &'a str>,
    version: &str,
) -> Vec<&'a str> {
    let release = version.split('.').next().and_then(|n| n.parse().ok());
    let should = |capability: &&str| since(capability) <= release;
    capabilities.into_iter().filter(should).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_skipped_test_is_named_once_with_what_is_missing() {
        let text = "b\tclone4\trbd_clone4\na\tdiff3\trbd_x rbd_y\nb\tclone4\trbd_clone4\n";
        let skipped = parse(text).unwrap();
        let tests: Vec<_> = skipped.iter().map(|skipped| &*skipped.test).collect();
        assert_eq!(tests, ["a", "b"]);
        assert_eq!(skipped[0].missing, "rbd_x rbd_y");
        assert_eq!(super::tests(&skipped), 2);
        assert!(parse("no fields\n").is_err());
    }

    #[test]
    fn what_a_release_should_have_is_no_excuse() {
        assert_eq!(since("trash"), Some(12));
        assert_eq!(since("encryption-load2"), Some(18));
        assert_eq!(since("no-such-thing"), None);
        let lacking = ["trash", "encryption-load2", "clone4"];
        assert_eq!(unexpected(lacking, "14.2.21"), ["trash"]);
        assert_eq!(unexpected(lacking, "18.2.7"), lacking[..2]);
        assert_eq!(unexpected(lacking, "20.2.4"), lacking);
    }
}
