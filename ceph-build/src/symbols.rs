//! What a shared library exports.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use object::{Object, ObjectSymbol};

use crate::failure::Failure;

/// The names that `so`, the file that the linker takes, defines for others.
pub(crate) fn exported(so: &Path) -> Result<BTreeSet<String>, Failure> {
    let data =
        fs::read(so).map_err(|error| Failure(format!("cannot read {}: {error}", so.display())))?;
    if !data.starts_with(b"\x7fELF") {
        return from_script(so, &String::from_utf8_lossy(&data));
    }
    let file = object::File::parse(&*data)
        .map_err(|error| Failure(format!("{} is not a shared library: {error}", so.display())))?;
    let defined = file
        .dynamic_symbols()
        .filter(|symbol| symbol.is_definition() && !symbol.is_local());
    Ok(defined
        .filter_map(|symbol| symbol.name().ok())
        .map(str::to_owned)
        .collect())
}

/// The same of a linker script, which stands in for the libraries that it names.
fn from_script(script: &Path, text: &str) -> Result<BTreeSet<String>, Failure> {
    let files = script_inputs(script, text);
    if files.is_empty() {
        return Err(Failure(format!(
            "{} is neither a shared library nor a linker script",
            script.display()
        )));
    }
    let mut names = BTreeSet::new();
    for file in files {
        names.append(&mut exported(&file)?);
    }
    Ok(names)
}

/// The shared libraries that a linker script names by path, other than itself.
fn script_inputs(script: &Path, text: &str) -> Vec<PathBuf> {
    let dir = script.parent().unwrap_or(Path::new(""));
    text.split(|c: char| c.is_whitespace() || c == '(' || c == ')' || c == ',')
        .filter(|word| word.contains(".so"))
        .map(|word| dir.join(word))
        .filter(|path| path != script)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linker_script_names_its_libraries() {
        let text =
            "/* GNU ld script */ INPUT(librados.so.2)\nGROUP ( /opt/lib/libx.so.1 AS_NEEDED(-lm) )";
        assert_eq!(
            script_inputs(Path::new("/usr/lib/librados.so"), text),
            [
                PathBuf::from("/usr/lib/librados.so.2"),
                PathBuf::from("/opt/lib/libx.so.1")
            ]
        );
    }

    #[test]
    fn what_is_no_library_is_refused() {
        let error = exported(Path::new("/etc/passwd")).unwrap_err();
        assert!(
            error.to_string().contains("/etc/passwd is neither"),
            "{error}"
        );
        assert!(exported(Path::new("/does/not/exist.so")).is_err());
    }
}
