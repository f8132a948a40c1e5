//! What is kept beside the tables: reasons, and what other bindings call. `api/README.md` describes it.

use std::collections::{BTreeMap, BTreeSet};

use ceph_build::{Capability, Row};

use super::State;
use crate::run::Result;

/// The functions that are not to be wrapped, with the reasons: `api/refused.tsv`.
#[derive(Default, Debug)]
pub(super) struct Refusals(BTreeMap<String, String>);

impl Refusals {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut refusals = BTreeMap::new();
        for line in text.lines() {
            let fields = line.split_once('\t');
            let (name, reason) = fields
                .filter(|(_, reason)| !reason.trim().is_empty() && !reason.contains('\t'))
                .ok_or_else(|| format!("not a name, a tab and a reason: {line:?}"))?;
            ascends(refusals.keys().next_back(), name)?;
            refusals.insert(name.to_owned(), reason.to_owned());
        }
        Ok(Self(refusals))
    }

    pub(super) fn reason(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    #[cfg(test)]
    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.0.keys()
    }

    /// Fails when one of them is no function of the tables, is wrapped, or is refused by them already.
    pub(super) fn fit<'a>(&self, functions: impl Iterator<Item = (State, &'a Row)>) -> Result {
        let mut unknown: BTreeSet<_> = self.0.keys().map(String::as_str).collect();
        for (state, row) in functions {
            let name = row.name;
            if !unknown.remove(name) {
                continue;
            }
            if state == State::Wrapped {
                return Err(format!("{name} is wrapped, and in refused.tsv").into());
            }
            if matches!(row.capability, Capability::SysOnly(_)) {
                return Err(format!("{name} is sys-only in its table, and in refused.tsv").into());
            }
        }
        known("refused.tsv", &unknown)
    }
}

/// The functions that other bindings call: `api/bindings.tsv`.
#[derive(Debug)]
pub(super) struct Bindings {
    /// Which Go binding.
    pub(super) go: String,
    /// Which Python bindings.
    pub(super) python: String,
    called: BTreeMap<String, (bool, bool)>,
}

impl Bindings {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut lines = text.lines().map(|line| {
            let fields: Vec<_> = line.split('\t').collect();
            <[&str; 3]>::try_from(fields).map_err(|_| format!("not three fields: {line:?}"))
        });
        let [_, go, python] = lines.next().ok_or("bindings.tsv has no header")??;
        let mut called = BTreeMap::new();
        for fields in lines {
            let [name, go, python] = fields?;
            ascends(called.keys().next_back(), name)?;
            let yes = |field| match field {
                "yes" => Ok(true),
                "no" => Ok(false),
                _ => Err(format!("{name} is neither yes nor no: {field:?}")),
            };
            called.insert(name.to_owned(), (yes(go)?, yes(python)?));
        }
        let (go, python) = (go.to_owned(), python.to_owned());
        Ok(Self { go, python, called })
    }

    /// Fails when one of them is no function of the tables.
    pub(super) fn fit<'a>(&self, functions: impl Iterator<Item = &'a str>) -> Result {
        let mut unknown: BTreeSet<_> = self.called.keys().map(String::as_str).collect();
        for name in functions {
            unknown.remove(name);
        }
        known("bindings.tsv", &unknown)
    }

    /// How many of these functions Go calls, and how many Python.
    pub(super) fn count<'a>(&self, functions: impl Iterator<Item = &'a str>) -> (usize, usize) {
        let called = functions.filter_map(|name| self.called.get(name));
        called.fold((0, 0), |(all_go, all_python), &(go, python)| {
            (all_go + usize::from(go), all_python + usize::from(python))
        })
    }
}

fn ascends(last: Option<&String>, name: &str) -> Result {
    match last {
        Some(last) if last.as_str() >= name => {
            Err(format!("{name} does not come after {last}").into())
        }
        _ => Ok(()),
    }
}

fn known(file: &str, unknown: &BTreeSet<&str>) -> Result {
    if unknown.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = unknown.iter().copied().collect();
    let names = names.join(", ");
    Err(format!("in {file}, but in no table of functions: {names}").into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ceph_build::{RADOS, table};

    #[track_caller]
    fn refused<T>(result: Result<T>, part: &str) {
        let Err(error) = result else {
            panic!("it should not be {part}");
        };
        assert!(error.to_string().contains(part), "{error}");
    }

    #[test]
    fn reasons_are_sorted_and_complete() {
        let refusals = Refusals::parse("rados_a\tone\nrados_b\tuse rados_c\n").unwrap();
        assert_eq!(refusals.reason("rados_b"), Some("use rados_c"));
        assert_eq!(refusals.reason("rados_c"), None);
        for bad in ["rados_a", "rados_a\t", "rados_a\t \n", "rados_a\tone\ttwo"] {
            refused(Refusals::parse(bad), "not a name, a tab and a reason");
        }
        refused(
            Refusals::parse("rados_b\tx\nrados_a\tx\n"),
            "does not come after",
        );
        refused(
            Refusals::parse("rados_a\tx\nrados_a\tx\n"),
            "does not come after",
        );
    }

    #[test]
    fn only_functions_that_are_not_wrapped_can_be_refused() {
        let rows = table(&RADOS);
        let row = |name| rows.iter().find(|row| row.name == name).unwrap();
        let fit = |text: &str, state| {
            let functions = [row("rados_exec"), row("rados_notify")];
            let functions = functions.into_iter().map(|row| (state, row));
            Refusals::parse(text).unwrap().fit(functions)
        };
        fit("rados_exec\tuse another\n", State::Refused).unwrap();
        refused(
            fit("rados_exec\tuse another\n", State::Wrapped),
            "is wrapped",
        );
        refused(
            fit("rados_notify\tuse another\n", State::Refused),
            "sys-only",
        );
        refused(
            fit("rados_no_such\tuse another\n", State::Refused),
            "in no table",
        );
    }

    #[test]
    fn what_other_bindings_call_is_counted() {
        let text = "name\tGo 1\tPython 2\nrados_a\tyes\tno\nrados_b\tyes\tyes\n";
        let bindings = Bindings::parse(text).unwrap();
        assert_eq!((&*bindings.go, &*bindings.python), ("Go 1", "Python 2"));
        let all = ["rados_a", "rados_b", "rados_c"];
        assert_eq!(bindings.count(all.into_iter()), (2, 1));
        bindings.fit(all.into_iter()).unwrap();
        refused(bindings.fit(["rados_a"].into_iter()), "rados_b");
        refused(Bindings::parse(""), "no header");
        refused(Bindings::parse("name\tgo\n"), "three fields");
        let bad = text.replace("rados_a\tyes", "rados_a\tmaybe");
        refused(Bindings::parse(&bad), "neither yes nor no");
        let unsorted = text.replace("rados_b", "rados_a");
        refused(Bindings::parse(&unsorted), "does not come after");
    }
}
