//! Commands to every kind of daemon, and what is asked by commands.

use std::collections::BTreeSet;
use std::time::Duration;

use rados::{Command, Conn, ConnBuilder, ErrorKind, HealthStatus};
use serde_json::{Value, json};
use testcluster::{Daemon, TestCluster};

use crate::common::*;

/// What Ceph's own program prints as JSON.
fn ceph(args: &[&str]) -> Value {
    let output = run("ceph", &[args, &["--format", "json"]].concat());
    serde_json::from_slice(&output).unwrap()
}

/// How to connect without time limits, which librados has no safe ones of for managers.
fn unlimited() -> ConnBuilder {
    Conn::builder().config_file(cluster().conf_path())
}

/// The name of a monitor.
fn mon() -> String {
    let name = &ceph(&["mon", "dump"])["mons"][0]["name"];
    name.as_str().unwrap().to_owned()
}

#[test]
fn a_command_reaches_the_monitors_with_its_arguments_and_its_input() {
    let pool = Pool::new();
    let get = Command::new("osd pool get").arg("pool", &*pool.name);
    let get = get.arg("var", "pg_num").format_json();
    let reply: Value = conn().mon_command(&get, b"").unwrap().json().unwrap();
    assert_eq!(
        reply["pg_num"],
        ceph(&["osd", "pool", "get", &pool.name, "pg_num"])["pg_num"]
    );
    let enable = Command::new("osd pool application enable").arg("pool", &*pool.name);
    let output = conn().mon_command(&enable.arg("app", "it"), b"").unwrap();
    assert!(
        output.status.contains("enabled application 'it'"),
        "{output:?}"
    );

    // What would break JSON that is pasted together, as an argument and as the input.
    let awkward = r#"a "quoted" \ value, "key": "x"}"#;
    let key = unique("it/command");
    let with_key = |prefix| Command::new(prefix).arg("key", &*key);
    let set = with_key("config-key set").arg("val", awkward);
    conn().mon_command(&set, b"").unwrap();
    assert_eq!(
        run("ceph", &["config-key", "get", &key]),
        awkward.as_bytes()
    );
    let input = pattern(1, 1000);
    conn()
        .mon_command(&with_key("config-key set"), &input)
        .unwrap();
    let output = conn()
        .mon_command(&with_key("config-key get"), b"")
        .unwrap();
    assert_eq!(output.data, input);
    conn().mon_command(&with_key("config-key rm"), b"").unwrap();
    fails(
        conn().mon_command(&with_key("config-key get"), b""),
        ErrorKind::NotFound,
    );
}

#[test]
fn a_command_that_fails_keeps_its_errno_and_its_status_and_tells_no_argument() {
    let get = Command::new("osd pool get")
        .arg("pool", "no-such-pool")
        .arg("var", "size");
    let error = conn().mon_command(&get, b"").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(
        error.explanation(),
        Some("unrecognized pool 'no-such-pool'")
    );
    assert_eq!(error.subject(), Some("osd pool get"));

    let unknown = Command::new("no such command").arg("key", "secret");
    let error = conn().mon_command(&unknown, b"").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.explanation().is_some(), "{error}");
    assert!(
        !format!("{error} {error:?}").contains("secret"),
        "{error:?}"
    );

    let no_name = conn()
        .mon_command(&json!({"key": "secret"}), b"")
        .unwrap_err();
    assert!(
        !format!("{no_name} {no_name:?}").contains("secret"),
        "{no_name:?}"
    );
    assert_eq!(no_name.subject(), Some("(no prefix)"));
}

#[test]
fn a_key_in_the_output_is_shown_by_nothing_but_the_output() {
    let get = Command::new("auth get-key").arg("entity", "client.admin");
    let output = conn().mon_command(&get, b"").unwrap();
    let key = run("ceph", &["auth", "get-key", "client.admin"]);
    assert_eq!(output.data, key);
    let key = String::from_utf8(key).unwrap();
    let error = output.json::<u64>().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(!format!("{output:?} {error} {error:?}").contains(&key));
}

#[test]
fn a_command_reaches_one_monitor() {
    let status = Command::new("mon_status").format_json();
    let name = mon();
    for target in [&*name, "0"] {
        let output = conn().mon_command_on(target, &status, b"").unwrap();
        assert_eq!(output.json::<Value>().unwrap()["name"], *name);
    }
    for missing in ["no-such-monitor", "77"] {
        let text = fails(
            conn().mon_command_on(missing, &status, b""),
            ErrorKind::NotFound,
        );
        assert!(
            text.contains(&format!("mon_status on mon.{missing}")),
            "{text}"
        );
    }
    for bad in ["", "a\0b", "-1", " -1", "4294967296"] {
        fails(
            conn().mon_command_on(bad, &status, b""),
            ErrorKind::InvalidArgument,
        );
    }
    let unknown = Command::new("no such command");
    let error = conn().mon_command_on(&name, &unknown, b"").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}

#[test]
fn a_command_reaches_an_osd() {
    let version = Command::new("version").format_json();
    for osd in conn().osd_ids().unwrap() {
        let output = conn().osd_command(osd, &version, b"").unwrap();
        let text = output.json::<Value>().unwrap()["version"].to_string();
        assert!(text.contains(&format!("{}.", release())), "{text}");
    }
    let text = fails(
        conn().osd_command(12345, &version, b""),
        ErrorKind::NotFound,
    );
    assert!(text.contains("version on osd.12345"), "{text}");
    for bad in [1 << 31, u32::MAX] {
        fails(
            conn().osd_command(bad, &version, b""),
            ErrorKind::InvalidArgument,
        );
    }
    let error = conn().osd_command(0, &Command::new("no such command"), b"");
    fails(error, ErrorKind::InvalidArgument);
}

#[test]
fn a_command_reaches_the_osd_of_a_placement_group() {
    let pool = Pool::new();
    pool.write_full("object", b"so that it is there").unwrap();
    let id = format!("{}.0", pool.pool_id().unwrap());
    let query = Command::new("query").arg("pgid", &*id).format_json();
    let reply: Value = conn().pg_command(&id, &query, b"").unwrap().json().unwrap();
    assert_eq!(reply["info"]["pgid"], *id, "{reply}");
    fails(
        conn().pg_command("999999.0", &query, b""),
        ErrorKind::NotFound,
    );
    for bad in ["", "1", "1.", "1.0s0", "1.g", "-1.0", "1.0\0"] {
        fails(
            conn().pg_command(bad, &query, b""),
            ErrorKind::InvalidArgument,
        );
    }
}

#[test]
fn a_command_reaches_the_active_manager_directly_or_by_the_monitors() {
    let stat = Command::new("pg stat").format_json();
    let unknown = Command::new("no such command");
    for (conn, op) in [
        (unlimited().connect().unwrap(), "rados_mgr_command"),
        (builder().connect().unwrap(), "rados_mon_command"),
    ] {
        let reply: Value = conn.mgr_command(&stat, b"").unwrap().json().unwrap();
        assert!(reply.to_string().contains("num_pgs"), "{reply}");
        let error = conn.mgr_command(&unknown, b"").unwrap_err();
        assert_eq!(
            (error.kind(), error.operation()),
            (ErrorKind::InvalidArgument, op)
        );
    }
}

#[test]
fn a_command_reaches_the_manager_of_a_name() {
    if !has("mgr-target") {
        return;
    }
    let active = ceph(&["mgr", "dump"])["active_name"].clone();
    let active = active.as_str().unwrap();
    let version = Command::new("version").format_json();
    let direct = unlimited().connect().unwrap();
    let output = direct.mgr_command_on(active, &version, b"").unwrap();
    let reply: Value = output.json().unwrap();
    assert!(
        reply["version"]
            .to_string()
            .contains(&format!("{}.", release()))
    );
    let error = direct.mgr_command_on(active, &Command::new("no such command"), b"");
    fails(error, ErrorKind::InvalidArgument);
    fails(
        direct.mgr_command_on("", &version, b""),
        ErrorKind::InvalidArgument,
    );
    fails(
        direct.mgr_command_on("a\0b", &version, b""),
        ErrorKind::InvalidArgument,
    );
    let text = fails(
        direct.mgr_command_on("no-such-manager", &version, b""),
        ErrorKind::NotFound,
    );
    assert!(text.contains(&format!("{active:?}")), "{text}");
    let limited = conn().mgr_command_on(active, &version, b"");
    assert!(fails(limited, ErrorKind::Unsupported).contains("mon_timeout"));
}

#[test]
fn daemons_that_do_not_answer_in_time_time_out_and_do_no_harm_later() {
    let cluster = TestCluster::builder().start().unwrap();
    let builder = Conn::builder().config_file(cluster.conf_path());
    let conn = builder
        .mon_timeout(Duration::from_secs(2))
        .connect()
        .unwrap();
    let stat = Command::new("pg stat").format_json();
    let works = || conn.mgr_command(&stat, b"").is_ok();
    poll("the manager to answer", works);
    cluster.pause(Daemon::Mgr).unwrap();
    fails(conn.mgr_command(&stat, b""), ErrorKind::TimedOut);
    cluster.resume(Daemon::Mgr).unwrap();
    poll("the manager to answer again", works);
    cluster.pause(Daemon::Mon).unwrap();
    if release() >= 16 {
        fails(conn.monitor_status("0"), ErrorKind::TimedOut); // Ceph 14 waits for ever
    }
    fails(conn.health(), ErrorKind::TimedOut);
    cluster.resume(Daemon::Mon).unwrap();
    poll("the monitor to answer again", || {
        conn.monitor_status("0").is_ok()
    });
}

#[test]
fn async_code_sends_commands_too() {
    in_every_executor(|| async {
        let ids = rados::blocking(|| conn().osd_ids()).await.unwrap();
        assert!(ids.contains(&0));
        let unknown = Command::new("no such command");
        let error = rados::blocking(move || conn().mon_command(&unknown, b"")).await;
        fails(error, ErrorKind::InvalidArgument);
    });
}

#[test]
fn a_monitor_tells_how_it_is() {
    let name = mon();
    for target in [&*name, "0"] {
        let status = conn().monitor_status(target).unwrap();
        assert_eq!((&*status.name, status.rank), (&*name, Some(0)));
        assert!(["leader", "peon"].contains(&&*status.state), "{status:?}");
        assert!(status.quorum.contains(&0));
        assert_eq!(status.json["monmap"]["fsid"], conn().fsid().unwrap());
    }
    fails(
        conn().monitor_status("no-such-monitor"),
        ErrorKind::NotFound,
    );
    fails(conn().monitor_status(""), ErrorKind::InvalidArgument);
}

#[test]
fn health_is_what_ceph_says() {
    let flags = || {
        let health = conn().health().unwrap();
        let mut checks = health.checks.iter();
        let flags = checks.find(|check| check.code == "OSDMAP_FLAGS").cloned();
        (health.status, flags)
    };
    run("ceph", &["osd", "set", "nodeep-scrub"]);
    poll("the flag to be a warning", || flags().1.is_some());
    let (status, check) = flags();
    let check = check.unwrap();
    assert!(status >= HealthStatus::Warn);
    assert_eq!((check.severity, check.muted), (HealthStatus::Warn, false));
    assert!(check.summary.contains("nodeep-scrub"), "{}", check.summary);
    run("ceph", &["osd", "unset", "nodeep-scrub"]);
    poll("the warning to go", || flags().1.is_none());
}

#[test]
fn status_versions_and_osds_are_what_ceph_says() {
    assert_eq!(conn().status().unwrap()["fsid"], conn().fsid().unwrap());
    let versions = conn().versions().unwrap();
    let expected = ceph(&["versions"]);
    for kind in ["mon", "mgr", "osd"] {
        let of_kind = versions.iter().filter(|version| version.daemon == kind);
        let of_kind: Vec<_> = of_kind.collect();
        let [version] = of_kind[..] else {
            panic!("{versions:?}");
        };
        assert_eq!(version.release, Some(release()));
        assert_eq!(version.count, expected[kind][&version.version]);
    }
    assert!(versions.iter().all(|version| version.daemon != "overall"));
    let ids: BTreeSet<_> = conn().osd_ids().unwrap().into_iter().collect();
    let expected: BTreeSet<u32> = serde_json::from_value(ceph(&["osd", "ls"])).unwrap();
    assert_eq!(ids, expected);
}
