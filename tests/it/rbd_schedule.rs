//! Schedules of the manager's.

use std::time::Duration;

use rbd::{ErrorKind, Force, Schedule, ScheduleLevel, Scheduler};

use crate::common::*;
use crate::rbd_common::*;
use crate::rbd_task::rbd_support_runs;

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_trash_is_emptied_by_the_schedules_of_its_levels() {
    if !rbd_support_runs(conn()) || release() < 16 || !has("namespace") || !has("pool-stats") {
        return;
    }
    let pool = Pool::new();
    let trash = Scheduler::TrashPurge;
    let of_pool = ScheduleLevel::pool(&pool).unwrap();
    let hourly = Schedule::every(60 * MINUTE).unwrap();
    // Not before the pool has the mark.
    fails(
        trash.add(conn(), &of_pool, &hourly),
        ErrorKind::InvalidArgument,
    );
    rbd::pool_init(&pool, Force::No).unwrap();
    rbd::namespace_create(&pool, "ns").unwrap();
    let of_namespace = ScheduleLevel::namespace(&pool.with_namespace("ns").unwrap()).unwrap();
    let of_default = ScheduleLevel::namespace(&pool).unwrap();
    assert_eq!(of_namespace.to_string(), format!("{}/ns/", pool.name));
    assert_eq!(trash.list(conn(), &of_pool).unwrap(), []);

    let daily = Schedule::every(24 * 60 * MINUTE)
        .unwrap()
        .starting("02:30")
        .unwrap();
    trash.add(conn(), &of_pool, &hourly).unwrap();
    trash.add(conn(), &of_pool, &hourly).unwrap();
    trash.add(conn(), &of_namespace, &daily).unwrap();
    let mut listed = trash.list(conn(), &of_pool).unwrap();
    listed.sort_by(|a, b| a.level.cmp(&b.level));
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0].level, format!("{}/", pool.name));
    assert_eq!(listed[0].schedules, std::slice::from_ref(&hourly));
    assert_eq!(listed[1].level, format!("{}/ns/", pool.name));
    let read = &listed[1].schedules[0];
    assert_eq!(
        (read.interval(), read.start()),
        (daily.interval(), Some("02:30:00"))
    );
    // What counts for a level without its own.
    let around = trash.list(conn(), &of_default).unwrap();
    assert_eq!(around[0].level, format!("{}/", pool.name));
    let theirs = rbd_json(&format!("trash purge schedule ls --pool {}", pool.name));
    assert_eq!(theirs[0]["interval"], "1h", "{theirs}");
    // What is next is known after a minute only.
    for next in trash.status(conn(), &of_pool).unwrap() {
        assert!(next.what.starts_with(&pool.name), "{next:?}");
        assert_eq!(next.time.len(), "2026-01-02 03:04:00".len());
    }

    trash.remove(conn(), &of_pool, Some(&daily)).unwrap();
    assert_eq!(trash.list(conn(), &of_pool).unwrap().len(), 2);
    trash.remove(conn(), &of_pool, Some(&hourly)).unwrap();
    trash.remove(conn(), &of_namespace, None).unwrap();
    assert_eq!(trash.list(conn(), &of_pool).unwrap(), []);

    rbd::create(&pool, "image", MIB).unwrap();
    let of_image = ScheduleLevel::image(&pool, "image").unwrap();
    let text = fails(
        trash.add(conn(), &of_image, &hourly),
        ErrorKind::InvalidArgument,
    );
    assert!(text.contains("image level is not allowed"), "{text}");
    // An image must be mirrored by snapshots.
    let mirror = Scheduler::MirrorSnapshot;
    fails(
        mirror.add(conn(), &of_image, &hourly),
        ErrorKind::InvalidArgument,
    );
    fails(
        ScheduleLevel::image(&pool, "a@b"),
        ErrorKind::InvalidArgument,
    );
}

#[test]
fn snapshots_for_mirroring_are_scheduled_by_image_and_pool() {
    if !rbd_support_runs(conn()) || release() < 16 || !has("pool-stats") {
        return;
    }
    let pool = Pool::new();
    rbd::pool_init(&pool, Force::No).unwrap();
    rbd::create(&pool, "image", MIB).unwrap();
    rbd_cmd(&format!("mirror pool enable {} image", pool.name));
    rbd_cmd(&format!("mirror image enable {}/image snapshot", pool.name));
    let mirror = Scheduler::MirrorSnapshot;
    let of_image = ScheduleLevel::image(&pool, "image").unwrap();
    let of_pool = ScheduleLevel::pool(&pool).unwrap();
    let often = Schedule::every(90 * MINUTE).unwrap();
    mirror.add(conn(), &of_image, &often).unwrap();
    let listed = mirror.list(conn(), &of_pool).unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].level, format!("{}/image", pool.name));
    assert_eq!(listed[0].schedules, [often]);
    let theirs = rbd_json(&format!(
        "mirror snapshot schedule ls --pool {} --image image",
        pool.name
    ));
    assert_eq!(theirs[0]["interval"], "90m", "{theirs}");
    mirror.status(conn(), &of_pool).unwrap();
    // All pools include this one.
    let all = mirror.list(conn(), &ScheduleLevel::all()).unwrap();
    assert!(all.contains(&listed[0]), "{all:?}");
    mirror.remove(conn(), &of_image, None).unwrap();
    assert_eq!(mirror.list(conn(), &of_pool).unwrap(), []);
    rbd_cmd(&format!("mirror image disable {}/image", pool.name));
}
