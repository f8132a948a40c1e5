//! Pools for images.

use std::time::Duration;

use rbd::{ErrorKind, Force, PoolStats, Shrink};

use crate::common::*;
use crate::rbd_common::*;

#[test]
fn a_pool_is_marked_once() {
    if !has("pool-stats") || !has("pool-app") {
        return;
    }
    let pool = Pool::new();
    assert_eq!(pool.applications().unwrap(), Vec::<String>::new());
    for _ in 0..2 {
        rbd::pool_init(&pool, Force::No).unwrap();
        pool.conn().wait_for_latest_osdmap().unwrap();
        assert_eq!(pool.applications().unwrap(), ["rbd"]);
    }
    let other = Pool::new();
    other.application_enable("archive", Force::No).unwrap();
    fails(
        rbd::pool_init(&other, Force::No),
        ErrorKind::PermissionDenied,
    );
    rbd::pool_init(&other, Force::Yes).unwrap();
    other.conn().wait_for_latest_osdmap().unwrap();
    assert_eq!(other.applications().unwrap(), ["archive", "rbd"]);
}

#[test]
fn its_images_are_counted() {
    if !has("pool-stats") || !has("namespace") || !has("trash") {
        return;
    }
    let pool = Pool::new();
    assert_eq!(rbd::pool_stats(&pool).unwrap(), PoolStats::default());
    for n in 1..=3 {
        let image = image(&pool, &format!("image-{n}"), n * MIB);
        image.snap_create("one").unwrap();
        image.snap_create("two").unwrap();
        image.resize(MIB, Shrink::Allow).unwrap();
        image.close().unwrap();
    }
    rbd::trash_move(&pool, "image-3", Duration::ZERO).unwrap();
    rbd::namespace_create(&pool, "ns").unwrap();
    let inside = pool.with_namespace("ns").unwrap();
    rbd::create(&inside, "image", 5 * MIB).unwrap();

    let stats = rbd::pool_stats(&pool).unwrap();
    let all = |of: rbd::ImageTotals| {
        [
            of.images,
            of.provisioned_bytes,
            of.max_provisioned_bytes,
            of.snapshots,
        ]
    };
    assert_eq!(all(stats.images), [2, 2 * MIB, 3 * MIB, 4]);
    assert_eq!(all(stats.trash), [1, MIB, 3 * MIB, 2]);
    let theirs = rbd_json(&format!("pool stats {}", pool.name));
    for (part, ours) in [("images", stats.images), ("trash", stats.trash)] {
        let of = |key: &str| theirs[part][key].as_u64();
        assert_eq!(of("count"), Some(ours.images));
        assert_eq!(of("provisioned_bytes"), Some(ours.max_provisioned_bytes));
        assert_eq!(of("snap_count"), Some(ours.snapshots));
    }
    assert_eq!(
        all(rbd::pool_stats(&inside).unwrap().images),
        [1, 5 * MIB, 5 * MIB, 0]
    );

    let gone = conn().ioctx(&pool.name).unwrap();
    drop(pool);
    fails(rbd::pool_stats(&gone), ErrorKind::NotFound);
    fails(rbd::pool_init(&gone, Force::No), ErrorKind::NotFound);
}
