//! How much space images take, and where they are, against what `rbd` says.

use rbd::{DiskUsage, ErrorKind, Image, ImageOptions, ImageSpec, OpenOptions};
use serde_json::{Value, json};

use crate::common::*;
use crate::rbd_common::*;

/// What `rbd du` prints of an image: name of the snapshot or null, provisioned and used bytes.
fn rows(du: &Value, image: &str) -> Vec<Value> {
    let rows = du["images"].as_array().unwrap().iter();
    let rows = rows.filter(|row| row["name"] == image);
    rows.map(|row| json!([row["snapshot"], row["provisioned_size"], row["used_size"]]))
        .collect()
}

fn as_rows(usage: &DiskUsage) -> Vec<Value> {
    let snapshots = usage.snapshots.iter();
    let snapshots = snapshots.map(|snap| json!([snap.name, snap.provisioned, snap.used]));
    snapshots
        .chain([json!([null, usage.provisioned, usage.used])])
        .collect()
}

#[test]
fn images_and_snapshots_take_what_rbd_says() {
    let pool = Pool::new();
    let image = image(&pool, "image", 32 * MIB);
    image
        .write_all_at(&pattern(1, 5000), 4 * MIB - 1000)
        .unwrap();
    image.snap_create("zz").unwrap();
    image.write_all_at(b"x", 4 * MIB).unwrap();
    image.snap_create("aa").unwrap();
    image.resize(40 * MIB, rbd::Shrink::Deny).unwrap();
    image.write_all_at(b"x", 39 * MIB).unwrap();
    image.discard(0, 4 * MIB).unwrap();
    let slow = ImageOptions::new().features(rbd::Features::LAYERING);
    slow.create(&pool, "slow", MIB).unwrap();
    Image::open(&pool, "slow")
        .unwrap()
        .write_all_at(b"x", 100)
        .unwrap();

    let usage = image.disk_usage().unwrap();
    assert_eq!(usage.snapshots[0].used, 8 * MIB);
    let ids: Vec<_> = image
        .snap_list()
        .unwrap()
        .iter()
        .map(|snap| snap.id)
        .collect();
    let ours: Vec<_> = usage.snapshots.iter().map(|snap| snap.id).collect();
    assert_eq!(ours, ids);
    image.flush().unwrap();
    let du = rbd_json(&format!("du --pool {}", pool.name));
    assert_eq!(as_rows(&usage), rows(&du, "image"));
    let exact = rbd_json(&format!("du --exact {}/image", pool.name));
    assert_eq!(
        as_rows(&image.disk_usage_exact().unwrap()),
        rows(&exact, "image")
    );
    let at_snap = OpenOptions::new()
        .snapshot("zz")
        .open(&pool, "image")
        .unwrap();
    assert_eq!(at_snap.disk_usage().unwrap(), usage);

    // With an image of no size `rbd du` aborts (16.2.15).
    rbd::create(&pool, "empty", 0).unwrap();
    let all: Vec<_> = rbd::disk_usage(&pool)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let names: Vec<_> = all.iter().map(|(image, _)| &*image.name).collect();
    assert_eq!(names, ["empty", "image", "slow"]);
    assert_eq!((all[0].1.total_used(), all[0].1.provisioned), (0, 0));
    for (image, usage) in &all[1..] {
        assert_eq!(as_rows(usage), rows(&du, &image.name));
    }
    let used: u64 = all.iter().map(|(_, usage)| usage.total_used()).sum();
    assert_eq!(du["total_used_size"], used);
    let provisioned: u64 = all.iter().map(|(_, usage)| usage.provisioned).sum();
    assert_eq!(du["total_provisioned_size"], provisioned);
}

#[test]
fn snapshots_that_no_user_took_count_as_rbd_counts() {
    let pool = Pool::new();
    let parent = image(&pool, "parent", 16 * MIB);
    parent.write_all_at(b"x", 0).unwrap();
    parent.snap_create("hidden").unwrap();
    let format_2 = ImageOptions::new().clone_format(2);
    rbd::clone(&pool, "parent", "hidden", &pool, "child", &format_2).unwrap();
    parent.snap_remove("hidden").unwrap();
    parent.write_all_at(b"x", 4 * MIB).unwrap();
    parent.snap_create("shown").unwrap();
    let child = Image::open(&pool, "child").unwrap();
    child.write_all_at(b"x", 9 * MIB).unwrap();
    parent.flush().unwrap();
    child.flush().unwrap();
    let du = rbd_json(&format!("du --pool {}", pool.name));
    let usage = parent.disk_usage().unwrap();
    assert_eq!(as_rows(&usage), rows(&du, "parent"));
    assert_eq!(usage.snapshots.len(), 1);
    assert_eq!(as_rows(&child.disk_usage().unwrap()), rows(&du, "child"));
}

#[test]
fn images_that_go_meanwhile_are_left_out() {
    let pool = Pool::new();
    for name in ["a", "b", "c"] {
        rbd::create(&pool, name, MIB).unwrap();
    }
    let mut usages = rbd::disk_usage(&pool).unwrap();
    assert_eq!(usages.next().unwrap().unwrap().0.name, "a");
    rbd::remove(&pool, "b").unwrap();
    assert_eq!(usages.next().unwrap().unwrap().0.name, "c");
    assert!(usages.next().is_none());
    let gone = {
        let pool = Pool::new();
        conn().ioctx(&pool.name).unwrap()
    };
    fails(rbd::disk_usage(&gone), ErrorKind::NotFound);
}

#[test]
fn specs_find_what_they_say() {
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    image.write_all_at(b"old", 0).unwrap();
    image.snap_create("snap").unwrap();
    image.write_all_at(b"new", 0).unwrap();
    let spec: ImageSpec = format!("{}/image", pool.name).parse().unwrap();
    assert_eq!(bytes_at(&spec.open(conn()).unwrap(), 0, 3), b"new");
    let snap: ImageSpec = format!("{}/image@snap", pool.name).parse().unwrap();
    assert_eq!(bytes_at(&snap.open(conn()).unwrap(), 0, 3), b"old");
    let missing = [
        spec.clone().at_snapshot("none"),
        spec.clone().in_namespace("none"),
        spec.in_pool("no-such-pool"),
    ];
    for spec in missing {
        fails(spec.open(conn()), ErrorKind::NotFound);
    }
    // The pool of the option rbd_default_pool.
    let conn = builder()
        .option("rbd_default_pool", &pool.name)
        .connect()
        .unwrap();
    let spec: ImageSpec = "image@snap".parse().unwrap();
    assert_eq!(bytes_at(&spec.open(&conn).unwrap(), 0, 3), b"old");
}
