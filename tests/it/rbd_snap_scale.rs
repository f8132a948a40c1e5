//! Many snapshots with long names, and lists that change while they are made.

use std::sync::atomic::{AtomicBool, Ordering};

use rbd::{Features, Image, ImageOptions};

use crate::common::*;
use crate::rbd_common::*;

#[test]
fn a_thousand_snapshots_with_long_names_are_listed() {
    let pool = Pool::new();
    // Without an object map, which would be copied for each.
    let plain = ImageOptions::new().features(Features::LAYERING);
    plain.create(&pool, "image", MIB).unwrap();
    let image = Image::open(&pool, "image").unwrap();
    let name = |n| format!("{n:04}-{}", "s".repeat(195));
    let many = repeat(1000);
    // One call a snapshot, without waiting for one before the next.
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let image = &image;
            scope.spawn(move || {
                for n in (thread..many).step_by(8) {
                    image.snap_create(&name(n)).unwrap();
                }
            });
        }
    });
    let snaps = image.snap_list().unwrap();
    assert!(snaps.is_sorted_by_key(|snap| snap.id));
    let mut names: Vec<_> = snaps.iter().map(|snap| snap.name.clone()).collect();
    names.sort();
    assert_eq!(names, (0..many).map(name).collect::<Vec<_>>());
    let theirs = rbd_json(&format!("snap ls {}/image", pool.name));
    let theirs: Vec<_> = theirs.as_array().unwrap().iter().collect();
    let theirs: Vec<_> = theirs
        .iter()
        .map(|snap| snap["id"].as_u64().unwrap())
        .collect();
    assert_eq!(snaps.iter().map(|snap| snap.id).collect::<Vec<_>>(), theirs);

    let other = Image::open_read_only(&pool, "image").unwrap();
    assert_eq!(other.snap_list().unwrap(), snaps);
    let last = &snaps[many - 1];
    assert_eq!(other.snap_id(&last.name).unwrap(), last.id);
}

#[test]
fn lists_that_change_are_right_in_what_stays() {
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    // Around the first buffer's 64 elements.
    let stay: Vec<_> = (0..60).map(|n| format!("stay-{n:02}")).collect();
    for name in &stay {
        image.snap_create(name).unwrap();
    }
    let other = Image::open(&pool, "image").unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..repeat(4).max(1) {
                for n in 0..8 {
                    image.snap_create(&format!("go-{n}")).unwrap();
                }
                for n in 0..8 {
                    image.snap_remove(&format!("go-{n}")).unwrap();
                }
            }
            done.store(true, Ordering::SeqCst);
        });
        let mut lists = 0;
        while !done.load(Ordering::SeqCst) || lists == 0 {
            let snaps = other.snap_list().unwrap();
            let (stayed, going): (Vec<_>, Vec<_>) = snaps
                .into_iter()
                .map(|snap| snap.name)
                .partition(|name| name.starts_with("stay-"));
            assert_eq!(stayed, stay);
            assert!(going.len() <= 9, "{going:?}");
            // One that is being removed is in the trash for a moment, where it has a UUID for a name.
            let known = |name: &String| name.starts_with("go-") || name.len() == 36;
            assert!(going.iter().all(known), "{going:?}");
            lists += 1;
        }
    });
    assert_eq!(other.snap_list().unwrap().len(), stay.len());
}
