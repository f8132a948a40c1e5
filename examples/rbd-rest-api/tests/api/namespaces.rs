//! Namespaces.

use std::time::Duration;

use serde_json::{Value, json};
use testcluster::wait_until;
use ureq::http::StatusCode;

use crate::common::{Pool, Service, rbd};

#[test]
fn namespaces_come_and_go() {
    let (pool, service) = (Pool::new(), Service::start());
    let path = pool.path("/namespaces");
    let list = service.get(&path).ok();
    assert_eq!(list["Kind"], "NamespaceList");
    assert_eq!(list["Items"], json!([]));
    for name in ["b", "a"] {
        let made = service.post(&path, json!({"name": name}));
        assert_eq!(made.headers["location"], format!("{path}/{name}"));
        assert_eq!(made.json(StatusCode::CREATED), json!({"name": name}));
    }
    assert_eq!(
        service.get(&path).ok()["Items"],
        json!([{"name": "a"}, {"name": "b"}])
    );
    let again = service.post(&path, json!({"name": "a"}));
    assert_eq!(again.problem(409)["errno_name"], "EEXIST");
    assert_eq!(service.delete(&format!("{path}/b")).status, 204);
    let listed = rbd(&["namespace", "ls", &pool.name, "--format", "json"]);
    assert_eq!(
        serde_json::from_str::<Value>(&listed).unwrap(),
        json!([{"name": "a"}])
    );
    service.delete(&format!("{path}/b")).problem(404);
    service.post(&path, json!({"name": "x/y"})).problem(422);
    service.get("/api/v1/pools/none/namespaces").problem(404);
}

#[test]
fn images_are_kept_apart() {
    let (pool, service) = (Pool::new(), Service::start());
    rbd(&["namespace", "create", &format!("{}/team", pool.name)]);
    let there = |rest: &str| pool.path(&format!("{rest}?namespace=team"));
    let made = service.post(&there("/images"), json!({"name": "a", "size": "1Mi"}));
    let location = made.headers["location"].to_str().unwrap().to_owned();
    assert_eq!(location, there("/images/a"));
    assert_eq!(made.json(StatusCode::CREATED)["namespace"], "team");
    assert_eq!(service.get(&location).ok()["namespace"], "team");
    assert_eq!(rbd(&["ls", &format!("{}/team", pool.name)]), "a\n");
    service.get(&pool.path("/images/a")).problem(404);
    service.get(&pool.path("/images/a?namespace=")).problem(404);
    assert_eq!(service.get(&pool.path("/images")).ok()["Items"], json!([]));
    assert_eq!(service.get(&there("/images")).ok()["Items"][0]["name"], "a");

    let busy = service.delete(&pool.path("/namespaces/team")).problem(409);
    assert_eq!(busy["errno_name"], "EBUSY");
    service.delete(&format!("{location}&trash=true"));
    let trashed = service.get(&there("/trash")).ok();
    let id = trashed["Items"][0]["id"].as_str().unwrap();
    service
        .delete(&there(&format!("/trash/{id}")))
        .json(StatusCode::ACCEPTED);
    let removed = || service.delete(&pool.path("/namespaces/team")).status == 204;
    wait_until(
        "the namespace can be removed",
        Duration::from_secs(30),
        removed,
    )
    .unwrap();
}

#[test]
fn a_namespace_that_is_not_there_is_not_found() {
    let (pool, service) = (Pool::new(), Service::start());
    let there = |rest: &str| pool.path(&format!("{rest}?namespace=none"));
    for path in ["/images", "/images/a", "/trash"] {
        service.get(&there(path)).problem(404);
    }
    let new = json!({"name": "a", "size": 1});
    let problem = service.post(&there("/images"), new).problem(404);
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("no namespace none"), "{problem}");
    service.post(&there("/trash/purge"), json!({})).problem(404);
}
