//! What a build says when it cannot go on.

use std::fmt::Write as _;

use crate::Library;
use crate::failure::Failure;
use crate::find::Place;

/// The commands that install all that a build needs, one line a family of distributions.
const INSTALL: &str = "
  Debian, Ubuntu:        apt-get install librados-dev librbd-dev libclang-dev
  Fedora, RHEL, CentOS:  dnf install librados-devel librbd-devel clang-devel
";

/// A file and the folders that it is not in.
pub(crate) struct Missing<'a> {
    pub(crate) file: String,
    pub(crate) places: &'a [Place],
}

impl Failure {
    /// The header, the shared object or both of a library are missing.
    pub(crate) fn not_found(
        library: &Library,
        target: &str,
        header: Option<Missing<'_>>,
        so: Option<Missing<'_>>,
    ) -> Self {
        let name = library.name;
        let upper = name.to_uppercase();
        let mut text = format!("lib{name} was not found for {target}.\n");
        for missing in header.into_iter().chain(so) {
            let _ = writeln!(text, "\nNo {} in", missing.file);
            for place in missing.places {
                let _ = writeln!(text, "  {} ({})", place.dir.display(), place.named_by);
            }
            if missing.places.is_empty() {
                let _ = writeln!(
                    text,
                    "  any folder: neither the C compiler nor pkg-config names one"
                );
            }
        }
        let _ = write!(
            text,
            "
Install it:
{}
Or say where it is, in the environment (for one target of several with the target in
front, as in X86_64_UNKNOWN_LINUX_GNU_{upper}_LIB_DIR):

  {upper}_INCLUDE_DIR  the folder that has {}
  {upper}_LIB_DIR      the folder that has {}
  CEPH_DIR{:pad$}  a folder that has both libraries under include/ and lib/
",
            INSTALL.trim_start_matches('\n'),
            library.header,
            library.so(),
            "",
            pad = upper.len() + 4,
        );
        Self(text)
    }

    /// libclang, which bindgen reads headers with, is missing.
    pub(crate) fn no_libclang(reason: &str) -> Self {
        Self(format!(
            "libclang was not found. bindgen reads the C headers with it.

{reason}

Install it:
{}
Or say where it is, in the environment:

  LIBCLANG_PATH  the folder that has libclang.so
",
            INSTALL.trim_start_matches('\n')
        ))
    }
}
