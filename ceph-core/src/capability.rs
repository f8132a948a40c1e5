//! What the running library has.

use std::borrow::Cow;

use crate::{Error, Result};

/// A capability that this program was built with, and whether the running library has it.
///
/// Libraries differ by release and by vendor. What a program uses of them is looked up when it runs, so
/// that one binary runs with all of them: a method whose function is missing fails with
/// [`Unsupported`](crate::ErrorKind::Unsupported).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capability {
    /// Its name, which is that of its Cargo feature.
    pub name: &'static str,
    /// The C functions that the running library lacks; none if it has the capability.
    pub missing: Vec<&'static str>,
}

impl Capability {
    /// Whether the running library has all of it.
    pub fn is_available(&self) -> bool {
        self.missing.is_empty()
    }
}

/// Puts functions together by capability, in alphabetical order: each one's capability, name and whether
/// it is there. Those that no capability needs (`internal:..`) are left out.
pub fn capabilities(
    functions: impl IntoIterator<Item = (&'static str, &'static str, bool)>,
) -> Vec<Capability> {
    let mut found: Vec<Capability> = Vec::new();
    for (capability, function, present) in functions {
        if capability.starts_with("internal:") {
            continue;
        }
        let index = found.iter().position(|known| known.name == capability);
        let index = index.unwrap_or_else(|| {
            found.push(Capability {
                name: capability,
                missing: Vec::new(),
            });
            found.len() - 1
        });
        if !present {
            found[index].missing.push(function);
        }
    }
    found.sort_by_key(|capability| capability.name);
    found
}

/// A function that was looked up, or the error that names what is missing.
pub fn found<F>(
    library: &str,
    function: &'static str,
    capability: &str,
    address: Option<F>,
) -> Result<F> {
    address.ok_or_else(|| absent(library, function, capability))
}

#[cold]
fn absent(library: &str, function: &'static str, capability: &str) -> Error {
    let hint: Cow<'static, str> =
        format!("the {library} of this system has no {function} (capability {capability})").into();
    Error::refused(function, libc::ENOSYS, hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn one_missing_function_makes_a_capability_unavailable() {
        let list = capabilities([
            ("trash", "rbd_trash_get", true),
            ("clone4", "rbd_clone4", true),
            ("internal:list2", "rbd_list2", false),
            ("trash", "rbd_trash_list", false),
        ]);
        let names: Vec<_> = list.iter().map(|capability| capability.name).collect();
        assert_eq!(names, ["clone4", "trash"]);
        assert!(list[0].is_available() && !list[1].is_available());
        assert_eq!(list[1].missing, ["rbd_trash_list"]);
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(found("librbd", "rbd_f", "f", Some(1)).unwrap(), 1);
        let error = found::<()>("librbd", "rbd_f", "f", None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert_eq!(
            error.to_string(),
            "rbd_f: not supported (ENOSYS 38): the librbd of this system has no rbd_f (capability f)"
        );
    }
}
