//! Rust declarations, made by bindgen from the installed header.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::panic;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use bindgen::callbacks::{
    DeriveTrait, DiscoveredItem, DiscoveredItemId, ImplementsTrait, ParseCallbacks, SourceLocation,
};
use bindgen::{BindgenError, Builder, EnumVariation, RustEdition, RustTarget};

use crate::Library;
use crate::compiler::Compiler;
use crate::declarations::Function;
use crate::failure::Failure;
use crate::files::{manifest_dir, read, write};
use crate::prototypes::c_text;

/// What bindgen met in a header.
#[derive(Debug, Default)]
pub(crate) struct Declared {
    /// The functions.
    pub(crate) functions: BTreeSet<String>,
    /// The named types.
    types: BTreeSet<String>,
    /// The header and all that it includes.
    pub(crate) files: BTreeSet<PathBuf>,
    /// The environment variables that bindgen read.
    pub(crate) variables: BTreeSet<String>,
}

/// Writes `OUT_DIR/bindings.rs`, and returns what the header declares.
///
/// The header is read twice: by itself, to know what it declares, and with our own declarations of the
/// functions that it may lack.
pub(crate) fn generate(
    library: &Library,
    include: &Path,
    compiler: &Compiler,
    optional: &[Function],
) -> Result<Declared, Failure> {
    load_libclang()?;
    let header = include.join(library.header);
    let compat = manifest_dir().join("compat.h");
    let text = read(&header)? + &read(&compat)?;
    let seen = Rc::new(RefCell::new(Declared::default()));
    builder(library, include, compiler)
        .header(header.to_string_lossy())
        .parse_callbacks(Box::new(Watch(Rc::clone(&seen))))
        .layout_tests(false)
        .generate()
        .map_err(|error| unparsed(library, &header, &error))?;
    let declared = seen.take();

    let own = c_text(library, optional, &read(&compat)?, &declared.types);
    let mut builder = builder(library, include, compiler)
        .header_contents(&format!("own_declarations_of_{}.h", library.name), &own)
        .parse_callbacks(Box::new(Derives))
        .rust_target(RustTarget::stable(88, 0).expect("bindgen knows Rust 1.88"))
        .rust_edition(RustEdition::Edition2024)
        .use_core()
        .layout_tests(true)
        .merge_extern_blocks(true)
        .sort_semantically(true)
        .default_enum_style(EnumVariation::NewType {
            is_bitfield: false,
            is_global: true,
        })
        .blocklist_type("iovec|timespec|timeval|time_t|__.*")
        .raw_line("use libc::{iovec, time_t, timespec, timeval};")
        .raw_line("use crate::enums::*;");
    for handle in handles(&text) {
        builder = builder.new_type_alias(handle);
    }
    for name in handwritten()? {
        builder = builder.blocklist_type(name);
    }
    for function in optional {
        // Nothing can be linked to them then.
        builder = builder.blocklist_function(function.name);
    }
    if library.name != "rados" {
        // librbd speaks librados's types: the same ones, not copies.
        builder = builder
            .blocklist_file(".*/rados/[^/]*")
            .raw_line("use rados_sys::*;");
    }
    let bindings = builder
        .generate()
        .map_err(|error| unparsed(library, &header, &error))?;
    write("bindings.rs", &bindings.to_string())?;
    Ok(declared)
}

/// What both readings of a header have in common.
fn builder(library: &Library, include: &Path, compiler: &Compiler) -> Builder {
    bindgen::builder()
        .clang_arg(format!("-I{}", include.display()))
        // libclang without the clang package lacks the compiler's own headers (stddef.h), and does not
        // know where a cross compiler keeps the system's: what the C compiler searches helps out.
        .clang_args(
            compiler
                .include_dirs
                .iter()
                .flat_map(|dir| ["-idirafter".into(), dir.to_string_lossy().into_owned()]),
        )
        .generate_comments(false)
        // No constants: they are written by hand (`constants.rs`), since their values are fixed while their
        // spelling in the headers is not. An enum of a vendor's own is open like all others.
        .allowlist_function(format!("{}_.*", library.name))
        .allowlist_type("(rados|rbd|librbd)_.*|obj_watch_t|notify_(ack|timeout)_t")
        .prepend_enum_name(false)
}

/// Loads libclang, which bindgen would do itself but with a panic where it is missing.
fn load_libclang() -> Result<(), Failure> {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| ()));
    let loaded = panic::catch_unwind(bindgen::clang_version);
    panic::set_hook(hook);
    let Err(payload) = loaded else { return Ok(()) };
    let reason = payload.downcast_ref::<String>().map_or("", String::as_str);
    Err(Failure::no_libclang(reason))
}

fn unparsed(library: &Library, header: &Path, error: &BindgenError) -> Failure {
    Failure(format!(
        "bindgen cannot make {}'s declarations from {}:\n{error}",
        library.name,
        header.display()
    ))
}

/// The handle types of a header: each `typedef void *name;`. They become distinct Rust types, so that
/// one kind of handle cannot be passed for another as it can in C.
fn handles(header: &str) -> Vec<String> {
    let statements = header
        .split(';')
        .filter_map(|statement| statement.rsplit_once("typedef void"));
    statements
        .filter_map(|(_, rest)| rest.trim().strip_prefix('*'))
        .map(str::trim)
        .filter(|name| name.chars().all(|c| c.is_alphanumeric() || c == '_'))
        .map(str::to_owned)
        .collect()
}

/// The types that the crate being built writes by hand, in `src/enums.rs`: all words there that end as
/// type names of the C API do. Its list is the only one.
fn handwritten() -> Result<Vec<String>, Failure> {
    let text = read(&manifest_dir().join("src/enums.rs"))?;
    let words = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    Ok(words
        .filter(|word| word.ends_with("_t"))
        .map(str::to_owned)
        .collect())
}

/// Notes what bindgen meets.
#[derive(Debug)]
struct Watch(Rc<RefCell<Declared>>);

impl ParseCallbacks for Watch {
    fn header_file(&self, file: &str) {
        self.0.borrow_mut().files.insert(file.into());
    }

    fn include_file(&self, file: &str) {
        self.0.borrow_mut().files.insert(file.into());
    }

    fn read_env_var(&self, name: &str) {
        self.0.borrow_mut().variables.insert(name.into());
    }

    fn new_item_found(
        &self,
        _: DiscoveredItemId,
        item: DiscoveredItem,
        _: Option<&SourceLocation>,
    ) {
        let mut seen = self.0.borrow_mut();
        match item {
            DiscoveredItem::Function { final_name } => {
                seen.functions.insert(final_name);
            }
            DiscoveredItem::Struct { final_name, .. }
            | DiscoveredItem::Union { final_name, .. }
            | DiscoveredItem::Enum { final_name }
            | DiscoveredItem::Alias {
                alias_name: final_name,
                ..
            } => {
                seen.types.insert(final_name);
            }
            _ => {}
        }
    }
}

/// Says what the types have that the bindings take from elsewhere (enums, librados's handles, libc's
/// types): they are plain data.
#[derive(Debug)]
struct Derives;

impl ParseCallbacks for Derives {
    fn blocklisted_type_implements_trait(
        &self,
        _: &str,
        derive: DeriveTrait,
    ) -> Option<ImplementsTrait> {
        matches!(derive, DeriveTrait::Copy | DeriveTrait::Debug).then_some(ImplementsTrait::Yes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_are_the_typedefs_of_void_pointers() {
        let header = "/** @typedef rados_t */\ntypedef void *rados_t;\ntypedef void * rados_object_list_cursor;\n\
                      typedef void (*rados_callback_t)(rados_completion_t cb, void *arg);\ntypedef uint64_t rados_snap_t;";
        assert_eq!(handles(header), ["rados_t", "rados_object_list_cursor"]);
    }
}
