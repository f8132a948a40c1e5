//! Snapshots.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rbd::{ErrorKind, Image, OpenOptions, SnapRemoveFlags};
use serde_json::Value;

use crate::common::*;
use crate::rbd_common::*;

fn names(image: &Image) -> Vec<String> {
    image
        .snap_list()
        .unwrap()
        .into_iter()
        .map(|snap| snap.name)
        .collect()
}

#[test]
fn a_list_has_every_snapshot_in_the_order_taken() {
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    assert_eq!(image.snap_list().unwrap(), []);
    image.snap_create("zz").unwrap();
    assert_eq!(names(&image), ["zz"]);
    image.resize(2 * MIB, rbd::Shrink::Deny).unwrap();

    // More and longer names than fit into the first buffer.
    let mut expected = vec!["zz".to_owned()];
    for n in 0..100 {
        let name = format!("{:3}-{}", 99 - n, "s".repeat(200));
        image.snap_create(&name).unwrap();
        expected.push(name);
    }
    let ours = image.snap_list().unwrap();
    assert_eq!(names(&image), expected);
    assert!(ours.is_sorted_by_key(|snap| snap.id));
    assert_eq!((ours[0].size, ours[1].size), (MIB, 2 * MIB));

    let theirs = rbd_json(&format!("snap ls {}/image", pool.name));
    let theirs = theirs.as_array().unwrap().iter();
    let theirs: Vec<_> = theirs
        .map(|snap| {
            (
                snap["id"].as_u64(),
                snap["name"].as_str(),
                snap["size"].as_u64(),
            )
        })
        .collect();
    let ours: Vec<_> = ours
        .iter()
        .map(|snap| (Some(snap.id), Some(&*snap.name), Some(snap.size)))
        .collect();
    assert_eq!(ours, theirs);
    let read_only = Image::open_read_only(&pool, "image").unwrap();
    assert_eq!(names(&read_only), expected);
}

#[test]
fn names_are_taken_as_they_are_or_refused() {
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    for name in ["日本語", "with space", "a/b", "a@b"] {
        image.snap_create(name).unwrap();
        assert!(names(&image).contains(&name.to_owned()));
        assert_eq!(
            OpenOptions::new()
                .snapshot(name)
                .open(&pool, "image")
                .unwrap()
                .size()
                .unwrap(),
            MIB
        );
        image.snap_remove(name).unwrap();
    }
    image.snap_create("a").unwrap();
    for name in ["", "a\0b"] {
        let kind = ErrorKind::InvalidArgument;
        fails(image.snap_create(name), kind);
        fails(image.snap_remove(name), kind);
        fails(image.snap_rename("a", name), kind);
        fails(image.snap_rename(name, "b"), kind);
        fails(image.snap_protect(name), kind);
        fails(image.snap_unprotect(name), kind);
        fails(image.snap_is_protected(name), kind);
        fails(image.snap_rollback(name), kind);
        fails(
            image.snap_rollback_with_progress(name, |_, _| ControlFlow::Continue(())),
            kind,
        );
    }
    assert_eq!(names(&image), ["a"]);
}

#[test]
fn a_name_is_used_once() {
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    image.snap_create("snap").unwrap();
    let text = fails(image.snap_create("snap"), ErrorKind::AlreadyExists);
    assert!(
        text.contains(&format!("{}/image@snap", pool.name)),
        "{text}"
    );
    image.snap_create("other").unwrap();
    fails(image.snap_rename("snap", "other"), ErrorKind::AlreadyExists);
    assert_eq!(names(&image), ["snap", "other"]);
}

#[test]
fn what_does_not_exist_is_not_found() {
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    let kind = ErrorKind::NotFound;
    for round in 0..2 {
        fails(image.snap_remove("none"), kind);
        fails(image.snap_rename("none", "other"), kind);
        fails(image.snap_protect("none"), kind);
        fails(image.snap_unprotect("none"), kind);
        fails(image.snap_is_protected("none"), kind);
        fails(image.snap_rollback("none"), kind);
        fails(
            image.snap_rollback_with_progress("none", |_, _| ControlFlow::Continue(())),
            kind,
        );
        if round == 0 {
            image.snap_create("snap").unwrap();
        }
    }
}

#[test]
fn a_renamed_snapshot_is_the_same() {
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    image.write_all_at(b"before", 0).unwrap();
    image.snap_create("old").unwrap();
    let id = image.snap_list().unwrap()[0].id;
    image.write_all_at(b"after ", 0).unwrap();
    image.snap_rename("old", "new").unwrap();
    let list = image.snap_list().unwrap();
    assert_eq!((list.len(), list[0].id, &*list[0].name), (1, id, "new"));
    let snap = OpenOptions::new()
        .snapshot("new")
        .open(&pool, "image")
        .unwrap();
    assert_eq!(bytes_at(&snap, 0, 6), b"before");
    fails(
        OpenOptions::new().snapshot("old").open(&pool, "image"),
        ErrorKind::NotFound,
    );
}

#[test]
fn rolling_back_brings_content_and_size_back() {
    let pool = Pool::new();
    let image = image(&pool, "image", 16 * MIB);
    let before = pattern(1, 16 << 20);
    image.write_all_at(&before, 0).unwrap();
    image.snap_create("snap").unwrap();
    image
        .write_all_at(&pattern(2, 3 << 20), 3 * MIB + 5)
        .unwrap();
    image.discard(8 * MIB, 4 * MIB).unwrap();
    image.resize(64 * MIB, rbd::Shrink::Deny).unwrap();
    image.write_all_at(b"beyond", 60 * MIB).unwrap();
    let mut seen = Seen::default();
    image
        .snap_rollback_with_progress("snap", seen.recorder())
        .unwrap();
    assert!(!seen.steps.is_empty() && !seen.on_callers_thread);
    assert!(
        seen.steps.iter().all(|(done, total)| done <= total),
        "{seen:?}"
    );
    assert_eq!(image.size().unwrap(), 16 * MIB);
    assert!(content(&image) == before);
    assert!(exported(&format!("{}/image", pool.name)) == before);

    image.resize(MIB, rbd::Shrink::Allow).unwrap();
    image.snap_rollback("snap").unwrap();
    assert!(content(&image) == before);
    assert_eq!(names(&image), ["snap"]);
}

#[test]
fn breaking_off_a_rollback_leaves_a_usable_image() {
    let pool = Pool::new();
    let image = image(&pool, "image", 256 * MIB);
    for n in 0..64 {
        image.write_all_at(b"before", n * 4 * MIB).unwrap();
    }
    image.snap_create("snap").unwrap();
    for n in 0..64 {
        image.write_all_at(b"after ", n * 4 * MIB).unwrap();
    }
    let mut calls = 0;
    let result = image.snap_rollback_with_progress("snap", |_, _| {
        calls += 1;
        ControlFlow::Break(())
    });
    fails(result, ErrorKind::Canceled);
    assert_eq!(calls, 1);
    // Every object is as before or as after, and all goes on.
    let mut rolled_back = 0;
    for n in 0..64 {
        let bytes = bytes_at(&image, n * 4 * MIB, 6);
        assert!(bytes == b"before" || bytes == b"after ", "{bytes:?}");
        rolled_back += usize::from(bytes == b"before");
    }
    assert!(rolled_back < 64, "it was not broken off");
    image.write_all_at(b"usable", MIB).unwrap();
    assert_eq!(bytes_at(&image, MIB, 6), b"usable");
    image.snap_rollback("snap").unwrap();
    assert!((0..64).all(|n| bytes_at(&image, n * 4 * MIB, 6) == b"before"));
}

#[test]
fn a_panic_in_rollback_surfaces_in_the_caller() {
    let pool = Pool::new();
    let image = image(&pool, "image", 64 * MIB);
    image.write_all_at(b"before", 0).unwrap();
    image.snap_create("snap").unwrap();
    image.write_all_at(b"after ", 0).unwrap();
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        image.snap_rollback_with_progress("snap", |_, _| panics_quietly())
    }));
    assert_eq!(unwound.unwrap_err().downcast_ref(), Some(&ON_PURPOSE));
    image.snap_rollback("snap").unwrap();
    assert_eq!(bytes_at(&image, 0, 6), b"before");
}

#[test]
fn a_protected_snapshot_is_not_removed() {
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    image.snap_create("snap").unwrap();
    assert!(!image.snap_is_protected("snap").unwrap());
    fails(image.snap_unprotect("snap"), ErrorKind::InvalidArgument);
    image.snap_protect("snap").unwrap();
    assert!(image.snap_is_protected("snap").unwrap());
    let list = rbd_json(&format!("snap ls {}/image", pool.name));
    assert_eq!(list[0]["protected"], Value::from("true"));
    fails(image.snap_protect("snap"), ErrorKind::Busy);
    let text = fails(image.snap_remove("snap"), ErrorKind::Busy);
    assert!(text.contains("unprotect"), "{text}");
    image.snap_rename("snap", "other").unwrap();
    assert!(image.snap_is_protected("other").unwrap());
    image.snap_unprotect("other").unwrap();
    assert!(!image.snap_is_protected("other").unwrap());
    image.snap_remove("other").unwrap();
    assert_eq!(image.snap_list().unwrap(), []);
}

#[test]
fn a_snapshot_with_clones_stays() {
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    image.write_all_at(b"parent", 0).unwrap();
    for format in [1, 2] {
        image.snap_create("snap").unwrap();
        image.snap_protect("snap").unwrap();
        rbd_cmd(&format!(
            "clone --rbd-default-clone-format {format} {0}/image@snap {0}/clone{format}",
            pool.name
        ));
        let clone = Image::open(&pool, &format!("clone{format}")).unwrap();
        assert_eq!(bytes_at(&clone, 0, 6), b"parent");
        if format == 1 {
            let text = fails(image.snap_unprotect("snap"), ErrorKind::Busy);
            assert!(text.contains("clones"), "{text}");
            fails(image.snap_remove("snap"), ErrorKind::Busy);
            rbd_cmd(&format!("flatten --no-progress {}/clone1", pool.name));
        }
        // Clones of format 2 need no protection, and keep what they need of a removed snapshot.
        image.snap_unprotect("snap").unwrap();
        image.snap_remove("snap").unwrap();
        assert!(!names(&image).contains(&"snap".to_owned()));
        assert_eq!(bytes_at(&clone, 0, 6), b"parent");
    }
}

#[test]
fn no_more_snapshots_than_the_limit() {
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    image.snap_create("one").unwrap();
    rbd_cmd(&format!("snap limit set --limit 2 {}/image", pool.name));
    image.snap_create("two").unwrap();
    fails(image.snap_create("three"), ErrorKind::QuotaExceeded);
    assert_eq!(names(&image), ["one", "two"]);
    rbd_cmd(&format!("snap limit clear {}/image", pool.name));
    image.snap_create("three").unwrap();
}

#[test]
fn snapshots_of_others_are_seen() {
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    image.write_all_at(b"unflushed", 0).unwrap();
    rbd_cmd(&format!("snap create {}/image@theirs", pool.name));
    poll("the snapshot is seen", || names(&image) == ["theirs"]);
    // The command asked the holder of the lock, which flushed first.
    let snap = OpenOptions::new()
        .snapshot("theirs")
        .open(&pool, "image")
        .unwrap();
    assert_eq!(bytes_at(&snap, 0, 9), b"unflushed");
    rbd_cmd(&format!("snap rm --no-progress {}/image@theirs", pool.name));
    poll("its end is seen", || names(&image).is_empty());
}

#[test]
fn threads_take_snapshots_side_by_side() {
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let image = &image;
            scope.spawn(move || {
                for n in 0..5 {
                    image.snap_create(&format!("{thread}-{n}")).unwrap();
                    assert!(names(image).contains(&format!("{thread}-{n}")));
                }
            });
        }
    });
    assert_eq!(names(&image).len(), 20);
    image
        .snap_list()
        .unwrap()
        .iter()
        .for_each(|snap| image.snap_remove(&snap.name).unwrap());
    image.close().unwrap();
    rbd::remove(&pool, "image").unwrap();
}

#[test]
fn protection_is_not_taken_away_by_the_only_thread() {
    if release() < 16 {
        return; // There is no such number of threads.
    }
    let pool = Pool::new();
    rbd::create(&pool, "image", MIB).unwrap();
    for threads in ["1", "2"] {
        let conn = builder()
            .option("librados_thread_count", threads)
            .connect()
            .unwrap();
        let image = Image::open(&conn.ioctx(&pool.name).unwrap(), "image").unwrap();
        image.snap_create(threads).unwrap();
        image.snap_protect(threads).unwrap();
        if threads == "1" {
            let text = fails(image.snap_unprotect(threads), ErrorKind::Deadlock);
            assert!(text.contains("librados_thread_count"), "{text}");
            let flags = SnapRemoveFlags::UNPROTECT;
            fails(image.snap_remove_with(threads, flags), ErrorKind::Deadlock);
            assert!(image.snap_is_protected(threads).unwrap());
        } else {
            image.snap_unprotect(threads).unwrap();
        }
        image.close().unwrap();
    }
}
