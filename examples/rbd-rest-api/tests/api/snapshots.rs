//! Snapshots: taking, listing, protecting, removing, rolling back.

use serde_json::json;
use ureq::http::StatusCode;

use crate::common::{Pool, Service, ended, rbd};

/// An image `disk1` of 16 MiB, with a snapshots' path.
fn image(pool: &Pool) -> String {
    rbd(&["create", &format!("{}/disk1", pool.name), "--size", "16M"]);
    pool.path("/images/disk1/snapshots")
}

#[test]
fn a_snapshot_is_taken_listed_and_removed() {
    let (pool, service) = (Pool::new(), Service::start());
    let path = image(&pool);
    assert_eq!(service.get(&path).ok()["Items"], json!([]));
    let taken = service.post(&path, json!({"name": "monday"}));
    assert_eq!(taken.headers["location"], *format!("{path}/monday"));
    let taken = taken.json(StatusCode::CREATED);
    assert_eq!(taken["size"], 16 << 20);
    assert_eq!(taken["protected"], false);
    let again = service.post(&path, json!({"name": "monday"}));
    assert_eq!(again.problem(409)["errno_name"], "EEXIST");
    service.post(&path, json!({"name": "tuesday"}));
    let list = service.get(&path).ok();
    assert_eq!(list["Kind"], "SnapshotList");
    let names: Vec<_> = list["Items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| &s["name"])
        .collect();
    assert_eq!(names, ["monday", "tuesday"]);
    assert_eq!(list["Items"][0], taken);
    let theirs = rbd(&[
        "snap",
        "ls",
        &format!("{}/disk1", pool.name),
        "--format",
        "json",
    ]);
    let theirs: serde_json::Value = serde_json::from_str(&theirs).unwrap();
    assert_eq!(theirs[0]["id"], taken["id"]);
    let one = format!("{path}/monday");
    assert_eq!(service.get(&one).ok(), taken);
    assert_eq!(service.delete(&one).status, 204);
    assert_eq!(service.get(&one).problem(404)["errno_name"], "ENOENT");
    assert_eq!(service.delete(&one).problem(404)["errno"], 2);
    service
        .get(&pool.path("/images/none/snapshots"))
        .problem(404);
    service.post(&path, json!({"name": "a@b"})).problem(422);
}

#[test]
fn a_protected_snapshot_is_not_removed() {
    let (pool, service) = (Pool::new(), Service::start());
    let path = image(&pool);
    service.post(&path, json!({"name": "kept"}));
    let (one, protection) = (format!("{path}/kept"), format!("{path}/kept/protection"));
    for _ in 0..2 {
        assert_eq!(service.request("PUT", &protection, None).status, 204);
        assert_eq!(service.get(&one).ok()["protected"], true);
    }
    let refused = service.delete(&one).problem(409);
    assert_eq!(refused["errno_name"], "EBUSY");
    assert!(
        refused["detail"]
            .as_str()
            .unwrap()
            .contains("unprotect it first")
    );
    for _ in 0..2 {
        assert_eq!(service.delete(&protection).status, 204);
        assert_eq!(service.get(&one).ok()["protected"], false);
    }
    assert_eq!(service.delete(&one).status, 204);
    service.request("PUT", &protection, None).problem(404);
    service.delete(&protection).problem(404);
}

#[test]
fn names_may_be_odd_and_places_namespaces() {
    let (pool, service) = (Pool::new(), Service::start());
    rbd(&["namespace", "create", &format!("{}/ns 1", pool.name)]);
    let spec = format!("{}/ns 1/disk?1", pool.name);
    rbd(&["create", &spec, "--size", "1M"]);
    let path = pool.path("/images/disk%3F1/snapshots");
    for name in ["a b", "Größe #1?", "100%", "...", "%2e", "+&="] {
        let taken = service.post(&format!("{path}?namespace=ns%201"), json!({"name": name}));
        assert_eq!(taken.status, 201, "{}", taken.text);
        let address = taken.headers["location"].to_str().unwrap();
        assert_eq!(service.get(address).ok()["name"], name, "{address}");
        assert!(rbd(&["snap", "ls", &spec]).contains(name));
        assert_eq!(service.delete(address).status, 204);
    }
    service.get(&path).problem(404);
}

#[test]
fn an_image_is_rolled_back() {
    let (pool, service) = (Pool::new(), Service::start());
    let path = image(&pool);
    let spec = format!("{}/disk1", pool.name);
    let write = |pattern| {
        rbd(&[
            "bench",
            "--io-type",
            "write",
            "--io-total",
            "16M",
            "--io-pattern",
            pattern,
            &spec,
        ])
    };
    let sum = || {
        let files = tempfile::tempdir().unwrap();
        let file = files.path().join("content").display().to_string();
        rbd(&["export", &spec, &file]);
        std::fs::read(file).unwrap()
    };
    write("seq");
    let before = sum();
    service.post(&path, json!({"name": "before"}));
    rbd(&["resize", &spec, "--size", "32M"]);
    let started = service.post(&format!("{path}/before/rollback"), json!({}));
    let operation = ended(&service, &started);
    assert_eq!(operation["state"], "succeeded", "{operation}");
    assert_eq!(operation["kind"], "rollback");
    assert_eq!(operation["subject"], format!("{spec}@before"));
    assert_eq!(operation["done"], operation["total"]);
    assert!(sum() == before);
    let none = service.post(&format!("{path}/none/rollback"), json!({}));
    assert_eq!(none.problem(404)["errno_name"], "ENOENT");
}

/// librbd would abort the service when one of them asks for the lock while another cuts the image.
#[test]
fn rollbacks_and_writers_at_once_leave_the_service_alive() {
    let (pool, service) = (Pool::new(), Service::start());
    let image = format!("{}/disk1", pool.name);
    rbd(&["create", &image, "--size", "1M", "--object-size", "4K"]);
    rbd(&["snap", "create", &format!("{image}@small")]);
    let path = pool.path("/images/disk1");
    for _ in 0..5 {
        service
            .post(&format!("{path}/resize"), json!({"size": "8Mi"}))
            .ok();
        let rollback = format!("{path}/snapshots/small/rollback");
        let started: Vec<_> = (0..3).map(|_| service.post(&rollback, json!({}))).collect();
        let written = service.request("PUT", &format!("{path}/data"), Some(json!("written")));
        assert!([204, 409].contains(&written.status), "{}", written.text);
        for started in started {
            let operation = ended(&service, &started);
            let fine = operation["state"] == "succeeded";
            assert!(fine || operation["problem"]["status"] == 409, "{operation}");
        }
    }
    service.get(&path).ok();
}
