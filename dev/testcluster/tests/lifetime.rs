//! Nothing of a cluster outlives its owner, however that ends.

mod common;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, thread};

use common::{daemons_of, get, program, put, wait_gone};
use testcluster::{Daemon, Target, TestCluster, shared};

#[test]
fn dropping_ends_daemons_and_removes_the_folder() {
    let cluster = TestCluster::builder().start().unwrap();
    let dir = cluster.dir().to_owned();
    assert_eq!(daemons_of(&dir).len(), 3);
    cluster.pause(Daemon::Osd(0)).unwrap();
    drop(cluster);
    // At once, with no need to wait.
    assert!(!dir.exists());
    assert_eq!(daemons_of(&dir), [""; 0]);
}

#[test]
fn killing_the_owner_ends_the_cluster() {
    let mut owner = program()
        .args(["up", "--foreground"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let stdout = owner.stdout.as_mut().unwrap();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    let dir = dir_of(&line);
    assert_eq!(daemons_of(&dir).len(), 3);
    owner.kill().unwrap();
    owner.wait().unwrap();
    wait_gone(&dir);
}

#[test]
fn an_ordinary_exit_ends_the_shared_cluster() {
    let output = Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "child_with_a_shared_cluster",
            "--ignored",
            "--nocapture",
        ])
        .env_remove("CEPH_TEST_CONF")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    let line = stdout.lines().find(|line| line.contains("CEPH_CONF"));
    wait_gone(&dir_of(line.unwrap()));
}

/// The cluster outlives the thread that booted it, and is never dropped.
#[test]
#[ignore = "the test above runs it, in a process of its own"]
fn child_with_a_shared_cluster() {
    let target = thread::spawn(|| shared().unwrap()).join().unwrap();
    let Target::Booted(cluster) = target else {
        panic!("{target:?}");
    };
    put(cluster, "object", "content");
    assert_eq!(get(cluster, "object"), "content");
    assert!(std::ptr::eq(target, shared().unwrap()));
    println!("\nCEPH_CONF={}", target.conf_path().display());
}

#[test]
fn an_existing_cluster_is_taken_as_it_is() {
    let cluster = TestCluster::builder().start().unwrap();
    let output = Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "child_with_an_existing_cluster",
            "--ignored",
            "--nocapture",
        ])
        .envs(cluster.env())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.contains(cluster.fsid()), "{stdout}");
    assert!(cluster.dir().exists());
}

/// Prints the id of the cluster.
#[test]
#[ignore = "the test above runs it, in a process of its own"]
fn child_with_an_existing_cluster() {
    let target = shared().unwrap();
    assert!(matches!(target, Target::Existing(_)), "{target:?}");
    assert!(
        target
            .command("ceph")
            .arg("fsid")
            .status()
            .unwrap()
            .success()
    );
}

/// The folder of the cluster in a line "CEPH_CONF=...".
fn dir_of(line: &str) -> PathBuf {
    let conf = line.trim().strip_prefix("CEPH_CONF=").expect(line);
    Path::new(conf).parent().unwrap().to_owned()
}
