//! Compares what Rust believes of a C header with what a C compiler makes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// The C types and fields whose layout a test compares, with the layout that Rust gives them.
#[macro_export]
macro_rules! layouts {
    ($($c:literal as $type:ident { $($field:ident),+ })+) => {
        vec![$(
            (format!("sizeof({})", $c), size_of::<$type>() as i128),
            $((format!("offsetof({}, {})", $c, stringify!($field)), std::mem::offset_of!($type, $field) as i128)),+
        ),+]
    };
}

/// An installed header.
pub struct Header {
    /// The folder it is included from.
    pub dir: &'static str,
    /// Its name in `#include`.
    pub name: &'static str,
}

impl Header {
    /// Compares integer expressions, and returns how many there were. Those of which the header lacks
    /// the name are reported and left out: constants are the same everywhere, headers are not.
    pub fn compare(&self, what: &str, expected: &[(String, i128)]) -> usize {
        let declared = self.words(what);
        let expected: Vec<_> = expected
            .iter()
            .filter(|(expression, _)| {
                let mut words = expression
                    .split(|c: char| !is_word(c))
                    .filter(|word| !word.is_empty());
                let has = words
                    .all(|word| declared.contains(word) || ["sizeof", "offsetof"].contains(&word));
                if !has {
                    println!("{} does not declare {expression}", self.name);
                }
                has
            })
            .collect();
        let print = |expression: &str| {
            format!(
                "if (({expression}) < 0) printf(\"{expression}=%lld\\n\", (long long)({expression}));\n\
                 else printf(\"{expression}=%llu\\n\", (unsigned long long)({expression}));\n"
            )
        };
        let answers = self.run(
            what,
            &expected
                .iter()
                .map(|(expression, _)| print(expression))
                .collect::<String>(),
        );
        for (expression, value) in &expected {
            assert_eq!(
                answers[expression].parse::<i128>().unwrap(),
                *value,
                "{expression}"
            );
        }
        expected.len()
    }

    /// Compares string constants in the same way.
    pub fn compare_strings(&self, what: &str, expected: &[(&str, &CStr)]) -> usize {
        let declared = self.words(what);
        let expected: Vec<_> = expected
            .iter()
            .filter(|(name, _)| declared.contains(*name))
            .collect();
        let print = expected
            .iter()
            .map(|(name, _)| format!("printf(\"%s=%s\\n\", \"{name}\", {name});\n"));
        let answers = self.run(what, &print.collect::<String>());
        for (name, value) in &expected {
            assert_eq!(answers[*name], value.to_str().unwrap(), "{name}");
        }
        expected.len()
    }

    /// Compares the types that `compat.h` defines for headers that lack them with the header's own:
    /// how large each is, and where its members are. Those that its text names must be among them.
    pub fn compare_compat(&self, compat: &str) {
        let declared = self.words("compat");
        let types: Vec<Compat<'_>> = compat
            .split("#ifndef HAVE_")
            .skip(1)
            .map(Compat::parse)
            .collect();
        let both = types.iter().filter(|t| declared.contains(t.name));
        let both: Vec<&Compat<'_>> = both.collect();
        let text = fs::read_to_string(Path::new(self.dir).join(self.name)).unwrap();
        let named: BTreeSet<_> = text.split(|c: char| !is_word(c)).collect();
        let named = types.iter().filter(|t| named.contains(t.name)).count();
        assert_eq!(both.len(), named, "of {} types", types.len());
        let mut own =
            String::from("#include <stdbool.h>\n#include <stdint.h>\n#include <time.h>\n");
        let mut statements = String::new();
        for compat in &types {
            own += &format!("#define {0} own_{0}\n", compat.name);
        }
        own += compat;
        for compat in &types {
            own += &format!("#undef {}\n", compat.name);
        }
        for compat in &both {
            let (tag, name) = (compat.tag, compat.name);
            statements += &format!(
                "_Static_assert(sizeof({tag}{name}) == sizeof({tag}own_{name}), \"{name}\");\n"
            );
            for member in &compat.members {
                statements += &format!(
                    "_Static_assert(offsetof({tag}{name}, {member}) == offsetof({tag}own_{name}, {member}) \
                     && sizeof((({tag}{name} *)0)->{member}) == sizeof((({tag}own_{name} *)0)->{member}), \
                     \"{name}.{member}\");\n"
                );
            }
        }
        let source = self.source("compat_types", &statements);
        let text = fs::read_to_string(&source).unwrap();
        fs::write(&source, text.replace("int main", &format!("{own}int main"))).unwrap();
        output(compiler(self).arg("-fsyntax-only").arg(&source));
    }

    /// The names that the header defines as macros, and all words of its declarations. A macro may name
    /// others that are not defined, so what macros expand to does not count.
    fn words(&self, what: &str) -> BTreeSet<String> {
        let source = self.source(&format!("{what}_words"), "");
        let text = output(compiler(self).args(["-E", "-dD"]).arg(source));
        let mut words = BTreeSet::new();
        for line in text.lines() {
            let mut found = line
                .split(|c: char| !is_word(c))
                .filter(|word| !word.is_empty())
                .map(str::to_owned);
            match line.strip_prefix('#') {
                Some(_) => words.extend(found.nth(1)),
                None => words.extend(found),
            }
        }
        words
    }

    /// Compiles and runs a program that prints `name=value` lines.
    fn run(&self, what: &str, statements: &str) -> BTreeMap<String, String> {
        let source = self.source(what, statements);
        let program = source.with_extension("");
        output(compiler(self).arg(&source).arg("-o").arg(&program));
        let lines = output(&mut Command::new(&program));
        lines
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.into(), value.into()))
            .collect()
    }

    fn source(&self, what: &str, statements: &str) -> PathBuf {
        let prefix = self.name.replace('/', "_");
        let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{prefix}_{what}.c"));
        let text = format!(
            "#include <stddef.h>\n#include <stdio.h>\n#include <{}>\nint main(void) {{\n{statements}return 0;\n}}\n",
            self.name
        );
        fs::write(&file, text).unwrap();
        file
    }
}

/// A type of `compat.h`.
struct Compat<'a> {
    name: &'a str,
    /// `struct `, of those that have no other name.
    tag: &'static str,
    members: Vec<&'a str>,
}

impl<'a> Compat<'a> {
    /// From what follows `#ifndef HAVE_`.
    fn parse(text: &'a str) -> Self {
        let (name, rest) = text.split_once('\n').unwrap();
        let body = rest.split("#endif").next().unwrap();
        let lines = body.lines().filter(|line| line.starts_with("  "));
        let members = lines.map(|line| {
            line.trim_end_matches(';')
                .rsplit([' ', '*'])
                .next()
                .unwrap()
        });
        Self {
            name,
            tag: if body.starts_with("struct") {
                "struct "
            } else {
                ""
            },
            members: members.collect(),
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn compiler(header: &Header) -> Command {
    let mut command = Command::new(env::var_os("CC").unwrap_or_else(|| "cc".into()));
    command
        .arg("-Wno-deprecated-declarations")
        .arg(format!("-I{}", header.dir));
    command
}

#[track_caller]
fn output(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// The lists of the macros `constants!` and `enums!` as expressions to compare.
pub fn expressions(lists: &[&[(&str, i128)]]) -> Vec<(String, i128)> {
    lists
        .concat()
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// The list of types of the macro `enums!` as expressions to compare.
pub fn sizes(types: &[(&str, usize)]) -> Vec<(String, i128)> {
    types
        .iter()
        .map(|(name, size)| (format!("sizeof({name})"), *size as i128))
        .collect()
}
