//! How this machine reaches Debian's archive.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::matrix::release::Release;
use crate::run::{Result, run};

/// Where the archive is if the machine's own sources don't say.
const MIRROR: &str = "http://deb.debian.org/debian";

/// The keys that the archive is signed with.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// What a build needs of Ceph: headers and libraries.
const PACKAGES: [&str; 4] = ["librados-dev", "librados2", "librbd-dev", "librbd1"];

/// The archive that the machine's own packages come from.
pub fn mirror() -> String {
    let own = ["indextargets", "--format", "$(REPO_URI)"];
    let only = ["Created-By: Packages", "Origin: Debian", "Label: Debian"];
    let output = Command::new("apt-get").args(own).args(only).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let first = text.iter().flat_map(|text| text.lines()).next();
    first.unwrap_or(MIRROR).trim_end_matches('/').to_owned()
}

/// Settings for apt elsewhere: how this machine gets through to the archive, whose indexes may be past
/// their date where sid is a snapshot.
pub fn apt_conf() -> String {
    let output = Command::new("apt-config").arg("dump").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let access = text.iter().flat_map(|text| text.lines());
    let access = access.filter(|line| line.starts_with("Acquire::http"));
    let own = [
        "Acquire::Check-Valid-Until \"false\";",
        "Acquire::Languages \"none\";",
        "Acquire::Retries \"3\";",
    ];
    access
        .chain(own)
        .map(|line| line.to_owned() + "\n")
        .collect()
}

/// A folder with a release's headers and libraries in its `usr`: downloaded and unpacked into the cache,
/// unless they are there.
///
/// # Errors
/// When that fails.
pub fn headers(cache: &Path, release: Release) -> Result<PathBuf> {
    let dir = cache.join("headers").join(release.suite());
    if dir.is_dir() {
        return Ok(dir);
    }
    fs::create_dir_all(cache)?;
    let work = tempfile::tempdir_in(cache)?;
    let own = |name: &str| work.path().join(name);
    for name in ["state", "cache", "debs", "tree"] {
        fs::create_dir(own(name))?;
    }
    fs::write(own("status"), "")?;
    let source = format!(
        "deb [signed-by={KEYRING}] {} {} main\n",
        mirror(),
        release.suite()
    );
    fs::write(own("sources.list"), source)?;
    let conf = format!(
        "{}Dir::State {state:?};\nDir::State::status {status:?};\nDir::Cache {cache:?};\n\
         Dir::Etc::SourceList {sources:?};\nDir::Etc::SourceParts \"/dev/null\";\n\
         APT::Sandbox::User \"root\";\n",
        apt_conf(),
        state = own("state"),
        status = own("status"),
        cache = own("cache"),
        sources = own("sources.list"),
    );
    fs::write(own("apt.conf"), conf)?;
    let apt_get = |args: &[&str]| {
        let mut apt_get = Command::new("apt-get");
        apt_get.arg("-qq").args(args).current_dir(own("debs"));
        run(apt_get
            .env("APT_CONFIG", own("apt.conf"))
            .stdout(Stdio::null()))
    };
    apt_get(&["update"])?;
    apt_get(&[&["download"], &PACKAGES[..]].concat())?;
    for deb in fs::read_dir(own("debs"))? {
        run(Command::new("dpkg-deb")
            .arg("-x")
            .arg(deb?.path())
            .arg(own("tree")))?;
    }
    // In one step, so that what is there is complete.
    fs::create_dir_all(cache.join("headers"))?;
    fs::rename(own("tree"), &dir)?;
    Ok(dir)
}
