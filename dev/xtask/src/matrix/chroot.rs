//! A Debian release in a folder.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::matrix::debian;
use crate::matrix::release::Release;
use crate::run::{Result, root, run};

/// Mounts what is needed and goes in. This runs in mount and process namespaces of its own: when it
/// ends, the mounts are gone and so is every process that it left behind. Cargo takes what was fetched
/// outside.
const ENTER: &str = r#"dir=$1 source=$2 toolchain=$3 registry=$4 shared=$5
shift 5
mkdir -p "$dir/source" "$dir/toolchain" "$dir/shared" "$dir/cargo/registry"
mount -t proc proc "$dir/proc"
mount --rbind /sys "$dir/sys"
mount --rbind /dev "$dir/dev"
mount -o bind,ro "$source" "$dir/source"
mount -o bind,ro "$toolchain" "$dir/toolchain"
mount -o bind,ro "$shared" "$dir/shared"
mount -o bind,ro "$registry" "$dir/cargo/registry"
exec chroot "$dir" env --ignore-environment --chdir=/source \
    PATH=/toolchain/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
    CARGO_HOME=/cargo CARGO_NET_OFFLINE=true CARGO_TARGET_DIR=/target \
    CARGO_INCREMENTAL=0 CARGO_TERM_COLOR=never "$@"
"#;

/// Files that a system needs to reach what this one reaches.
const COPIED: [&str; 3] = [
    "etc/resolv.conf",
    "etc/hosts",
    "etc/ssl/certs/ca-certificates.crt",
];

/// A Debian system with a C compiler. The source, read-only, is `/source` in it, the host's Rust
/// `/toolchain`, what the releases share `/shared`; builds go to `/target`.
pub struct Chroot {
    /// The folder.
    pub dir: PathBuf,
    enter: PathBuf,
    mounted: [PathBuf; 4],
}

impl Chroot {
    /// The release's, made if it is not in the cache, with this source.
    ///
    /// # Errors
    /// When that fails.
    pub fn get(cache: &Path, source: &Path, release: Release) -> Result<Self> {
        let dir = cache.join(release.suite());
        if !dir.is_dir() {
            make(&dir, release)?;
        }
        let enter = cache.join("enter");
        fs::write(&enter, ENTER)?;
        let mounted = [
            source.to_owned(),
            toolchain()?,
            cache.join("cargo/registry"),
            cache.join("shared"),
        ];
        Ok(Self {
            dir,
            enter,
            mounted,
        })
    }

    /// A command that runs in it, with these variables.
    pub fn command(&self, variables: &[&str], words: &[&str]) -> Command {
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "--pid", "--fork", "--kill-child"])
            .args(["sh", "-e"])
            .arg(&self.enter)
            .arg(&self.dir)
            .args(&self.mounted)
            .args(variables)
            .args(words);
        command
    }

    /// The version of an installed package, without Debian's part of it.
    ///
    /// # Errors
    /// When the package is not installed.
    pub fn version(&self, package: &str) -> Result<String> {
        let query = ["dpkg-query", "--show", "--showformat=${Version}", package];
        let output = self.command(&[], &query).output()?;
        let text = String::from_utf8(output.stdout)?;
        let version = text.split(['-', '+']).next().unwrap_or_default();
        if version.is_empty() {
            return Err(format!("{package} is not installed in {}", self.dir.display()).into());
        }
        Ok(version.to_owned())
    }
}

fn make(dir: &Path, release: Release) -> Result {
    let new = dir.with_extension("new");
    if new.is_dir() {
        fs::remove_dir_all(&new)?;
    }
    run(Command::new("debootstrap")
        .args([
            "--variant=minbase",
            "--include=ca-certificates,gcc,libc6-dev",
        ])
        .arg(release.suite())
        .arg(&new)
        .arg(debian::mirror()))?;
    for file in COPIED {
        let host = Path::new("/").join(file);
        if host.is_file() {
            fs::copy(host, new.join(file))?;
        }
    }
    fs::write(new.join("etc/apt/apt.conf.d/99matrix"), debian::apt_conf())?;
    // What packages ask before they start or restart a service: nothing is to run here.
    let policy = new.join("usr/sbin/policy-rc.d");
    fs::write(&policy, "#!/bin/sh\nexit 101\n")?;
    fs::set_permissions(&policy, Permissions::from_mode(0o755))?;
    fs::rename(&new, dir)?;
    Ok(())
}

/// The folder of the Rust that builds this.
fn toolchain() -> Result<PathBuf> {
    let output = Command::new("rustc")
        .args(["--print", "sysroot"])
        .current_dir(root())
        .output()?;
    Ok(String::from_utf8(output.stdout)?.trim().into())
}
