//! What a build says when it cannot go on.

use std::fmt::Write as _;
use std::path::PathBuf;

use crate::Library;
use crate::failure::Failure;
use crate::find::Place;

/// The commands that install all that a build needs, one line a family of distributions.
const INSTALL: &str = "
  Debian, Ubuntu:        apt-get install librados-dev librbd-dev libclang-dev
  Fedora, RHEL, CentOS:  dnf install librados-devel librbd-devel clang-devel
";

impl Failure {
    /// The header, the shared object or both of a library are missing: each file, with the places that
    /// were searched for it.
    pub(crate) fn not_found(
        library: &Library,
        target: &str,
        missing: [Option<(&str, &[Place])>; 2],
    ) -> Self {
        let name = library.name;
        let upper = name.to_uppercase();
        let mut text = format!("lib{name} was not found for {target}.\n");
        for (file, places) in missing.into_iter().flatten() {
            let _ = writeln!(text, "\nNo {file} in");
            for place in places {
                let _ = writeln!(text, "  {} ({})", place.dir.display(), place.named_by);
            }
            if places.is_empty() {
                let _ = writeln!(
                    text,
                    "  any folder: the C compiler names none (is it installed?)"
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
    #[cfg(feature = "bindgen")]
    pub(crate) fn no_libclang(reason: &str) -> Self {
        Self(format!(
            "libclang was not found. bindgen reads the C headers with it.

{reason}

Install it:
{}
Or say where it is, in the environment:

  LIBCLANG_PATH  the folder that has libclang.so

Or do without: with the feature `bindgen` off (default-features = false), declarations are taken
that were made earlier.
",
            INSTALL.trim_start_matches('\n')
        ))
    }

    /// Static linking is asked for, and some archives are missing.
    pub(crate) fn no_archives(library: &Library, missing: &[String], dirs: &[PathBuf]) -> Self {
        let name = library.name;
        let upper = name.to_uppercase();
        let dirs = dirs.iter().map(|dir| dir.display().to_string());
        Self(format!(
            "{upper}_STATIC is set, and not all that lib{name} needs is there as a static library.

Missing:
  {}

Looked for in
  {}

Distributions have no complete set. Where there is one, {upper}_LIB_DIR or CEPH_DIR names its folder;
without {upper}_STATIC, lib{name} is linked dynamically.
",
            missing.join("\n  "),
            dirs.collect::<Vec<_>>().join("\n  "),
        ))
    }

    /// Static linking is asked for, and nobody knows what the archive needs.
    pub(crate) fn unknown_needs(library: &Library) -> Self {
        let name = library.name;
        Self(format!(
            "{}_STATIC is set, and nothing says what lib{name}.a needs: neither pkg-config (lib{name}.pc) nor
a lib{name}.so beside it.
",
            name.to_uppercase()
        ))
    }

    /// One library is to be linked statically and the other is not.
    pub(crate) fn half_static() -> Self {
        Self(
            "One of RADOS_STATIC and RBD_STATIC is set and the other is not: a program would have two copies
of Ceph's code. Set both or none.
"
            .into(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RBD;

    #[test]
    fn the_message_names_files_places_packages_and_variables() {
        let place = Place {
            dir: "/opt/include".into(),
            named_by: "RBD_INCLUDE_DIR".into(),
        };
        let places = [place];
        let missing = [
            Some((RBD.header, &places[..])),
            Some(("librbd.so", &[][..])),
        ];
        let text = Failure::not_found(&RBD, "riscv64gc-unknown-linux-gnu", missing).to_string();
        for part in [
            "librbd was not found for riscv64gc-unknown-linux-gnu.\n",
            "No rbd/librbd.h in\n  /opt/include (RBD_INCLUDE_DIR)\n",
            "No librbd.so in\n  any folder",
            "apt-get install librados-dev librbd-dev libclang-dev",
            "dnf install librados-devel librbd-devel clang-devel",
            "  RBD_INCLUDE_DIR  the folder that has rbd/librbd.h\n",
            "  RBD_LIB_DIR      the folder that has librbd.so\n",
            "  CEPH_DIR         a folder",
        ] {
            assert!(text.contains(part), "{part:?} is not in:\n{text}");
        }
    }
}
