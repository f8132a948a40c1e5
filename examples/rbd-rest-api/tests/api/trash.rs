//! The trash.

use std::time::Duration;

use serde_json::{Value, json};
use testcluster::wait_until;
use ureq::http::StatusCode;

use crate::common::{Pool, Service, rbd};

fn items(service: &Service, pool: &Pool) -> Vec<Value> {
    let list = service.get(&pool.path("/trash")).ok();
    assert_eq!(list["Kind"], "TrashList");
    list["Items"].as_array().unwrap().clone()
}

/// Makes an image and moves it to the trash; its id.
fn trashed(service: &Service, pool: &Pool, name: &str, query: &str) -> String {
    pool.create(name);
    let image = service.get(&pool.path(&format!("/images/{name}"))).ok();
    let path = pool.path(&format!("/images/{name}?trash=true{query}"));
    assert_eq!(service.delete(&path).status, 204);
    image["id"].as_str().unwrap().to_owned()
}

#[test]
fn an_image_comes_back_from_the_trash() {
    let (pool, service) = (Pool::new(), Service::start());
    assert_eq!(items(&service, &pool), [json!(null); 0]);
    service
        .delete(&pool.path("/images/a?trash=true"))
        .problem(404);
    let id = trashed(&service, &pool, "a", "&delay_seconds=3600");
    service.get(&pool.path("/images/a")).problem(404);
    let printed = rbd(&["trash", "ls", &pool.name, "--format", "json"]);
    let printed: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(
        (&printed[0]["id"], &printed[0]["name"]),
        (&json!(id), &json!("a"))
    );
    let item = &items(&service, &pool)[0];
    assert_eq!((&item["id"], &item["name"]), (&json!(id), &json!("a")));
    assert_eq!(item["source"], "user");
    let time = |key: &str| {
        item[key]
            .as_str()
            .unwrap()
            .parse::<jiff::Timestamp>()
            .unwrap()
    };
    let deferred = time("deferment_end").duration_since(time("deleted_at"));
    assert_eq!(deferred.as_secs(), 3600);

    pool.create("a");
    let restore = pool.path(&format!("/trash/{id}/restore"));
    service.request("POST", &restore, None).problem(409);
    let restored = service.post(&restore, json!({"name": "b"})).ok();
    assert_eq!(
        (&restored["name"], &restored["id"]),
        (&json!("b"), &json!(id))
    );
    service.post(&restore, json!({})).problem(404);
    let id = trashed(&service, &pool, "c", "");
    let restore = pool.path(&format!("/trash/{id}/restore"));
    let restored = service.request("POST", &restore, None).ok();
    assert_eq!(restored["name"], "c");
    assert_eq!(rbd(&["ls", &pool.name]), "a\nb\nc\n");
}

#[test]
fn an_image_is_removed_from_the_trash_when_its_time_has_come() {
    let (pool, service) = (Pool::new(), Service::start());
    let id = trashed(&service, &pool, "a", "&delay_seconds=3600");
    let path = pool.path(&format!("/trash/{id}"));
    let problem = service.delete(&path).problem(409);
    assert_eq!(problem["type"], "urn:rbd-rest-api:problem:deferred");
    let removal = service.delete(&format!("{path}?force=true"));
    let operation = removal.json(StatusCode::ACCEPTED);
    assert_eq!(operation["kind"], "remove_from_trash");
    assert_eq!(operation["subject"], format!("{}/a", pool.name));
    let gone = || items(&service, &pool).is_empty();
    wait_until("the image is gone", Duration::from_secs(30), gone).unwrap();
    service.delete(&path).problem(404);

    pool.create("b");
    rbd(&[
        "snap",
        "create",
        &format!("{}/b@s", pool.name),
        "--no-progress",
    ]);
    assert_eq!(
        service.delete(&pool.path("/images/b?trash=true")).status,
        204
    );
    let id = items(&service, &pool)[0]["id"].as_str().unwrap().to_owned();
    let problem = service
        .delete(&pool.path(&format!("/trash/{id}")))
        .problem(409);
    assert_eq!(problem["type"], "urn:rbd-rest-api:problem:not-empty");
}

#[test]
fn the_trash_is_emptied() {
    let (pool, service) = (Pool::new(), Service::start());
    let now = trashed(&service, &pool, "now", "");
    let later = trashed(&service, &pool, "later", "&delay_seconds=3600");
    let ids = || -> Vec<Value> {
        let items = items(&service, &pool);
        items.iter().map(|item| item["id"].clone()).collect()
    };
    assert_eq!(ids().len(), 2);
    let purge = service.request("POST", &pool.path("/trash/purge"), None);
    assert_eq!(purge.json(StatusCode::ACCEPTED)["kind"], "purge_trash");
    let within = Duration::from_secs(30);
    wait_until(format!("{now} is gone"), within, || ids() == [json!(later)]).unwrap();
    let all = json!({"expired_before": "2100-01-01T00:00:00Z"});
    service
        .post(&pool.path("/trash/purge"), all)
        .json(StatusCode::ACCEPTED);
    wait_until("all are gone", within, || ids().is_empty()).unwrap();
    let wrong = json!({"expired_before": "yesterday"});
    service.post(&pool.path("/trash/purge"), wrong).problem(422);
}
