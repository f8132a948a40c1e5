//! Groups and their snapshots.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rbd::{ErrorKind, GroupImageState, GroupSnapState, Image, OpenOptions};

use crate::common::*;
use crate::rbd_common::*;

/// Makes a group with these images, each of 4 MiB, open.
fn group(pool: &Pool, group: &str, images: &[&str]) -> Vec<Image> {
    rbd::group_create(pool, group).unwrap();
    let add = |&name: &&str| {
        let image = image(pool, name, 4 * MIB);
        rbd::group_image_add(pool, group, pool, name).unwrap();
        image
    };
    images.iter().map(add).collect()
}

fn snapshots(pool: &Pool, group: &str) -> Vec<String> {
    let snaps = rbd::group_snap_list(pool, group).unwrap();
    assert!(snaps.iter().all(|s| s.state == GroupSnapState::Complete));
    snaps.into_iter().map(|snap| snap.name).collect()
}

/// What the `rbd` command lists, one a line.
fn listed(words: &str) -> Vec<String> {
    let text = rbd_cmd(words);
    text.lines()
        .map(|line| line.trim_end().to_owned())
        .collect()
}

#[test]
fn groups_come_are_renamed_and_go() {
    if !has("group") {
        return;
    }
    let pool = Pool::new();
    assert_eq!(rbd::group_list(&pool).unwrap(), Vec::<String>::new());
    rbd::group_create(&pool, "b").unwrap();
    let text = fails(rbd::group_create(&pool, "b"), ErrorKind::AlreadyExists);
    assert!(text.contains(&format!("{}/b", pool.name)), "{text}");
    rbd::group_create(&pool, "ä group").unwrap();
    assert_eq!(rbd::group_list(&pool).unwrap(), ["b", "ä group"]);
    let theirs = listed(&format!("group ls {}", pool.name));
    assert_eq!(theirs, ["b", "ä group"]);

    rbd::group_rename(&pool, "ä group", "a").unwrap();
    fails(rbd::group_rename(&pool, "a", "b"), ErrorKind::AlreadyExists);
    fails(rbd::group_rename(&pool, "none", "c"), ErrorKind::NotFound);
    assert_eq!(rbd::group_list(&pool).unwrap(), ["a", "b"]);
    rbd::group_remove(&pool, "b").unwrap();
    fails(rbd::group_remove(&pool, "b"), ErrorKind::NotFound);
    assert_eq!(rbd::group_list(&pool).unwrap(), ["a"]);
}

#[test]
fn a_long_list_of_groups_is_whole() {
    if !has("group") {
        return;
    }
    let pool = Pool::new();
    let names: Vec<_> = (0..40)
        .map(|n| format!("{n:02}-{}", "g".repeat(100)))
        .collect();
    for name in &names {
        rbd::group_create(&pool, name).unwrap();
    }
    assert_eq!(rbd::group_list(&pool).unwrap(), names);
}

#[test]
fn bad_names_are_refused() {
    if !has("group") {
        return;
    }
    let pool = Pool::new();
    group(&pool, "group", &["image"]);
    for name in ["", "a\0b"] {
        let kind = ErrorKind::InvalidArgument;
        fails(rbd::group_create(&pool, name), kind);
        fails(rbd::group_remove(&pool, name), kind);
        fails(rbd::group_rename(&pool, name, "b"), kind);
        fails(rbd::group_rename(&pool, "group", name), kind);
        fails(rbd::group_image_add(&pool, name, &pool, "image"), kind);
        fails(rbd::group_image_add(&pool, "group", &pool, name), kind);
        fails(rbd::group_image_remove(&pool, "group", &pool, name), kind);
        let removed = rbd::group_image_remove_by_id(&pool, "group", &pool, name);
        fails(removed, kind);
        fails(rbd::group_image_list(&pool, name), kind);
        fails(rbd::group_snap_list(&pool, name), kind);
        fails(rbd::group_snap_create(&pool, name, "snap"), kind);
        fails(rbd::group_snap_create(&pool, "group", name), kind);
        fails(rbd::group_snap_remove(&pool, "group", name), kind);
        fails(rbd::group_snap_rename(&pool, "group", name, "b"), kind);
        fails(rbd::group_snap_rename(&pool, "group", "a", name), kind);
        fails(rbd::group_snap_rollback(&pool, "group", name), kind);
    }
}

#[test]
fn images_of_several_pools_join_and_leave_a_group() {
    if !has("group") {
        return;
    }
    let (pool, other) = (Pool::new(), Pool::new());
    group(&pool, "group", &[]);
    assert_eq!(rbd::group_image_list(&pool, "group").unwrap(), []);
    fails(rbd::group_image_list(&pool, "none"), ErrorKind::NotFound);
    let one = image(&pool, "one", MIB);
    let two = image(&other, "two", MIB);
    rbd::group_image_add(&pool, "group", &pool, "one").unwrap();
    rbd::group_image_add(&pool, "group", &other, "two").unwrap();
    let mut images = rbd::group_image_list(&pool, "group").unwrap();
    images.sort_by(|a, b| a.name.cmp(&b.name));
    let seen: Vec<_> = images
        .iter()
        .map(|image| (&*image.name, image.pool_id, image.state))
        .collect();
    let attached = GroupImageState::Attached;
    let expected = [
        ("one", pool.pool_id().unwrap(), attached),
        ("two", other.pool_id().unwrap(), attached),
    ];
    assert_eq!(seen, expected);
    let mut theirs = listed(&format!("group image list {}/group", pool.name));
    theirs.sort();
    let mut specs = [format!("{}/one", pool.name), format!("{}/two", other.name)];
    specs.sort();
    assert_eq!(theirs, specs);
    assert_eq!(two.group().unwrap().unwrap().name, "group");

    group(&pool, "second", &[]);
    let added = rbd::group_image_add(&pool, "second", &pool, "one");
    fails(added, ErrorKind::AlreadyExists);
    let not_found = ErrorKind::NotFound;
    fails(
        rbd::group_image_add(&pool, "group", &pool, "none"),
        not_found,
    );
    fails(rbd::group_image_add(&pool, "none", &pool, "one"), not_found);
    let apart = pool.with_namespace("apart").unwrap();
    let text = fails(
        rbd::group_image_add(&pool, "group", &apart, "one"),
        ErrorKind::InvalidArgument,
    );
    assert!(text.contains("one namespace"), "{text}");

    rbd::group_image_remove(&pool, "group", &pool, "one").unwrap();
    assert_eq!(one.group().unwrap(), None);
    let removed = rbd::group_image_remove(&pool, "none", &pool, "one");
    fails(removed, not_found);
    let removed = rbd::group_image_remove(&pool, "group", &pool, "none");
    fails(removed, not_found);
    rbd::group_image_add(&pool, "second", &pool, "one").unwrap();
    let id = one.id().unwrap();
    for removed in [
        rbd::group_image_remove(&pool, "group", &pool, "one"),
        rbd::group_image_remove_by_id(&pool, "group", &pool, &id),
    ] {
        let text = fails(removed, not_found);
        assert!(text.contains("/second"), "{text}");
    }
    assert_eq!(one.group().unwrap().unwrap().name, "second");
    assert_eq!(rbd::group_image_list(&pool, "second").unwrap().len(), 1);
    one.close().unwrap();
    let text = fails(rbd::remove(&pool, "one"), ErrorKind::Other);
    assert!(
        text.contains("EMLINK") && text.contains("in a group"),
        "{text}"
    );
    let id = two.id().unwrap();
    rbd::group_image_remove_by_id(&pool, "group", &other, &id).unwrap();
    assert_eq!(two.group().unwrap(), None);
    let removed = rbd::group_image_remove_by_id(&pool, "none", &other, &id);
    fails(removed, not_found);
    assert_eq!(rbd::group_image_list(&pool, "group").unwrap(), []);
}

#[test]
fn snapshots_of_a_group_come_are_renamed_and_go() {
    if !has("group") {
        return;
    }
    let pool = Pool::new();
    let images = group(&pool, "group", &["one", "two"]);
    assert_eq!(rbd::group_snap_list(&pool, "group").unwrap(), []);
    let not_found = ErrorKind::NotFound;
    fails(rbd::group_snap_list(&pool, "none"), not_found);
    fails(rbd::group_snap_create(&pool, "none", "snap"), not_found);
    rbd::group_snap_create(&pool, "group", "snap").unwrap();
    let text = fails(
        rbd::group_snap_create(&pool, "group", "snap"),
        ErrorKind::AlreadyExists,
    );
    assert!(
        text.contains(&format!("{}/group@snap", pool.name)),
        "{text}"
    );
    let theirs = rbd_json(&format!("group snap ls {}/group", pool.name));
    assert_eq!(theirs[0]["snapshot"], "snap");
    assert_eq!(snapshots(&pool, "group"), ["snap"]);

    rbd::group_snap_create(&pool, "group", "second").unwrap();
    let exists = ErrorKind::AlreadyExists;
    for to in ["second", "snap"] {
        fails(rbd::group_snap_rename(&pool, "group", "snap", to), exists);
    }
    fails(
        rbd::group_snap_rename(&pool, "group", "none", "x"),
        not_found,
    );
    rbd::group_snap_rename(&pool, "group", "snap", "first").unwrap();
    let mut names = snapshots(&pool, "group");
    names.sort();
    assert_eq!(names, ["first", "second"]);
    rbd::group_snap_remove(&pool, "group", "first").unwrap();
    fails(rbd::group_snap_remove(&pool, "group", "first"), not_found);
    assert_eq!(snapshots(&pool, "group"), ["second"]);
    assert_eq!(images[0].snap_list().unwrap().len(), 1);

    rbd::group_remove(&pool, "group").unwrap();
    assert_eq!(images[0].snap_list().unwrap(), []);
    assert_eq!(images[0].group().unwrap(), None);
}

#[test]
fn a_snapshot_of_an_image_tells_its_group() {
    if !has("group") {
        return;
    }
    let pool = Pool::new();
    let images = group(&pool, "group", &["image"]);
    let image = &images[0];
    image.write_all_at(b"then", 0).unwrap();
    image.snap_create("own").unwrap();
    rbd::group_snap_create(&pool, "group", "snap").unwrap();
    let snaps = image.snap_list().unwrap();
    let [own, of_group] = &*snaps else {
        panic!("{snaps:?}")
    };
    let found = image.snap_group_namespace(of_group.id).unwrap();
    assert_eq!(found.pool_id, pool.pool_id().unwrap());
    assert_eq!((&*found.group, &*found.snapshot), ("group", "snap"));
    assert!(of_group.name.starts_with(".group."), "{of_group:?}");

    fails(
        image.snap_group_namespace(own.id),
        ErrorKind::InvalidArgument,
    );
    fails(image.snap_group_namespace(12345), ErrorKind::NotFound);
    image.write_all_at(b"now", 0).unwrap();
    let mut then = Image::open_read_only(&pool, "image").unwrap();
    then.snap_set_by_id(of_group.id).unwrap();
    assert_eq!(bytes_at(&then, 0, 4), b"then");
    // Names are for what users have taken.
    let opened = OpenOptions::new()
        .snapshot(&of_group.name)
        .open(&pool, "image");
    fails(opened, ErrorKind::NotFound);
    fails(image.snap_remove(&of_group.name), ErrorKind::NotFound);
}

#[test]
fn what_writers_wrote_is_in_a_snapshot_at_one_moment_and_comes_back() {
    if !has("group") {
        return;
    }
    const BLOCK: u64 = 4096;
    let pool = Pool::new();
    let names = ["one", "two", "three"];
    let images = group(&pool, "group", &names);
    let stop = AtomicBool::new(false);
    let rounds = AtomicU64::new(0);
    let number_in = |image: &Image| {
        let bytes = bytes_at(image, 0, BLOCK as usize);
        u64::from_le_bytes(bytes[..8].try_into().unwrap())
    };
    std::thread::scope(|scope| {
        // A number goes to the images in turn: at no moment does an earlier one have less than a later one, nor
        // by more than one more.
        scope.spawn(|| {
            for round in 1.. {
                for image in &images {
                    let block: Vec<_> = u64::to_le_bytes(round).repeat(512);
                    image.write_all_at(&block, 0).unwrap();
                }
                rounds.store(round, Ordering::Relaxed);
                if stop.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        for (snapshot, past) in [("first", 5), ("second", 50)] {
            poll("the writer", || rounds.load(Ordering::Relaxed) >= past);
            rbd::group_snap_create(&pool, "group", snapshot).unwrap();
        }
        stop.store(true, Ordering::Relaxed);
    });
    let last = rounds.load(Ordering::Relaxed);
    assert!(images.iter().all(|image| number_in(image) == last));
    drop(images);

    let mut restored = Vec::new();
    for snapshot in ["first", "second"] {
        let mut seen = Seen::default();
        rbd::group_snap_rollback_with_progress(&pool, "group", snapshot, seen.recorder()).unwrap();
        assert!(
            !seen.steps.is_empty() && !seen.on_callers_thread,
            "{seen:?}"
        );
        let number = |name| number_in(&Image::open_read_only(&pool, name).unwrap());
        let numbers = names.map(number);
        let [one, two, three] = numbers;
        assert!(
            one >= two && two >= three && three + 1 >= one,
            "{numbers:?}"
        );
        restored.push(one);
        for (name, number) in names.iter().zip(&numbers) {
            let bytes = exported(&format!("{}/{name}", pool.name));
            assert_eq!(bytes[..8], u64::to_le_bytes(*number));
        }
    }
    assert!(5 <= restored[0] && restored[0] < restored[1] && restored[1] <= last);
}

#[test]
fn a_rollback_says_what_it_cannot_and_whether_it_stops() {
    if !has("group") {
        return;
    }
    let pool = Pool::new();
    let images = group(&pool, "group", &["one", "two"]);
    rbd::group_snap_create(&pool, "group", "snap").unwrap();
    let not_found = ErrorKind::NotFound;
    fails(rbd::group_snap_rollback(&pool, "none", "snap"), not_found);
    fails(rbd::group_snap_rollback(&pool, "group", "none"), not_found);
    for image in &images {
        image.write_all_at(&pattern(1, MIB as usize), 0).unwrap();
    }
    let mut calls = 0;
    let broken = rbd::group_snap_rollback_with_progress(&pool, "group", "snap", |_, _| {
        calls += 1;
        ControlFlow::Break(())
    });
    assert_eq!(calls, 1);
    fails(broken, ErrorKind::Canceled);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        rbd::group_snap_rollback_with_progress(&pool, "group", "snap", |_, _| panics_quietly())
    }));
    assert_eq!(panicked.unwrap_err().downcast_ref(), Some(&ON_PURPOSE));
    rbd::group_snap_rollback(&pool, "group", "snap").unwrap();
    assert!(images.iter().all(|image| all_zero(&content(image))));

    // What has left the group since comes back as well, or the library refuses.
    rbd::group_image_remove(&pool, "group", &pool, "two").unwrap();
    for image in &images {
        image.write_all_at(b"later", 0).unwrap();
    }
    match rbd::group_snap_rollback(&pool, "group", "snap") {
        Ok(()) => {
            assert!(release() < 18);
            assert!(images.iter().all(|image| all_zero(&content(image))));
        }
        refused => drop(fails(refused, ErrorKind::InvalidArgument)),
    }
}

#[test]
fn clients_of_all_images_are_asked_to_quiesce() {
    use rbd::{Errno, Quiesce, QuiesceEvent};

    if !has("quiesce") {
        return;
    }
    let pool = Pool::new();
    let images = group(&pool, "group", &["one", "two"]);
    let asking = Quiesce::Ask;
    let mut watches = images
        .iter()
        .map(|image| image.quiesce_watch().unwrap())
        .collect::<Vec<_>>();
    rbd::group_snap_create_with(&pool, "group", "skip", Quiesce::Skip).unwrap();
    let ignoring = Quiesce::Try;
    for (name, flags, answer) in [
        ("good", asking, Ok(())),
        ("bad", asking, Err(Errno::new(libc::EIO))),
        ("ignored", ignoring, Err(Errno::new(libc::EIO))),
    ] {
        let taken = std::thread::scope(|scope| {
            let taking = scope.spawn(|| rbd::group_snap_create_with(&pool, "group", name, flags));
            for watch in &mut watches {
                match watch.recv_timeout(Duration::from_secs(60)).unwrap() {
                    Some(QuiesceEvent::Quiesce(token)) => token.complete(answer),
                    other => panic!("{other:?}"),
                }
            }
            for watch in &mut watches {
                match watch.recv_timeout(Duration::from_secs(60)).unwrap() {
                    Some(QuiesceEvent::Unquiesce) => {}
                    other => panic!("{other:?}"),
                }
            }
            taking.join().unwrap()
        });
        match name {
            "bad" => drop(fails(taken, ErrorKind::Io)),
            _ => taken.unwrap(),
        }
    }
    let again = rbd::group_snap_create_with(&pool, "group", "skip", Quiesce::Skip);
    fails(again, ErrorKind::AlreadyExists);
    let mut names = snapshots(&pool, "group");
    names.sort();
    assert_eq!(names, ["good", "ignored", "skip"]);
}

#[test]
fn a_snapshot_of_a_group_tells_those_of_its_images() {
    if !has("group-snap-info") {
        return;
    }
    let pool = Pool::new();
    let images = group(&pool, "group", &["one", "two"]);
    let id = rbd::group_get_id(&pool, "group").unwrap();
    assert!(!id.is_empty());
    fails(rbd::group_get_id(&pool, "none"), ErrorKind::NotFound);
    assert_eq!(rbd::group_snap_list2(&pool, "group").unwrap(), []);
    fails(rbd::group_snap_list2(&pool, "none"), ErrorKind::NotFound);
    rbd::group_snap_create(&pool, "group", "snap").unwrap();
    let info = rbd::group_snap_get_info(&pool, "group", "snap").unwrap();
    assert_eq!(info.name, "snap");
    assert_eq!(info.state, GroupSnapState::Complete);
    assert_eq!(info.namespace, rbd::GroupSnapNamespace::User);
    assert_eq!(info.images.len(), 2);
    for of_image in &info.images {
        let number = usize::from(of_image.image == "two");
        let snaps = images[number].snap_list().unwrap();
        assert_eq!(snaps[0].id, of_image.snap_id);
        assert_eq!(snaps[0].name, info.image_snap_name);
        assert_eq!(of_image.pool_id, pool.pool_id().unwrap());
    }
    assert_eq!(rbd::group_snap_list2(&pool, "group").unwrap(), [info]);
    let none = rbd::group_snap_get_info(&pool, "group", "none");
    fails(none, ErrorKind::NotFound);
    for n in 0..70 {
        rbd::group_snap_create(&pool, "group", &n.to_string()).unwrap();
    }
    assert_eq!(rbd::group_snap_list2(&pool, "group").unwrap().len(), 71);
}

#[test]
fn long_lists_of_images_and_snapshots_are_whole() {
    if !has("group") {
        return;
    }
    let pool = Pool::new();
    group(&pool, "group", &["image"]);
    let mut names: Vec<_> = (0..70)
        .map(|n| format!("{n:02}-{}", "s".repeat(200)))
        .collect();
    for name in &names {
        rbd::group_snap_create(&pool, "group", name).unwrap();
    }
    let mut ours = snapshots(&pool, "group");
    ours.sort();
    assert_eq!(ours, names);
    names = (0..70).map(|n| format!("image-{n:02}")).collect();
    for name in &names {
        rbd::create(&pool, name, MIB).unwrap();
        rbd::group_image_add(&pool, "group", &pool, name).unwrap();
    }
    let images = rbd::group_image_list(&pool, "group").unwrap();
    let mut ours: Vec<_> = images.into_iter().map(|image| image.name).collect();
    ours.sort();
    assert_eq!(ours.split_first().unwrap().1, names);
}
