//! Clones, their parents, and flattening.

use std::ops::ControlFlow;

use rados::IoCtx;
use rbd::{ErrorKind, Features, Image, ImageOptions, OpenOptions, Order};

use crate::common::*;
use crate::rbd_common::*;

fn format_2() -> ImageOptions {
    ImageOptions::new().clone_format(2)
}

/// An image of 4 objects, whose first and last have data, with a snapshot `snap` of it.
#[track_caller]
fn parent(pool: &IoCtx, name: &str) -> (Image, Vec<u8>) {
    let options = ImageOptions::new().order(Order::new(16).unwrap());
    options.create(pool, name, 4 << 16).unwrap();
    let image = Image::open(pool, name).unwrap();
    image.write_all_at(&pattern(1, 4096), 100).unwrap();
    image.write_all_at(&pattern(2, 4096), 3 << 16).unwrap();
    image.snap_create("snap").unwrap();
    let bytes = content(&image);
    image.write_all_at(b"after the snapshot", 0).unwrap();
    (image, bytes)
}

#[test]
fn a_clone_begins_as_the_snapshot_and_lives_on_its_own() {
    let pool = Pool::new();
    let (parent, bytes) = parent(&pool, "parent");
    rbd::clone(&pool, "parent", "snap", &pool, "child", &format_2()).unwrap();
    let child = Image::open(&pool, "child").unwrap();
    assert_eq!(content(&child), bytes);
    child.write_all_at(b"own", 200).unwrap();
    assert_eq!(bytes_at(&child, 200, 3), b"own");
    assert_eq!(bytes_at(&parent, 200, 3), bytes[200..203]);
    let info = rbd_json(&format!("info {}/child", pool.name));
    assert_eq!(info["parent"]["image"], "parent");
    assert_eq!(info["parent"]["snapshot"], "snap");
    assert_eq!(info["order"], 16, "as the parent");
}

#[test]
fn options_of_a_clone_are_its_own() {
    let (pool, data) = (Pool::new(), Pool::new());
    let (_parent, bytes) = parent(&pool, "parent");
    let options = format_2()
        .order(Order::new(20).unwrap())
        .features(Features::LAYERING)
        .data_pool(&data.name);
    rbd::clone(&pool, "parent", "snap", &pool, "child", &options).unwrap();
    let child = Image::open(&pool, "child").unwrap();
    assert_eq!(content(&child), bytes);
    let info = rbd_json(&format!("info {}/child", pool.name));
    assert_eq!(info["order"], 20);
    assert_eq!(info["data_pool"], data.name.as_str());
    assert_eq!(
        child.features().unwrap() - Features::OPERATIONS,
        Features::LAYERING | Features::DATA_POOL
    );
}

#[test]
fn clone_format_1_wants_protection_and_format_2_does_not() {
    let pool = Pool::new();
    let (image, _) = parent(&pool, "parent");
    let format_1 = ImageOptions::new().clone_format(1);
    let cloned = rbd::clone(&pool, "parent", "snap", &pool, "one", &format_1);
    let text = fails(cloned, ErrorKind::InvalidArgument);
    assert!(text.contains("must be protected"), "{text}");
    let both = format!("{0}/parent@snap to {0}/one", pool.name);
    assert!(text.contains(&both), "{text}");
    image.snap_protect("snap").unwrap();
    rbd::clone(&pool, "parent", "snap", &pool, "one", &format_1).unwrap();
    rbd::clone(&pool, "parent", "snap", &pool, "two", &format_2()).unwrap();
    let op_features = |name: &str| {
        let info = rbd_json(&format!("info {}/{name}", pool.name));
        info["op_features"].as_array().unwrap().clone()
    };
    assert!(op_features("one").is_empty());
    assert_eq!(op_features("two"), ["clone-child"]);
    fails(image.snap_unprotect("snap"), ErrorKind::Busy);
    rbd::remove(&pool, "one").unwrap();
    image.snap_unprotect("snap").unwrap();
}

#[test]
fn a_snapshot_with_clones_of_format_2_is_kept_until_the_last_is_gone() {
    let pool = Pool::new();
    let (image, bytes) = parent(&pool, "parent");
    rbd::clone(&pool, "parent", "snap", &pool, "child", &format_2()).unwrap();
    image.snap_remove("snap").unwrap();
    assert_eq!(content(&Image::open(&pool, "child").unwrap()), bytes);
    let all = |image: &str| rbd_json(&format!("snap ls --all {}/{image}", pool.name));
    assert_eq!(all("parent")[0]["namespace"]["type"], "trash");
    rbd::remove(&pool, "child").unwrap();
    poll("the snapshot to go", || {
        all("parent").as_array().unwrap().is_empty()
    });
}

#[test]
fn parents_may_be_in_another_pool_or_namespace() {
    if !has("namespace") {
        return;
    }
    let (pool, other) = (Pool::new(), Pool::new());
    let (image, bytes) = parent(&pool, "parent");
    image.snap_protect("snap").unwrap();
    rbd_cmd(&format!("namespace create {}/tenant", other.name));
    let tenant = other.with_namespace("tenant").unwrap();
    rbd::clone(&pool, "parent", "snap", &tenant, "child", &format_2()).unwrap();
    assert_eq!(content(&Image::open(&tenant, "child").unwrap()), bytes);
    let format_1 = ImageOptions::new().clone_format(1);
    rbd::clone(&pool, "parent", "snap", &other, "old", &format_1).unwrap();
    let refused = rbd::clone(&pool, "parent", "snap", &tenant, "old", &format_1).unwrap_err();
    assert_eq!(refused.errno().raw(), 18, "{refused}");
    assert!(refused.to_string().contains("format 2"), "{refused}");
    if !has("image-spec") {
        return;
    }
    let mut children = image.list_children().unwrap();
    children.sort_by_key(|child| child.image.clone());
    let specs: Vec<_> = children
        .iter()
        .map(|child| child.spec().to_string())
        .collect();
    let (here, there) = (&other.name, format!("{}/tenant/child", other.name));
    assert_eq!(specs, [there, format!("{here}/old")]);
    let opened = children[0].spec().open(conn()).unwrap();
    assert_eq!(content(&opened), bytes);
    let parent = opened.parent().unwrap().unwrap();
    assert_eq!(
        (parent.pool, parent.image),
        (pool.name.clone(), "parent".to_owned())
    );
}

#[test]
fn what_cannot_be_cloned_is_refused() {
    let pool = Pool::new();
    let (_image, _) = parent(&pool, "parent");
    let plain = ImageOptions::new().features(Features::empty());
    plain.create(&pool, "plain", MIB).unwrap();
    let snapless = Image::open(&pool, "plain").unwrap();
    snapless.snap_create("snap").unwrap();
    let clone = |parent: &str, snap: &str, name: &str, options: &ImageOptions| {
        rbd::clone(&pool, parent, snap, &pool, name, options)
    };
    let options = format_2();
    fails(clone("none", "snap", "c", &options), ErrorKind::NotFound);
    fails(clone("parent", "none", "c", &options), ErrorKind::NotFound);
    fails(
        clone("parent", "snap", "parent", &options),
        ErrorKind::AlreadyExists,
    );
    let text = fails(
        clone("plain", "snap", "c", &options),
        ErrorKind::Unsupported,
    );
    assert!(text.contains("layering"), "{text}");
    let kind = ErrorKind::InvalidArgument;
    for (parent, snap, name) in [
        ("", "snap", "c"),
        ("parent", "", "c"),
        ("parent", "snap", ""),
        ("p\0", "snap", "c"),
        ("parent", "s\0", "c"),
        ("parent", "snap", "c\0"),
    ] {
        fails(clone(parent, snap, name, &options), kind);
    }
    let text = fails(
        clone("parent", "snap", "c", &ImageOptions::new().clone_format(3)),
        kind,
    );
    assert!(text.contains("only 1 and 2"), "{text}");
    fails(
        clone("parent", "snap", "c", &format_2().flatten(true)),
        kind,
    );
    let missing = format_2().data_pool("no-such-pool");
    fails(clone("parent", "snap", "c", &missing), ErrorKind::NotFound);
    assert_eq!(rbd::list(&pool).unwrap().len(), 2);
}

#[test]
fn a_clone_is_made_of_a_snapshot_by_its_id() {
    if !has("clone4") {
        return;
    }
    let pool = Pool::new();
    let (image, bytes) = parent(&pool, "parent");
    let id = image.snap_list().unwrap()[0].id;
    rbd::clone_by_snap_id(&pool, "parent", id, &pool, "one", &format_2()).unwrap();
    assert_eq!(content(&Image::open(&pool, "one").unwrap()), bytes);
    let missing = rbd::clone_by_snap_id(&pool, "parent", id + 100, &pool, "two", &format_2());
    fails(missing, ErrorKind::NotFound);
    // A group's snapshot has no name to clone it by.
    rbd_cmd(&format!("group create {}/group", pool.name));
    rbd_cmd(&format!("group image add {0}/group {0}/parent", pool.name));
    rbd_cmd(&format!("group snap create {}/group@together", pool.name));
    let of_group = rbd_json(&format!("snap ls --all {}/parent", pool.name));
    let of_group = of_group
        .as_array()
        .unwrap()
        .iter()
        .find(|snap| snap["namespace"]["type"] == "group");
    let id = of_group.unwrap()["id"].as_u64().unwrap();
    rbd::clone_by_snap_id(&pool, "parent", id, &pool, "of-group", &format_2()).unwrap();
    let child = Image::open(&pool, "of-group").unwrap();
    assert_eq!(bytes_at(&child, 0, 5), b"after");
}

#[test]
fn children_and_descendants_are_listed_as_rbd_does() {
    if !has("image-spec") {
        return;
    }
    let pool = Pool::new();
    let (root, _) = parent(&pool, "root");
    root.snap_create("later").unwrap();
    assert_eq!(root.list_children().unwrap(), []);
    // More than fit into the first buffer.
    let many = 70;
    for n in 0..many {
        rbd::clone(
            &pool,
            "root",
            "snap",
            &pool,
            &format!("child{n:02}"),
            &format_2(),
        )
        .unwrap();
    }
    rbd::clone(&pool, "root", "later", &pool, "late", &format_2()).unwrap();
    let child = Image::open(&pool, "child00").unwrap();
    child.snap_create("snap").unwrap();
    rbd::clone(&pool, "child00", "snap", &pool, "grandchild", &format_2()).unwrap();

    let names = |images: Vec<rbd::LinkedImage>| {
        let mut names: Vec<_> = images.into_iter().map(|image| image.image).collect();
        names.sort();
        names
    };
    let mut expected: Vec<_> = (0..many).map(|n| format!("child{n:02}")).collect();
    let at_snap = OpenOptions::new()
        .snapshot("snap")
        .open(&pool, "root")
        .unwrap();
    assert_eq!(names(at_snap.list_children().unwrap()), expected);
    expected.push("late".to_owned());
    let children = root.list_children().unwrap();
    assert!(
        children
            .iter()
            .all(|child| child.pool == pool.name && !child.trash)
    );
    assert!(
        children
            .iter()
            .all(|child| child.pool_id == pool.pool_id().unwrap())
    );
    assert_eq!(names(children), expected);
    expected.insert(many, "grandchild".to_owned());
    assert_eq!(names(root.list_descendants().unwrap()), expected);
    let theirs = rbd_json(&format!("children --descendants {}/root", pool.name));
    assert_eq!(theirs.as_array().unwrap().len(), expected.len());

    if has("trash") {
        rbd::trash_move(&pool, "late", std::time::Duration::ZERO).unwrap();
        let children = root.list_children().unwrap();
        let in_trash: Vec<_> = children.iter().filter(|child| child.trash).collect();
        assert_eq!(in_trash.len(), 1);
        let entry = &rbd::trash_list(&pool).unwrap()[0];
        assert_eq!(
            (&in_trash[0].id, &in_trash[0].image),
            (&entry.id, &"late".to_owned())
        );
    }
}

#[test]
fn a_flattened_clone_needs_its_parent_no_more() {
    let pool = Pool::new();
    let (image, bytes) = parent(&pool, "parent");
    rbd::clone(&pool, "parent", "snap", &pool, "child", &format_2()).unwrap();
    let child = Image::open(&pool, "child").unwrap();
    child.snap_create("of the clone").unwrap();
    let mut seen = Seen::default();
    child.flatten_with_progress(seen.recorder()).unwrap();
    assert!(release() < 16 || !seen.on_callers_thread);
    assert!(
        seen.steps
            .iter()
            .all(|&(done, total)| done <= total && total == 4),
        "{seen:?}"
    );
    assert!(!seen.steps.is_empty());
    assert_eq!(
        rbd_json(&format!("info {}/child", pool.name))["parent"],
        serde_json::Value::Null
    );
    image.snap_remove("snap").unwrap();
    drop(image);
    rbd::remove(&pool, "parent").unwrap();
    assert_eq!(exported(&format!("{}/child", pool.name)), bytes);
    // With deep-flatten, which is on by default, also the snapshot is independent.
    let spec = rbd::ImageSpec::new("child")
        .in_pool(&pool.name)
        .at_snapshot("of the clone");
    assert_eq!(content(&spec.open(conn()).unwrap()), bytes);

    let text = fails(child.flatten(), ErrorKind::InvalidArgument);
    assert!(text.contains("has no parent"), "{text}");
    let read_only = Image::open_read_only(&pool, "child").unwrap();
    fails(read_only.flatten(), ErrorKind::ReadOnly);
}

#[test]
fn flattening_stops_when_told_and_goes_on_later() {
    let pool = Pool::new();
    let options = ImageOptions::new().order(Order::new(12).unwrap());
    options.create(&pool, "parent", 256 << 12).unwrap();
    let image = Image::open(&pool, "parent").unwrap();
    let bytes = pattern(5, 256 << 12);
    image.write_all_at(&bytes, 0).unwrap();
    image.snap_create("snap").unwrap();
    rbd::clone(&pool, "parent", "snap", &pool, "child", &format_2()).unwrap();
    let child = Image::open(&pool, "child").unwrap();
    let mut calls = 0;
    let stopped = child.flatten_with_progress(|done, _| {
        calls += 1;
        assert!(child.size().is_err(), "it would deadlock");
        match done < 20 {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    });
    fails(stopped, ErrorKind::Canceled);
    assert!((20..200).contains(&calls), "{calls}");
    assert_eq!(
        rbd_json(&format!("info {}/child", pool.name))["parent"]["image"],
        "parent"
    );
    assert_eq!(content(&child), bytes);
    child.flatten().unwrap();
    fails(child.flatten(), ErrorKind::InvalidArgument);
    assert_eq!(exported(&format!("{}/child", pool.name)), bytes);
}
