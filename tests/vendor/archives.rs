//! A complete set of static libraries, as small as can be.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use ceph_build::{Kind, Library, RADOS, RBD, table};

/// A folder with `librados.a`, `librbd.a` and what they need. Beside librados is the shared form, which
/// says what that is; of librbd pkg-config says it.
pub struct Archives {
    dir: PathBuf,
}

impl Archives {
    /// Libraries with the functions of 16.2.15, but for some, that do nothing.
    pub fn new(dir: PathBuf, but: &[&str]) -> Self {
        let archives = Self { dir };
        let lib = archives.lib();
        let private = lib.join("ceph");
        fs::create_dir_all(&private).unwrap();
        let common = archives.source("common", "int common(void) { return 0; }\n");
        let common_so = private.join("libceph-common.so.2");
        shared(&common, &common_so, &["-lm".as_ref()]);
        archive(&common, &private.join("libceph-common.a"));
        for library in [&RADOS, &RBD] {
            let source = archives.source(library.name, &functions(library, but));
            archive(&source, &lib.join(format!("lib{}.a", library.name)));
            if library.name == "rados" {
                shared(&source, &lib.join("librados.so"), &[&common_so]);
            }
        }
        let script = "#!/bin/sh\ncase \"$*\" in\n\
                      *--static*librbd) echo \"-lrbd -lrados -lceph-common -lm\" ;;\n\
                      *--modversion*librbd) echo 1.0 ;;\n\
                      *) exit 1 ;;\nesac\n";
        fs::write(archives.pkg_config(), script).unwrap();
        fs::set_permissions(archives.pkg_config(), PermissionsExt::from_mode(0o755)).unwrap();
        archives
    }

    /// The folder of the libraries.
    pub fn lib(&self) -> PathBuf {
        self.dir.join("lib")
    }

    /// A pkg-config that knows librbd.
    pub fn pkg_config(&self) -> PathBuf {
        self.dir.join("pkg-config")
    }

    fn source(&self, name: &str, text: &str) -> PathBuf {
        let file = self.dir.join(name).with_extension("c");
        fs::write(&file, text).unwrap();
        file
    }
}

/// C that defines the functions; all need libceph-common.
fn functions(library: &Library, but: &[&str]) -> String {
    let mut text = "int common(void);\n".to_owned();
    for row in table(library) {
        let [_, in_16, ..] = row.exported;
        if row.kind == Kind::Function && in_16 == Some(true) && !but.contains(&row.name) {
            let _ = writeln!(text, "int {}(void) {{ return common(); }}", row.name);
        }
    }
    text
}

fn shared(source: &Path, so: &Path, needs: &[&Path]) {
    let mut name = std::ffi::OsString::from("-Wl,--no-as-needed,-soname=");
    name.push(so.file_name().unwrap());
    let mut compiler = Command::new("cc");
    compiler
        .args(["-shared", "-fPIC", "-o"])
        .arg(so)
        .arg(source);
    succeeds(compiler.arg(name).args(needs));
}

fn archive(source: &Path, archive: &Path) {
    let object = source.with_extension("o");
    let mut compiler = Command::new("cc");
    succeeds(
        compiler
            .args(["-c", "-fPIC", "-o"])
            .arg(&object)
            .arg(source),
    );
    succeeds(Command::new("ar").arg("rcs").arg(archive).arg(&object));
}

#[track_caller]
fn succeeds(command: &mut Command) {
    let status = command.status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}
