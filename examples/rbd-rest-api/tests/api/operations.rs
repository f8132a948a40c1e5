//! Operations, seen and canceled through any of two services, one of which may die.

use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use rados::LockRequest;
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};
use ureq::http::StatusCode;

use crate::common::{Answer, Pool, Service, ended, operation_until, rbd};

/// Where a pool's operations are recorded.
const OBJECT: &str = "rbd_rest_api.operations";

/// Starts to flatten a clone of so many objects, one after the other. No map tells that there is nothing in them.
fn start_long(service: &Service, pool: &Pool, objects: u32) -> Answer {
    let spec = |name| format!("{}/{name}", pool.name);
    let size = format!("{}K", objects * 4);
    rbd(&[
        "create",
        &spec("golden"),
        "--size",
        &size,
        "--object-size",
        "4K",
        "--image-feature",
        "layering",
    ]);
    rbd(&["snap", "create", &spec("golden@v1")]);
    let clones = pool.path("/images/golden/snapshots/v1/clones");
    service
        .post(&clones, json!({"name": "disk1"}))
        .json(StatusCode::CREATED);
    rbd(&[
        "config",
        "image",
        "set",
        &spec("disk1"),
        "rbd_concurrent_management_ops",
        "1",
    ]);
    let started = service.post(&pool.path("/images/disk1/flatten"), json!({}));
    assert_eq!(started.json(StatusCode::ACCEPTED)["state"], "running");
    started
}

fn location(started: &Answer) -> String {
    started.headers["location"].to_str().unwrap().to_owned()
}

/// The stream of events, each as its id and its data, to its end.
fn events(service: &Service, path: &str) -> impl Iterator<Item = (String, Value)> + use<> {
    let response = service
        .agent()
        .get(format!("{}{path}/events", service.url))
        .call();
    let response = response.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut lines = BufReader::new(response.into_body().into_reader()).lines();
    std::iter::from_fn(move || {
        let mut fields = [const { String::new() }; 3];
        for line in lines.by_ref().map_while(Result::ok) {
            match line.split_once(": ") {
                Some(("event", value)) => fields[0] = value.to_owned(),
                Some(("id", value)) => fields[1] = value.to_owned(),
                Some(("data", value)) => fields[2] = value.to_owned(),
                _ if line.is_empty() && !fields[2].is_empty() => {
                    let [event, id, data] = fields;
                    assert_eq!(event, "operation");
                    return Some((id, serde_json::from_str(&data).unwrap()));
                }
                _ => {}
            }
        }
        None
    })
}

#[test]
fn an_operation_is_seen_through_another_service() {
    let (pool, here, there) = (Pool::new(), Service::start(), Service::start());
    let started = start_long(&here, &pool, 4096);
    let path = location(&started);
    // At once.
    assert_eq!(
        there.get(&path).ok()["subject"],
        format!("{}/disk1", pool.name)
    );
    let list = there.get("/api/v1/operations?limit=1000").ok();
    assert_eq!(list["Kind"], "OperationList");
    let id = started.json(StatusCode::ACCEPTED)["id"].clone();
    assert!(
        list["Items"]
            .as_array()
            .unwrap()
            .iter()
            .any(|o| o["id"] == id)
    );
    let seen: Vec<_> = events(&there, &path).collect();
    let (last_id, last) = seen.last().unwrap();
    assert_eq!(last["state"], "succeeded", "{last}");
    assert_eq!(
        (&last["done"], &last["total"]),
        (&json!(4096), &json!(4096))
    );
    assert!(
        seen.iter()
            .any(|(_, o)| o["state"] == "running" && o["done"].as_u64() > Some(0)),
        "{seen:?}"
    );
    assert_eq!(here.get(&path).ok(), *last);
    assert_eq!(there.get(&path).ok(), *last);
    for service in [&here, &there] {
        let again = service.agent().get(format!("{}{path}/events", service.url));
        let again = again.header("Last-Event-ID", last_id).call().unwrap();
        assert_eq!(again.status(), 204);
        assert_eq!(events(service, &path).count(), 1);
    }
    // One that has come later knows it too.
    assert_eq!(Service::start().get(&path).ok(), *last);
}

#[test]
fn an_operation_is_canceled_through_any_service() {
    let (pool, here, there) = (Pool::new(), Service::start(), Service::start());
    let path = location(&start_long(&here, &pool, 30_000));
    operation_until(&there, &path, |operation| {
        operation["done"].as_u64() > Some(0)
    });
    there.delete(&path).json(StatusCode::ACCEPTED);
    let (_, last) = events(&there, &path).last().unwrap();
    assert_eq!(last["state"], "canceled", "{last}");
    assert_eq!(last["problem"]["errno_name"], "ECANCELED");
    assert_eq!(here.get(&path).ok(), last);
    // It has ended; the clone still is one, and a flatten by the one where it is asked for is canceled as well.
    assert_eq!(there.delete(&path).json(StatusCode::OK), last);
    let again = here.post(&pool.path("/images/disk1/flatten"), json!({}));
    let path = location(&again);
    here.delete(&path).json(StatusCode::ACCEPTED);
    assert_eq!(ended(&here, &again)["state"], "canceled");
    assert!(rbd(&["info", &format!("{}/disk1", pool.name)]).contains("parent: "));
}

#[test]
fn an_operation_whose_service_died_has_failed() {
    let (pool, here, there) = (Pool::new(), Service::start(), Service::start());
    let path = location(&start_long(&here, &pool, 30_000));
    let watching = events(&there, &path);
    operation_until(&there, &path, |operation| {
        operation["done"].as_u64() > Some(0)
    });
    kill_process(here.pid(), Signal::KILL).unwrap();
    let died = Instant::now();
    let (_, last) = watching.last().unwrap();
    assert!(
        died.elapsed() < Duration::from_secs(40),
        "{:?}",
        died.elapsed()
    );
    assert_eq!(last["state"], "failed", "{last}");
    assert_eq!(
        last["problem"]["type"],
        "urn:rbd-rest-api:problem:service-ended"
    );
    let detail = last["problem"]["detail"].as_str().unwrap();
    assert!(detail.contains("has ended"), "{detail}");
    assert_eq!(there.get(&path).ok(), last);
    assert_eq!(Service::start().get(&path).ok(), last);
    there.delete(&path).json(StatusCode::OK);
}

#[test]
fn what_a_dead_service_was_flattening_is_flattened_without_loss() {
    let (pool, here, there) = (Pool::new(), Service::start(), Service::start());
    let spec = |name| format!("{}/{name}", pool.name);
    rbd(&[
        "create",
        &spec("golden"),
        "--size",
        "8M",
        "--object-size",
        "4K",
    ]);
    let write = [
        "bench",
        "--io-type",
        "write",
        "--io-size",
        "4K",
        "--io-total",
        "8M",
    ];
    rbd(&[&write[..], &[&spec("golden")]].concat());
    rbd(&["snap", "create", &spec("golden@v1")]);
    let clones = pool.path("/images/golden/snapshots/v1/clones");
    let made = here
        .post(&clones, json!({"name": "disk1"}))
        .json(StatusCode::CREATED);
    let flatten = pool.path("/images/disk1/flatten");
    let path = location(&here.post(&flatten, json!({})));
    operation_until(&there, &path, |operation| {
        operation["done"].as_u64() > Some(0)
    });
    kill_process(here.pid(), Signal::KILL).unwrap();
    assert!(
        rbd(&["info", &spec("disk1")]).contains("parent: "),
        "it was not killed in the middle"
    );
    let operation = ended(&there, &there.post(&flatten, json!({})));
    assert_eq!(operation["state"], "succeeded", "{operation}");
    let after = there.get(&pool.path("/images/disk1")).ok();
    assert_eq!(after["parent"], Value::Null);
    let mut features = made["features"].clone();
    // It is that of being a clone.
    features
        .as_array_mut()
        .unwrap()
        .retain(|feature| feature != "operations");
    assert_eq!(
        (&after["features"], &after["flags"]),
        (&features, &json!([]))
    );
    let files = tempfile::tempdir().unwrap();
    let content = |name| {
        let file = files.path().join(name);
        rbd(&["export", &spec(name), &file.display().to_string()]);
        std::fs::read(file).unwrap()
    };
    assert!(content("golden") == content("disk1"));
}

#[test]
fn a_service_that_is_told_to_end_cancels_and_tells() {
    let pool = Pool::new();
    let mut here = Service::start_with(&["--insecure-no-auth", "--grace", "1"]);
    let there = Service::start();
    let path = location(&start_long(&here, &pool, 30_000));
    let watching = events(&here, &path);
    let status = here.terminate();
    assert!(status.success(), "{status}");
    let operation = there.get(&path).ok();
    assert_eq!(operation["state"], "canceled", "{operation}");
    // The stream does not hold it up; it ends without the operation's end.
    assert!(
        watching
            .last()
            .is_none_or(|(_, last)| last["state"] == "running")
    );
}

#[test]
fn a_service_that_is_told_to_end_waits_for_operations() {
    let pool = Pool::new();
    let mut here = Service::start_with(&["--insecure-no-auth", "--grace", "600"]);
    let there = Service::start();
    let path = location(&start_long(&here, &pool, 2048));
    let status = here.terminate();
    assert!(status.success(), "{status}");
    assert_eq!(there.get(&path).ok()["state"], "succeeded");
}

#[test]
fn many_listen_and_go_away() {
    let (pool, here, there) = (Pool::new(), Service::start(), Service::start());
    let path = location(&start_long(&here, &pool, 30_000));
    let count = |service: &Service, what| {
        let entries = format!("/proc/{}/{what}", service.pid().as_raw_nonzero());
        std::fs::read_dir(entries).unwrap().count()
    };
    let mut staying = Vec::new();
    for service in [&here, &there] {
        service.get(&path).ok();
        let (threads, files) = (count(service, "task"), count(service, "fd"));
        let mut listeners: Vec<_> = (0..200).map(|_| events(service, &path)).collect();
        for listener in &mut listeners {
            assert_eq!(listener.next().unwrap().1["state"], "running");
        }
        assert!(count(service, "task") < threads + 20);
        // Half of them go, half stay to the end.
        staying.extend(listeners.split_off(100));
        drop(listeners);
        let gone = || count(service, "fd") <= files + 110;
        testcluster::wait_until("listeners are gone", Duration::from_secs(20), gone).unwrap();
    }
    there.delete(&path).json(StatusCode::ACCEPTED);
    for stays in staying {
        assert_eq!(stays.last().unwrap().1["state"], "canceled");
    }
}

#[test]
fn operations_are_listed_by_pages() {
    let (pool, here, there) = (Pool::new(), Service::start(), Service::start());
    rbd(&["create", &format!("{}/disk1", pool.name), "--size", "1M"]);
    rbd(&["snap", "create", &format!("{}/disk1@s", pool.name)]);
    let rollback = pool.path("/images/disk1/snapshots/s/rollback");
    let one = |service: &Service| ended(service, &service.post(&rollback, json!({})));
    let mut made: Vec<_> = [&here, &there, &here, &there, &here].map(one).into();
    made.reverse();
    // Other tests' operations are among them.
    let mut ours = Vec::new();
    let mut next = String::new();
    while ours.len() < made.len() {
        let page = there.get(&format!("/api/v1/operations?limit=2{next}")).ok();
        let items = page["Items"].as_array().unwrap();
        assert!(items.len() <= 2);
        let is_ours = |o: &&Value| made.iter().any(|m| m["id"] == o["id"]);
        ours.extend(items.iter().filter(is_ours).cloned());
        next = format!("&continue={}", page["Continue"].as_str().unwrap_or("none"));
    }
    assert_eq!(ours, made);
    for wrong in ["limit=0", "limit=1001", "limit=x", "continue=1"] {
        there
            .get(&format!("/api/v1/operations?{wrong}"))
            .problem(422);
    }
    for unknown in ["1", "x", "999999-000000000000000000000000000", "0-0"] {
        let path = format!("/api/v1/operations/{unknown}");
        there.get(&path).problem(404);
        there.get(&format!("{path}/events")).problem(404);
        there.delete(&path).problem(404);
    }
}

/// An operation that is done at once.
fn start_short(service: &Service, pool: &Pool) -> Answer {
    let spec = format!("{}/disk1", pool.name);
    rbd(&["create", &spec, "--size", "1M"]);
    rbd(&["snap", "create", &format!("{spec}@s")]);
    let rollback = pool.path("/images/disk1/snapshots/s/rollback");
    service.post(&rollback, json!({}))
}

#[test]
fn an_operation_that_cannot_be_recorded_is_done() {
    let (pool, here, there) = (Pool::new(), Service::start(), Service::start());
    // Nobody else gets the lock of those that run operations.
    let request = LockRequest::new("running", Duration::from_secs(300));
    let lock = pool.ioctx().lock_exclusive(OBJECT, request).unwrap();
    let started = start_short(&here, &pool);
    let path = location(&started);
    assert_eq!(ended(&here, &started)["state"], "succeeded");
    there.get(&path).problem(404);
    lock.unlock().unwrap();
    testcluster::wait_until("it is recorded", Duration::from_secs(20), || {
        there.get(&path).status == 200
    })
    .unwrap();
    assert_eq!(there.get(&path).ok(), here.get(&path).ok());
}

#[test]
fn old_operations_are_forgotten() {
    let (pool, service) = (Pool::new(), Service::start());
    let ioctx = pool.ioctx();
    let pool_id = ioctx.pool_id().unwrap();
    let old = |n: u64, ended: &str| {
        let (time, random) = (0x17f_0000_0000 + n, n);
        let stamp = format!("{time:011x}{random:016x}");
        let id = format!("{pool_id}-{stamp}");
        let newest_first = stamp.chars().map(|c| {
            let digit = c.to_digit(16).unwrap();
            char::from_digit(15 - digit, 16).unwrap()
        });
        let record = json!({
            "id": id, "kind": "resize", "subject": "x/y", "state": "succeeded", "done": 1, "total": 1,
            "started": "2022-01-01T00:00:00Z", "ended": ended, "owner": "somebody",
        });
        let key = format!("o{}", newest_first.collect::<String>());
        (key, record.to_string())
    };
    let records: Vec<_> = (0..60).map(|n| old(n, "2022-01-01T00:00:00Z")).collect();
    ioctx.omap_set(OBJECT, records).unwrap();
    let kept = || {
        let keys = ioctx.omap_keys(OBJECT);
        keys.map(|key| key.unwrap().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(kept().len(), 60);
    let list = || service.get("/api/v1/operations?limit=1000").ok();
    assert!(
        list()["Items"]
            .as_array()
            .unwrap()
            .iter()
            .any(|o| o["subject"] == "x/y")
    );
    // Whoever sees them has them swept.
    let all_gone = || kept().is_empty();
    testcluster::wait_until("they are forgotten", Duration::from_secs(20), all_gone).unwrap();
    let soon = "2999-01-01T00:00:00Z";
    let records: Vec<_> = (0..1100).map(|n| old(n, soon)).collect();
    ioctx.omap_set(OBJECT, records).unwrap();
    let operation = ended(&service, &start_short(&service, &pool));
    let few = || kept().len() <= 1001;
    testcluster::wait_until("the oldest are forgotten", Duration::from_secs(20), few).unwrap();
    assert!(!kept().contains(&old(0, soon).0));
    assert!(kept().contains(&old(1099, soon).0));
    assert!(list()["Items"].as_array().unwrap().contains(&operation));
}
