//! Clones, their parents' list of them, and flattening.

use serde_json::{Value, json};
use ureq::http::StatusCode;

use crate::common::{Pool, Service, ended, rbd};

/// An image `golden` with a snapshot `v1`; the path of its clones.
fn golden(pool: &Pool) -> String {
    let spec = format!("{}/golden", pool.name);
    rbd(&["create", &spec, "--size", "8M", "--object-size", "64K"]);
    let write = [
        "bench",
        "--io-type",
        "write",
        "--io-size",
        "64K",
        "--io-total",
        "4M",
    ];
    rbd(&[&write[..], &[&spec]].concat());
    rbd(&["snap", "create", &format!("{spec}@v1")]);
    pool.path("/images/golden/snapshots/v1/clones")
}

fn info(spec: &str) -> Value {
    serde_json::from_str(&rbd(&["info", spec, "--format", "json"])).unwrap()
}

#[test]
fn images_without_layering_have_no_clones() {
    let (pool, service) = (Pool::new(), Service::start());
    let path = |image| pool.path(&format!("/images/{image}/snapshots/v1/clones"));
    for (image, features) in [("plain", ""), ("golden", "layering")] {
        let spec = format!("{}/{image}", pool.name);
        rbd(&["create", &spec, "--size", "1M", "--image-feature", features]);
        rbd(&["snap", "create", &format!("{spec}@v1")]);
    }
    let clone = |features: &[&str]| json!({"name": "web", "features": features});
    let refused = service.post(&path("golden"), clone(&["exclusive-lock"]));
    refused.problem(422);
    let refused = service.post(&path("plain"), clone(&["layering"]));
    let text = refused.problem(409)["detail"].to_string();
    assert!(text.contains("must have the feature layering"), "{text}");
    service
        .post(&path("golden"), clone(&["layering"]))
        .json(StatusCode::CREATED);
    // A namespace without a name is none.
    let children = pool.path("/images/golden/children?namespace=");
    assert_eq!(service.get(&children).ok()["Items"][0]["image"], "web");
}

#[test]
fn an_unprotected_snapshot_is_cloned() {
    let (pool, other, service) = (Pool::new(), Pool::new(), Service::start());
    let path = golden(&pool);
    let made = service.post(&path, json!({"name": "web1"}));
    assert_eq!(made.headers["location"], *pool.path("/images/web1"));
    let made = made.json(StatusCode::CREATED);
    assert_eq!(made["name"], "web1");
    assert_eq!(made["parent"]["image"], "golden");
    assert_eq!(made["parent"]["snapshot"], "v1");
    let elsewhere = json!({"name": "web 2", "pool": other.name, "features": ["layering"]});
    let made = service.post(&path, elsewhere.clone());
    assert_eq!(made.headers["location"], *other.path("/images/web%202"));
    made.json(StatusCode::CREATED);
    let theirs = info(&format!("{}/web 2", other.name));
    assert_eq!(theirs["features"], json!(["layering", "operations"]));
    assert_eq!(theirs["parent"]["pool"], *pool.name);
    let again = service.post(&path, elsewhere);
    assert_eq!(again.problem(409)["errno_name"], "EEXIST");

    let list = service.get(&pool.path("/images/golden/children")).ok();
    assert_eq!(list["Kind"], "ChildList");
    let mut names: Vec<_> = list["Items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["image"].as_str().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["web 2", "web1"]);
    let of =
        |snapshot| service.get(&pool.path(&format!("/images/golden/children?snapshot={snapshot}")));
    assert_eq!(of("v1").ok()["Items"].as_array().unwrap().len(), 2);
    of("v2").problem(404);

    // It goes out of sight, and the clones stay.
    assert_eq!(
        service
            .delete(&pool.path("/images/golden/snapshots/v1"))
            .status,
        204
    );
    assert_eq!(
        service.get(&pool.path("/images/golden/snapshots")).ok()["Items"],
        json!([])
    );
    assert_eq!(
        service.get(&pool.path("/images/golden/children")).ok()["Items"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn a_clone_goes_to_another_namespace() {
    let (pool, service) = (Pool::new(), Service::start());
    let path = golden(&pool);
    rbd(&["namespace", "create", &format!("{}/ns", pool.name)]);
    rbd(&["snap", "protect", &format!("{}/golden@v1", pool.name)]);
    let made = service.post(&path, json!({"name": "web1", "namespace": "ns"}));
    assert_eq!(
        made.headers["location"],
        *pool.path("/images/web1?namespace=ns")
    );
    assert_eq!(made.json(StatusCode::CREATED)["namespace"], "ns");
    let children = service.get(&pool.path("/images/golden/children")).ok();
    assert_eq!(children["Items"][0]["namespace"], "ns");
    let child = format!("{}/ns/web1", pool.name);
    assert_eq!(info(&child)["parent"]["pool_namespace"], "");
}

#[test]
fn what_cannot_be_cloned_is_told() {
    let (pool, service) = (Pool::new(), Service::start());
    let path = golden(&pool);
    let none = path.replace("snapshots/v1", "snapshots/v2");
    assert_eq!(
        service.post(&none, json!({"name": "x"})).problem(404)["errno"],
        2
    );
    service
        .post(&path, json!({"name": "x", "pool": "none-such"}))
        .problem(404);
    service
        .post(&path, json!({"name": "x", "namespace": "none"}))
        .problem(404);
    let unknown = service.post(&path, json!({"name": "x", "features": ["laying"]}));
    assert!(
        unknown.problem(422)["detail"]
            .as_str()
            .unwrap()
            .contains("laying")
    );
    service
        .post(&path, json!({"name": "x", "size": 5}))
        .problem(422);
}

#[test]
fn a_clone_is_flattened() {
    let (pool, service) = (Pool::new(), Service::start());
    let path = golden(&pool);
    service.post(&path, json!({"name": "web1"}));
    let flatten = pool.path("/images/web1/flatten");
    let operation = ended(&service, &service.post(&flatten, json!({})));
    assert_eq!(operation["state"], "succeeded", "{operation}");
    assert_eq!(operation["kind"], "flatten");
    assert_eq!(operation["total"], 128);
    let spec = format!("{}/web1", pool.name);
    assert_eq!(info(&spec)["parent"], Value::Null);
    assert!(!rbd(&["image-meta", "list", &spec]).contains("rbd_rest_api"));
    let again = service.post(&flatten, json!({})).problem(409);
    assert_eq!(again["type"], "urn:rbd-rest-api:problem:no-parent");
    service
        .post(&pool.path("/images/none/flatten"), json!({}))
        .problem(404);
}
