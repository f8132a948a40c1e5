//! Snapshots by name, by id and by what made them; their removal, limit, and images turned to them.

use std::ops::ControlFlow;
use std::time::{Duration, SystemTime};

use rbd::{ErrorKind, Image, OpenOptions, SnapRemoveFlags};

use crate::common::*;
use crate::rbd_common::*;

fn names(image: &Image) -> Vec<String> {
    let snaps = image.snap_list().unwrap().into_iter();
    snaps.map(|snap| snap.name).collect()
}

#[test]
fn names_and_ids_lead_to_each_other() {
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    let long = "n".repeat(700);
    for name in ["first", &long] {
        image.snap_create(name).unwrap();
        let id = image.snap_id(name).unwrap();
        assert!(image.snap_exists(name).unwrap());
        assert_eq!(image.snap_name(id).unwrap(), name);
    }
    let listed = rbd_json(&format!("snap ls {}/image", pool.name));
    let ids: Vec<_> = listed.as_array().unwrap().iter().collect();
    assert_eq!(ids[0]["id"].as_u64(), Some(image.snap_id("first").unwrap()));
    assert_eq!(ids[1]["id"].as_u64(), Some(image.snap_id(&long).unwrap()));

    assert!(!image.snap_exists("none").unwrap());
    let text = fails(image.snap_id("none"), ErrorKind::NotFound);
    assert!(text.contains("image@none"), "{text}");
    let text = fails(image.snap_name(4711), ErrorKind::NotFound);
    assert!(text.contains("snapshot 4711 of"), "{text}");
    for bad in ["", "a\0b"] {
        fails(image.snap_exists(bad), ErrorKind::InvalidArgument);
        fails(image.snap_id(bad), ErrorKind::InvalidArgument);
    }
}

#[test]
fn timestamps_are_of_now_and_bad_ids_do_no_harm() {
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    image.snap_create("snap").unwrap();
    let id = image.snap_id("snap").unwrap();
    let taken = image.snap_timestamp(id).unwrap().unwrap();
    let apart = SystemTime::now()
        .duration_since(taken)
        .unwrap_or_else(|ahead| ahead.duration());
    assert!(apart < Duration::from_secs(600), "{apart:?}");
    // On 16.2.15 C aborts the process.
    for id in [0, id + 1, u64::MAX - 1, u64::MAX] {
        fails(image.snap_timestamp(id), ErrorKind::NotFound);
    }
}

#[test]
fn a_limit_is_set_and_taken_away() {
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    assert_eq!(image.snap_limit().unwrap(), None);
    image.snap_create("one").unwrap();
    image.snap_set_limit(Some(2)).unwrap();
    assert_eq!(image.snap_limit().unwrap(), Some(2));
    image.snap_create("two").unwrap();
    fails(image.snap_create("three"), ErrorKind::QuotaExceeded);
    fails(image.snap_set_limit(Some(1)), ErrorKind::OutOfRange);
    assert_eq!(image.snap_limit().unwrap(), Some(2));
    image.snap_set_limit(None).unwrap();
    assert_eq!(image.snap_limit().unwrap(), None);
    image.snap_create("three").unwrap();
    let read_only = Image::open_read_only(&pool, "image").unwrap();
    fails(read_only.snap_set_limit(Some(1)), ErrorKind::ReadOnly);
}

#[test]
fn purging_leaves_what_is_protected() {
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    assert_eq!(image.snap_purge().unwrap(), []);
    for name in ["one", "two", "three", "four"] {
        image.snap_create(name).unwrap();
    }
    image.snap_protect("two").unwrap();
    let stayed = image.snap_purge().unwrap();
    assert_eq!(stayed.len(), 1);
    assert_eq!(stayed[0].name, "two");
    assert_eq!(names(&image), ["two"]);
    image.snap_unprotect("two").unwrap();
    assert_eq!(image.snap_purge().unwrap(), []);

    image.snap_create("one").unwrap();
    let read_only = Image::open_read_only(&pool, "image").unwrap();
    fails(read_only.snap_purge(), ErrorKind::ReadOnly);
    assert_eq!(names(&image), ["one"]);
}

fn clone_of(pool: &Pool, snapshot: &str, child: &str, format: u32) {
    let pool = &pool.name;
    rbd_cmd(&format!(
        "--rbd-default-clone-format={format} clone {pool}/{snapshot} {pool}/{child}"
    ));
}

#[test]
fn removal_takes_away_what_hinders_it_if_told_so() {
    let pool = Pool::new();
    let image = image(&pool, "image", 16 * MIB);
    image
        .write_all_at(&pattern(1, 8 * MIB as usize), 0)
        .unwrap();
    for name in ["plain", "protected", "cloned"] {
        image.snap_create(name).unwrap();
    }
    image
        .snap_remove_with("plain", SnapRemoveFlags::empty())
        .unwrap();
    fails(
        image.snap_remove_with("plain", SnapRemoveFlags::empty()),
        ErrorKind::NotFound,
    );
    image.snap_protect("protected").unwrap();
    fails(
        image.snap_remove_with("protected", SnapRemoveFlags::FLATTEN),
        ErrorKind::Busy,
    );
    image
        .snap_remove_with("protected", SnapRemoveFlags::UNPROTECT)
        .unwrap();

    image.snap_protect("cloned").unwrap();
    clone_of(&pool, "image@cloned", "child", 1);
    clone_of(&pool, "image@cloned", "other", 2);
    fails(
        image.snap_remove_with("cloned", SnapRemoveFlags::UNPROTECT),
        ErrorKind::Busy,
    );
    // To stop is not possible.
    let mut steps = Vec::new();
    image
        .snap_remove_with_progress("cloned", SnapRemoveFlags::all(), |done, total| {
            steps.push((done, total));
            ControlFlow::Break(())
        })
        .unwrap();
    assert_eq!(steps, [(1, 2)]);
    assert_eq!(names(&image), Vec::<String>::new());
    for child in ["child", "other"] {
        let info = rbd_json(&format!("info {}/{child}", pool.name));
        assert!(info.get("parent").is_none(), "{info}");
        let child = Image::open(&pool, child).unwrap();
        assert!(content(&child) == content(&image));
    }
    fails(
        image.snap_remove_with("", SnapRemoveFlags::all()),
        ErrorKind::InvalidArgument,
    );
}

#[cfg(feature = "snap-id")]
mod by_id {
    use rbd::SnapNamespaceType;

    use super::*;

    #[test]
    fn every_kind_is_listed_and_told_apart() {
        if !has("snap-id") {
            return;
        }
        let pool = Pool::new();
        let image = image(&pool, "image", MIB);
        image.write_all_at(b"before", 0).unwrap();
        for name in ["user", "cloned"] {
            image.snap_create(name).unwrap();
        }
        let name = &pool.name;
        rbd_cmd(&format!("group create {name}/group"));
        rbd_cmd(&format!("group image add {name}/group {name}/image"));
        rbd_cmd(&format!("group snap create {name}/group@together"));
        clone_of(&pool, "image@cloned", "child", 2);
        let cloned = image.snap_id("cloned").unwrap();
        fails(
            image.snap_trash_namespace(cloned),
            ErrorKind::InvalidArgument,
        );
        image.snap_remove("cloned").unwrap();

        let kinds = image.snap_list_with_types().unwrap();
        let kinds: Vec<_> = kinds.iter().map(|(snap, kind)| (snap.id, *kind)).collect();
        let user = image.snap_id("user").unwrap();
        let grouped = kinds[2].0;
        let expected = [
            (user, SnapNamespaceType::User),
            (cloned, SnapNamespaceType::Trash),
            (grouped, SnapNamespaceType::Group),
        ];
        assert_eq!(kinds, expected);
        let theirs = rbd_json(&format!("snap ls --all {name}/image"));
        let theirs = theirs.as_array().unwrap().iter();
        let theirs: Vec<_> = theirs
            .map(|snap| snap["namespace"]["type"].as_str().unwrap())
            .collect();
        assert_eq!(theirs, ["user", "trash", "group"]);

        assert_eq!(image.snap_trash_namespace(cloned).unwrap(), "cloned");
        assert!(!image.snap_exists("cloned").unwrap());
        assert_ne!(image.snap_name(cloned).unwrap(), "cloned");
        fails(image.snap_trash_namespace(4711), ErrorKind::NotFound);
        fails(image.snap_namespace_type(4711), ErrorKind::NotFound);

        // By its id each can be read.
        image.write_all_at(b"after!", 0).unwrap();
        for id in [user, cloned, grouped] {
            let mut past = Image::open_read_only(&pool, "image").unwrap();
            past.snap_set_by_id(id).unwrap();
            assert_eq!(bytes_at(&past, 0, 6), b"before");
            assert_eq!(past.info().unwrap().protected.is_some(), id == user);
            past.snap_set(None).unwrap();
            assert_eq!(bytes_at(&past, 0, 6), b"after!");
            fails(past.snap_set_by_id(4711), ErrorKind::NotFound);
            fails(past.snap_set_by_id(u64::MAX - 1), ErrorKind::NotFound);
            assert_eq!(bytes_at(&past, 0, 6), b"after!");
        }

        // Only what is left to users is removed.
        assert_eq!(image.snap_purge().unwrap().len(), 2);
        assert_eq!(image.snap_list_with_types().unwrap()[0].0.id, cloned);
        fails(image.snap_remove_by_id(cloned), ErrorKind::Busy);
        fails(image.snap_remove_by_id(4711), ErrorKind::NotFound);
        rbd_cmd(&format!("group snap rm {name}/group@together"));
        rbd_cmd(&format!("rm --no-progress {name}/child"));
        poll("the trash to be empty", || {
            image.snap_list().unwrap().is_empty()
        });
    }

    #[test]
    fn removal_by_id() {
        if !has("snap-id") {
            return;
        }
        let pool = Pool::new();
        let image = image(&pool, "image", MIB);
        for name in ["one", "two"] {
            image.snap_create(name).unwrap();
        }
        let one = image.snap_id("one").unwrap();
        image.snap_rename("one", "renamed").unwrap();
        image.snap_remove_by_id(one).unwrap();
        assert_eq!(names(&image), ["two"]);
        let text = fails(image.snap_remove_by_id(one), ErrorKind::NotFound);
        assert!(text.contains(&format!("snapshot {one} of")), "{text}");
        let two = image.snap_id("two").unwrap();
        image.snap_protect("two").unwrap();
        fails(image.snap_remove_by_id(two), ErrorKind::Busy);
        let read_only = Image::open_read_only(&pool, "image").unwrap();
        fails(read_only.snap_remove_by_id(two), ErrorKind::ReadOnly);
    }

    #[cfg(feature = "snap-trash2")]
    #[test]
    fn the_trash_tells_what_it_was() {
        if !has("snap-trash2") {
            return;
        }
        let pool = Pool::new();
        let image = image(&pool, "image", MIB);
        image.snap_create("snap").unwrap();
        let id = image.snap_id("snap").unwrap();
        fails(image.snap_trash_namespace2(id), ErrorKind::InvalidArgument);
        clone_of(&pool, "image@snap", "child", 2);
        image.snap_remove("snap").unwrap();
        let trash = image.snap_trash_namespace2(id).unwrap();
        assert_eq!(trash.original_name, "snap");
        assert_eq!(trash.original_namespace_type, SnapNamespaceType::User);
        fails(image.snap_trash_namespace2(4711), ErrorKind::NotFound);
    }
}

#[test]
fn an_image_is_turned_to_a_snapshot_and_back() {
    let pool = Pool::new();
    let mut image = image(&pool, "image", MIB);
    image.write_all_at(b"before", 0).unwrap();
    image.snap_create("snap").unwrap();
    image.write_all_at(b"after!", 0).unwrap();
    image.resize(2 * MIB, rbd::Shrink::Deny).unwrap();

    fails(image.snap_set(Some("none")), ErrorKind::NotFound);
    fails(image.snap_set(Some("")), ErrorKind::InvalidArgument);
    image.snap_set(Some("snap")).unwrap();
    assert_eq!(bytes_at(&image, 0, 6), b"before");
    assert_eq!(image.size().unwrap(), MIB);
    let text = fails(image.write_at(b"x", 0), ErrorKind::ReadOnly);
    assert!(text.contains("image@snap"), "{text}");
    fails(image.snap_rollback("snap"), ErrorKind::ReadOnly);
    assert!(format!("{image:?}").contains("image@snap"));
    assert_eq!(image.info().unwrap().protected, Some(false));

    image.snap_set(None).unwrap();
    assert_eq!(image.size().unwrap(), 2 * MIB);
    assert_eq!(bytes_at(&image, 0, 6), b"after!");
    image.write_all_at(b"again!", 0).unwrap();
    image.flush().unwrap();
    let other = OpenOptions::new().read_only().open(&pool, "image").unwrap();
    assert_eq!(bytes_at(&other, 0, 6), b"again!");
}

#[test]
fn an_image_that_is_in_use_is_not_turned() {
    let pool = Pool::new();
    let mut image = image(&pool, "image", 4 * MIB);
    image.snap_create("snap").unwrap();
    let write = image.aio_write(pattern(1, MIB as usize), 0);
    let text = fails(image.snap_set(Some("snap")), ErrorKind::Busy);
    assert!(text.contains("OpenOptions::snapshot"), "{text}");
    let (written, data) = write.wait();
    written.unwrap();
    assert_eq!(bytes_at(&image, 0, data.len()), data);

    let watch = image.update_watch().unwrap();
    fails(image.snap_set(Some("snap")), ErrorKind::Busy);
    drop(watch);
    poll("the operation's last traces to go", || {
        image.snap_set(Some("snap")).is_ok()
    });
    assert!(all_zero(&bytes_at(&image, 0, data.len())));
}
