//! `docs/api-status.md`: which C functions the safe crates wrap.

mod facts;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;

use ceph_build::{Capability, Kind, Library, RADOS, RBD, Row, table};

use crate::run::{Result, root};
use facts::{Bindings, Refusals};

/// What has become of a C function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Public methods say that they are it, with `doc(alias)`.
    Wrapped,
    /// The crate calls it where users need not know.
    Inside,
    /// It is not to be wrapped, for a reason that the tables name.
    Refused,
    /// It is still to be wrapped.
    Left,
}

const STATES: [State; 4] = [State::Wrapped, State::Inside, State::Refused, State::Left];

/// Writes the report, and prints its sums.
///
/// # Errors
/// When a file in `api/` is not as it should be, and with `only` as [`check`].
pub fn api_status(only: Option<Option<&str>>) -> Result {
    let report = Status::read()?.report()?;
    fs::write(root().join("docs/api-status.md"), report)?;
    only.map_or(Ok(()), check)
}

/// Fails when a function is left, of the library of this name or of any. Writes nothing.
///
/// # Errors
/// With the names of those that are.
pub fn check(only: Option<&str>) -> Result {
    Status::read()?.check(only)
}

/// What is known of every function.
struct Status {
    libraries: Vec<(&'static Library, Vec<(State, Row)>)>,
    refusals: Refusals,
    bindings: Bindings,
}

impl Status {
    fn read() -> Result<Self> {
        let api = root().join("api");
        let refusals = Refusals::parse(&fs::read_to_string(api.join("refused.tsv"))?)?;
        let bindings = Bindings::parse(&fs::read_to_string(api.join("bindings.tsv"))?)?;
        let mut libraries = Vec::new();
        for library in [&RADOS, &RBD] {
            let source = Source::read(&root().join(library.name).join("src"))?;
            let rows = table(library).into_iter();
            let rows = rows.filter(|row| row.kind == Kind::Function);
            let rows = rows.map(|row| (state(&row, &source, &refusals), row));
            libraries.push((library, rows.collect::<Vec<_>>()));
        }
        let functions = libraries.iter().flat_map(|(_, rows)| rows);
        refusals.fit(functions.clone().map(|(state, row)| (*state, row)))?;
        bindings.fit(functions.map(|(_, row)| row.name))?;
        Ok(Self {
            libraries,
            refusals,
            bindings,
        })
    }

    fn check(&self, only: Option<&str>) -> Result {
        let libraries = self.libraries.iter();
        let libraries =
            libraries.filter(|(library, _)| only.is_none_or(|only| library.name == only));
        let left: Vec<_> = libraries
            .flat_map(|(_, rows)| rows)
            .filter(|(state, _)| *state == State::Left)
            .map(|(_, row)| row.name)
            .collect();
        if left.is_empty() {
            return Ok(());
        }
        let (count, names) = (left.len(), left.join(", "));
        Err(
            format!("{count} functions are neither wrapped nor refused for a reason: {names}")
                .into(),
        )
    }

    fn report(&self) -> Result<String> {
        let mut text = format!(
            "# The C API's coverage\n\nWritten by `cargo xtask api-status` from `api/` and the \
            documentation's aliases. *Inside*: called where users need not know of it, as for freeing \
            memory. *Refused*: in the `-sys` crate only, for the reason given. *Go* and *Python*: \
            called by {} and by {}.\n",
            self.bindings.go, self.bindings.python
        );
        for (library, rows) in &self.libraries {
            self.library(&mut text, library, rows)?;
        }
        Ok(text)
    }

    /// Adds a library's tables.
    fn library(&self, text: &mut String, library: &Library, rows: &[(State, Row)]) -> Result {
        let mut areas = BTreeMap::<&str, Vec<_>>::new();
        for row in rows {
            areas.entry(row.1.area).or_default().push(row);
        }
        let name = library.name;
        writeln!(
            text,
            "\n## lib{name}\n\n| area | functions | wrapped | inside | refused | left | Go | Python |\n\
            |---|---|---|---|---|---|---|---|"
        )?;
        for (area, rows) in &areas {
            self.sums(text, area, rows)?;
        }
        let all: Vec<_> = rows.iter().collect();
        let [wrapped, inside, refused, left] = self.sums(text, "**all**", &all)?;
        println!(
            "lib{name}: {} functions: {wrapped} wrapped, {inside} inside, {refused} refused, {left} left",
            rows.len()
        );
        writeln!(
            text,
            "\n### Refused\n\n| function | reason | |\n|---|---|---|"
        )?;
        for (_, row) in rows.iter().filter(|row| row.0 == State::Refused) {
            let (reason, note) = match (self.refusals.reason(row.name), row.capability) {
                (None, Capability::SysOnly(reason)) => (reason, row.note.unwrap_or_default()),
                (reason, _) => (reason.unwrap_or_default(), ""),
            };
            writeln!(text, "| `{}` | {reason} | {note} |", row.name)?;
        }
        if left > 0 {
            writeln!(text, "\n### Left\n")?;
            for (area, rows) in areas {
                let names = rows.iter().filter(|row| row.0 == State::Left);
                let names: Vec<_> = names.map(|row| format!("`{}`", row.1.name)).collect();
                if !names.is_empty() {
                    writeln!(text, "- {area}: {}", names.join(", "))?;
                }
            }
        }
        Ok(())
    }

    /// Adds a line with how many functions are in each state, and answers that.
    fn sums(&self, text: &mut String, what: &str, rows: &[&(State, Row)]) -> Result<[usize; 4]> {
        let sums = STATES.map(|state| rows.iter().filter(|row| row.0 == state).count());
        let [wrapped, inside, refused, left] = sums;
        let (go, python) = self.bindings.count(rows.iter().map(|row| row.1.name));
        let all = rows.len();
        writeln!(
            text,
            "| {what} | {all} | {wrapped} | {inside} | {refused} | {left} | {go} | {python} |"
        )?;
        Ok(sums)
    }
}

/// The aliases in all files, and the words of `ffi.rs`, which lists every C name used.
#[derive(Default)]
struct Source {
    aliases: BTreeSet<String>,
    used: BTreeSet<String>,
}

impl Source {
    fn read(dir: &Path) -> Result<Self> {
        let mut source = Self::default();
        source.add_dir(dir)?;
        Ok(source)
    }

    fn add_dir(&mut self, dir: &Path) -> Result {
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            if path.is_dir() {
                self.add_dir(&path)?;
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path)?;
                self.add_aliases(&text);
                if path.ends_with("ffi.rs") {
                    self.add_used(&text);
                }
            }
        }
        Ok(())
    }

    fn add_aliases(&mut self, text: &str) {
        let quoted = text.split("doc(alias = \"").skip(1);
        let aliases = quoted.filter_map(|rest| rest.split('"').next());
        self.aliases.extend(aliases.map(str::to_owned));
    }

    fn add_used(&mut self, text: &str) {
        let word = |c: char| !c.is_ascii_alphanumeric() && c != '_';
        self.used.extend(text.split(word).map(str::to_owned));
    }
}

fn state(row: &Row, source: &Source, refusals: &Refusals) -> State {
    if source.aliases.contains(row.name) {
        State::Wrapped
    } else if matches!(row.capability, Capability::SysOnly(_))
        || refusals.reason(row.name).is_some()
    {
        State::Refused
    } else if source.used.contains(row.name) {
        State::Inside
    } else {
        State::Left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rados(name: &str) -> Row {
        let mut rows = table(&RADOS).into_iter();
        rows.find(|row| row.name == name).unwrap()
    }

    #[test]
    fn the_kept_files_fit_the_tables_and_the_source() {
        let status = Status::read().unwrap();
        let text = status.report().unwrap();
        assert!(
            text.contains("| area | functions | wrapped | inside | refused | left | Go | Python |")
        );
        for name in status.refusals.names() {
            assert!(text.contains(&format!("\n| `{name}` | ")), "{name}");
        }
    }

    #[test]
    fn an_alias_goes_before_a_reason_and_that_before_a_use() {
        let refusals = Refusals::parse("rados_aio_exec\tuse another\n").unwrap();
        let mut source = Source::default();
        let row = rados("rados_aio_exec");
        assert_eq!(state(&row, &source, &Refusals::default()), State::Left);
        source.add_used("rados_aio_exec, rados_exec_x,");
        assert_eq!(state(&row, &source, &Refusals::default()), State::Inside);
        assert_eq!(state(&rados("rados_exec"), &source, &refusals), State::Left);
        assert_eq!(state(&row, &source, &refusals), State::Refused);
        source.add_aliases("#[doc(alias = \"rados_aio_exec\")]");
        assert_eq!(state(&row, &source, &refusals), State::Wrapped);
    }
}
