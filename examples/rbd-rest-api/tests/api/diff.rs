//! Differences of images.

use std::process::Stdio;
use std::time::Duration;

use crate::common::{Pool, Service, cluster, rbd};
use crate::transfer::*;

#[test]
fn an_export_is_what_the_command_writes() {
    let service = Service::start();
    let pool = Pool::new();
    image(
        &pool,
        "disk",
        32 * MIB,
        &[(5, 3 * MIB), (20 * MIB, 5 * MIB)],
    );
    let spec = |rest: &str| format!("{}/disk{rest}", pool.name);
    rbd(&["snap", "create", "--no-progress", &spec("@monday")]);
    let path = pool.path("/images/disk/data");
    let range = "bytes 2097152-4194303/*";
    let put = service.agent().put(format!("{}{path}", service.url));
    let put = put
        .header("Content-Range", range)
        .send(&pattern(3, 2 * MIB)[..]);
    assert_eq!(put.unwrap().status(), 204);
    rbd(&["snap", "create", "--no-progress", &spec("@tuesday")]);

    for (query, snapshot, from) in [
        ("", "", None),
        ("?snapshot=monday", "@monday", None),
        ("?from_snapshot=monday", "", Some("monday")),
        (
            "?snapshot=tuesday&from_snapshot=monday",
            "@tuesday",
            Some("monday"),
        ),
    ] {
        let answer = get(
            &service,
            &pool.path(&format!("/images/disk/export{query}")),
            &[],
        );
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(
            answer.header("content-type"),
            "application/vnd.ceph.rbd-diff"
        );
        let image = spec(snapshot);
        let mut args = vec!["export-diff", "--no-progress", &image, "-"];
        args.extend(from.iter().flat_map(|from| ["--from-snap", *from]));
        assert!(answer.body == exported(&args), "{query}");
    }
    for (query, status) in [
        ("?snapshot=none", 404),
        ("?from_snapshot=none", 404),
        ("?snapshot=monday&from_snapshot=tuesday", 422),
        ("?since=monday", 422),
    ] {
        service
            .get(&pool.path(&format!("/images/disk/export{query}")))
            .problem(status);
    }
    service.get(&pool.path("/images/none/export")).problem(404);
}

#[test]
fn an_import_makes_what_was_exported() {
    let service = Service::start();
    let pool = Pool::new();
    let content = image(
        &pool,
        "disk",
        20 * MIB,
        &[(5, 3 * MIB), (16 * MIB, 4 * MIB)],
    );
    image(&pool, "copy", 32 * MIB, &[]);
    let snapshot = format!("{}/disk@monday", pool.name);
    rbd(&["snap", "create", "--no-progress", &snapshot]);
    let path = pool.path("/images/disk/export?snapshot=monday");
    let file = get(&service, &path, &[]).body;
    let import = |query: &str, file: &[u8]| {
        let path = pool.path(&format!("/images/copy/import{query}"));
        let mut raw = Raw::start(
            &service,
            "POST",
            &path,
            &[("Content-Length", &file.len().to_string())],
        );
        raw.send(file);
        raw.answer()
    };
    let (status, body) = import("", &file);
    assert_eq!(status, 422, "{body}");
    assert!(body.contains("smaller"), "{body}");
    for wrong in [&b"rbd diff v9\n"[..], b"", &file[..file.len() / 2]] {
        let (status, body) = import("?allow_shrink=true", wrong);
        assert_eq!(status, 422, "{body}");
        assert!(body.contains("invalid-diff"), "{body}");
    }
    let (status, body) = import("?allow_shrink=true", &file);
    assert_eq!(status, 200, "{body}");
    assert_eq!(body, r#"{"size":20971520,"snapshot":"monday"}"#);
    assert!(
        get(
            &service,
            &pool.path("/images/copy/data?snapshot=monday"),
            &[]
        )
        .body
            == content
    );
    let (status, body) = import("", &file);
    assert_eq!((status, body.contains("EEXIST")), (409, true), "{body}");
    wait_until_closed(&pool, "copy");

    // What is exported here the command imports.
    let target = format!("{}/other", pool.name);
    rbd(&["create", "--size", "20M", &target]);
    let mut command = cluster().command("rbd");
    let command = command.args(["import-diff", "--no-progress", "-", &target]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), &file).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(exported(&["export", "--no-progress", &target, "-"]) == content);
}

#[test]
fn an_import_whose_client_goes_or_stops_ends() {
    let pool = Pool::new();
    image(&pool, "disk", 32 * MIB, &[(0, 32 * MIB)]);
    image(&pool, "copy", 32 * MIB, &[]);
    let service = Service::start_with(&[
        "--insecure-no-auth",
        "--max-transfers=1",
        "--idle-timeout=0.7",
    ]);
    let file = get(&service, &pool.path("/images/disk/export"), &[]).body;
    let length = file.len().to_string();
    let start = || {
        let path = pool.path("/images/copy/import");
        let mut raw = Raw::start(&service, "POST", &path, &[("Content-Length", &length)]);
        raw.send(&file[..10_000_000]);
        raw
    };
    drop(start());
    let free = || get(&service, &pool.path("/images/copy/export"), &[]).status == 200;
    testcluster::wait_until("the import has ended", Duration::from_secs(20), free).unwrap();
    wait_until_closed(&pool, "copy");
    let (status, body) = start().answer();
    assert_eq!(status, 408, "{body}");
    assert!(body.contains("may have part of its changes"), "{body}");
    wait_until_closed(&pool, "copy");

    let mut export = Raw::start(&service, "GET", &pool.path("/images/disk/export"), &[]);
    assert_eq!(export.head().0, 200);
    drop(export);
    testcluster::wait_until("the export has ended", Duration::from_secs(20), free).unwrap();
}
