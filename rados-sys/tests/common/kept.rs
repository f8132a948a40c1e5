//! Declarations that are kept in the repository.

use std::io::ErrorKind;
use std::process::Command;
use std::{env, fs};

/// The release whose headers they are made from: Debian 12's.
const RELEASE: &str = "16.2.15";

/// The declarations of one library.
pub struct Kept {
    /// The file that has them.
    pub file: &'static str,
    /// The header that they were made from.
    pub header: &'static str,
    /// Debian's package of the header.
    pub package: &'static str,
    /// Where this build found the header.
    pub include_dir: &'static str,
    /// What bindgen made of it.
    pub made: &'static str,
}

impl Kept {
    /// Compares what is kept with what was made, if the installed header is of the release. With
    /// `CEPH_BINDINGS=write` in the environment it writes the file, as `cargo xtask bindings` does.
    pub fn check(&self) {
        let write = env::var_os("CEPH_BINDINGS").is_some_and(|value| value == "write");
        let version = self.installed();
        if !is_right(&version) {
            let text = format!("{} is of {version}, not of Ceph {RELEASE}", self.header);
            assert!(!write, "{text}");
            println!("not compared: {text}");
            return;
        }
        let text = format!(
            "// Ceph {RELEASE}: made by bindgen from {}. `cargo xtask bindings` makes it anew.\n\n{}",
            self.header, self.made
        );
        if write {
            fs::write(self.file, text).unwrap();
            return;
        }
        let kept = fs::read_to_string(self.file).unwrap();
        let lines = || kept.lines().zip(text.lines());
        let first = lines().position(|(kept, made)| kept != made);
        assert!(
            kept == text,
            "{} is not what bindgen makes now, from line {} on. To make it anew: cargo xtask bindings",
            self.file,
            first.unwrap_or(lines().count()) + 1
        );
    }

    /// The version of the package that the header is of.
    fn installed(&self) -> String {
        if self.include_dir != "/usr/include" {
            return format!("an unknown release (in {})", self.include_dir);
        }
        let mut query = Command::new("dpkg-query");
        query.args(["--show", "--showformat=${Version}", self.package]);
        match query.output() {
            Ok(output) => {
                assert!(output.status.success(), "{query:?}: {output:?}");
                String::from_utf8(output.stdout).unwrap()
            }
            Err(error) if error.kind() == ErrorKind::NotFound => "an unknown release".into(),
            Err(error) => panic!("{query:?}: {error}"),
        }
    }
}

/// Whether a package's version is the release's. Whatever Debian 12 has is compared: should that become
/// another release, this says so.
fn is_right(version: &str) -> bool {
    version.starts_with(RELEASE) || version.contains("deb12")
}
