//! Functions that a library may lack: what Rust is told of them.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::Library;
use crate::table::{Capability, Kind, Row, table};

/// A function that a supported library may lack, so that it is looked up at run time.
#[derive(Clone, Debug)]
pub(crate) struct Function {
    pub(crate) name: &'static str,
    /// The Cargo feature, unless it is internal.
    pub(crate) feature: Option<&'static str>,
    pub(crate) row: Row,
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
        row: row.clone(),
    })
}

impl Function {
    /// The alias of the function's type.
    pub(crate) fn alias(&self) -> String {
        format!("{}_fn", self.name)
    }
}

/// Rust beside the bindings: a static for each function, and the list of all of them. They are looked up
/// in shared libraries; of a static one, `archive` has the functions that it defines, which are linked.
pub(crate) fn rust_text(
    library: &Library,
    functions: &[Function],
    archive: Option<&BTreeSet<String>>,
) -> String {
    let anchor = format!("{}_version", library.name);
    // The bindings of librbd have all of rados_sys's names.
    let import = match library.name {
        "rados" => "use crate::{Optional, OptionalFunction};\n",
        _ => "",
    };
    let mut items = String::new();
    let mut linked = String::new();
    let mut list = String::new();
    for function in functions {
        let (name, alias) = (function.name, function.alias());
        let capability = match function.row.capability {
            Capability::Internal(word) => format!("internal:{word}"),
            _ => function.feature.unwrap_or_default().to_owned(),
        };
        let gate = function
            .feature
            .map(|word| format!("#[cfg(feature = \"{word}\")]\n"))
            .unwrap_or_default();
        let address = match archive {
            None => String::new(),
            Some(archive) if archive.contains(name) => {
                let _ = writeln!(linked, "{gate}pub static {name}: u8;");
                format!(".at(&raw const linked::{name})")
            }
            Some(_) => ".at(core::ptr::null())".to_owned(),
        };
        let _ = write!(
            items,
            "/// `{name}`, which not every library has.\n{gate}pub static {name}: Optional<{alias}> =\n    \
             // SAFETY: bindgen made the type from the prototype, and the function has one version.\n    \
             unsafe {{ Optional::new(c\"{name}\", \"{capability}\", {anchor}) }}{address};\n"
        );
        let _ = writeln!(list, "{gate}&{name},");
    }
    if archive.is_some() {
        let _ = write!(
            items,
            "/// Where the functions are.\nmod linked {{ unsafe extern \"C\" {{\n{linked}}} }}\n"
        );
    }
    format!(
        "{import}{items}/// The functions above that are built in: what capabilities ask for, and their fallbacks.\n\
         pub static OPTIONAL: &[&dyn OptionalFunction] = &[\n{list}];\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RBD;

    #[test]
    fn features_gate_and_internal_functions_are_always_there() {
        let text = rust_text(&RBD, &optional(&RBD), None);
        assert!(text.contains(
            "#[cfg(feature = \"clone4\")]\npub static rbd_clone4: Optional<rbd_clone4_fn>"
        ));
        assert!(text.contains("not every library has.\npub static rbd_list2: "));
        assert!(!text.contains("rbd_create4"), "base functions are linked");
    }

    #[test]
    fn those_of_a_static_library_are_linked_if_it_has_them() {
        let archive = BTreeSet::from(["rbd_clone4".to_owned()]);
        let text = rust_text(&RBD, &optional(&RBD), Some(&archive));
        assert!(text.contains("\"clone4\", rbd_version) }.at(&raw const linked::rbd_clone4);"));
        assert!(text.contains("#[cfg(feature = \"clone4\")]\npub static rbd_clone4: u8;"));
        assert!(text.contains("rbd_version) }.at(core::ptr::null());"));
        assert!(!text.contains("pub static rbd_list2: u8;"));
    }
}
