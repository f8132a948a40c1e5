//! Functions that a library may lack: what C and Rust are told of them.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::Library;
use crate::table::{Capability, Kind, Row, table};

/// A function that a supported library may lack, so that it is looked up at run time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Function {
    pub(crate) name: &'static str,
    /// The Cargo feature, unless it is internal.
    pub(crate) feature: Option<&'static str>,
    capability: Capability,
    signature: &'static str,
}

/// Those of a library, in the order of the table.
pub(crate) fn optional(library: &Library) -> Vec<Function> {
    table(library).iter().filter_map(function).collect()
}

fn function(row: &Row) -> Option<Function> {
    let feature = match row.capability {
        Capability::Feature(word) => Some(word),
        Capability::Internal(_) => None,
        Capability::Base | Capability::SysOnly(_) => return None,
    };
    (row.kind == Kind::Function).then(|| Function {
        name: row.name,
        feature,
        capability: row.capability,
        signature: row
            .signature
            .expect("the table has the prototype of every function"),
    })
}

impl Function {
    /// The C prototype.
    fn prototype(&self) -> String {
        let (result, arguments) = self
            .signature
            .split_once(" (")
            .expect("a prototype has its arguments in parentheses");
        format!("{result} {}({arguments};", self.name)
    }

    /// The alias of the function's type.
    fn alias(&self) -> String {
        format!("{}_fn", self.name)
    }
}

/// C that includes the installed header, and after it: the types of `compat`, but for those among `types`, which the
/// header has; each function's prototype, which the C front end compares with the header's where that
/// declares the function; and a name for each function's type.
pub(crate) fn c_text(
    library: &Library,
    functions: &[Function],
    compat: &str,
    types: &BTreeSet<String>,
) -> String {
    let mut text = String::new();
    for file in [library.header, "stdbool.h", "stdint.h", "time.h"] {
        let _ = writeln!(text, "#include <{file}>");
    }
    for name in types {
        let _ = writeln!(text, "#define HAVE_{name} 1");
    }
    text.push_str(compat);
    for function in functions {
        let _ = writeln!(text, "{}", function.prototype());
        let (name, alias) = (function.name, function.alias());
        let _ = writeln!(text, "typedef __typeof__({name}) {alias};");
    }
    text
}

/// Rust beside the bindings: a static for each function, and the list of all of them.
pub(crate) fn rust_text(library: &Library, functions: &[Function]) -> String {
    let anchor = format!("{}_version", library.name);
    // The bindings of librbd have all of rados_sys's names.
    let import = match library.name {
        "rados" => "use crate::{Optional, OptionalFunction};\n",
        _ => "",
    };
    let mut items = String::new();
    let mut list = String::new();
    for function in functions {
        let (name, alias) = (function.name, function.alias());
        let capability = match function.capability {
            Capability::Internal(word) => format!("internal:{word}"),
            _ => function.feature.unwrap_or_default().to_owned(),
        };
        let gate = function
            .feature
            .map(|word| format!("#[cfg(feature = \"{word}\")]\n"))
            .unwrap_or_default();
        let _ = write!(
            items,
            "/// `{name}`, which not every library has.\n{gate}pub static {name}: Optional<{alias}> =\n    \
             // SAFETY: bindgen made the type from the prototype, and the function has one version.\n    \
             unsafe {{ Optional::new(c\"{name}\", \"{capability}\", {anchor}) }};\n"
        );
        let _ = writeln!(list, "{gate}&{name},");
    }
    format!(
        "{import}{items}/// The functions above that are built in: what capabilities ask for, and their fallbacks.\n\
         pub static OPTIONAL: &[&dyn OptionalFunction] = &[\n{list}];\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RADOS, RBD};

    #[test]
    fn every_prototype_names_its_function() {
        for library in [&RADOS, &RBD] {
            for function in optional(library) {
                let prototype = function.prototype();
                assert!(
                    prototype.contains(&format!(" {}(", function.name)),
                    "{prototype}"
                );
                assert!(prototype.ends_with(");"), "{prototype}");
            }
        }
    }

    #[test]
    fn features_gate_and_internal_functions_are_always_there() {
        let text = rust_text(&RBD, &optional(&RBD));
        assert!(text.contains(
            "#[cfg(feature = \"clone4\")]\npub static rbd_clone4: Optional<rbd_clone4_fn>"
        ));
        assert!(text.contains("not every library has.\npub static rbd_list2: "));
        assert!(!text.contains("rbd_create4"), "base functions are linked");
    }
}
