//! Connections: configuration from every source, and why a connect fails.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rados::{Conn, ConnBuilder, ConnectFailure, Error, ErrorKind};
use serde_json::{Value, json};

use crate::common::*;

/// An option of the cluster's configuration, as a client sees it.
fn option(name: &str) -> String {
    conn().config_get(name).unwrap()
}

fn admin_key() -> String {
    String::from_utf8(run("ceph", &["auth", "get-key", "client.admin"])).unwrap()
}

fn connects(builder: &ConnBuilder) {
    let conn = builder.connect().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(conn.fsid().unwrap(), option("fsid"));
}

#[track_caller]
fn refused(builder: &ConnBuilder) -> Error {
    builder.connect().expect_err("the connect to fail")
}

#[test]
fn fsid_is_what_ceph_says() {
    let fsid = run("ceph", &["fsid"]);
    assert_eq!(
        conn().fsid().unwrap(),
        String::from_utf8(fsid).unwrap().trim()
    );
}

#[test]
fn every_connection_has_its_own_instance_id() {
    let other = builder().connect().unwrap();
    assert_ne!(other.instance_id().unwrap(), conn().instance_id().unwrap());
    assert_ne!(other.instance_id().unwrap(), 0);
}

#[test]
fn cluster_stat_counts_bytes() {
    let stat = conn().cluster_stat().unwrap();
    let df: Value = serde_json::from_slice(&run("ceph", &["df", "--format", "json"])).unwrap();
    assert_eq!(stat.total, df["stats"]["total_bytes"].as_u64().unwrap());
    assert!(
        stat.used > 0 && stat.used + stat.available <= stat.total,
        "{stat:?}"
    );
}

#[test]
fn arguments_alone_connect() {
    // As `rbd -m MONITORS --id USER --key KEY`, without a configuration file.
    let (mon_host, key) = (option("mon_host"), admin_key());
    connects(&Conn::builder().args(["-m", &mon_host, "--id", "admin", "--key", &key]));
    let joined = [format!("--mon-host={mon_host}"), format!("--key={key}")];
    connects(&Conn::builder().args(joined));
    let keyring = option("keyring");
    connects(&Conn::builder().args(["--mon_host", &mon_host, "--keyring", &keyring]));
    let conf = cluster().conf_path().to_str().unwrap();
    connects(&Conn::builder().args(["-n", "client.admin", "-c", conf]));
}

#[test]
fn options_alone_connect() {
    let (mon_host, key) = (option("mon_host"), admin_key());
    connects(&Conn::builder().id("admin").mon_host(&mon_host).key(&key));
    connects(
        &Conn::builder()
            .mon_host(&mon_host)
            .keyring(option("keyring")),
    );
    connects(
        &Conn::builder()
            .name("client.admin")
            .option("mon host", &mon_host)
            .key(&key),
    );
}

#[test]
fn options_beat_arguments_and_those_beat_the_file() {
    let get = |builder: &ConnBuilder| {
        let conn = builder.connect().unwrap();
        let value = conn.config_get("rados_osd_op_timeout").unwrap();
        value.parse::<f64>().unwrap()
    };
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut text = fs::read_to_string(cluster().conf_path()).unwrap();
    text.push_str("\n[client]\nrados_osd_op_timeout = 101\n");
    fs::write(&file, text).unwrap();
    let from_file = Conn::builder().config_file(file.path());
    assert_eq!(get(&from_file), 101.0);
    let from_args = from_file.args(["--rados-osd-op-timeout", "102"]);
    assert_eq!(get(&from_args), 102.0);
    assert_eq!(
        get(&from_args.osd_timeout(Duration::from_millis(102_001))),
        103.0
    );
}

#[test]
fn the_first_configuration_file_that_exists_is_read() {
    let missing = PathBuf::from("/nonexistent/ceph.conf");
    let there = cluster().conf_path().to_owned();
    connects(&Conn::builder().config_files([missing.clone(), there]));
    let error = refused(&Conn::builder().config_file(&missing));
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(
        error.to_string().contains("/nonexistent/ceph.conf"),
        "{error}"
    );
}

#[test]
fn a_path_that_librados_would_split_is_refused() {
    let dir = tempfile::Builder::new()
        .prefix("with,comma")
        .tempdir()
        .unwrap();
    let path = dir.path().join("ceph.conf");
    fs::copy(cluster().conf_path(), &path).unwrap();
    let error = refused(&Conn::builder().config_file(&path));
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.to_string().contains("split"), "{error}");
}

#[test]
fn unknown_options_arguments_and_values_are_named() {
    let error = refused(&builder().option("no_such_option", "1"));
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("no_such_option"), "{error}");
    let error = refused(&builder().option("rados_osd_op_timeout", "soon"));
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(
        error.to_string().contains("rados_osd_op_timeout"),
        "{error}"
    );
    let error = refused(&builder().args(["--no-such-argument", "secret"]));
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.to_string().contains("--no-such-argument"), "{error}");
    let error = refused(&builder().args(["--id"]));
    assert!(error.to_string().contains("--id has no value"), "{error}");
    let error = refused(&builder().option("mon_host", "a\0b"));
    assert!(error.to_string().contains("NUL"), "{error}");
}

#[test]
fn no_monitor_is_told() {
    let error = refused(&Conn::builder());
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(error.cause(), Some(&ConnectFailure::NoMonitors));
    assert!(error.to_string().contains("mon_host"), "{error}");
}

#[test]
fn a_missing_keyring_is_told_with_the_user_and_the_paths_tried() {
    let base = Conn::builder().mon_host(&option("mon_host"));
    // One cluster answers EACCES, one that insists on cephx ENOENT: the text has to help in both.
    for (required, kind) in [
        ("cephx, none", ErrorKind::PermissionDenied),
        ("cephx", ErrorKind::NotFound),
    ] {
        let builder = base
            .clone()
            .option("auth_client_required", required)
            .id("joe");
        let error = refused(&builder.keyring("/nonexistent/a,/nonexistent/b"));
        assert_eq!(error.kind(), kind, "{error}");
        let tried = vec![
            PathBuf::from("/nonexistent/a"),
            PathBuf::from("/nonexistent/b"),
        ];
        let user = "client.joe".to_owned();
        assert_eq!(
            error.cause(),
            Some(&ConnectFailure::KeyringNotFound { user, tried })
        );
        for part in ["client.joe", "/nonexistent/a, /nonexistent/b", "keyring"] {
            assert!(
                error.to_string().contains(part),
                "{part:?} is not in: {error}"
            );
        }
    }
    // With a configuration file and nothing else, as in a container: the default paths.
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(
        &file,
        format!("[global]\nmon_host = {}\n", option("mon_host")),
    )
    .unwrap();
    let error = refused(&Conn::builder().config_file(file.path()).id("nobody"));
    assert!(
        error
            .to_string()
            .contains("/etc/ceph/ceph.client.nobody.keyring"),
        "{error}"
    );
}

#[test]
fn a_keyring_without_the_user_is_told() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, format!("[client.other]\n\tkey = {}\n", admin_key())).unwrap();
    let error = refused(
        &Conn::builder()
            .mon_host(&option("mon_host"))
            .keyring(file.path()),
    );
    let expected = ConnectFailure::UserNotInKeyring {
        user: "client.admin".to_owned(),
        path: file.path().to_owned(),
    };
    assert_eq!(error.cause(), Some(&expected), "{error}");
}

#[test]
fn a_wrong_key_or_user_is_told() {
    let wrong_key = "AQBSdFhcAAAAABAAZ3T6O3bnJxhXO9J2pXb9Zg==";
    let base = Conn::builder().mon_host(&option("mon_host"));
    for builder in [
        base.clone().key(wrong_key),
        base.id("ghost").key(&admin_key()),
    ] {
        let error = refused(&builder);
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
        assert!(
            matches!(error.cause(), Some(ConnectFailure::Refused { .. })),
            "{error}"
        );
    }
}

#[test]
fn a_silent_monitor_is_told_after_the_mount_timeout() {
    let started = Instant::now();
    let builder = Conn::builder().mon_host("127.0.0.1:1").key(&admin_key());
    let error = refused(&builder.mount_timeout(Duration::from_millis(1500)));
    assert!(started.elapsed() < Duration::from_secs(60));
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let (mon_host, timeout) = ("127.0.0.1:1".to_owned(), Duration::from_secs(2));
    assert_eq!(
        error.cause(),
        Some(&ConnectFailure::Unreachable { mon_host, timeout })
    );
}

#[test]
fn a_failed_connect_does_not_spoil_the_next() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let builder = builder().keyring(file.path());
    for _ in 0..3 {
        refused(&builder);
    }
    fs::write(&file, format!("[client.admin]\n\tkey = {}\n", admin_key())).unwrap();
    connects(&builder);
    connects(&builder);
}

#[test]
fn keys_appear_nowhere() {
    let secret = "AQBSdFhcAAAAABAAZ3T6O3bnJxhXO9J2pXb9Zg==";
    let builder = Conn::builder()
        .mon_host(&option("mon_host"))
        .key(secret)
        .args(["--key", secret, &format!("--no-such={secret}")]);
    let shown = format!("{builder:?} {builder:#?}");
    let error = refused(&builder);
    let wrong = refused(&Conn::builder().mon_host(&option("mon_host")).key(secret));
    let broken = refused(
        &Conn::builder()
            .mon_host(&option("mon_host"))
            .key("not base64 at all"),
    );
    for text in [
        shown,
        format!("{error} {error:?} {wrong} {wrong:?} {broken} {broken:?}"),
    ] {
        assert!(
            !text.contains(secret) && !text.contains("not base64"),
            "{text}"
        );
    }
}

#[test]
fn names_with_nul_are_refused() {
    for builder in [builder().id("a\0b"), builder().cluster_name("a\0b")] {
        assert_eq!(refused(&builder).kind(), ErrorKind::InvalidArgument);
    }
}

#[test]
fn config_get_answers_long_values_and_knows_its_options() {
    let long = "x".repeat(5000);
    let conn = builder().option("crush_location", &long).connect().unwrap();
    assert_eq!(conn.config_get("crush_location").unwrap(), long);
    let text = fails(conn.config_get("no_such_option"), ErrorKind::NotFound);
    assert!(text.contains("no_such_option"));
    fails(conn.config_get("a\0b"), ErrorKind::InvalidArgument);
}

#[test]
fn mon_commands_answer_json_and_keep_the_status() {
    let output = conn()
        .mon_command(&json!({"prefix": "fsid", "format": "json"}), b"")
        .unwrap();
    assert_eq!(
        output.json::<Value>().unwrap()["fsid"],
        conn().fsid().unwrap()
    );
    let text = fails(
        conn().mon_command(
            &json!({"prefix": "osd pool get", "pool": "none", "var": "size"}),
            b"",
        ),
        ErrorKind::NotFound,
    );
    assert!(
        text.contains("osd pool get") && text.contains("'none'"),
        "{text}"
    );
    fails(
        conn().mon_command(&json!({"prefix": "no such command"}), b""),
        ErrorKind::InvalidArgument,
    );
    fails(
        conn().mon_command(&json!("not an object"), b""),
        ErrorKind::InvalidArgument,
    );
    let plain = conn().mon_command(&json!({"prefix": "fsid"}), b"").unwrap();
    let text = fails(plain.json::<Value>(), ErrorKind::Io);
    assert!(text.contains("does not decode"), "{text}");
}

#[test]
fn mon_commands_take_input_and_special_characters() {
    let key = unique("it/config-key");
    let value: Vec<u8> = (0..=255).collect();
    conn()
        .mon_command(&json!({"prefix": "config-key set", "key": key}), &value)
        .unwrap();
    let got = conn()
        .mon_command(&json!({"prefix": "config-key get", "key": key}), b"")
        .unwrap();
    assert_eq!(got.data, value);
    let odd = "a \"quoted\" \\ \u{1} value";
    conn()
        .mon_command(
            &json!({"prefix": "config-key set", "key": key, "val": odd}),
            b"",
        )
        .unwrap();
    let got = conn()
        .mon_command(&json!({"prefix": "config-key get", "key": key}), b"")
        .unwrap();
    assert_eq!(got.data, odd.as_bytes());
    conn()
        .mon_command(&json!({"prefix": "config-key rm", "key": key}), b"")
        .unwrap();
}

#[test]
fn what_another_client_created_is_known_after_waiting_for_the_osdmap() {
    let name = unique("it-elsewhere");
    run("ceph", &["osd", "pool", "create", &name, "8"]);
    conn().wait_for_latest_osdmap().unwrap();
    assert!(conn().pool_list().unwrap().contains(&name));
    conn().pool_delete(&name).unwrap();
}
