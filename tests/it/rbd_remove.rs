//! Removing images, and what goes on meanwhile.

use std::ops::ControlFlow;

use rbd::{ErrorKind, Image};

use crate::common::*;
use crate::rbd_common::*;

#[test]
fn removing_leaves_nothing() {
    let pool = Pool::new();
    let objects = || String::from_utf8(run("rados", &["-p", &pool.name, "ls"])).unwrap();
    rbd::create(&pool, "first", MIB).unwrap();
    rbd::remove(&pool, "first").unwrap();
    let before = objects(); // a pool's first image leaves objects for all
    let image = image(&pool, "image", 64 * MIB);
    for n in 0..16 {
        image.write_all_at(&pattern(n, 1000), n * 4 * MIB).unwrap();
    }
    image.close().unwrap();
    assert!(objects().lines().count() > 16 + before.lines().count());
    let mut seen = Seen::default();
    rbd::remove_with_progress(&pool, "image", seen.recorder()).unwrap();
    assert_eq!(objects(), before);
    assert_eq!(rbd::list(&pool).unwrap(), []);
    assert!(!seen.steps.is_empty() && !seen.on_callers_thread);
    assert!(
        seen.steps
            .iter()
            .all(|&(done, total)| done <= total && total == 16),
        "{seen:?}"
    );
    fails(rbd::remove(&pool, "image"), ErrorKind::NotFound);
    fails(
        rbd::remove_with_progress(&pool, "image", |_, _| ControlFlow::Continue(())),
        ErrorKind::NotFound,
    );
}

#[test]
fn an_image_with_snapshots_is_not_removed() {
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    image.snap_create("snap").unwrap();
    image.close().unwrap();
    let text = fails(rbd::remove(&pool, "image"), ErrorKind::NotEmpty);
    assert!(
        text.contains("snapshots") && text.contains(&pool.name),
        "{text}"
    );
    Image::open(&pool, "image")
        .unwrap()
        .snap_remove("snap")
        .unwrap();
    rbd::remove(&pool, "image").unwrap();
}

#[test]
fn an_image_that_is_open_is_not_removed() {
    let pool = Pool::new();
    let other = builder().connect().unwrap();
    for (conn, what) in [
        (&other, "another connection"),
        (conn(), "the same connection"),
    ] {
        let theirs = conn.ioctx(&pool.name).unwrap();
        let image = image(&theirs, "image", MIB);
        let text = fails(rbd::remove(&pool, "image"), ErrorKind::Busy);
        assert!(text.contains("open elsewhere"), "{what}: {text}");
        image.write_all_at(b"x", 0).unwrap();
        fails(rbd::remove(&pool, "image"), ErrorKind::Busy);
        assert_eq!(bytes_at(&image, 0, 1), b"x");
        image.close().unwrap();
        rbd::remove(&pool, "image").unwrap();
    }
}

#[test]
fn a_read_only_handle_does_not_keep_an_image_from_removal() {
    let pool = Pool::new();
    rbd::create(&pool, "image", MIB).unwrap();
    let reader = Image::open_read_only(&pool, "image").unwrap();
    rbd::remove(&pool, "image").unwrap();
    assert_eq!(rbd::list(&pool).unwrap(), []);
    reader.close().unwrap();
}

#[test]
fn breaking_off_a_removal_leaves_an_image_that_can_be_removed() {
    let pool = Pool::new();
    let image = image(&pool, "image", 1 << 30);
    for n in 0..256 {
        image.write_all_at(&[1], n * 4 * MIB).unwrap();
    }
    image.close().unwrap();
    let mut calls = 0;
    let removed = rbd::remove_with_progress(&pool, "image", |_, _| {
        calls += 1;
        ControlFlow::Break(())
    });
    fails(removed, ErrorKind::Canceled);
    assert_eq!(calls, 1);
    // It is in the trash then, but listed.
    assert_eq!(rbd::list(&pool).unwrap()[0].name, "image");
    fails(Image::open(&pool, "image"), ErrorKind::NotFound);
    rbd::remove(&pool, "image").unwrap();
    assert_eq!(rbd::list(&pool).unwrap(), []);
}

#[test]
fn a_panic_in_progress_surfaces_in_the_caller() {
    let pool = Pool::new();
    let image = image(&pool, "image", 64 * MIB);
    image.write_all_at(&[1], 60 * MIB).unwrap();
    image.close().unwrap();
    let unwound = std::panic::catch_unwind(|| {
        rbd::remove_with_progress(&pool, "image", |_, _| panics_quietly())
    });
    let payload = unwound.unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&ON_PURPOSE));
    rbd::remove(&pool, "image").unwrap();
}

#[test]
fn inside_a_progress_closure_everything_that_blocks_is_a_deadlock() {
    let pool = Pool::new();
    let bystander = image(&pool, "bystander", MIB);
    let victim = image(&pool, "victim", 64 * MIB);
    rbd::create(&pool, "other", MIB).unwrap();
    victim.write_all_at(&[1], 60 * MIB).unwrap();
    let mut errors = Vec::new();
    let mut first = true;
    let progress = |_, _| {
        if std::mem::take(&mut first) {
            let pool = &*pool;
            errors.extend([
                ("read", victim.read_at(&mut [0], 0).err()),
                ("size", victim.size().err()),
                ("write elsewhere", bystander.write_at(b"x", 0).err()),
                ("snap_create", bystander.snap_create("snap").err()),
                ("resize", bystander.resize(0, rbd::Shrink::Allow).err()),
                ("info", bystander.info().err()),
                ("open", Image::open(pool, "other").err()),
                ("list", rbd::list(pool).err()),
                ("create", rbd::create(pool, "new", MIB).err()),
                ("rename", rbd::rename(pool, "other", "new").err()),
                ("remove", rbd::remove(pool, "other").err()),
                ("trash list", rbd::trash_list(pool).err()),
                ("object write", pool.write_full("o", b"x").err()),
                ("object read", pool.read("o", &mut [0], 0).err()),
                ("object stat", pool.stat("o").err()),
                (
                    "object list",
                    pool.list_objects().unwrap().next().unwrap().err(),
                ),
                ("pool open", conn().ioctx(&pool.pool_name().unwrap()).err()),
                ("pool stat", pool.pool_stat().err()),
                ("pool look-up", conn().pool_lookup("no such pool").err()),
                ("pool create", conn().pool_create("in-a-callback").err()),
                (
                    "command",
                    pool.application_enable("it", rados::Force::No).err(),
                ),
                ("cluster stat", conn().cluster_stat().err()),
            ]);
        }
        ControlFlow::Continue(())
    };
    victim
        .resize_with_progress(MIB, rbd::Shrink::Allow, progress)
        .unwrap();
    assert_eq!(errors.len(), 22);
    for (what, error) in errors {
        let kind = error.as_ref().map(rbd::Error::kind);
        assert_eq!(kind, Some(ErrorKind::Deadlock), "{what}: {error:?}");
    }
    // Outside all of it works, and nothing has happened.
    assert_eq!(rbd::list(&pool).unwrap().len(), 3);
    bystander.write_all_at(b"y", 0).unwrap();
    assert_eq!(victim.size().unwrap(), MIB);
}
