//! What the tests share.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use testcluster::{TestCluster, wait_until};

/// More than anything here takes on a busy machine.
pub const LONG: Duration = Duration::from_secs(40);

/// Runs `rados` on the pool `rbd` and returns what it printed.
#[track_caller]
pub fn rados(cluster: &TestCluster, args: &[&str]) -> Vec<u8> {
    let output = try_rados(cluster, args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "rados {args:?}: {stderr}");
    output.stdout
}

/// Runs `rados` on the pool `rbd`.
pub fn try_rados(cluster: &TestCluster, args: &[&str]) -> Output {
    let mut command = cluster.command("rados");
    command.args(["-p", "rbd"]).args(args).output().unwrap()
}

/// Writes an object that holds `content`.
#[track_caller]
pub fn put(cluster: &TestCluster, object: &str, content: &str) {
    let file = cluster.dir().join(format!("put-{object}"));
    fs::write(&file, content).unwrap();
    rados(cluster, &["put", object, file.to_str().unwrap()]);
}

/// Reads an object.
#[track_caller]
pub fn get(cluster: &TestCluster, object: &str) -> String {
    String::from_utf8(rados(cluster, &["get", object, "-"])).unwrap()
}

/// The processes whose command line names `dir`, without guardians.
pub fn daemons_of(dir: &Path) -> Vec<String> {
    let dir = dir.to_str().unwrap();
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|process| fs::read(process.path().join("cmdline")).ok())
        .map(|bytes| String::from_utf8_lossy(&bytes).replace('\0', " "))
        .filter(|line| line.starts_with("ceph-") && line.contains(dir))
        .collect()
}

/// Waits until nothing of the cluster in `dir` is left.
#[track_caller]
pub fn wait_gone(dir: &Path) {
    wait_until("the cluster to go away", LONG, || {
        !dir.exists() && daemons_of(dir).is_empty()
    })
    .unwrap_or_else(|error| {
        panic!("{error}: {} {:?}", dir.exists(), daemons_of(dir));
    });
}

/// The program of this package.
pub fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_testcluster"))
}
