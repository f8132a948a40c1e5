//! The commands.

mod common;

use std::path::Path;
use std::process::{Command, Output};

use common::{daemons_of, program, wait_gone};

/// The program with a state of its own.
fn with_state(state: &Path, args: &[&str]) -> Output {
    program()
        .args(args)
        .env("XDG_RUNTIME_DIR", state)
        .output()
        .unwrap()
}

#[track_caller]
fn succeeds(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[track_caller]
fn fails_with(output: &Output, text: &str) {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains(text), "{stderr}");
}

/// Ends a detached cluster when a test fails before it does so itself.
struct Detached<'a>(&'a Path);

impl Drop for Detached<'_> {
    fn drop(&mut self) {
        with_state(self.0, &["down"]);
    }
}

#[test]
fn up_env_down() {
    let state = tempfile::tempdir().unwrap();
    let state = state.path();
    let _detached = Detached(state);
    fails_with(&with_state(state, &["env"]), "no cluster is up");
    fails_with(&with_state(state, &["down"]), "no cluster is up");

    let dir_file = state.join("dir");
    let up = ["up", "--osds", "2", "--pool", "extra", "--dir-file"];
    let up = [&up[..], &[dir_file.to_str().unwrap()]].concat();
    let printed = succeeds(&with_state(state, &up));
    let dir = std::fs::read_to_string(&dir_file).unwrap();
    let dir = Path::new(dir.trim());
    let conf = dir.join("ceph.conf").display().to_string();
    assert_eq!(
        printed,
        format!("CEPH_CONF={conf}\nCEPH_TEST_CONF={conf}\n")
    );
    fails_with(&with_state(state, &["up"]), "up already");

    let exports = succeeds(&with_state(state, &["env"]));
    let script = format!("{exports} ceph osd pool ls && echo $CEPH_TEST_CONF");
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert_eq!(succeeds(&output), format!("rbd\nextra\n{conf}\n"));
    assert_eq!(daemons_of(dir).len(), 4);

    succeeds(&with_state(state, &["down"]));
    wait_gone(dir);
    fails_with(&with_state(state, &["env"]), "no cluster is up");
}

#[test]
fn a_failed_up_says_why() {
    let state = tempfile::tempdir().unwrap();
    let up = ["up", "--conf", "bluestore_min_alloc_size=12345"];
    fails_with(&with_state(state.path(), &up), "ceph-osd");
    fails_with(&with_state(state.path(), &["down"]), "no cluster is up");
}

#[test]
fn run_gives_the_commands_status() {
    let script = "ceph fsid && test \"$CEPH_CONF\" = \"$CEPH_TEST_CONF\" && exit 42";
    let output = program()
        .args(["run", "sh", "-c", script])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(42), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim().len(), 36);

    let killed = ["run", "--", "sh", "-c", "kill -9 $$"];
    let output = program().args(killed).output().unwrap();
    assert_eq!(output.status.code(), Some(137));
}
