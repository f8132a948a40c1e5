//! What the system has to have, and how it gets it.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::run::{Result, run};

/// Something that a chore needs.
pub struct Need {
    what: &'static str,
    present: fn() -> bool,
    apt: &'static [&'static str],
    dnf: &'static [&'static str],
}

/// What a build needs.
pub const BUILD: &[Need] = &[
    Need {
        what: "a C compiler",
        present: || on_path("cc"),
        apt: &["gcc", "libc6-dev"],
        dnf: &["gcc", "glibc-devel"],
    },
    Need {
        what: "librados and its header",
        present: || given(&["CEPH_DIR", "RADOS_INCLUDE_DIR"]) || header("rados/librados.h"),
        apt: &["librados-dev"],
        dnf: &["librados-devel"],
    },
    Need {
        what: "librbd and its header",
        present: || given(&["CEPH_DIR", "RBD_INCLUDE_DIR"]) || header("rbd/librbd.h"),
        apt: &["librbd-dev"],
        dnf: &["librbd-devel"],
    },
    Need {
        what: "libclang, with which bindgen reads the headers",
        present: || given(&["LIBCLANG_PATH"]) || libclang(),
        apt: &["libclang-dev"],
        dnf: &["clang-devel"],
    },
];

/// What a throw-away cluster needs.
pub const CLUSTER: &[Need] = &[Need {
    what: "Ceph's daemons and commands, for the throw-away cluster",
    present: || testcluster::missing_programs().is_empty(),
    apt: testcluster::PACKAGES,
    dnf: &["ceph-mon", "ceph-osd", "ceph-mgr", "ceph-common"],
}];

/// What the tests need on top, to check results with other clients.
pub const TEST: &[Need] = &[Need {
    what: "Ceph's Python modules, as witnesses",
    present: || python_has("rados") && python_has("rbd"),
    apt: &["python3-rados", "python3-rbd"],
    dnf: &["python3-rados", "python3-rbd"],
}];

/// What the memory check needs on top.
pub const MEMCHECK: &[Need] = &[Need {
    what: "valgrind",
    present: || on_path("valgrind"),
    apt: &["valgrind", "libc6-dbg"],
    dnf: &["valgrind"],
}];

/// Installs what is missing, saying what and why; on a system without apt-get, says what to type.
///
/// # Errors
/// When something is missing and cannot be installed.
pub fn ensure(groups: &[&[Need]]) -> Result {
    let needs = groups.iter().flat_map(|group| group.iter());
    let missing: Vec<&Need> = needs.filter(|need| !(need.present)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    for need in &missing {
        eprintln!("missing: {}", need.what);
    }
    let apt: Vec<_> = missing.iter().flat_map(|need| need.apt).copied().collect();
    if !on_path("apt-get") {
        let dnf: Vec<_> = missing.iter().flat_map(|need| need.dnf).copied().collect();
        let lines = format!(
            "dnf install {}\n  apt-get install {}",
            dnf.join(" "),
            apt.join(" ")
        );
        return Err(format!("install what is missing, as by one of\n  {lines}").into());
    }
    eprintln!("installing with apt-get: {}", apt.join(" "));
    run(apt_get().arg("update").arg("-qq"))?;
    let install = ["install", "-y", "-qq", "--no-install-recommends"];
    // Its progress is hundreds of lines; what goes wrong is on stderr.
    run(apt_get().args(install).args(apt).stdout(Stdio::null()))?;
    match missing.iter().find(|need| !(need.present)()) {
        None => Ok(()),
        Some(need) => Err(format!("still missing after the installation: {}", need.what).into()),
    }
}

/// `apt-get`, through sudo for users other than root.
fn apt_get() -> Command {
    let root =
        fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    let mut command = if root {
        Command::new("env")
    } else {
        let mut sudo = Command::new("sudo");
        sudo.arg("env");
        sudo
    };
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    command
}

fn given(variables: &[&str]) -> bool {
    variables
        .iter()
        .any(|variable| env::var_os(variable).is_some())
}

fn on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

fn header(name: &str) -> bool {
    ["/usr/include", "/usr/local/include"]
        .iter()
        .any(|dir| Path::new(dir).join(name).is_file())
}

/// Whether a libclang is in one of the places where distributions put it.
fn libclang() -> bool {
    let entries = |dir: &Path| fs::read_dir(dir).into_iter().flatten().flatten();
    let has = |dir: &Path| {
        entries(dir).any(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            name.starts_with("libclang.so") || name.starts_with("libclang-") && name.contains(".so")
        })
    };
    let llvm = entries(Path::new("/usr/lib")).map(|entry| entry.path().join("lib"));
    let arch = entries(Path::new("/usr/lib")).map(|entry| entry.path());
    let plain = ["/usr/lib", "/usr/lib64", "/usr/local/lib"].map(Into::into);
    llvm.chain(arch).chain(plain).any(|dir| has(&dir))
}

/// The system's Python, whatever other is on the path: that one has the distribution's modules.
fn python_has(module: &str) -> bool {
    let script = format!("import {module}");
    let output = Command::new("/usr/bin/python3")
        .args(["-c", &script])
        .output();
    output.is_ok_and(|output| output.status.success())
}
