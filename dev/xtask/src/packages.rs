//! What the system has to have, and how it gets it.

use std::env;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::run::{Result, run};

/// Something that a chore needs.
pub struct Need {
    /// What it is, and what for.
    what: &'static str,
    /// Whether the system has it.
    present: fn() -> bool,
    /// The packages of Debian and Ubuntu that bring it.
    apt: &'static [&'static str],
    /// The packages of Fedora, CentOS and openSUSE.
    rpm: &'static [&'static str],
}

/// What a build needs.
pub const BUILD: &[Need] = &[
    Need {
        what: "a C compiler, which links and knows where libraries are",
        present: || compiles("", &[]),
        apt: &["gcc", "libc6-dev"],
        rpm: &["gcc", "glibc-devel"],
    },
    Need {
        what: "librados and its header",
        present: || {
            given(&["CEPH_DIR", "RADOS_INCLUDE_DIR"])
                || compiles("#include <rados/librados.h>", &["-lrados"])
        },
        apt: &["librados-dev"],
        rpm: &["librados-devel"],
    },
    Need {
        what: "librbd and its header",
        present: || {
            given(&["CEPH_DIR", "RBD_INCLUDE_DIR"])
                || compiles("#include <rbd/librbd.h>", &["-lrbd"])
        },
        apt: &["librbd-dev"],
        rpm: &["librbd-devel"],
    },
    Need {
        what: "libclang and its headers, with which bindgen reads the headers",
        present: || given(&["LIBCLANG_PATH"]) || libclang(),
        apt: &["libclang-dev"],
        rpm: &["clang-devel"],
    },
];

/// What a throw-away cluster needs.
pub const CLUSTER: &[Need] = &[Need {
    what: "Ceph's daemons and commands, for the throw-away cluster",
    present: || testcluster::missing_programs().is_empty(),
    apt: testcluster::PACKAGES,
    rpm: testcluster::PACKAGES,
}];

/// What the tests need on top.
pub const TEST: &[Need] = &[
    Need {
        what: "Ceph's Python modules, to check results with another client",
        present: || python_has("rados") && python_has("rbd"),
        apt: &["python3-rados", "python3-rbd"],
        rpm: &["python3-rados", "python3-rbd"],
    },
    Need {
        what: "cryptsetup, to check encrypted images",
        present: || on_path("cryptsetup"),
        apt: &["cryptsetup-bin"],
        rpm: &["cryptsetup"],
    },
    Need {
        what: "rbd-mirror, which copies images from one cluster to another",
        present: || on_path("rbd-mirror"),
        apt: &["rbd-mirror"],
        rpm: &["rbd-mirror"],
    },
    Need {
        what: "qemu-img, to check what is read and written",
        present: || on_path("qemu-img"),
        apt: &["qemu-utils"],
        rpm: &["qemu-img"],
    },
    Need {
        what: "its rbd driver",
        present: qemu_has_rbd,
        apt: &["qemu-block-extra"],
        rpm: &["qemu-block-rbd"],
    },
];

/// What the service's demonstration needs on top.
pub const SERVICE: &[Need] = &[
    Need {
        what: "curl, to ask the service",
        present: || on_path("curl"),
        apt: &["curl"],
        rpm: &["curl"],
    },
    Need {
        what: "jq, to look at its answers",
        present: || on_path("jq"),
        apt: &["jq"],
        rpm: &["jq"],
    },
];

/// What the service's acceptance tests need on top.
pub const SERVICE_TESTS: &[Need] = &[
    Need {
        what: "Chromium, to look at the service's page",
        present: || on_path("chromium"),
        apt: &["chromium"],
        rpm: &["chromium"],
    },
    Need {
        what: "its driver",
        present: || on_path("chromedriver"),
        apt: &["chromium-driver"],
        rpm: &["chromedriver"],
    },
    Need {
        what: "Python's virtual environments, for the tests",
        present: || python_has("ensurepip"),
        apt: &["python3-venv"],
        rpm: &["python3-pip"],
    },
];

/// What makes and enters other systems.
pub const MATRIX: &[Need] = &[Need {
    what: "debootstrap, which makes Debian systems in folders",
    present: || on_path("debootstrap"),
    apt: &["debootstrap"],
    rpm: &["debootstrap"],
}];

/// What the memory check needs on top.
pub const MEMCHECK: &[Need] = &[Need {
    what: "valgrind, and the C library's symbols for it",
    present: || on_path("valgrind"),
    apt: &["valgrind", "libc6-dbg"],
    rpm: &["valgrind"],
}];

/// What the benchmarks need on top.
pub const BENCH: &[Need] = &[Need {
    what: "fio, to compare with",
    present: || on_path("fio"),
    apt: &["fio"],
    rpm: &["fio"],
}];

/// How packages get onto this system.
#[derive(Debug, PartialEq, Eq)]
enum Means {
    /// By `apt-get`, called by root.
    Apt,
    /// By `apt-get` through `sudo`.
    SudoApt,
    /// By the user, who types this.
    Typed(&'static str),
}

impl Means {
    /// What there is on this system.
    fn here() -> Self {
        // The kernel's word, because USER may be anything.
        let root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
        Self::choose(root, on_path)
    }

    fn choose(root: bool, there: impl Fn(&str) -> bool) -> Self {
        match (there("apt-get"), root || there("sudo")) {
            (true, true) if root => Self::Apt,
            (true, true) => Self::SudoApt,
            (true, false) => Self::Typed("apt-get install"),
            _ if there("zypper") => Self::Typed("zypper install"),
            _ => Self::Typed("dnf install"),
        }
    }

    /// The packages for these needs, as this system names them.
    fn packages<'a>(&self, needs: &[&'a Need]) -> Vec<&'a str> {
        let apt = !matches!(self, Self::Typed(line) if !line.starts_with("apt-get"));
        let of = |need: &&'a Need| if apt { need.apt } else { need.rpm };
        needs.iter().flat_map(of).copied().collect()
    }

    /// An `apt-get` command, if that is the means.
    fn apt_get(&self, args: &[&str]) -> Option<Command> {
        let mut command = match self {
            Self::Apt => Command::new("env"),
            Self::SudoApt => {
                let mut sudo = Command::new("sudo");
                sudo.arg("env");
                sudo
            }
            Self::Typed(_) => return None,
        };
        command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]);
        command.args(args);
        Some(command)
    }
}

/// Installs what is missing, saying what and why; where it cannot, says what to type.
///
/// # Errors
/// When something is missing and cannot be installed.
pub fn ensure(groups: &[&[Need]]) -> Result {
    let missing = || -> Vec<&Need> {
        let needs = groups.iter().flat_map(|group| group.iter());
        needs.filter(|need| !(need.present)()).collect()
    };
    // Twice, since what is installed may take away what it does not go with, such as a later version from elsewhere.
    for _ in 0..2 {
        match &missing()[..] {
            [] => return Ok(()),
            missing => install(missing)?,
        }
    }
    match missing().first() {
        None => Ok(()),
        Some(need) => Err(format!("still missing after the installation: {}", need.what).into()),
    }
}

fn install(missing: &[&Need]) -> Result {
    let means = Means::here();
    for need in missing {
        let packages = means.packages(&[need]).join(" ");
        eprintln!("missing: {} ({packages})", need.what);
    }
    let packages = means.packages(missing);
    if let Means::Typed(line) = means {
        let line = format!("{line} {}", packages.join(" "));
        return Err(format!("install what is missing, as root with\n  {line}").into());
    }
    // Which list of packages could not be fetched: perhaps none that these are in.
    if let Some(Err(error)) = means.apt_get(&["update"]).as_mut().map(run) {
        eprintln!("going on all the same: {error}");
    }
    let install = ["install", "--yes", "--no-install-recommends"];
    if let Some(command) = &mut means.apt_get(&install) {
        // Its progress is hundreds of lines; what goes wrong is on stderr.
        run(command.args(packages).stdout(Stdio::null()))?;
    }
    Ok(())
}

/// Whether the user says where it is: then the build finds it there, or explains.
fn given(variables: &[&str]) -> bool {
    variables
        .iter()
        .any(|variable| env::var_os(variable).is_some())
}

fn on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

/// Whether the C compiler makes a program of this with these libraries.
fn compiles(line: &str, libraries: &[&str]) -> bool {
    let compile = || -> Result<bool> {
        let dir = tempfile::tempdir()?;
        let mut compiler = Command::new("cc")
            .args(["-x", "c", "-", "-o"])
            .arg(dir.path().join("program"))
            .args(libraries)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let program = format!("#include <stdlib.h>\n{line}\nint main(void) {{ return 0; }}\n");
        if let Some(mut stdin) = compiler.stdin.take() {
            stdin.write_all(program.as_bytes())?;
        }
        Ok(compiler.wait()?.success())
    };
    compile().unwrap_or(false)
}

/// Whether a libclang is in one of the places where distributions put it, with the headers of its own
/// that it does not work without (`stddef.h`): other programs bring it alone.
fn libclang() -> bool {
    let inside = |dir: PathBuf| fs::read_dir(dir).into_iter().flatten().flatten();
    let llvm = inside("/usr/lib".into()).map(|entry| entry.path().join("lib"));
    let arch = inside("/usr/lib".into()).map(|entry| entry.path());
    let plain = ["/usr/lib", "/usr/lib64", "/usr/local/lib"].map(PathBuf::from);
    let dirs: Vec<_> = llvm.chain(arch).chain(plain).collect();
    let library = |dir: &PathBuf| {
        inside(dir.clone()).any(|entry| is_libclang(&entry.file_name().to_string_lossy()))
    };
    let headers = |dir: &PathBuf| {
        let mut versions = inside(dir.join("clang"));
        versions.any(|version| version.path().join("include/stddef.h").is_file())
    };
    dirs.iter().any(library) && dirs.iter().any(headers)
}

/// Whether bindgen would load a file of this name.
fn is_libclang(name: &str) -> bool {
    let plain = name == "libclang.so" || name.starts_with("libclang.so.");
    let versioned = name.starts_with("libclang-") && name.contains(".so");
    (plain || versioned) && !name.starts_with("libclang-cpp.")
}

/// The system's Python, whatever other is on the path: that one has the distribution's modules.
fn python_has(module: &str) -> bool {
    let script = format!("import {module}");
    let output = Command::new("/usr/bin/python3")
        .args(["-c", &script])
        .output();
    output.is_ok_and(|output| output.status.success())
}

/// Whether `qemu-img` has the driver, which is a package of its own and in no list that all versions print.
fn qemu_has_rbd() -> bool {
    let mut asks = Command::new("qemu-img");
    let output = asks.args(["info", "--image-opts", "driver=rbd"]).output();
    output.is_ok_and(|output| !String::from_utf8_lossy(&output.stderr).contains("Unknown driver"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_means_fit_the_system() {
        let choose = |root, programs: &[&str]| Means::choose(root, |name| programs.contains(&name));
        assert_eq!(choose(true, &["apt-get"]), Means::Apt);
        assert_eq!(choose(true, &["apt-get", "sudo"]), Means::Apt);
        assert_eq!(choose(false, &["apt-get", "sudo"]), Means::SudoApt);
        let typed = Means::Typed("apt-get install");
        assert_eq!(choose(false, &["apt-get"]), typed);
        let typed = Means::Typed("dnf install");
        assert_eq!(choose(true, &["dnf", "sudo"]), typed);
        let typed = Means::Typed("zypper install");
        assert_eq!(choose(true, &["zypper"]), typed);
    }

    #[test]
    fn packages_are_named_as_the_system_does() {
        let needs: Vec<_> = BUILD.iter().collect();
        for means in [Means::Apt, Means::SudoApt, Means::Typed("apt-get install")] {
            assert!(means.packages(&needs).contains(&"librbd-dev"), "{means:?}");
        }
        let packages = Means::Typed("dnf install").packages(&needs);
        assert!(packages.contains(&"librbd-devel") && !packages.contains(&"librbd-dev"));
    }

    #[test]
    fn apt_get_asks_nothing() {
        let command = Means::SudoApt.apt_get(&["update"]).unwrap();
        let args: Vec<_> = command.get_args().collect();
        assert_eq!(command.get_program(), "sudo");
        assert_eq!(
            args,
            [
                "env",
                "DEBIAN_FRONTEND=noninteractive",
                "apt-get",
                "-qq",
                "update"
            ]
        );
        assert!(Means::Typed("dnf install").apt_get(&[]).is_none());
    }

    #[test]
    fn the_compiler_tells_what_is_there() {
        assert!(compiles("#include <stdio.h>", &["-lc"]));
        assert!(!compiles("#include <no/such/header.h>", &[]));
        assert!(!compiles("", &["-lno-such-library"]));
    }

    #[test]
    fn libclang_is_known_by_its_name() {
        let known = ["libclang.so", "libclang.so.1", "libclang-14.so.1"];
        assert!(known.iter().all(|name| is_libclang(name)));
        let others = ["libclang-cpp.so.14", "libclangAST.so", "libclang.a"];
        assert!(!others.iter().any(|name| is_libclang(name)));
    }
}
