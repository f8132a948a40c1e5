//! Keys that make it safe to send a request again.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};
use ureq::http::{Request, StatusCode};

use crate::common::{Answer, Pool, Service, cluster, rbd};

const OBJECT: &str = "rbd_rest_api.idempotency";

fn create(service: &Service, pool: &Pool, key: &str, new: &Value) -> Answer {
    let request = Request::post(format!("{}{}", service.url, pool.path("/images")))
        .header("Content-Type", "application/json")
        .header("Idempotency-Key", key)
        .body(new.to_string())
        .unwrap();
    Answer::read(service.agent().run(request).unwrap())
}

fn replayed(answer: &Answer) -> bool {
    answer.headers.contains_key("idempotency-replayed")
}

/// The record of a key, which the tests change as a service that dies leaves it.
struct Record<'a> {
    pool: &'a Pool,
    key: String,
}

impl<'a> Record<'a> {
    fn of(pool: &'a Pool, key: &str) -> Self {
        let key = format!("key:{key}");
        Self { pool, key }
    }

    fn rados(&self, args: &[&str]) -> Vec<u8> {
        let mut command = cluster().command("rados");
        let output = command.args(["-p", &self.pool.name]).args(args).output();
        let output = output.unwrap();
        assert!(output.status.success(), "rados {args:?}: {output:?}");
        output.stdout
    }

    fn read(&self) -> Value {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        self.rados(&["getomapval", OBJECT, &self.key, path]);
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    fn write(&self, record: &Value) {
        self.rados(&["setomapval", OBJECT, &self.key, &record.to_string()]);
    }

    fn keys(&self) -> Vec<String> {
        let keys = String::from_utf8(self.rados(&["listomapkeys", OBJECT])).unwrap();
        keys.lines().map(str::to_owned).collect()
    }
}

#[test]
fn a_repeated_request_is_answered_alike_by_every_replica() {
    let pool = Pool::new();
    let (one, other) = (Service::start(), Service::start());
    let new = json!({"name": "a", "size": "1Gi"});
    let first = create(&one, &pool, "k1", &new);
    assert!(!replayed(&first));
    let image = first.json(StatusCode::CREATED);
    // What is meant is compared, not how it is written.
    let same = json!({"size": 1 << 30, "name": "a"});
    for (service, new) in [(&one, &new), (&other, &same)] {
        let again = create(service, &pool, "k1", new);
        assert!(replayed(&again));
        assert_eq!(again.headers["location"], first.headers["location"]);
        assert_eq!(again.json(StatusCode::CREATED), image);
    }
    let another = create(&other, &pool, "k1", &json!({"name": "b", "size": "1Gi"}));
    let problem = another.problem(422);
    assert_eq!(
        problem["type"],
        "urn:rbd-rest-api:problem:idempotency-key-reused"
    );
    create(&other, &pool, "k2", &new).problem(409);
    other.post(&pool.path("/images"), new.clone()).problem(409);
    assert_eq!(rbd(&["ls", &pool.name]), "a\n");

    let elsewhere = Pool::new();
    create(&one, &elsewhere, "k1", &new).json(StatusCode::CREATED);
}

#[test]
fn a_request_that_is_refused_leaves_its_key_free() {
    let (pool, service) = (Pool::new(), Service::start());
    rbd(&["create", &format!("{}/a", pool.name), "--size", "1M"]);
    create(&service, &pool, "k", &json!({"name": "a", "size": 1})).problem(409);
    create(
        &service,
        &pool,
        "k",
        &json!({"name": "b", "size": 1, "data_pool": "none"}),
    )
    .problem(422);
    create(&service, &pool, "k", &json!({"name": "b", "size": 1})).json(StatusCode::CREATED);
}

#[test]
fn keys_are_visible_ascii() {
    let (pool, service) = (Pool::new(), Service::start());
    let new = json!({"name": "a", "size": 1});
    for wrong in ["", "a b", "\u{e4}", &"x".repeat(201)] {
        create(&service, &pool, wrong, &new).problem(422);
    }
    let longest = format!("!{}~", "x".repeat(198));
    create(&service, &pool, &longest, &new).json(StatusCode::CREATED);
}

#[test]
fn replicas_that_race_make_one_image() {
    const ROUNDS: usize = 8;
    let pool = Pool::new();
    let services = [Service::start(), Service::start()];
    for round in 0..ROUNDS {
        let new = json!({"name": format!("image-{round}"), "size": "1Mi"});
        let key = format!("key-{round}");
        let start = Barrier::new(4);
        let answers: Vec<Answer> = thread::scope(|scope| {
            let racers = [0, 1, 0, 1].map(|service| {
                let (services, pool, key, new, start) = (&services, &pool, &key, &new, &start);
                scope.spawn(move || {
                    start.wait();
                    create(&services[service], pool, key, new)
                })
            });
            racers.map(|racer| racer.join().unwrap()).into()
        });
        let ids: Vec<Value> = answers
            .iter()
            .map(|answer| answer.json(StatusCode::CREATED)["id"].clone())
            .collect();
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        assert_eq!(answers.iter().filter(|answer| !replayed(answer)).count(), 1);
    }
    assert_eq!(rbd(&["ls", &pool.name]).lines().count(), ROUNDS);
}

#[test]
fn replicas_that_race_with_two_keys_make_one_image() {
    let pool = Pool::new();
    let services = [Service::start(), Service::start()];
    let new = json!({"name": "a", "size": "1Mi"});
    let start = Barrier::new(2);
    let mut statuses: Vec<u16> = thread::scope(|scope| {
        let racers = [0, 1].map(|n| {
            let (service, pool, new, start) = (&services[n], &pool, &new, &start);
            scope.spawn(move || {
                start.wait();
                create(service, pool, &format!("k{n}"), new).status
            })
        });
        racers.map(|racer| racer.join().unwrap()).into()
    });
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
}

#[test]
fn what_a_dead_process_left_is_completed() {
    let pool = Pool::new();
    let (mut dead, service) = (Service::start(), Service::start());
    let new = json!({"name": "a", "size": "4Mi"});
    let image = create(&dead, &pool, "k", &new).json(StatusCode::CREATED);
    dead.terminate();
    let record = Record::of(&pool, "k");
    let mut left = record.read();
    assert_eq!(left["answer"], image);
    left["answer"] = Value::Null;

    // It had made the image, but not written that down.
    record.write(&left);
    let completed = create(&service, &pool, "k", &new);
    assert_eq!(completed.json(StatusCode::CREATED)["id"], image["id"]);
    assert_eq!(record.read()["answer"]["id"], image["id"]);

    // It had not made the image.
    rbd(&["rm", &format!("{}/a", pool.name), "--no-progress"]);
    record.write(&left);
    let completed = create(&service, &pool, "k", &new).json(StatusCode::CREATED);
    assert_ne!(completed["id"], image["id"]);

    // It had not, and somebody else has.
    rbd(&["rm", &format!("{}/a", pool.name), "--no-progress"]);
    rbd(&["create", &format!("{}/a", pool.name), "--size", "1M"]);
    record.write(&left);
    let exists = create(&service, &pool, "k", &new).problem(409);
    assert_eq!(exists["errno_name"], "EEXIST");
    assert!(record.keys().is_empty(), "{:?}", record.keys());
}

#[test]
fn a_process_may_be_killed_at_any_moment() {
    let (pool, service) = (Pool::new(), Service::start());
    let ioctx = pool.ioctx();
    // When the record is there, when the image has its id, when it is in the directory, when it is made.
    for moment in 0..4 {
        let doomed = Service::start();
        let name = format!("image-{moment}");
        let new = json!({"name": name, "size": "1Mi"});
        let key = format!("key-{moment}");
        let has = |object: &str, key: &str| {
            let value = ioctx.omap_get(object, key);
            value.is_ok_and(|value| value.is_some())
        };
        let has_come = || match moment {
            0 => has(OBJECT, &format!("key:{key}")),
            1 => ioctx.stat(format!("rbd_id.{name}")).is_ok(),
            2 => has("rbd_directory", &format!("name_{name}")),
            _ => rbd::Image::open_read_only(&ioctx, &name).is_ok(),
        };
        thread::scope(|scope| {
            let request = Request::post(format!("{}{}", doomed.url, pool.path("/images")))
                .header("Content-Type", "application/json")
                .header("Idempotency-Key", &key)
                .body(new.to_string())
                .unwrap();
            // It may get its answer or not.
            let sent = scope.spawn(|| drop(doomed.agent().run(request)));
            let start = Instant::now();
            while !has_come() {
                assert!(start.elapsed() < Duration::from_secs(30), "{moment}");
            }
            kill_process(doomed.pid(), Signal::KILL).unwrap();
            sent.join().unwrap();
        });
        let mut answer = create(&service, &pool, &key, &new);
        if answer.status == 409 {
            // It was amid librbd's steps; only later is it taken for dead.
            assert!(moment < 3, "{}", answer.text);
            assert!(answer.headers.contains_key("retry-after"));
            let problem = answer.problem(409);
            assert_eq!(problem["type"], "urn:rbd-rest-api:problem:in-progress");
            let record = Record::of(&pool, &key);
            let mut later = record.read();
            later["at"] = json!(later["at"].as_u64().unwrap() - 61);
            record.write(&later);
            answer = create(&service, &pool, &key, &new);
        }
        let image = answer.json(StatusCode::CREATED);
        let path = pool.path(&format!("/images/{name}"));
        assert_eq!(service.get(&path).ok()["id"], image["id"]);
        let again = create(&service, &pool, &key, &new);
        assert!(replayed(&again));
        assert_eq!(again.json(StatusCode::CREATED), image);
    }
    assert_eq!(rbd(&["ls", &pool.name]).lines().count(), 4);
}

#[test]
fn a_half_made_image_is_made_anew_when_its_maker_is_long_dead() {
    let (pool, service) = (Pool::new(), Service::start());
    let new = json!({"name": "a", "size": "4Mi"});
    let image = create(&service, &pool, "k", &new).json(StatusCode::CREATED);
    let record = Record::of(&pool, "k");
    let mut left = record.read();
    left["answer"] = Value::Null;
    record.write(&left);
    record.rados(&[
        "rm",
        &format!("rbd_header.{}", image["id"].as_str().unwrap()),
    ]);
    let waiting = create(&service, &pool, "k", &new);
    assert!(waiting.headers.contains_key("retry-after"));
    let problem = waiting.problem(409);
    assert_eq!(problem["type"], "urn:rbd-rest-api:problem:in-progress");

    left["at"] = json!(left["at"].as_u64().unwrap() - 61);
    record.write(&left);
    let made = create(&service, &pool, "k", &new).json(StatusCode::CREATED);
    assert_ne!(made["id"], image["id"]);
    assert_eq!(made["size"], 4 << 20);
    assert!(replayed(&create(&service, &pool, "k", &new)));

    // It had not even come into the directory.
    let id = made["id"].as_str().unwrap();
    record.rados(&["rm", &format!("rbd_header.{id}")]);
    for key in ["name_a", &format!("id_{id}")] {
        record.rados(&["rmomapkey", "rbd_directory", key]);
    }
    record.write(&left);
    let again = create(&service, &pool, "k", &new).json(StatusCode::CREATED);
    assert_ne!(again["id"], made["id"]);
    assert_eq!(rbd(&["ls", &pool.name]), "a\n");
}

#[test]
fn keys_are_forgotten_after_a_day() {
    let (pool, service) = (Pool::new(), Service::start());
    let of = |name: &str| json!({"name": name, "size": 1});
    create(&service, &pool, "old", &of("a")).json(StatusCode::CREATED);
    let record = Record::of(&pool, "old");
    let mut old = record.read();
    let time = |record: &Value| format!("time:{:012}:old", record["at"].as_u64().unwrap());
    assert!(record.keys().contains(&time(&old)));
    let age = |old: &mut Value| {
        record.rados(&["rmomapkey", OBJECT, &time(old)]);
        old["at"] = json!(old["at"].as_u64().unwrap() - 25 * 3600);
        record.rados(&["setomapval", OBJECT, &time(old), ""]);
        record.write(old);
    };
    // It may be used anew,
    age(&mut old);
    create(&service, &pool, "old", &of("b")).json(StatusCode::CREATED);
    assert!(!record.keys().contains(&time(&old)));
    // and is removed when another is added.
    let mut old = record.read();
    age(&mut old);
    create(&service, &pool, "new", &of("c")).json(StatusCode::CREATED);
    let keys = record.keys();
    assert_eq!(keys.len(), 2, "{keys:?}");
    assert!(keys.iter().all(|key| key.ends_with(":new")), "{keys:?}");
}
