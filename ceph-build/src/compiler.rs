//! Where the C compiler looks for headers and libraries.

use std::path::PathBuf;
use std::process::Command;

/// The C compiler's search lists. Empty if there is no compiler: the search then finds nothing, and the
/// message about that says where it looked.
#[derive(Debug, Default)]
pub(crate) struct Compiler {
    pub(crate) include_dirs: Vec<PathBuf>,
    pub(crate) lib_dirs: Vec<PathBuf>,
}

/// The variables that change what the compiler answers.
pub(crate) const VARIABLES: [&str; 5] = ["CC", "CFLAGS", "CPATH", "C_INCLUDE_PATH", "LIBRARY_PATH"];

impl Compiler {
    /// Asks the compiler of the target that is being built for.
    pub(crate) fn ask() -> Self {
        let Ok(tool) = cc::Build::new().cargo_metadata(false).try_get_compiler() else {
            return Self::default();
        };
        Self {
            include_dirs: include_dirs(
                &output(tool.to_command().args(["-E", "-v", "-x", "c", "/dev/null"])).1,
            ),
            lib_dirs: lib_dirs(&output(tool.to_command().arg("-print-search-dirs")).0),
        }
    }
}

/// What a command wrote to standard output and standard error, in the language that the parsers know.
fn output(command: &mut Command) -> (String, String) {
    command.env("LC_ALL", "C").output().map_or_else(
        |_| Default::default(),
        |out| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            (text(&out.stdout), text(&out.stderr))
        },
    )
}

/// The `#include <...>` list in what `cc -E -v` writes to standard error.
fn include_dirs(stderr: &str) -> Vec<PathBuf> {
    stderr
        .lines()
        .skip_while(|line| !line.starts_with("#include <...>"))
        .skip(1)
        .take_while(|line| line.starts_with(' '))
        .map(|line| PathBuf::from(line.trim()))
        .collect()
}

/// The `libraries:` line of `cc -print-search-dirs`, folders that exist, each once.
fn lib_dirs(stdout: &str) -> Vec<PathBuf> {
    let mut dirs = Vec::new();
    let list = stdout
        .lines()
        .find_map(|line| line.strip_prefix("libraries: ="));
    for dir in list.into_iter().flat_map(|list| list.split(':')) {
        if let Ok(dir) = PathBuf::from(dir).canonicalize()
            && !dirs.contains(&dir)
        {
            dirs.push(dir);
        }
    }
    dirs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_include_list_ends_where_the_compiler_says() {
        let text = "Using built-in specs.\n#include \"...\" search starts here:\n /quoted\n\
                    #include <...> search starts here:\n /usr/lib/gcc/include\n /usr/include\n\
                    End of search list.\n # 0 \"/dev/null\"\n";
        assert_eq!(
            include_dirs(text),
            [
                PathBuf::from("/usr/lib/gcc/include"),
                PathBuf::from("/usr/include")
            ]
        );
        assert_eq!(include_dirs(""), Vec::<PathBuf>::new());
    }

    #[test]
    fn library_folders_that_do_not_exist_are_left_out() {
        let text = "install: /x\nprograms: =/y\nlibraries: =/does/not/exist/:/usr/lib/../:/usr/\n";
        assert_eq!(lib_dirs(text), [PathBuf::from("/usr")]);
        assert_eq!(lib_dirs("nothing of the kind"), Vec::<PathBuf>::new());
    }
}
