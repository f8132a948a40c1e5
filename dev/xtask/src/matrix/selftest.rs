//! One program, built in one place and run in another.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::matrix::chroot::Chroot;
use crate::matrix::release::Release;
use crate::run::{Result, run};
use crate::skipped;

/// What a self-test came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All of it works: what it says of each capability.
    Works(BTreeMap<String, String>),
    /// It needs a newer glibc than is there.
    Glibc,
    /// It failed: the last line that it printed.
    Failed(String),
}

/// Where a program is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Built {
    /// The system.
    pub on: Release,
    /// Another release whose headers it is built with.
    pub headers: Option<Release>,
}

/// Where a program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The system.
    pub on: Release,
    /// A folder of libraries that the tests made, of these letters.
    pub vendor: Option<&'static str>,
}

impl Built {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::plain(Release::Bullseye),
        Self::with(Release::Trixie),
        Self::with(Release::Sid),
        Self::plain(Release::Bookworm),
        Self::plain(Release::Trixie),
        Self::plain(Release::Sid),
    ];

    /// The oldest system with the newest headers: what runs in all places.
    pub const EVERYWHERE: Self = Self::with(Release::Sid);

    const fn plain(on: Release) -> Self {
        Self { on, headers: None }
    }

    const fn with(headers: Release) -> Self {
        Self {
            on: Release::Bullseye,
            headers: Some(headers),
        }
    }

    /// The program's file name.
    fn file(self) -> String {
        match self.headers {
            None => self.on.suite().to_owned(),
            Some(headers) => format!("{}-{}", self.on.suite(), headers.suite()),
        }
    }

    /// Builds the self-test in a release, for all to run.
    ///
    /// # Errors
    /// When that fails.
    pub fn build(self, chroot: &Chroot, shared: &Path) -> Result {
        let variables = self.headers.map(|headers| {
            let dir = format!("/shared/headers/{}/usr/include", headers.suite());
            ["RADOS", "RBD"].map(|library| format!("{library}_INCLUDE_DIR={dir}"))
        });
        let variables: Vec<_> = variables.iter().flatten().map(|var| &**var).collect();
        let build = ["cargo", "build", "--quiet", "--example", "selftest"];
        run(&mut chroot.command(&variables, &build))?;
        let bin = shared.join("bin");
        fs::create_dir_all(&bin)?;
        let program = chroot.dir.join("target/debug/examples/selftest");
        fs::copy(program, bin.join(self.file()))?;
        Ok(())
    }
}

impl Place {
    /// All of them: each release's libraries, and what the tests make of Debian 12's, a vendor's and
    /// those of before Ceph 14.
    pub const ALL: [Self; 6] = [
        Self::plain(Release::Bullseye),
        Self::plain(Release::Bookworm),
        Self::plain(Release::Trixie),
        Self::plain(Release::Sid),
        Self::vendor("cut"),
        Self::vendor("old"),
    ];

    const fn plain(on: Release) -> Self {
        Self { on, vendor: None }
    }

    const fn vendor(tree: &'static str) -> Self {
        Self {
            on: Release::Bookworm,
            vendor: Some(tree),
        }
    }

    /// Runs a self-test, if it has been built, on a cluster of the release.
    ///
    /// # Errors
    /// When it cannot be started; not when it fails.
    pub fn try_out(self, built: Built, chroot: &Chroot, shared: &Path, results: &Path) -> Result {
        if !shared.join("bin").join(built.file()).exists() {
            return Ok(());
        }
        let program = format!("/shared/bin/{}", built.file());
        let tree = self
            .vendor
            .map(|tree| format!("/target/tmp/vendor/{tree}/tree/lib64"));
        let library_path = format!("LD_LIBRARY_PATH={}", tree.unwrap_or_default());
        let script = "env \"$1\" \"$2\" --conf \"$CEPH_CONF\" 2>&1";
        let mut words = vec!["/target/debug/testcluster", "run", "sh", "-c", script, "sh"];
        words.extend([&*library_path, &program]);
        let output = chroot.command(&[], &words).output()?;
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text += &String::from_utf8_lossy(&output.stderr);
        text += &format!("{}\n", output.status);
        eprint!("\nbuilt in {built:?}, run on {self:?}:\n{text}");
        fs::write(results.join(self.file(built)), text)?;
        Ok(())
    }

    /// What was printed last time, if there was one.
    pub fn outcome(self, built: Built, results: &Path) -> Option<Outcome> {
        let text = fs::read_to_string(results.join(self.file(built))).ok()?;
        Some(Outcome::parse(&text))
    }

    fn file(self, built: Built) -> String {
        format!("{}.{}", built.file(), self.vendor.unwrap_or("own"))
    }
}

impl Outcome {
    fn parse(text: &str) -> Self {
        if text.contains("GLIBC_") && text.contains("not found") {
            return Self::Glibc;
        }
        let mut lines = text.lines().rev();
        if lines.next() != Some("exit status: 0") {
            return Self::Failed(lines.next().unwrap_or_default().to_owned());
        }
        let capability = |line: &str| {
            let (name, state) = line.strip_prefix("capability ")?.split_once(' ')?;
            Some((name.to_owned(), state.to_owned()))
        };
        Self::Works(text.lines().filter_map(capability).collect())
    }

    /// What it should have found, and has not, in a release's own libraries.
    pub fn lacks(&self, version: &str) -> Vec<&str> {
        let Self::Works(capabilities) = self else {
            return Vec::new();
        };
        let absent = capabilities.iter().filter(|(_, state)| !is_there(state));
        skipped::unexpected(absent.map(|(name, _)| &**name), version)
    }
}

/// Whether a self-test says that it found a capability.
pub fn is_there(state: &str) -> bool {
    ["works", "there"].contains(&state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_told_apart() {
        let works = "object ok\ncapability clone4 lacks rbd_clone4\ncapability trash there\n\
                     exit status: 0\n";
        let works = Outcome::parse(works);
        assert_eq!(works.lacks("18.2.7"), Vec::<&str>::new());
        assert_eq!(works.lacks("20.2.4"), ["clone4"]);
        let old = "libc.so.6: version `GLIBC_2.34' not found\nexit status: 1\n";
        assert_eq!(Outcome::parse(old), Outcome::Glibc);
        let failed = "object ok\nerror: broken\nexit status: 1\n";
        assert_eq!(
            Outcome::parse(failed),
            Outcome::Failed("error: broken".into())
        );
    }
}
