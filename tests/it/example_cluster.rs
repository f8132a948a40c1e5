//! The example `cluster`, run as a program.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::common::*;
use crate::examples::example_command;

#[test]
fn cluster_tells_how_it_is_and_follows_the_log() {
    let conf = cluster().conf_path().to_str().unwrap();
    let mut example = example_command("cluster")
        .args(["--conf", conf, "--seconds", "120", "--lines", "1000"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(example.stdout.take().unwrap()).lines();
    let text = unique("for the example");
    let mut seen = Vec::new();
    for line in lines {
        let line = line.unwrap();
        if line.starts_with("mon.") {
            // What follows is the log, which is open already.
            run("ceph", &["log", &text]);
        }
        let found = line.ends_with(&text);
        seen.push(line);
        if found {
            break;
        }
    }
    example.kill().unwrap();
    example.wait().unwrap();
    assert!(seen[0].starts_with("health: HEALTH_"), "{seen:?}");
    for start in ["1 mgr: ceph version ", "1 mon: ceph version ", "mon."] {
        assert!(seen.iter().any(|line| line.starts_with(start)), "{seen:?}");
    }
    let mon = seen.iter().find(|line| line.starts_with("mon.")).unwrap();
    assert!(mon.contains("quorum [0"), "{mon}");
    let last = format!("log: client.admin [INF] {text}");
    assert_eq!(*seen.last().unwrap(), last);
}

#[test]
fn cluster_ends_in_time() {
    let conf = cluster().conf_path().to_str().unwrap();
    for end in [["--seconds", "0.1"], ["--lines", "0"]] {
        let mut example = example_command("cluster");
        let output = example.args(["--conf", conf]).args(end).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}
