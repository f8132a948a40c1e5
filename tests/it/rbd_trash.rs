//! The trash: moving there, coming back, removing for good.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::{Duration, SystemTime};

use rbd::{
    ErrorKind, Force, Image, ImageOptions, OpenOptions, Order, TrashEntry, TrashPurge, TrashSource,
};
use serde_json::Value;

use crate::common::*;
use crate::rbd_common::*;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Creates an image and moves it to the trash; returns its id.
#[track_caller]
fn trashed(pool: &Pool, name: &str, delay: Duration) -> String {
    let image = image(pool, name, MIB);
    let id = image.id().unwrap();
    image.close().unwrap();
    rbd::trash_move(pool, name, delay).unwrap();
    id
}

/// The names that are listed.
#[track_caller]
fn names(pool: &Pool) -> Vec<String> {
    let mut names: Vec<_> = listed(pool).into_iter().map(|entry| entry.name).collect();
    names.sort();
    names
}

/// The listing, which the `rbd` command agrees with.
#[track_caller]
fn listed(pool: &Pool) -> Vec<TrashEntry> {
    let listed = rbd::trash_list(pool).unwrap();
    let theirs = rbd_json(&format!("trash ls --all {}", pool.name));
    let of = |entry: &Value, key: &str| entry[key].as_str().unwrap().to_owned();
    let theirs = theirs.as_array().unwrap().iter();
    let theirs: BTreeSet<_> = theirs.map(|e| (of(e, "id"), of(e, "name"))).collect();
    let ours = listed.iter().map(|e| (e.id.clone(), e.name.clone()));
    assert_eq!(ours.collect::<BTreeSet<_>>(), theirs);
    listed
}

#[test]
fn there_and_back() {
    if !has("trash") {
        return;
    }
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    let id = image.id().unwrap();
    image.write_all_at(b"kept", 4096).unwrap();
    image.close().unwrap();
    assert_eq!(listed(&pool), []);

    rbd::trash_move(&pool, "image", Duration::ZERO).unwrap();
    assert_eq!(rbd::list(&pool).unwrap(), []);
    fails(Image::open(&pool, "image"), ErrorKind::NotFound);
    let entry = listed(&pool).remove(0);
    assert_eq!((&entry.id, &*entry.name), (&id, "image"));
    assert_eq!(entry.source, TrashSource::User);
    assert_eq!(entry.deferment_end, entry.deleted_at);
    let age = SystemTime::now().duration_since(entry.deleted_at).unwrap();
    assert!(age < HOUR, "{age:?}");
    assert_eq!(rbd::trash_get(&pool, &id).unwrap(), entry);

    rbd::trash_restore(&pool, &id, None).unwrap();
    assert_eq!(listed(&pool), []);
    let image = Image::open(&pool, "image").unwrap();
    assert_eq!(bytes_at(&image, 4096, 4), b"kept");
    image.close().unwrap();

    // With the command in between, and under another name.
    rbd_cmd(&format!("trash mv {}/image", pool.name));
    assert_eq!(rbd::trash_get(&pool, &id).unwrap().name, "image");
    rbd::trash_restore(&pool, &id, Some("other")).unwrap();
    rbd::trash_move(&pool, "other", Duration::ZERO).unwrap();
    rbd_cmd(&format!("trash restore {}/{id}", pool.name));
    let image = Image::open(&pool, "other").unwrap();
    assert_eq!(bytes_at(&image, 4096, 4), b"kept");
}

#[test]
fn what_is_not_there_or_no_name() {
    if !has("trash") {
        return;
    }
    let pool = Pool::new();
    for _ in 0..2 {
        let text = fails(rbd::trash_get(&pool, "abc"), ErrorKind::NotFound);
        let subject = format!("rbd_trash_get {}/abc: ", pool.name);
        assert!(text.starts_with(&subject), "{text}");
        fails(rbd::trash_restore(&pool, "abc", None), ErrorKind::NotFound);
        fails(
            rbd::trash_remove(&pool, "abc", Force::No),
            ErrorKind::NotFound,
        );
        fails(
            rbd::trash_remove_with_progress(&pool, "abc", Force::Yes, |_, _| {
                ControlFlow::Continue(())
            }),
            ErrorKind::NotFound,
        );
        fails(rbd::trash_move(&pool, "abc", HOUR), ErrorKind::NotFound);
        trashed(&pool, "another", HOUR);
    }
    let id = &rbd::trash_list(&pool).unwrap()[0].id;
    for bad in ["", "a\0b"] {
        let invalid = ErrorKind::InvalidArgument;
        fails(rbd::trash_get(&pool, bad), invalid);
        fails(rbd::trash_restore(&pool, bad, None), invalid);
        fails(rbd::trash_restore(&pool, id, Some(bad)), invalid);
        fails(rbd::trash_remove(&pool, bad, Force::Yes), invalid);
        fails(rbd::trash_move(&pool, bad, HOUR), invalid);
    }
    assert_eq!(names(&pool), ["another", "another"]);

    let gone = conn().ioctx(&pool.name).unwrap();
    drop(pool);
    fails(rbd::trash_list(&gone), ErrorKind::NotFound);
}

#[test]
fn a_name_that_is_taken_is_not_restored() {
    if !has("trash") {
        return;
    }
    let pool = Pool::new();
    let first = trashed(&pool, "image", Duration::ZERO);
    let second = trashed(&pool, "image", Duration::ZERO);
    assert_eq!(names(&pool), ["image", "image"]);
    rbd::trash_restore(&pool, &first, None).unwrap();
    for name in [None, Some("image")] {
        let restored = rbd::trash_restore(&pool, &second, name);
        let text = fails(restored, ErrorKind::AlreadyExists);
        assert!(text.contains("under another"), "{text}");
    }
    rbd::trash_restore(&pool, &second, Some("copy")).unwrap();
    let listed = rbd::list(&pool).unwrap();
    let listed: Vec<_> = listed.iter().map(|e| (&*e.name, &e.id)).collect();
    assert_eq!(listed, [("copy", &second), ("image", &first)]);
}

#[test]
fn before_the_delay_is_over_only_force_removes() {
    if !has("trash") {
        return;
    }
    let pool = Pool::new();
    let id = trashed(&pool, "image", HOUR + Duration::from_nanos(1));
    let entry = rbd::trash_get(&pool, &id).unwrap();
    let delay = entry.deferment_end.duration_since(entry.deleted_at);
    assert_eq!(delay.unwrap(), HOUR + Duration::from_secs(1));
    let removed = rbd::trash_remove(&pool, &id, Force::No);
    let text = fails(removed, ErrorKind::PermissionDenied);
    assert!(text.contains("may not be over"), "{text}");
    let theirs = try_run("rbd", &["trash", "rm", &format!("{}/{id}", pool.name)]);
    assert!(!theirs.status.success());
    assert_eq!(names(&pool), ["image"]);
    rbd::trash_remove(&pool, &id, Force::Yes).unwrap();
    assert_eq!(listed(&pool), []);

    // As long as can be.
    let id = trashed(&pool, "image", Duration::MAX);
    let entry = rbd::trash_get(&pool, &id).unwrap();
    let delay = entry.deferment_end.duration_since(entry.deleted_at);
    assert!(delay.unwrap() > 24 * 365 * HOUR, "{entry:?}");
    fails(
        rbd::trash_remove(&pool, &id, Force::No),
        ErrorKind::PermissionDenied,
    );

    // Over at last.
    let id = trashed(&pool, "image", Duration::from_millis(1));
    poll("the delay to be over", || {
        rbd::trash_remove(&pool, &id, Force::No).is_ok()
    });
}

#[test]
fn snapshots_and_open_handles_keep_an_image() {
    if !has("trash") {
        return;
    }
    let pool = Pool::new();
    let other = builder().connect().unwrap();
    let theirs = image(&other.ioctx(&pool.name).unwrap(), "image", MIB);
    theirs.snap_create("snap").unwrap();
    let id = theirs.id().unwrap();
    let move_it = || rbd::trash_move(&pool, "image", Duration::ZERO);
    // Before release 16, it may not be open elsewhere.
    if release() >= 16 {
        move_it().unwrap();
    } else {
        fails(move_it(), ErrorKind::Busy);
    }
    theirs.write_all_at(b"still", 0).unwrap();
    assert_eq!(bytes_at(&theirs, 0, 5), b"still");
    theirs.close().unwrap();
    if release() < 16 {
        move_it().unwrap();
    }

    for force in [Force::No, Force::Yes] {
        let removed = rbd::trash_remove(&pool, &id, force);
        let text = fails(removed, ErrorKind::NotEmpty);
        assert!(text.contains("snapshots"), "{text}");
    }
    let image = OpenOptions::new().open_by_id(&pool, &id).unwrap();
    image.snap_remove("snap").unwrap();
    let removed = rbd::trash_remove(&pool, &id, Force::Yes);
    let text = fails(removed, ErrorKind::Busy);
    assert!(text.contains("open elsewhere"), "{text}");
    assert_eq!(bytes_at(&image, 0, 5), b"still");
    image.close().unwrap();
    rbd::trash_remove(&pool, &id, Force::No).unwrap();
    assert_eq!(listed(&pool), []);
}

#[test]
fn a_removal_reports_and_goes_on_after_a_break() {
    if !has("trash") {
        return;
    }
    let pool = Pool::new();
    let large = |name| {
        let image = image(&pool, name, GIB);
        for n in 0..256 {
            image.write_all_at(&[1], n * 4 * MIB).unwrap();
        }
        let id = image.id().unwrap();
        image.close().unwrap();
        rbd::trash_move(&pool, name, Duration::ZERO).unwrap();
        id
    };
    let id = large("image");
    let mut seen = Seen::default();
    rbd::trash_remove_with_progress(&pool, &id, Force::No, seen.recorder()).unwrap();
    assert!(!seen.steps.is_empty() && !seen.on_callers_thread);
    let fits = |&(done, total): &(u64, u64)| done <= total && total == 256;
    assert!(seen.steps.iter().all(fits), "{seen:?}");

    let id = large("other");
    let mut calls = 0;
    let removed = rbd::trash_remove_with_progress(&pool, &id, Force::No, |_, _| {
        calls += 1;
        ControlFlow::Break(())
    });
    fails(removed, ErrorKind::Canceled);
    assert_eq!(calls, 1);
    assert_eq!(names(&pool), ["other"]);
    rbd::trash_remove(&pool, &id, Force::No).unwrap();
    assert_eq!(listed(&pool), []);
}

#[test]
fn others_put_images_there_as_well() {
    if !has("trash") {
        return;
    }
    let pool = Pool::new();
    // Where it is the configuration's wish, removing means that.
    let careful = builder().option("rbd_move_to_trash_on_remove", "true");
    let careful = careful.connect().unwrap().ioctx(&pool.name).unwrap();
    rbd::create(&pool, "removed", MIB).unwrap();
    rbd::remove(&careful, "removed").unwrap();
    let entry = listed(&pool).remove(0);
    assert_eq!((&*entry.name, entry.source), ("removed", TrashSource::User));
    rbd::trash_restore(&pool, &entry.id, None).unwrap();
    rbd::remove(&pool, "removed").unwrap();
    assert_eq!(listed(&pool), []);

    rbd::create(&pool, "source", MIB).unwrap();
    rbd_cmd(&format!(
        "migration prepare {0}/source {0}/target",
        pool.name
    ));
    let entry = listed(&pool).remove(0);
    assert_eq!(
        (&*entry.name, entry.source),
        ("source", TrashSource::Migration)
    );
    fails(
        rbd::trash_restore(&pool, &entry.id, None),
        ErrorKind::InvalidArgument,
    );
    rbd_cmd(&format!(
        "migration abort --no-progress {}/target",
        pool.name
    ));
    assert_eq!(listed(&pool), []);
}

#[test]
fn more_than_the_first_call_has_room_for() {
    if !has("trash") {
        return;
    }
    let pool = Pool::new();
    let mut expected = BTreeSet::new();
    for n in 0..70 {
        let name = format!("image-{n}-{}", "x".repeat(100));
        rbd::create(&pool, &name, 0).unwrap();
        rbd::trash_move(&pool, &name, HOUR).unwrap();
        expected.insert(name);
    }
    let listed = listed(&pool);
    assert_eq!(listed.len(), 70);
    let listed: BTreeSet<_> = listed.into_iter().map(|entry| entry.name).collect();
    assert_eq!(listed, expected);
}

/// What [`rbd::trash_list`] does is here done with the raw functions.
#[test]
fn the_library_frees_a_listing() {
    if !has("trash-list-cleanup") {
        return;
    }
    let pool = Pool::new();
    let id = trashed(&pool, "image", HOUR);
    let list = rbd::sys::rbd_trash_list.get().unwrap();
    let cleanup = rbd::sys::rbd_trash_list_cleanup.get().unwrap();
    let mut info = rbd::sys::rbd_trash_image_info_t {
        id: std::ptr::null_mut(),
        name: std::ptr::null_mut(),
        source: rbd::sys::rbd_trash_image_source_t(u32::MAX),
        deletion_time: 0,
        deferment_end_time: 0,
    };
    let mut len = 1;
    // SAFETY: the pool is open, and there is room for `len` elements.
    let count = unsafe { list(pool.as_raw(), &raw mut info, &raw mut len) };
    assert_eq!(count, 1);
    // SAFETY: the library has just set it.
    let listed = unsafe { std::ffi::CStr::from_ptr(info.id) };
    assert_eq!(listed.to_str(), Ok(&*id));
    assert_eq!(info.source, rbd::sys::RBD_TRASH_IMAGE_SOURCE_USER);
    // SAFETY: the library filled one element, which is freed once.
    unsafe { cleanup(&raw mut info, 1) };
}

#[test]
fn every_namespace_has_its_own() {
    if !has("trash") {
        return;
    }
    let pool = Pool::new();
    rbd_cmd(&format!("namespace create {}/inner", pool.name));
    let inner = pool.with_namespace("inner").unwrap();
    rbd::create(&inner, "image", MIB).unwrap();
    rbd::trash_move(&inner, "image", HOUR).unwrap();
    assert_eq!(listed(&pool), []);
    let entry = rbd::trash_list(&inner).unwrap().remove(0);
    let theirs = rbd_json(&format!("trash ls {}/inner", pool.name));
    assert_eq!(theirs[0]["id"], *entry.id);
    let text = fails(
        rbd::trash_remove(&inner, &entry.id, Force::No),
        ErrorKind::PermissionDenied,
    );
    assert!(text.contains(&format!("{}/inner/{}", pool.name, entry.id)));
    fails(rbd::trash_get(&pool, &entry.id), ErrorKind::NotFound);
    rbd::trash_remove(&inner, &entry.id, Force::Yes).unwrap();
}

#[test]
fn purging_takes_what_is_due() {
    if !has("trash-purge") {
        return;
    }
    let pool = Pool::new();
    rbd::trash_purge(&pool, TrashPurge::Expired).unwrap();
    for (name, hours) in [("now", 0), ("soon", 2), ("later", 4)] {
        trashed(&pool, name, hours * HOUR);
    }
    let long_ago = SystemTime::UNIX_EPOCH;
    rbd::trash_purge(&pool, TrashPurge::ExpiredBefore(long_ago)).unwrap();
    let long_ago = long_ago - HOUR;
    rbd::trash_purge(&pool, TrashPurge::ExpiredBefore(long_ago)).unwrap();
    assert_eq!(names(&pool), ["later", "now", "soon"]);
    rbd::trash_purge(&pool, TrashPurge::Expired).unwrap();
    assert_eq!(names(&pool), ["later", "soon"]);
    let soon = SystemTime::now() + 3 * HOUR;
    let mut seen = Seen::default();
    rbd::trash_purge_with_progress(&pool, TrashPurge::ExpiredBefore(soon), seen.recorder())
        .unwrap();
    assert_eq!(names(&pool), ["later"]);
    assert_eq!(seen.steps, [(1, 1)]);
}

#[test]
fn purging_leaves_what_cannot_be_removed_and_says_so() {
    if !has("trash-purge") {
        return;
    }
    let pool = Pool::new();
    let image = image(&pool, "with-a-snapshot", MIB);
    image.snap_create("snap").unwrap();
    image.close().unwrap();
    rbd::trash_move(&pool, "with-a-snapshot", Duration::ZERO).unwrap();
    for name in ["one", "two"] {
        trashed(&pool, name, Duration::ZERO);
    }
    let text = fails(
        rbd::trash_purge(&pool, TrashPurge::Expired),
        ErrorKind::NotEmpty,
    );
    assert!(text.contains(&pool.name), "{text}");
    if release() < 16 {
        // There it ends at the first that stays.
        return;
    }
    assert_eq!(names(&pool), ["with-a-snapshot"]);

    for name in ["one", "two"] {
        trashed(&pool, name, Duration::ZERO);
    }
    // A break does not stop it.
    let purged =
        rbd::trash_purge_with_progress(&pool, TrashPurge::Expired, |_, _| ControlFlow::Break(()));
    fails(purged, ErrorKind::NotEmpty);
    assert_eq!(names(&pool), ["with-a-snapshot"]);
}

#[test]
fn purging_makes_room() {
    if !has("trash-purge") {
        return;
    }
    let pool = Pool::new();
    for part in [-1.0, -0.1, 1.1, f32::NAN, f32::INFINITY] {
        let purged = rbd::trash_purge(&pool, TrashPurge::UsedAbove(part));
        let text = fails(purged, ErrorKind::InvalidArgument);
        assert!(text.contains("from 0 to 1"), "{text}");
    }
    let image = image(&pool, "image", 64 * MIB);
    for n in 0..16 {
        let data = pattern(n, 4 * MIB as usize);
        image.write_all_at(&data, n * 4 * MIB).unwrap();
    }
    image.close().unwrap();
    rbd::trash_move(&pool, "image", HOUR).unwrap();
    rbd::trash_purge(&pool, TrashPurge::UsedAbove(1.0)).unwrap();
    rbd::trash_purge(&pool, TrashPurge::UsedAbove(0.9)).unwrap();
    assert_eq!(names(&pool), ["image"]);
    poll("the pool to be emptied", || {
        rbd::trash_purge(&pool, TrashPurge::UsedAbove(0.0)).unwrap();
        rbd::trash_list(&pool).unwrap().is_empty()
    });
}

/// If they did not wait for each other, librbd 16 would abort the process in one of some forty rounds.
#[test]
fn one_of_many_removes_an_image() {
    let pool = Pool::new();
    let options = ImageOptions::new().order(Order::new(16).unwrap());
    for round in 0..repeat(60).max(1) {
        options.create(&pool, "image", 64 * MIB).unwrap();
        let id = Image::open_read_only(&pool, "image").unwrap().id().unwrap();
        rbd::trash_move(&pool, "image", Duration::ZERO).unwrap();
        let removed = std::thread::scope(|scope| {
            let removing: Vec<_> = (0..3)
                .map(|_| scope.spawn(|| rbd::trash_remove(&pool, &id, Force::Yes)))
                .collect();
            let purging = scope.spawn(|| rbd::trash_purge(&pool, TrashPurge::Expired));
            purging.join().unwrap().unwrap();
            let removed = removing.into_iter().map(|thread| thread.join().unwrap());
            removed
                .filter(|removed| match removed {
                    Ok(()) => true,
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
                        false
                    }
                })
                .count()
        });
        assert!(removed <= 1, "round {round}: {removed}");
        assert!(rbd::trash_list(&pool).unwrap().is_empty());
    }
}
