//! `cargo xtask bundle`: what it collects is enough to run a program, and what it cannot collect it names.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A folder that goes away. Others may not keep devices.
fn scratch() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// Runs `cargo xtask bundle` with libraries from these folders.
fn try_bundle(program: &Path, dir: &Path, libraries: &[&Path]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("bundle")
        .args([program, dir])
        .env("LD_LIBRARY_PATH", std::env::join_paths(libraries).unwrap())
        .output()
        .unwrap()
}

/// What it printed.
#[track_caller]
fn bundle(program: &Path, dir: &Path, libraries: &[&Path]) -> String {
    let output = try_bundle(program, dir, libraries);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// How it refused.
#[track_caller]
fn refuses(program: &Path, dir: &Path, libraries: &[&Path]) -> String {
    let output = try_bundle(program, dir, libraries);
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).unwrap()
}

/// An example's program.
fn example(name: &str) -> PathBuf {
    let package = ["build", "--quiet", "--package", "ceph-client"];
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let built = Command::new(env!("CARGO"))
        .args(package)
        .args(["--example", name])
        .env("CARGO_TARGET_DIR", target)
        .status()
        .unwrap();
    assert!(built.success());
    target.join("debug/examples").join(name)
}

/// Runs a program of a root file system that has nothing but the bundle, a configuration file, a keyring
/// and /dev/urandom, without which Ceph's builds with NSS do not start.
fn run_in(root: &Path, command_line: &[&str]) -> Output {
    const BIND: &str = r#"mount --bind /dev/urandom "$0/dev/urandom" && exec chroot "$0" "$@""#;
    let urandom = root.join("dev/urandom");
    fs::create_dir_all(root.join("dev")).unwrap();
    let mut command = if fs::metadata("/proc/self").unwrap().uid() == 0 {
        let mut mknod = Command::new("mknod");
        let made = mknod.arg(&urandom).args(["c", "1", "9"]).status();
        assert!(made.unwrap().success());
        Command::new("chroot")
    } else {
        fs::write(urandom, "").unwrap();
        let mut unshare = Command::new("unshare");
        unshare.args(["--user", "--map-root-user", "--mount", "sh", "-c", BIND]);
        unshare
    };
    for variable in ["CEPH_CONF", "CEPH_ARGS", "CEPH_KEYRING", "LD_LIBRARY_PATH"] {
        command.env_remove(variable);
    }
    command.arg(root).args(command_line).output().unwrap()
}

/// Puts into a root what a client needs to connect to the cluster as `client.admin`.
fn add_configuration(root: &Path) {
    let conf = testcluster::shared().unwrap().conf_path();
    let text = fs::read_to_string(conf).unwrap();
    let value = |key| {
        let lines = text.lines().filter_map(|line| line.split_once(" = "));
        let found = lines.clone().find(|(name, _)| *name == key);
        found.unwrap().1.to_owned()
    };
    let etc = root.join("etc/ceph");
    fs::create_dir_all(&etc).unwrap();
    let conf = format!("[global]\nmon_host = {}\n", value("mon_host"));
    fs::write(etc.join("ceph.conf"), conf).unwrap();
    fs::copy(value("keyring"), etc.join("ceph.client.admin.keyring")).unwrap();
}

#[test]
fn a_bundle_is_all_that_a_program_needs() {
    let dir = scratch();
    let root = dir.path().join("root");
    let printed = bundle(&example("image"), &root, &[]);
    for line in [
        "/usr/bin/image: the program, from ",
        ": the loader of image",
    ] {
        assert!(printed.contains(line), "{line:?} is not in:\n{printed}");
    }
    let total = format!(" MB in {}\n", root.display());
    assert!(printed.ends_with(&total), "{printed}");

    add_configuration(&root);
    let image = format!("bundle-{}", std::process::id());
    let output = run_in(&root, &["/usr/bin/image", "--image", &image]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let end = format!("after remove {image} : ");
    assert!(printed.contains(&end), "{printed}");
}

/// The file of this name in a bundle.
#[track_caller]
fn find(dir: &Path, name: &str) -> Option<PathBuf> {
    fs::read_dir(dir).unwrap().find_map(|entry| {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => find(&path, name),
            false => path.ends_with(name).then_some(path),
        }
    })
}

#[test]
fn a_vendors_libraries_come_before_the_systems() {
    let dir = scratch();
    let capabilities = example("capabilities");
    let first = dir.path().join("first");
    bundle(&capabilities, &first, &[]);
    // A copy that can be told from the original, by another name behind a link.
    let vendor = dir.path().join("vendor");
    fs::create_dir(&vendor).unwrap();
    let mut data = fs::read(find(&first, "librbd.so.1").unwrap()).unwrap();
    data.extend(b"a vendor's");
    fs::write(vendor.join("librbd.so.1.99"), &data).unwrap();
    symlink("librbd.so.1.99", vendor.join("librbd.so.1")).unwrap();

    let second = dir.path().join("second");
    let printed = bundle(&capabilities, &second, &[&vendor]);
    let from = format!(
        "/librbd.so.1.99: needed by capabilities, from {}/librbd.so.1.99\n",
        fs::canonicalize(&vendor).unwrap().display()
    );
    assert!(printed.contains(&from), "{printed}");
    let link = find(&second, "librbd.so.1").unwrap();
    assert_eq!(link.read_link().unwrap(), Path::new("librbd.so.1.99"));
    assert_eq!(fs::read(&link).unwrap(), data);
    assert_eq!(
        link.parent(),
        find(&second, "libc.so.6").unwrap().parent(),
        "not where the loader looks unasked"
    );
    let output = run_in(&second, &["/usr/bin/capabilities"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert!(output.stdout.starts_with(b"librados: "));
}

/// Compiles C code with these arguments.
#[track_caller]
fn cc(dir: &Path, code: &str, output: &str, arguments: &[&str]) -> PathBuf {
    fs::write(dir.join("code.c"), code).unwrap();
    let output = dir.join(output);
    fs::create_dir_all(output.parent().unwrap()).unwrap();
    let compiled = Command::new("cc")
        .args(["-Wl,--no-as-needed", "code.c", "-o"])
        .arg(&output)
        .args(arguments)
        .current_dir(dir)
        .status();
    assert!(compiled.unwrap().success());
    output
}

/// Compiles a library of this name.
fn library(dir: &Path, code: &str, path: &str) -> PathBuf {
    let name = path.rsplit('/').next().unwrap();
    let name = format!("-Wl,-soname,{name}");
    cc(dir, code, path, &["-shared", "-fPIC", &name])
}

#[test]
fn what_is_opened_at_run_time_is_collected() {
    let dir = scratch();
    let dir = dir.path();
    library(dir, "", "libsqlite3.so.0");
    library(dir, "", "libnss3.so");
    cc(
        dir,
        "",
        "nss/libsoftokn3.so",
        &["-shared", "-fPIC", "libsqlite3.so.0"],
    );
    fs::write(dir.join("nss/libsoftokn3.chk"), "sum").unwrap();
    let built_for = r#"const char *folder = "/usr/lib64/ceph/erasure-code";"#;
    library(dir, built_for, "ceph/libceph-common.so.0");
    library(dir, "", "ceph/librbd/libceph_librbd_pwl_cache.so.1");
    symlink(
        "libceph_librbd_pwl_cache.so.1",
        dir.join("ceph/librbd/libceph_librbd_pwl_cache.so"),
    )
    .unwrap();
    // No client opens it.
    library(dir, "", "ceph/erasure-code/libec_clay.so");
    let libraries = ["libnss3.so", "ceph/libceph-common.so.0"];
    let program = cc(dir, "int main() {}", "program", &libraries);

    let root = dir.join("root");
    let printed = bundle(&program, &root, &[dir, &dir.join("ceph")]);
    let folder = find(&root, "libnss3.so").unwrap().with_file_name("");
    assert!(folder.join("nss/libsoftokn3.so").is_file(), "{printed}");
    assert!(folder.join("nss/libsoftokn3.chk").is_file());
    assert!(folder.join("libsqlite3.so.0").is_file());
    assert!(folder.join("libceph-common.so.0").is_file());
    for part in [
        "/nss/libsoftokn3.so: opened by libnss3.so at run time, ",
        "/libsqlite3.so.0: needed by libsoftokn3.so, ",
    ] {
        assert!(printed.contains(part), "{part:?} is not in:\n{printed}");
    }
    // Plugins are where the library that opens them was built for.
    let plugin = root.join("usr/lib64/ceph/librbd/libceph_librbd_pwl_cache.so");
    assert_eq!(
        plugin.read_link().unwrap(),
        Path::new("libceph_librbd_pwl_cache.so.1"),
        "{printed}"
    );
    assert!(plugin.is_file());
    assert_eq!(find(&root, "libec_clay.so"), None);

    // Without that, the program would not get far.
    fs::remove_file(dir.join("nss/libsoftokn3.so")).unwrap();
    let error = refuses(&program, &dir.join("none"), &[dir, &dir.join("ceph")]);
    assert!(
        error.contains("libnss3.so opens libsoftokn3.so when it is used"),
        "{error}"
    );
}

#[test]
fn a_missing_library_is_named_with_who_needs_it() {
    let dir = scratch();
    let dir = dir.path();
    let gone = library(dir, "", "libgone.so.1");
    cc(
        dir,
        "",
        "libmiddle.so",
        &["-shared", "-fPIC", "libgone.so.1"],
    );
    let link = ["-L.", "-lmiddle", "-Wl,-rpath,$ORIGIN"];
    let program = cc(
        dir,
        "int main() {}",
        "program",
        &[&link[..], &["-Wl,--allow-shlib-undefined"]].concat(),
    );
    fs::remove_file(gone).unwrap();
    let root = dir.join("root");
    let error = refuses(&program, &root, &[]);
    let line = "\n  libgone.so.1, needed by libmiddle.so\n";
    assert!(
        error.contains(line) && error.contains("LD_LIBRARY_PATH"),
        "{error}"
    );
    assert!(!root.exists());
}

#[test]
fn what_is_no_dynamic_program_is_refused() {
    let dir = scratch();
    let dir = dir.path();
    let text = dir.join("code.c");
    let library = library(dir, "", "libsome.so");
    let empty = dir.join("empty");
    let error = refuses(&text, &empty, &[]);
    assert!(
        error.contains("code.c is not a program or a library"),
        "{error}"
    );
    let error = refuses(&library, &empty, &[]);
    assert!(error.contains("libsome.so names no loader"), "{error}");
    let error = refuses(&dir.join("none"), &empty, &[]);
    assert!(
        error.contains("cannot read") && error.contains("none"),
        "{error}"
    );
    assert!(!empty.exists());
    let error = refuses(Path::new(env!("CARGO_BIN_EXE_xtask")), dir, &[]);
    assert!(error.contains("is not empty"), "{error}");
}
