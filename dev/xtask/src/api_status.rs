//! `docs/api-status.md`: which C functions the safe crates wrap.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;

use ceph_build::{Capability, Kind, Library, RADOS, RBD, Row, table};

use crate::run::{Result, root};

/// What has become of a C function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Public methods say that they are it, with `doc(alias)`.
    Wrapped,
    /// The crate calls it where users need not know.
    Inside,
    /// It is not to be wrapped, for a reason that the table names.
    Refused,
    /// It is still to be wrapped.
    Left,
}

/// Writes the report, and prints its sums.
///
/// # Errors
/// With `check`, when a function is left.
pub fn api_status(check: bool) -> Result {
    let mut text =
        "# The C API's coverage\n\nWritten by `cargo xtask api-status` from `api/` and the \
        documentation's aliases. *Inside*: called where users need not know of it, as for freeing \
        memory. *Refused*: in the `-sys` crate only, for the reason given.\n"
            .to_owned();
    let mut left = 0;
    for library in [&RADOS, &RBD] {
        let source = source(&root().join(library.name).join("src"))?;
        let rows: Vec<_> = table(library)
            .into_iter()
            .filter(|row| row.kind == Kind::Function)
            .map(|row| (state(&row, &source), row))
            .collect();
        left += report(&mut text, library, &rows)?;
    }
    fs::write(root().join("docs/api-status.md"), text)?;
    if check && left > 0 {
        return Err(
            format!("{left} functions are neither wrapped nor refused for a reason").into(),
        );
    }
    Ok(())
}

/// The words of all files, and the aliases in them.
struct Source {
    words: BTreeSet<String>,
    aliases: BTreeSet<String>,
}

fn source(dir: &Path) -> Result<Source> {
    let mut text = String::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension() == Some("rs".as_ref()) {
                text += &fs::read_to_string(path)?;
            }
        }
    }
    let quoted = text.split("doc(alias = \"").skip(1);
    let word = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    Ok(Source {
        aliases: quoted
            .filter_map(|rest| rest.split('"').next())
            .map(str::to_owned)
            .collect(),
        words: text.split(word).map(str::to_owned).collect(),
    })
}

fn state(row: &Row, source: &Source) -> State {
    if source.aliases.contains(row.name) {
        State::Wrapped
    } else if matches!(row.capability, Capability::SysOnly(_)) {
        State::Refused
    } else if source.words.contains(row.name) {
        State::Inside
    } else {
        State::Left
    }
}

/// Adds a library's tables; answers how many functions are left.
fn report(text: &mut String, library: &Library, rows: &[(State, Row)]) -> Result<usize> {
    let count = |rows: &[&(State, Row)], state| rows.iter().filter(|row| row.0 == state).count();
    let states = [State::Wrapped, State::Inside, State::Refused, State::Left];
    let mut areas = BTreeMap::<&str, Vec<_>>::new();
    for row in rows {
        areas.entry(row.1.area).or_default().push(row);
    }
    let all: Vec<_> = rows.iter().collect();
    let sums = states.map(|state| count(&all, state));
    let [wrapped, inside, refused, left] = sums;
    let name = library.name;
    println!(
        "lib{name}: {} functions: {wrapped} wrapped, {inside} inside, {refused} refused, {left} left",
        rows.len()
    );
    writeln!(
        text,
        "\n## lib{name}\n\n| area | functions | wrapped | inside | refused | left |\n|---|---|---|---|---|---|"
    )?;
    for (area, rows) in &areas {
        let [wrapped, inside, refused, left] = states.map(|state| count(rows, state));
        writeln!(
            text,
            "| {area} | {} | {wrapped} | {inside} | {refused} | {left} |",
            rows.len()
        )?;
    }
    writeln!(
        text,
        "| **all** | {} | {wrapped} | {inside} | {refused} | {left} |",
        rows.len()
    )?;
    writeln!(
        text,
        "\n### Refused\n\n| function | reason | |\n|---|---|---|"
    )?;
    for (_, row) in rows.iter().filter(|row| row.0 == State::Refused) {
        if let Capability::SysOnly(reason) = row.capability {
            writeln!(
                text,
                "| `{}` | {reason} | {} |",
                row.name,
                row.note.unwrap_or_default()
            )?;
        }
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
    Ok(left)
}
