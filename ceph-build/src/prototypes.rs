//! Our own declarations in C of the functions that a library may lack.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::Library;
use crate::declarations::Function;

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
        let _ = writeln!(text, "{}", prototype(function));
        let (name, alias) = (function.name, function.alias());
        let _ = writeln!(text, "typedef __typeof__({name}) {alias};");
    }
    text
}

/// The C prototype.
fn prototype(function: &Function) -> String {
    let signature = function.row.signature;
    let (result, arguments) = signature
        .and_then(|signature| signature.split_once(" ("))
        .expect("the table has the prototype of every function");
    format!("{result} {}({arguments};", function.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declarations::optional;
    use crate::{RADOS, RBD};

    #[test]
    fn every_prototype_names_its_function() {
        for library in [&RADOS, &RBD] {
            for function in optional(library) {
                let prototype = prototype(&function);
                assert!(
                    prototype.contains(&format!(" {}(", function.name)),
                    "{prototype}"
                );
                assert!(prototype.ends_with(");"), "{prototype}");
            }
        }
    }
}
