//! Headers and libraries as a vendor might have them: the installed ones with parts taken out. For tests:
//! what cannot be read or written, or is not as it should be, is a panic.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use object::{Object, ObjectSection, ObjectSymbol};

/// Where the build finds what is installed.
#[derive(Debug)]
pub struct Installed {
    /// The folder that `rados/librados.h` and `rbd/librbd.h` are in.
    pub include: PathBuf,
    /// librados's file.
    pub rados: PathBuf,
    /// librbd's file.
    pub rbd: PathBuf,
}

impl Installed {
    /// Whether one of the libraries has a function.
    pub fn exports(&self, function: &str) -> bool {
        [&self.rados, &self.rbd].into_iter().any(|so| {
            let data = fs::read(so).unwrap();
            let file = object::File::parse(&*data).unwrap();
            let defined = |name: Result<&str, _>| name == Ok(function);
            file.dynamic_symbols()
                .any(|symbol| symbol.is_definition() && defined(symbol.name()))
        })
    }
}

/// What the librbd of [`Tree::of_a_vendor`] lacks.
pub const VENDOR_LACKS: &[&str] = &["rbd_trash_list_cleanup"];

/// A folder with libraries of its own, and librbd's header. Programs are linked to its librbd, and load
/// both.
#[derive(Debug)]
pub struct Tree {
    dir: PathBuf,
}

impl Tree {
    /// A copy of the installed headers and libraries.
    pub fn new(dir: PathBuf, installed: &Installed) -> Self {
        let tree = Self { dir };
        for library in ["rados", "rbd"] {
            let to = tree.include().join(library);
            fs::create_dir_all(&to).unwrap();
            for entry in fs::read_dir(installed.include.join(library)).unwrap() {
                let from = entry.unwrap().path();
                fs::copy(&from, to.join(from.file_name().unwrap())).unwrap();
            }
        }
        fs::create_dir_all(tree.lib()).unwrap();
        fs::copy(&installed.rbd, tree.so("rbd")).unwrap();
        fs::copy(&installed.rados, tree.so("rados")).unwrap();
        let link = tree.lib().join("librbd.so");
        if !link.exists() {
            symlink(tree.so("rbd"), link).unwrap();
        }
        tree
    }

    /// A vendor's: librbd lacks [`VENDOR_LACKS`], its header that and `RBD_FEATURE_JOURNALING`.
    pub fn of_a_vendor(dir: PathBuf, installed: &Installed) -> Self {
        let tree = Self::new(dir, installed);
        tree.undeclare(VENDOR_LACKS);
        tree.unexport("rbd", VENDOR_LACKS);
        let features = tree.include().join("rbd/features.h");
        let text = fs::read_to_string(&features).unwrap();
        let lines = text
            .lines()
            .filter(|line| !line.contains("define RBD_FEATURE_JOURNALING"));
        fs::write(&features, lines.collect::<Vec<_>>().join("\n")).unwrap();
        tree
    }

    /// The folder of the headers.
    pub fn include(&self) -> PathBuf {
        self.dir.join("include")
    }

    /// The folder of the library.
    pub fn lib(&self) -> PathBuf {
        self.dir.join("lib64")
    }

    /// Librbd's header.
    pub fn header(&self) -> PathBuf {
        self.include().join("rbd/librbd.h")
    }

    /// The file that programs load.
    fn so(&self, library: &str) -> PathBuf {
        self.lib().join(match library {
            "rados" => "librados.so.2",
            _ => "librbd.so.1",
        })
    }

    /// Changes the header's text.
    pub fn edit(&self, edit: impl FnOnce(String) -> String) {
        let text = fs::read_to_string(self.header()).unwrap();
        fs::write(self.header(), edit(text)).unwrap();
    }

    /// Takes functions out of the header, with the types that nothing needs any more.
    pub fn undeclare(&self, functions: &[&str]) {
        self.edit(|text| {
            let mut text = without_comments(&text);
            for function in functions {
                if let Some(at) = text.find(&format!(" {function}(")) {
                    remove_statement(&mut text, at);
                }
            }
            while remove_unused_type(&mut text) {}
            text
        });
    }

    /// Overwrites the names of functions that the library exports, so that nobody finds them, and hides
    /// them, so that the library itself still does where it calls them.
    pub fn unexport(&self, library: &str, functions: &[&str]) {
        /// The size of an entry of a 64-bit file, and where in it is the visibility.
        const ENTRY: usize = 24;
        const OTHER: usize = 5;
        const HIDDEN: u8 = 2;

        let mut data = fs::read(self.so(library)).unwrap();
        let copy = data.clone();
        let file = object::File::parse(&*copy).unwrap();
        let start = |section: &str| {
            let section = file.section_by_name(section).unwrap();
            section.file_range().unwrap().0 as usize
        };
        let (symbols, names) = (start(".dynsym"), start(".dynstr"));
        for symbol in file.dynamic_symbols() {
            let name = symbol.name().unwrap();
            if functions.contains(&name) {
                let entry = symbols + symbol.index().0 * ENTRY;
                let offset = u32::from_ne_bytes(copy[entry..entry + 4].try_into().unwrap());
                data[names + offset as usize] = b'~';
                data[entry + OTHER] = HIDDEN;
            }
        }
        fs::write(self.so(library), data).unwrap();
    }
}

fn without_comments(text: &str) -> String {
    let mut rest = text;
    let mut left = String::new();
    while let Some((before, after)) = rest.split_once("/*") {
        left += before;
        rest = after.split_once("*/").unwrap().1;
    }
    left + rest
}

/// Removes the C statement around a position that is outside braces.
fn remove_statement(text: &mut String, at: usize) {
    let end = at + text[at..].find(';').unwrap() + 1;
    let ends = |c: char| c == ';' || c == '}';
    let mut start = text[..at].rfind(ends).map_or(0, |at| at + 1);
    // Preprocessor lines before it stay.
    if let Some(hash) = text[start..at].rfind("\n#") {
        let line = start + hash + 1;
        start = line + text[line..at].find('\n').unwrap();
    }
    text.replace_range(start..end, "\n");
}

/// Removes one `typedef struct {..} name;` or enum whose name is nowhere else.
fn remove_unused_type(text: &mut String) -> bool {
    for (at, _) in text.match_indices("\ntypedef ") {
        let typedef = &text[at..];
        let braces = typedef.find('{').zip(typedef.find(';'));
        if braces.is_none_or(|(brace, semicolon)| semicolon < brace) {
            continue;
        }
        let close = typedef.find('}').unwrap();
        let end = close + typedef[close..].find(';').unwrap();
        let name = typedef[close + 1..end].split_whitespace().next().unwrap();
        let words = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        if words.filter(|word| *word == name).count() == 1 {
            text.replace_range(at..at + end + 1, "\n");
            return true;
        }
    }
    false
}
