//! Lists that are long, and lists that change while they are asked for.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rados::IoCtx;
use rbd::{Features, ImageOptions};

use crate::common::*;
use crate::rbd_common::*;

/// Creates an image that takes little time.
#[track_caller]
fn create(pool: &IoCtx, name: &str) {
    let options = ImageOptions::new().features(Features::LAYERING);
    options.create(pool, name, MIB).unwrap();
}

/// The names that are listed. No image is listed twice.
#[track_caller]
fn names(pool: &IoCtx) -> BTreeSet<String> {
    let listed = rbd::list(pool).unwrap();
    let ids: BTreeSet<_> = listed.iter().map(|image| &image.id).collect();
    assert!(ids.len() == listed.len() || ids.contains(&String::new()));
    listed.into_iter().map(|image| image.name).collect()
}

#[test]
fn a_thousand_images_are_all_listed() {
    let pool = Pool::new();
    let count = repeat(1000);
    let all: Vec<_> = (0..count)
        .map(|n| format!("image-{n:04}-{}", "n".repeat(n % 80)))
        .collect();
    thread::scope(|scope| {
        for part in all.chunks(count.div_ceil(8)) {
            let pool = &pool;
            scope.spawn(move || part.iter().for_each(|name| create(pool, name)));
        }
    });
    assert_eq!(names(&pool), all.iter().cloned().collect());
    let theirs = rbd_cmd(&format!("ls {}", pool.name));
    assert_eq!(theirs.lines().count(), count);
    if !has("trash") || !has("pool-stats") {
        return;
    }
    assert_eq!(rbd::pool_stats(&pool).unwrap().images.images, count as u64);
    // Of these also the trash, as far as the first buffer does not do.
    let trashed = &all[..count.min(100)];
    for name in trashed {
        rbd::trash_move(&pool, name, Duration::ZERO).unwrap();
    }
    let listed = rbd::trash_list(&pool).unwrap();
    let listed: BTreeSet<_> = listed.into_iter().map(|entry| entry.name).collect();
    assert_eq!(listed, trashed.iter().cloned().collect());
    assert_eq!(names(&pool), all[trashed.len()..].iter().cloned().collect());
}

/// Stops the threads even when the test fails.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn what_stays_is_in_every_list_while_others_come_and_go() {
    let pool = Pool::new();
    let stay: BTreeSet<_> = (0..60).map(|n| format!("stays-{n}")).collect();
    stay.iter().for_each(|name| create(&pool, name));
    let namespaces = has("namespace");
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for thread in 0..2 {
            let (pool, stop) = (&*pool, &stop);
            scope.spawn(move || {
                // The number that is listed crosses the first buffer's size, 64, again and again.
                while !stop.load(Ordering::SeqCst) {
                    let names: Vec<_> = (0..8).map(|n| format!("goes-{thread}-{n}")).collect();
                    for name in &names {
                        create(pool, name);
                        if namespaces {
                            rbd::namespace_create(pool, name).unwrap();
                        }
                    }
                    for name in &names {
                        rbd::remove(pool, name).unwrap();
                        if namespaces {
                            rbd::namespace_remove(pool, name).unwrap();
                        }
                    }
                }
            });
        }
        let (mut lists, mut lengths) = (0, BTreeSet::new());
        let _stop = StopOnDrop(&stop);
        poll("lists of many lengths", || {
            let listed = names(&pool);
            assert!(listed.is_superset(&stay));
            assert!(
                listed
                    .difference(&stay)
                    .all(|name| name.starts_with("goes-"))
            );
            lengths.insert(listed.len());
            if namespaces {
                let listed = rbd::namespace_list(&pool).unwrap();
                assert!(
                    listed.iter().all(|name| name.starts_with("goes-")),
                    "{listed:?}"
                );
            }
            lists += 1;
            lists >= 40 && lengths.len() >= 4
        });
    });
    assert_eq!(names(&pool), stay);
}
