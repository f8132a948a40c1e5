//! Pools.

use serde_json::json;

use crate::common::{Pool, Service, ceph, unique};

#[test]
fn pools_are_listed_as_the_first_users_did() {
    let service = Service::start();
    for path in ["/api/v1/pools/", "/api/v1/pools"] {
        let list = service.get(path).ok();
        assert_eq!(list["Kind"], "PoolList");
        assert_eq!(list["APIVersion"], "v1");
        let items = list["Items"].as_array().unwrap();
        assert!(items.contains(&json!({"name": "rbd"})), "{list}");
        assert_eq!(list.as_object().unwrap().len(), 3);
    }
}

#[test]
fn pools_that_others_make_and_delete_are_seen_at_once() {
    let service = Service::start();
    let listed = |name: &str| {
        let list = service.get("/api/v1/pools").ok();
        let items = list["Items"].as_array().unwrap();
        items.contains(&json!({"name": name}))
    };
    let pool = Pool::new();
    assert!(listed(&pool.name));
    let name = pool.name.clone();
    drop(pool);
    assert!(!listed(&name));
}

#[test]
fn a_pool_is_made_looked_at_and_deleted() {
    let service = Service::start();
    let name = unique("rest-new");
    let made = service.post("/api/v1/pools", json!({"name": name, "pg_num": 8}));
    let made = made.json(ureq::http::StatusCode::CREATED);
    assert_eq!(made["name"], *name);
    assert!(ceph(&["osd", "pool", "application", "get", &name]).contains("rbd"));
    let path = format!("/api/v1/pools/{name}");
    assert_eq!(service.get(&path).ok()["images"], 0);
    let again = service.post("/api/v1/pools", json!({"name": name}));
    assert_eq!(again.problem(409)["errno_name"], "EEXIST");
    assert_eq!(service.delete(&path).status, 204);
    assert_eq!(service.get(&path).problem(404)["errno_name"], "ENOENT");
    assert_eq!(service.delete(&path).problem(404)["errno"], 2);
}

#[test]
fn a_pool_is_deleted_only_if_that_is_allowed() {
    let pool = Pool::new();
    let service = Service::start_with(&["--insecure-no-auth"]);
    let refused = service.delete(&pool.path("")).problem(403);
    assert!(
        refused["detail"]
            .as_str()
            .unwrap()
            .contains("--allow-pool-delete")
    );
    assert!(ceph(&["osd", "pool", "ls"]).contains(&pool.name));
}

#[test]
fn wrong_names_are_refused() {
    let service = Service::start();
    for name in ["a%2Fb", "a%40b", "a%00b", "%2E%2E"] {
        service.get(&format!("/api/v1/pools/{name}")).problem(422);
    }
    service
        .post("/api/v1/pools", json!({"name": ""}))
        .problem(422);
    let unknown = service.post("/api/v1/pools", json!({"name": "x", "size": 3}));
    unknown.problem(422);
}
