//! `docs/compatibility.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::matrix::release::Release;
use crate::matrix::selftest::{Built, Outcome, Place, is_there};
use crate::matrix::tests::Tested;
use crate::run::Result;
use crate::skipped;

/// A release that was tried.
struct Tried {
    on: Release,
    /// Of librbd and of glibc.
    versions: [String; 2],
    tested: Tested,
    /// Where each self-test ran, and what came of it.
    ran: Vec<(Built, Place, Outcome)>,
}

impl Tried {
    /// What is kept of the last run, if there was one.
    fn read(results: &Path, on: Release) -> Result<Option<Self>> {
        let Ok(versions) = fs::read_to_string(results.join("versions")) else {
            return Ok(None);
        };
        let mut versions = versions.split_whitespace().map(str::to_owned);
        let mut version = || versions.next().ok_or("a version is missing");
        let mut ran = Vec::new();
        for built in Built::ALL {
            for place in Place::ALL.into_iter().filter(|place| place.on == on) {
                let outcome = place.outcome(built, results);
                ran.extend(outcome.map(|outcome| (built, place, outcome)));
            }
        }
        Ok(Some(Self {
            on,
            versions: [version()?, version()?],
            tested: Tested::read(results)?,
            ran,
        }))
    }

    /// What is wrong.
    fn complaints(&self) -> Vec<String> {
        let [ceph, _] = &self.versions;
        let mut complaints = Vec::new();
        if !self.tested.success {
            complaints.push(format!("tests failed: {}", self.tested.failed.join(", ")));
        }
        let lacking = self.tested.skipped.iter().map(|skip| &*skip.capability);
        let lacking: BTreeSet<_> = skipped::unexpected(lacking, ceph).into_iter().collect();
        complaints.extend(
            lacking
                .iter()
                .map(|lacks| format!("skipped tests of {lacks}")),
        );
        for (built, place, outcome) in &self.ran {
            let what = || {
                format!(
                    "the self-test built in {} on {}",
                    named(*built),
                    titled(*place)
                )
            };
            if let Outcome::Failed(line) = outcome {
                complaints.push(format!("{}: {line}", what()));
            }
            if *outcome == Outcome::Glibc && built.on <= self.on {
                complaints.push(format!("{}: needs a newer glibc", what()));
            }
            if place.vendor.is_none() && !outcome.lacks(ceph).is_empty() {
                complaints.push(format!("{} lacks {:?}", what(), outcome.lacks(ceph)));
            }
        }
        let system = self.on.system();
        let on = |complaint| format!("{system}: {complaint}");
        complaints.into_iter().map(on).collect()
    }
}

fn named(built: Built) -> String {
    let headers = built
        .headers
        .map(|headers| format!(", headers of {}", headers.system()));
    built.on.system().to_owned() + &headers.unwrap_or_default()
}

fn titled(place: Place) -> String {
    match place.vendor {
        None => place.on.system().to_owned(),
        Some("cut") => "a vendor's tree".to_owned(),
        Some(_) => "as before Ceph 14".to_owned(),
    }
}

/// Writes the tables of all that was tried last, and returns them with what is wrong.
///
/// # Errors
/// When results cannot be read or the file cannot be written.
pub fn write(cache: &Path, file: &Path) -> Result<(String, Vec<String>)> {
    let mut tried = Vec::new();
    for release in Release::ALL {
        let results = cache.join("results").join(release.suite());
        tried.extend(Tried::read(&results, release)?);
    }
    let sections = [
        "# Compatibility\n\nWritten by `cargo xtask matrix`, which makes each of these systems, \
         builds the libraries in it and runs every test of them on its own Ceph.\n"
            .to_owned(),
        suites(&tried),
        skips(&tried),
        programs(&tried),
        capabilities(&tried),
    ];
    let text = sections.join("\n");
    fs::write(file, &text)?;
    Ok((text, tried.iter().flat_map(Tried::complaints).collect()))
}

/// A table, or what stands for one without rows.
fn table(head: &[impl AsRef<str>], rows: &[Vec<String>], empty: &str) -> String {
    if rows.is_empty() {
        return format!("{empty}\n");
    }
    let rule = "|---".repeat(head.len());
    let rows = rows.iter().map(|row| format!("| {} |\n", row.join(" | ")));
    format!(
        "| {} |\n{rule}|\n{}",
        head.iter()
            .map(AsRef::as_ref)
            .collect::<Vec<_>>()
            .join(" | "),
        rows.collect::<String>()
    )
}

fn suites(tried: &[Tried]) -> String {
    let row = |tried: &Tried| {
        let [ceph, glibc] = &tried.versions;
        let tested = &tried.tested;
        vec![
            tried.on.system().to_owned(),
            ceph.clone(),
            glibc.clone(),
            tested.passed.to_string(),
            match (&tested.failed[..], tested.success) {
                ([], true) => "0".to_owned(),
                ([], false) => "not finished".to_owned(),
                (failed, _) => failed.join(", "),
            },
            skipped::tests(&tested.skipped).to_string(),
        ]
    };
    let head = [
        "system",
        "Ceph",
        "glibc",
        "tests passed",
        "failed",
        "skipped",
    ];
    let rows: Vec<_> = tried.iter().map(row).collect();
    format!(
        "## The tests\n\n{}",
        table(&head, &rows, "Nothing has run.")
    )
}

fn skips(tried: &[Tried]) -> String {
    let mut rows = Vec::new();
    for tried in tried {
        for skip in &tried.tested.skipped {
            let functions = skip.missing.split(' ').map(|name| format!("`{name}`"));
            let functions: Vec<_> = functions.collect();
            rows.push(vec![
                tried.versions[0].clone(),
                format!("`{}`", skip.test),
                format!("`{}`", skip.capability),
                functions.join(", "),
            ]);
        }
    }
    let head = [
        "Ceph",
        "test",
        "capability",
        "functions that its libraries lack",
    ];
    let empty = "None: every test runs everywhere.";
    format!("## Skipped tests\n\n{}", table(&head, &rows, empty))
}

fn places(tried: &[Tried]) -> Vec<Place> {
    let on = |place: &Place| tried.iter().any(|tried| tried.on == place.on);
    Place::ALL.into_iter().filter(on).collect()
}

/// The head of a table with a column for each place.
fn titles(first: &str, places: &[Place]) -> Vec<String> {
    let titles = places.iter().map(|&place| titled(place));
    std::iter::once(first.to_owned()).chain(titles).collect()
}

fn outcome(tried: &[Tried], built: Built, place: Place) -> Option<&Outcome> {
    let mut all = tried.iter().flat_map(|tried| &tried.ran);
    let found = all.find(|ran| ran.0 == built && ran.1 == place);
    found.map(|(_, _, outcome)| outcome)
}

fn programs(tried: &[Tried]) -> String {
    let places = places(tried);
    let cell = |built, place| match outcome(tried, built, place) {
        None => "not tried",
        Some(Outcome::Works(_)) => "ok",
        Some(Outcome::Glibc) => "n/a (glibc)",
        Some(Outcome::Failed(_)) => "FAILED",
    };
    let row = |built: &Built| {
        let cells = places.iter().map(|&place| cell(*built, place).to_owned());
        std::iter::once(named(*built)).chain(cells).collect()
    };
    let rows: Vec<Vec<_>> = Built::ALL.iter().map(row).collect();
    format!(
        "## One program on other systems\n\n\
         The example `selftest`, built in one place and run on the libraries and the cluster of \
         another. One that uses what a system's glibc does not have yet does not start there (n/a). \
         The vendor's tree is Debian 12's librbd without `rbd_trash_list_cleanup`; the other tree, \
         Debian 12's libraries without all that came after Ceph 12.\n\n{}",
        table(&titles("built in", &places), &rows, "")
    )
}

fn capabilities(tried: &[Tried]) -> String {
    let built = Built::EVERYWHERE;
    let mut found = BTreeMap::<&str, BTreeMap<usize, &str>>::new();
    let places = places(tried);
    for (column, &place) in places.iter().enumerate() {
        if let Some(Outcome::Works(states)) = outcome(tried, built, place) {
            for (name, state) in states {
                found.entry(name).or_default().insert(column, state);
            }
        }
    }
    let row = |(name, states): (&&str, &BTreeMap<usize, &str>)| {
        let cell = |column| match states.get(&column) {
            None => "not tried",
            Some(state) if is_there(state) => state,
            Some(_) => "-",
        };
        let cells = (0..places.len()).map(|column| cell(column).to_owned());
        std::iter::once(format!("`{name}`")).chain(cells).collect()
    };
    let rows: Vec<Vec<_>> = found.iter().map(row).collect();
    format!(
        "## Capabilities\n\n\
         What one and the same program finds, the one built in {}: the capability \
         *works*, as a call of it shows; it is *there*, all its functions are; or it is not (-), and \
         what needs it answers `Unsupported`.\n\n{}",
        named(built),
        table(&titles("capability", &places), &rows, "Not tried.")
    )
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn the_tables_say_what_was_tried_and_what_is_wrong() {
        let cache = tempfile::tempdir().unwrap();
        let results = cache.path().join("results/bullseye");
        fs::create_dir_all(&results).unwrap();
        let put = |name: &str, text: &str| fs::write(results.join(name), text).unwrap();
        put("versions", "14.2.21 2.31");
        let ran =
            "test it::one ... FAILED\ntest result: FAILED. 4 passed; 1 failed;\nexit status: 1\n";
        put("tests.out", ran);
        let skipped = "it::two\tclone4\trbd_clone4\nit::three\ttrash\trbd_trash_get\n";
        put("skipped.tsv", skipped);
        let works = "capability clone4 lacks rbd_clone4\ncapability trash works\nexit status: 0\n";
        put("bullseye-sid.own", works);
        put("bullseye.own", "error: broken\nexit status: 1\n");
        put(
            "sid.own",
            "libc.so.6: version `GLIBC_2.39' not found\nexit status: 1\n",
        );

        let file = cache.path().join("tables.md");
        let (text, complaints) = write(cache.path(), &file).unwrap();
        assert_eq!(text, fs::read_to_string(file).unwrap());
        for line in [
            "| Debian 11 | 14.2.21 | 2.31 | 2 | it::one | 2 |",
            "| 14.2.21 | `it::two` | `clone4` | `rbd_clone4` |",
            "| Debian 11, headers of Debian sid | ok |",
            "| Debian 11 | FAILED |",
            "| Debian 12 | not tried |",
            "| Debian sid | n/a (glibc) |",
            "| `clone4` | - |",
            "| `trash` | works |",
        ] {
            assert!(text.lines().any(|known| known == line), "{line} in\n{text}");
        }
        let expected = [
            "Debian 11: tests failed: it::one",
            "Debian 11: skipped tests of trash",
            "Debian 11: the self-test built in Debian 11 on Debian 11: error: broken",
        ];
        assert_eq!(complaints, expected);
    }
}
