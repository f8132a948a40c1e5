//! What a library has for others, and what it needs of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use object::read::archive::ArchiveFile;
use object::{Object, ObjectSymbol};

use crate::failure::Failure;

/// The names that a library, the file that the linker takes, defines for others.
pub(crate) fn exported(so: &Path) -> Result<BTreeSet<String>, Failure> {
    let data = read(so)?;
    if data.starts_with(b"!<arch>\n") {
        return of_archive(&data)
            .map_err(|error| Failure(format!("cannot read {}: {error}", so.display())));
    }
    if !data.starts_with(b"\x7fELF") {
        return from_script(so, &String::from_utf8_lossy(&data));
    }
    let file = parse(so, &data)?;
    let defined = file
        .dynamic_symbols()
        .filter(|symbol| symbol.is_definition() && !symbol.is_local());
    Ok(defined
        .filter_map(|symbol| symbol.name().ok())
        .map(str::to_owned)
        .collect())
}

/// The file names of the shared libraries that one needs.
pub(crate) fn needed(so: &Path) -> Result<Vec<String>, Failure> {
    let data = read(so)?;
    let file = parse(so, &data)?;
    let libraries = file
        .import_libraries()
        .map_err(|error| refused(so, error))?;
    libraries
        .map(|library| {
            let library = library.map_err(|error| refused(so, error))?;
            Ok(String::from_utf8_lossy(library.name()).into_owned())
        })
        .collect()
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(file).map_err(|error| Failure(format!("cannot read {}: {error}", file.display())))
}

fn parse<'data>(so: &Path, data: &'data [u8]) -> Result<object::File<'data>, Failure> {
    object::File::parse(data).map_err(|error| refused(so, error))
}

fn refused(so: &Path, error: object::Error) -> Failure {
    Failure(format!("{} is not a shared library: {error}", so.display()))
}

/// The names in the index of a static library.
fn of_archive(data: &[u8]) -> object::Result<BTreeSet<String>> {
    let symbols = ArchiveFile::parse(data)?.symbols()?;
    let names = symbols.into_iter().flatten();
    names
        .map(|symbol| Ok(String::from_utf8_lossy(symbol?.name()).into_owned()))
        .collect()
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
