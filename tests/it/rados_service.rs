//! Programs as services of the cluster.

use rados::ErrorKind;
use serde_json::Value;

use crate::common::*;

fn ask(args: &[&str]) -> Value {
    let shown = run("ceph", &[args, &["--format", "json"]].concat());
    serde_json::from_slice(&shown).unwrap()
}

#[test]
fn a_service_is_listed_with_its_metadata_and_status() {
    if !has("service-daemon") {
        return;
    }
    let conn = builder().connect().unwrap();
    let name = unique("it-service");
    let metadata = [("version", "1 \"quoted\""), ("empty", "")];
    let service = conn.register_service(&name, "a", metadata).unwrap();
    assert_eq!(service.to_string(), format!("{name}.a"));
    let daemon = || ask(&["service", "dump"])["services"][&name]["daemons"]["a"].clone();
    poll("the service to be listed", || {
        daemon()["metadata"]["version"] == "1 \"quoted\""
    });
    assert_eq!(daemon()["metadata"]["empty"], "");
    assert_eq!(daemon()["gid"], conn.instance_id().unwrap());
    let status = || ask(&["service", "status"])[&name]["a"]["status"].clone();
    for state in ["idle", "busy"] {
        service.update_status([("state", state)]).unwrap();
        poll("the status to arrive", || status()["state"] == state);
    }
    // It keeps the connection.
    drop(conn);
    service.update_status([("state", "alone")]).unwrap();
    poll("the status to arrive", || status()["state"] == "alone");
}

#[test]
fn a_connection_has_one_service_and_no_bad_words() {
    if !has("service-daemon") {
        return;
    }
    let conn = builder().connect().unwrap();
    let name = unique("it-service");
    const NONE: [(&str, &str); 0] = [];
    for own in ["osd", "mon", "mgr", "mds", "client"] {
        let result = conn.register_service(own, "a", NONE);
        fails(result, ErrorKind::InvalidArgument);
    }
    for pair in [("", "x"), ("a\0b", "x"), ("x", "a\0b")] {
        let result = conn.register_service(&name, "a", [pair]);
        fails(result, ErrorKind::InvalidArgument);
    }
    fails(
        conn.register_service("a\0b", "a", NONE),
        ErrorKind::InvalidArgument,
    );
    let service = conn.register_service(&name, "a", NONE).unwrap();
    fails(
        conn.register_service(&name, "b", NONE),
        ErrorKind::AlreadyExists,
    );
    let text = fails(
        service.update_status([("", "x")]),
        ErrorKind::InvalidArgument,
    );
    assert!(text.contains(&format!("{name}.a")), "{text}");
    service.update_status(NONE).unwrap();
}
