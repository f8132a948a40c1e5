//! A throw-away crate on rados and rbd, built against a tree.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use vendortree::Tree;

/// What the crate's program does: prints the capabilities, and with a configuration file uses a cluster.
const PROGRAM: &str = include_str!("program.txt");

/// A crate with these features of rbd, and no other.
pub struct Consumer {
    dir: PathBuf,
}

impl Consumer {
    /// Writes the crate. `write-zeroes` is used by its program where it is among the features.
    pub fn new(name: &str, features: &[&str]) -> Self {
        let dir = scratch(name).join("consumer");
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        fs::create_dir_all(dir.join("src")).unwrap();
        let manifest = format!(
            "[package]\nname = \"consumer-{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
             [features]\nall = []\n\n[dependencies]\n\
             rados = {{ path = {:?}, default-features = false }}\n\
             rbd = {{ path = {:?}, default-features = false, features = {features:?} }}\n\n\
             [profile.dev]\ndebug = \"line-tables-only\"\n\n[workspace]\n",
            root.join("rados"),
            root.join("rbd"),
        );
        fs::write(dir.join("Cargo.toml"), manifest).unwrap();
        fs::write(dir.join("src/main.rs"), PROGRAM).unwrap();
        fs::copy(root.join("Cargo.lock"), dir.join("Cargo.lock")).unwrap();
        Self { dir }
    }

    /// Builds the crate, with some variables set.
    pub fn build(
        &self,
        tree: Option<&Tree>,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Output {
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .args(["build", "--offline"])
            .args(arguments)
            .current_dir(&self.dir)
            .env("CARGO_TARGET_DIR", target())
            .envs(variables.iter().copied());
        if let Some(tree) = tree {
            cargo
                .env("RBD_INCLUDE_DIR", tree.include())
                .env("RBD_LIB_DIR", tree.lib());
        }
        cargo.output().unwrap()
    }

    /// What Cargo says about a build that fails.
    #[track_caller]
    pub fn fails(&self, tree: &Tree, variables: &[(&str, &str)]) -> String {
        let output = self.build(Some(tree), &[], variables);
        assert!(!output.status.success(), "it was built");
        String::from_utf8(output.stderr).unwrap()
    }

    /// The program, after a build without a single warning.
    #[track_caller]
    pub fn program(&self, name: &str, tree: Option<&Tree>, arguments: &[&str]) -> PathBuf {
        let output = self.build(tree, arguments, &[]);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{errors}");
        assert!(!errors.contains("warning"), "{errors}");
        target().join(format!("debug/consumer-{name}"))
    }
}

/// A folder for a test's files.
pub fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("vendor")
        .join(name)
}

/// Where all tests build, those of ceph-build too: what does not depend on the tree is built once.
fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("target")
}

/// What a program prints, with the tree's libraries if one is given.
#[track_caller]
pub fn run(program: &Path, tree: Option<&Tree>, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    if let Some(tree) = tree {
        command.env("LD_LIBRARY_PATH", tree.lib());
    }
    let output = command.args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}
