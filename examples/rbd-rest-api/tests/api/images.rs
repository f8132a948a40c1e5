//! Images.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use testcluster::wait_until;
use ureq::http::StatusCode;

use crate::common::{Pool, Service, rbd};

/// What the command `rbd info` prints of an image or snapshot.
fn info(spec: &str) -> Value {
    serde_json::from_str(&rbd(&["info", spec, "--format", "json"])).unwrap()
}

/// The image is what `rbd info` prints, and in this pool and namespace.
#[track_caller]
fn assert_is(image: &Value, pool: &str, namespace: &str, spec: &str) {
    let mut expected = info(spec);
    expected["pool"] = json!(pool);
    expected["namespace"] = json!(namespace);
    assert_eq!(*image, expected);
}

fn text<'a>(json: &'a Value, key: &str) -> &'a str {
    json[key]
        .as_str()
        .unwrap_or_else(|| panic!("{key} in {json}"))
}

fn names(list: &Value) -> Vec<String> {
    let items = list["Items"].as_array().unwrap().iter();
    items.map(|item| text(item, "name").to_owned()).collect()
}

#[test]
fn an_image_is_what_rbd_info_prints() {
    let (pool, service) = (Pool::new(), Service::start());
    let new = json!({"name": "disk 1", "size": "1.5G", "features": ["layering", "exclusive-lock"]});
    let made = service.post(&pool.path("/images"), new);
    let location = made.headers["location"].to_str().unwrap();
    assert_eq!(location, pool.path("/images/disk%201"));
    let made_image = made.json(StatusCode::CREATED);
    assert_eq!(made_image["size"], 1_431 << 20); // up to MiB
    let spec = format!("{}/disk 1", pool.name);
    let image = service.get(location).ok();
    assert_eq!(image, made_image);
    assert_is(&image, &pool.name, "", &spec);
    assert_eq!(image["features"], json!(["layering", "exclusive-lock"]));

    rbd(&["snap", "create", &format!("{spec}@s"), "--no-progress"]);
    rbd(&["snap", "protect", &format!("{spec}@s")]);
    rbd(&["resize", &spec, "--size", "2G", "--no-progress"]);
    let snapshot = service.get(&format!("{location}?snapshot=s")).ok();
    assert_is(&snapshot, &pool.name, "", &format!("{spec}@s"));
    assert_eq!(snapshot["size"], 1_431 << 20);
    rbd(&[
        "clone",
        &format!("{spec}@s"),
        &format!("{}/clone", pool.name),
    ]);
    let clone = service.get(&pool.path("/images/clone")).ok();
    assert_is(&clone, &pool.name, "", &format!("{}/clone", pool.name));
    assert_eq!(clone["parent"]["snapshot"], "s");

    let none = service.get(&format!("{location}?snapshot=t"));
    assert_eq!(none.problem(404)["errno_name"], "ENOENT");
    service.get(&pool.path("/images/disk2")).problem(404);
    service.get("/api/v1/pools/none/images/disk1").problem(404);
}

#[test]
fn what_an_image_is_made_of_is_chosen() {
    let (pool, service) = (Pool::new(), Service::start());
    let path = pool.path("/images");
    let make = |new: Value| service.post(&path, new).json(StatusCode::CREATED);
    let plain = make(json!({"name": "plain", "size": 0, "features": [], "order": 20}));
    assert_eq!(plain["features"], json!([]));
    assert_eq!((&plain["order"], &plain["size"]), (&json!(20), &json!(0)));
    rbd(&["create", &format!("{}/as-ever", pool.name), "--size", "1"]);
    let default = make(json!({"name": "default", "size": 1}));
    let expected = info(&format!("{}/as-ever", pool.name));
    assert_eq!(default["features"], expected["features"]);
    assert_eq!(default["size"], 1 << 20);
    let data = Pool::new();
    let striped = make(json!({
        "name": "striped", "size": "8Mi", "object_size": "1Mi", "stripe_unit": "64Ki", "stripe_count": 4,
        "data_pool": data.name,
    }));
    assert_is(&striped, &pool.name, "", &format!("{}/striped", pool.name));
    assert_eq!(striped["data_pool"], *data.name);
    assert_eq!(striped["stripe_count"], 4);

    for (new, expected) in [
        (json!({"order": 11}), "12..=25"),
        (json!({"order": 26}), "12..=25"),
        (json!({"object_size": "3Mi"}), "12..=25"),
        (
            json!({"order": 22, "object_size": "4Mi"}),
            "order and object_size",
        ),
        (json!({"features": ["flying"]}), "exclusive-lock"),
        (
            json!({"features": ["layering,exclusive-lock"]}),
            "not one feature",
        ),
        (json!({"features": ["fast-diff"]}), "needs object-map"),
        (json!({"stripe_unit": 4096}), "stripe_count"),
        (
            json!({"stripe_unit": 4097, "stripe_count": 2}),
            "must divide the object size",
        ),
        (json!({"data_pool": "none"}), "no data pool none"),
        (json!({"size": "9223372036854775807"}), "2^63 - 1"),
        (json!({"size": "1 GB"}), "is no quantity"),
        (json!({"sise": 1}), "sise"),
    ] {
        let mut all = json!({"name": "wrong", "size": "1Gi"});
        let all_fields = all.as_object_mut().unwrap();
        all_fields.extend(new.as_object().unwrap().clone());
        let problem = service.post(&path, all).problem(422);
        assert!(text(&problem, "detail").contains(expected), "{problem}");
    }
    let again = service.post(&path, json!({"name": "plain", "size": 0}));
    assert_eq!(again.problem(409)["errno_name"], "EEXIST");
    assert!(!rbd(&["ls", &pool.name]).contains("wrong"));
}

#[test]
fn an_image_grows_and_shrinks_only_if_told_to() {
    let (pool, service) = (Pool::new(), Service::start());
    rbd(&["create", &format!("{}/a", pool.name), "--size", "8M"]);
    let path = pool.path("/images/a/resize");
    let size = || info(&format!("{}/a", pool.name))["size"].as_u64().unwrap();
    let grown = service.post(&path, json!({"size": "15.5Mi"})).ok();
    assert_is(&grown, &pool.name, "", &format!("{}/a", pool.name));
    assert_eq!(size(), 16 << 20);
    for smaller in [
        json!({"size": "1Mi"}),
        json!({"size": "16Mi", "allow_shrink": true}),
    ] {
        assert_eq!(service.post(&path, smaller).ok()["size"], 16 << 20);
    }
    assert_eq!(size(), 16 << 20);
    let shrinking = service.post(&path, json!({"size": "2Mi", "allow_shrink": true}));
    let operation = shrinking.json(StatusCode::ACCEPTED);
    assert_eq!(operation["kind"], "resize");
    assert_eq!(operation["subject"], format!("{}/a", pool.name));
    let location = shrinking.headers["location"].to_str().unwrap();
    assert_eq!(
        location,
        format!("/api/v1/operations/{}", text(&operation, "id"))
    );
    let within = Duration::from_secs(30);
    wait_until("the image is small", within, || size() == 2 << 20).unwrap();
    service
        .post(&pool.path("/images/b/resize"), json!({"size": 1}))
        .problem(404);
}

#[test]
fn an_image_is_renamed() {
    let (pool, service) = (Pool::new(), Service::start());
    for name in ["a", "b"] {
        rbd(&["create", &format!("{}/{name}", pool.name), "--size", "1M"]);
    }
    let renamed = service.post(&pool.path("/images/a/rename"), json!({"name": "c"}));
    assert_is(&renamed.ok(), &pool.name, "", &format!("{}/c", pool.name));
    service
        .post(&pool.path("/images/a/rename"), json!({"name": "d"}))
        .problem(404);
    for name in ["b", "c"] {
        service
            .post(&pool.path("/images/c/rename"), json!({"name": name}))
            .problem(409);
    }
    service
        .post(&pool.path("/images/c/rename"), json!({"name": "x/y"}))
        .problem(422);
    assert_eq!(rbd(&["ls", &pool.name]), "b\nc\n");
}

#[test]
fn usage_is_what_rbd_du_prints() {
    let (pool, service) = (Pool::new(), Service::start());
    let spec = format!("{}/a", pool.name);
    rbd(&["create", &spec, "--size", "20M"]);
    let write = [
        "bench",
        &spec,
        "--io-type",
        "write",
        "--io-size",
        "4M",
        "--io-threads",
        "1",
    ];
    rbd(&[&write[..], &["--io-total", "8M"]].concat());
    rbd(&["snap", "create", &format!("{spec}@s"), "--no-progress"]);
    rbd(&[&write[..], &["--io-total", "4M"]].concat());
    let usage = service.get(&pool.path("/images/a/usage")).ok();
    let printed = rbd(&["du", &spec, "--format", "json"]);
    let printed: Value = serde_json::from_str(&printed).unwrap();
    let images = printed["images"].as_array().unwrap();
    let of = |snapshot: Option<&str>| {
        let found = images.iter().find(|i| i["snapshot"].as_str() == snapshot);
        found.unwrap_or_else(|| panic!("{snapshot:?} in {printed}"))
    };
    assert_eq!(usage["provisioned_bytes"], of(None)["provisioned_size"]);
    assert_eq!(usage["used_bytes"], of(None)["used_size"]);
    assert_eq!(usage["snapshots"][0]["name"], "s");
    assert_eq!(
        usage["snapshots"][0]["used_bytes"],
        of(Some("s"))["used_size"]
    );
    assert_eq!(usage["total_used_bytes"], 12 << 20);
    rbd(&["create", &format!("{}/empty", pool.name), "--size", "0"]);
    let empty = service.get(&pool.path("/images/empty/usage")).ok();
    assert_eq!(empty["total_used_bytes"], 0);
    service.get(&pool.path("/images/b/usage")).problem(404);
}

#[test]
fn an_image_is_removed_unless_it_is_in_use() {
    let (pool, service) = (Pool::new(), Service::start());
    let (spec, path) = (format!("{}/a", pool.name), pool.path("/images/a"));
    assert_eq!(service.delete(&path).problem(404)["errno_name"], "ENOENT");
    rbd(&["create", &spec, "--size", "8M"]);
    rbd(&["snap", "create", &format!("{spec}@s"), "--no-progress"]);
    let problem = service.delete(&path).problem(409);
    assert!(
        text(&problem, "detail").contains("1 snapshots"),
        "{problem}"
    );
    rbd(&["snap", "rm", &format!("{spec}@s"), "--no-progress"]);
    let group = format!("{}/g", pool.name);
    rbd(&["group", "create", &group]);
    rbd(&["group", "image", "add", &group, &spec]);
    let problem = service.delete(&path).problem(409);
    assert!(
        text(&problem, "detail").contains("in the group g"),
        "{problem}"
    );
    rbd(&["group", "image", "remove", &group, &spec]);
    let open = rbd::Image::open(&pool.ioctx(), "a").unwrap();
    let problem = service.delete(&path).problem(409);
    assert!(
        text(&problem, "detail").contains("open elsewhere"),
        "{problem}"
    );
    open.close().unwrap();
    service
        .delete(&format!("{path}?delay_seconds=1"))
        .problem(422);
    let operation = service.delete(&path).json(StatusCode::ACCEPTED);
    assert_eq!(operation["kind"], "remove_image");
    assert_eq!(operation["subject"], *spec);
    let gone = || rbd(&["ls", &pool.name]).is_empty();
    wait_until("the image is gone", Duration::from_secs(30), gone).unwrap();
    service.get(&path).problem(404);
}

#[test]
fn a_removal_that_broke_off_goes_on() {
    let (pool, service) = (Pool::new(), Service::start());
    let ioctx = pool.ioctx();
    rbd::create(&ioctx, "a", 1 << 30).unwrap();
    let broken = rbd::remove_with_progress(&ioctx, "a", |_, _| std::ops::ControlFlow::Break(()));
    assert_eq!(broken.unwrap_err().kind(), rados::ErrorKind::Canceled);
    let list = service.get(&pool.path("/images?details=true")).ok();
    assert_eq!(list["Items"][0]["name"], "a");
    assert_eq!(list["Items"][0]["problem"]["status"], 404, "{list}");
    let removal = service.delete(&pool.path("/images/a"));
    assert_eq!(removal.status, 202, "{}", removal.text);
    let gone = || service.get(&pool.path("/images")).ok()["Items"] == json!([]);
    wait_until("the image is gone", Duration::from_secs(30), gone).unwrap();
}

#[test]
fn a_list_has_pages_prefixes_and_details() {
    let (pool, service) = (Pool::new(), Service::start());
    let images = ["a1", "a2", "b&c", "b1", "c"];
    for name in images.iter().rev() {
        rbd(&["create", &format!("{}/{name}", pool.name), "--size", "1M"]);
    }
    let list = service.get(&pool.path("/images")).ok();
    assert_eq!(list["Kind"], "ImageList");
    assert_eq!(names(&list), images);
    assert_eq!(list.get("Continue"), None);
    let id = info(&format!("{}/a1", pool.name))["id"].clone();
    assert_eq!(list["Items"][0], json!({"name": "a1", "id": id}));

    let first = service.get(&pool.path("/images?limit=3&prefix=")).ok();
    assert_eq!(names(&first), images[..3]);
    let token = text(&first, "Continue").to_owned();
    rbd(&["rm", &format!("{}/b&c", pool.name), "--no-progress"]);
    let second = service
        .get(&pool.path(&format!("/images?limit=3&continue={token}")))
        .ok();
    assert_eq!(names(&second), images[3..]);
    assert_eq!(second.get("Continue"), None);
    assert_eq!(
        names(&service.get(&pool.path("/images?prefix=a")).ok()),
        images[..2]
    );
    assert_eq!(
        service.get(&pool.path("/images?prefix=x")).ok()["Items"],
        json!([])
    );

    let details = service
        .get(&pool.path("/images?prefix=a&details=true&limit=1"))
        .ok();
    assert_is(
        &details["Items"][0],
        &pool.name,
        "",
        &format!("{}/a1", pool.name),
    );
    assert!(details["Continue"].is_string());
    for wrong in [
        "limit=0",
        "limit=1001",
        "limit=101&details=true",
        "limit=x",
        "continue=x",
        "continue=ff",
    ] {
        service
            .get(&pool.path(&format!("/images?{wrong}")))
            .problem(422);
    }
    service.get("/api/v1/pools/none/images").problem(404);
}

/// Entries of so many images in the pool's directory, without the images: a listing does not look at more.
fn fill(ioctx: &rados::IoCtx, count: usize) {
    let encoded = |text: &str| {
        let len = u32::try_from(text.len()).unwrap();
        [&len.to_le_bytes()[..], text.as_bytes()].concat()
    };
    let entries: Vec<_> = (0..count)
        .flat_map(|n| {
            let (name, id) = (format!("image-{n:05}"), format!("{n:x}f00d"));
            [
                (format!("name_{name}"), encoded(&id)),
                (format!("id_{id}"), encoded(&name)),
            ]
        })
        .collect();
    for part in entries.chunks(4000) {
        let part = part.iter().map(|(key, value)| (key, value));
        ioctx.omap_set("rbd_directory", part).unwrap();
    }
}

#[test]
fn ten_thousand_images_are_listed_while_others_come_and_go() {
    const COUNT: usize = 10_000;
    let (pool, service) = (Pool::new(), Service::start());
    let ioctx = pool.ioctx();
    fill(&ioctx, COUNT);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        // Names before, among and after the others.
        let churn = scope.spawn(|| {
            let mut count = 0;
            while !done.load(Ordering::Relaxed) {
                for name in ["a", "image-05000-b", "z"] {
                    rbd::create(&ioctx, name, 1 << 20).unwrap();
                }
                for name in ["z", "a", "image-05000-b"] {
                    rbd::remove(&ioctx, name).unwrap();
                }
                count += 1;
            }
            count
        });
        for limit in [1000, 701] {
            let mut seen = Vec::new();
            let mut token = String::new();
            loop {
                let page = service
                    .get(&pool.path(&format!("/images?limit={limit}{token}")))
                    .ok();
                seen.extend(names(&page));
                match page["Continue"].as_str() {
                    Some(next) => {
                        assert_eq!(page["Items"].as_array().unwrap().len(), limit);
                        token = format!("&continue={next}");
                    }
                    None => break,
                }
            }
            let distinct: BTreeSet<_> = seen.iter().cloned().collect();
            assert_eq!(distinct.len(), seen.len(), "an image is listed twice");
            assert!(seen.is_sorted());
            for n in 0..COUNT {
                assert!(distinct.contains(&format!("image-{n:05}")), "{n}");
            }
        }
        done.store(true, Ordering::Relaxed);
        assert!(churn.join().unwrap() > 0);
    });
}
