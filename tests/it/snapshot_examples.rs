//! The examples of snapshots and scans, run as programs.

use crate::common::*;
use crate::examples::example_command;

/// What an example printed on the shared cluster, and whether it succeeded.
fn example(name: &str, args: &[&str]) -> (bool, String) {
    let output = example_command(name)
        .arg("--conf")
        .arg(cluster().conf_path())
        .args(args)
        .output()
        .expect("start cargo");
    let text = if output.status.success() {
        output.stdout
    } else {
        output.stderr
    };
    (output.status.success(), String::from_utf8(text).unwrap())
}

#[test]
fn selfmanaged_snapshots_keeps_versions_and_leaves_nothing_behind() {
    let pool = Pool::new();
    let (done, text) = example("selfmanaged_snapshots", &["--pool", &pool.name]);
    assert!(done, "{text}");
    let expected = "version 1: draft\nversion 2: review\nrolled back: 5 bytes\nremoved\n";
    assert_eq!(text, expected);
    poll("the copies to be trimmed", || {
        pool.list_objects().unwrap().next().is_none()
    });

    let whole = Pool::new();
    whole.snap_create("first").unwrap();
    let (done, text) = example("selfmanaged_snapshots", &["--pool", &whole.name]);
    assert!(!done);
    assert!(text.contains("snapshots of the whole pool"), "{text}");
}

#[test]
fn parallel_scan_counts_what_is_there() {
    if !has("object-cursor") {
        return;
    }
    let pool = Pool::new();
    for n in 0..50 {
        pool.write_full(format!("object-{n}"), &[b'x'; 10]).unwrap();
    }
    let tenant = pool.with_namespace("tenant").unwrap();
    tenant.write_full("object", b"xyz").unwrap();
    let (done, text) = example("parallel_scan", &["--pool", &pool.name, "--threads", "3"]);
    assert!(done, "{text}");
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[3], "total: 50 objects, 500 bytes");
    let args = ["--pool", &pool.name, "--namespace", "tenant"];
    let (done, text) = example("parallel_scan", &args);
    assert!(done, "{text}");
    assert!(text.ends_with("total: 1 objects, 3 bytes\n"), "{text}");
    let (done, text) = example("parallel_scan", &["--pool", &pool.name, "--threads", "0"]);
    assert!(!done && text.contains("0 slices"), "{text}");
}
