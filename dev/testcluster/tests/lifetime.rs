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

/// The cluster outlives the thread that booted it, and is never dropped.
#[test]
fn an_ordinary_exit_ends_the_shared_cluster() {
    if in_child() {
        let target = thread::spawn(|| shared().unwrap()).join().unwrap();
        let Target::Booted(cluster) = target else {
            panic!("{target:?}");
        };
        put(cluster, "object", "content");
        assert_eq!(get(cluster, "object"), "content");
        assert!(std::ptr::eq(target, shared().unwrap()));
        println!("\nCEPH_CONF={}", target.conf_path().display());
        return;
    }
    let mut child = in_a_process_of_its_own("an_ordinary_exit_ends_the_shared_cluster");
    let stdout = output(child.env_remove("CEPH_TEST_CONF"));
    let line = stdout.lines().find(|line| line.contains("CEPH_CONF"));
    wait_gone(&dir_of(line.unwrap()));
}

#[test]
fn an_existing_cluster_is_taken_as_it_is() {
    if in_child() {
        let target = shared().unwrap();
        assert!(matches!(target, Target::Existing(_)), "{target:?}");
        let status = target.command("ceph").arg("fsid").status().unwrap();
        assert!(status.success());
        return;
    }
    let cluster = TestCluster::builder().start().unwrap();
    let mut child = in_a_process_of_its_own("an_existing_cluster_is_taken_as_it_is");
    let stdout = output(child.envs(cluster.env()));
    assert!(stdout.contains(cluster.fsid()), "{stdout}");
    assert!(cluster.dir().exists());
}

const CHILD: &str = "TESTCLUSTER_TEST_CHILD";

/// Whether this process was started by the next function.
fn in_child() -> bool {
    env::var_os(CHILD).is_some()
}

/// Runs a test of this file once more, where [`in_child`] is true.
fn in_a_process_of_its_own(test: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, "1");
    command
}

/// What a child that succeeded printed.
fn output(child: &mut Command) -> String {
    let output = child.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The folder of the cluster in a line "CEPH_CONF=...".
fn dir_of(line: &str) -> PathBuf {
    let conf = line.trim().strip_prefix("CEPH_CONF=").expect(line);
    Path::new(conf).parent().unwrap().to_owned()
}
