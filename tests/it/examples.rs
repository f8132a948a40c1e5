//! The examples, run as programs.

use std::process::{Command, Output};

use crate::common::*;

/// An example with nothing of Ceph's in its environment.
pub fn example_command(name: &str) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command
        .args([
            "run",
            "--quiet",
            "--package",
            "ceph-client",
            "--example",
            name,
            "--",
        ])
        .env_remove("CEPH_CONF")
        .env_remove("CEPH_ARGS");
    command
}

/// Runs an example with these arguments.
fn example(name: &str, args: &[&str]) -> Output {
    example_command(name)
        .args(args)
        .output()
        .expect("start cargo")
}

/// What an example that succeeded printed.
#[track_caller]
fn prints(name: &str, args: &[&str]) -> Vec<String> {
    let conf = cluster().conf_path().to_str().unwrap();
    let output = example(name, &[&["--conf", conf], args].concat());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

/// The error that an example which failed printed.
#[track_caller]
fn fails_with(name: &str, args: &[&str]) -> String {
    let output = example(name, args);
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn conn_connects() {
    let lines = prints("conn", &[]);
    assert_eq!(lines[0], "connect ceph cluster ok!");
    assert_eq!(lines[1], format!("fsid: {}", conn().fsid().unwrap()));
}

#[test]
fn conn_names_the_user_and_the_keyring_paths_when_there_is_only_a_config_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mon_host = conn().config_get("mon_host").unwrap();
    std::fs::write(&file, format!("[global]\nmon_host = {mon_host}\n")).unwrap();
    let conf = file.path().to_str().unwrap();
    let error = fails_with("conn", &["--conf", conf, "--id", "web"]);
    for part in [
        "client.web",
        "/etc/ceph/ceph.client.web.keyring",
        "/etc/ceph/keyring",
        "EACCES",
    ] {
        assert!(error.contains(part), "{part:?} is not in {error}");
    }
}

#[test]
fn pool_shows_the_pool_come_and_go() {
    let name = unique("it-example");
    let lines = prints("pool", &["--pool", &name]);
    assert_eq!(lines[0], "connect ceph cluster ok!");
    let listed = |line: &str, start: &str| {
        let list = line
            .strip_prefix(start)
            .unwrap_or_else(|| panic!("{line:?}"));
        let names = list
            .strip_prefix('[')
            .and_then(|list| list.strip_suffix(']'))
            .unwrap();
        names.split(' ').any(|pool| pool == name)
    };
    assert!(!listed(&lines[1], "before make new pool : "));
    assert!(listed(&lines[2], "after make new pool : "));
    assert!(!listed(&lines[3], &format!("after delete {name} : ")));
}

#[test]
fn image_shows_the_image_come_and_go() {
    let pool = Pool::new();
    rbd::create(&pool, "other", 1 << 20).unwrap();
    let lines = prints(
        "image",
        &["--pool", &pool.name, "--size", "4096", "--order", "12"],
    );
    assert_eq!(
        lines,
        [
            "connect ceph cluster ok!",
            "before make new image : [other]",
            "after make new image : [go-ceph-image other]",
            "after remove go-ceph-image : [other]",
        ]
    );
}

#[test]
fn image_explains_a_bad_order() {
    let error = fails_with("image", &["--order", "10"]);
    for part in ["EDOM", "order 10", "12..=25", "bytes"] {
        assert!(error.contains(part), "{part:?} is not in {error}");
    }
}

#[test]
fn bench_tells_rates_and_latencies_and_leaves_nothing_behind() {
    let pool = Pool::new();
    rbd::create(&pool, "image", 1 << 20).unwrap();
    for operation in ["read", "write"] {
        for target in [&["--objects", "2"], &["--image", "image"]] {
            let args = [operation, "--pool", &pool.name, "--depth", "8"];
            let lines = prints(
                "bench",
                &[&args[..], &["--seconds", "0.2"], target].concat(),
            );
            let count = lines[0].split(' ').next().unwrap();
            assert!(count.parse::<u64>().unwrap() >= 8, "{lines:?}");
            let what = format!(" {operation}s of 4096 bytes, 8 at a time, in ");
            assert!(lines[0].contains(&what), "{lines:?}");
            assert!(lines[1].contains(" operations/s, "), "{lines:?}");
            for part in ["p50 ", "p99 ", "p99.9 ", "most "] {
                let (_, rest) = lines[2].split_once(part).unwrap();
                let milliseconds = rest.split(',').next().unwrap().parse::<f64>().unwrap();
                assert!((0.001..60_000.0).contains(&milliseconds), "{lines:?}");
            }
        }
    }
    let mut left = pool.list_objects().unwrap();
    assert!(left.all(|object| !object.unwrap().name.to_string().starts_with("bench-")));
}

#[test]
fn examples_end_with_a_readable_error() {
    let error = fails_with("pool", &["--conf", "/nonexistent/ceph.conf"]);
    assert!(
        error.starts_with("error: ") && error.contains("/nonexistent/ceph.conf"),
        "{error}"
    );
    let conf = cluster().conf_path().to_str().unwrap();
    let error = fails_with("image", &["--conf", conf, "--pool", "no-such-pool"]);
    assert!(
        error.contains("no-such-pool: not found (ENOENT 2)"),
        "{error}"
    );
}

#[test]
fn capabilities_are_listed_without_a_cluster() {
    let output = example("capabilities", &[]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("librados: "), "{text}");
    for capability in [rados::capabilities(), rbd::capabilities()].concat() {
        let line = text
            .lines()
            .find(|line| line.split_whitespace().next() == Some(capability.name))
            .unwrap();
        assert_eq!(line.ends_with(" yes"), capability.is_available(), "{line}");
    }
}

#[test]
fn the_self_test_tells_of_each_capability() {
    let pool = Pool::new();
    let lines = prints("selftest", &["--pool", &pool.name]);
    for part in ["object ok", "image ok", "snapshot ok"] {
        assert!(lines.iter().any(|line| line == part), "{lines:?}");
    }
    for capability in [rados::capabilities(), rbd::capabilities()].concat() {
        let start = format!("capability {} ", capability.name);
        let state = lines.iter().find_map(|line| line.strip_prefix(&start));
        let there = matches!(state, Some("works" | "there"));
        assert_eq!(there, capability.is_available(), "{start}{state:?}");
    }
    assert_eq!(rbd::list(&pool).unwrap(), []);
}
