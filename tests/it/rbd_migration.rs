//! Migration within a cluster.

use std::io::BufRead;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Stdio;
use std::time::Duration;

use rbd::{
    ErrorKind, Image, ImageOptions, Migration, MigrationStage, MigrationState, Order, Prepared,
    TrashSource,
};

use crate::common::*;
use crate::rbd_common::*;

const SIZE: usize = 8 << 20;

/// Creates an image with this content, closed.
fn filled(pool: &Pool, name: &str, content: &[u8]) {
    let image = image(pool, name, content.len() as u64);
    image.write_all_at(content, 0).unwrap();
    image.close().unwrap();
}

/// Migrates an image `image` to another pool, as prepared.
fn prepared(from: &Pool, to: &Pool) -> Migration<Prepared> {
    Migration::prepare(from, "image", to, "moved", &ImageOptions::new()).unwrap()
}

fn state(pool: &Pool, image: &str) -> MigrationState {
    rbd::migration_status(pool, image).unwrap().state
}

#[test]
fn an_image_moves_while_it_is_used() {
    if !has("migration") {
        return;
    }
    let (from, to) = (Pool::new(), Pool::new());
    let mut expected = pattern(1, SIZE);
    filled(&from, "image", &expected);
    let image = Image::open(&from, "image").unwrap();
    image.snap_create("snap").unwrap();
    image.close().unwrap();
    let options = ImageOptions::new().order(Order::new(20).unwrap());
    // The source's stripe unit is as large as its objects.
    let prepared = Migration::prepare(&from, "image", &to, "moved", &options);
    let text = fails(prepared, ErrorKind::InvalidArgument);
    assert!(text.contains("stripe unit"), "{text}");
    let options = options.stripe(MIB, 1);
    let migration = Migration::prepare(&from, "image", &to, "moved", &options).unwrap();
    assert_eq!(migration.target(), "moved");

    // The source is in the trash, and cannot be opened; the target has its content.
    fails(Image::open(&from, "image"), ErrorKind::NotFound);
    let trash = rbd::trash_list(&from).unwrap();
    assert_eq!(trash[0].source, TrashSource::Migration);
    let target = Image::open(&to, "moved").unwrap();
    assert!(content(&target) == expected);
    let status = migration.status().unwrap();
    assert_eq!(status.state, MigrationState::Prepared);
    let source = status.source.clone().unwrap();
    assert_eq!(source.pool_id, from.pool_id().unwrap());
    assert_eq!((&*source.name, &source.id), ("image", &trash[0].id));
    assert_eq!(status.target.pool_id, to.pool_id().unwrap());
    assert_eq!(status.target.id, target.id().unwrap());
    assert_eq!(rbd::migration_status(&from, "image").unwrap(), status);
    let theirs = rbd_json(&format!("status {}/moved", to.name));
    assert_eq!(theirs["migration"]["state"], "prepared");
    fails(rbd::remove(&to, "moved"), ErrorKind::Busy);

    let new = pattern(2, 1000);
    target.write_all_at(&new, 5000).unwrap();
    expected[5000..6000].copy_from_slice(&new);
    let mut seen = Vec::new();
    let migration = migration.execute_with_progress(|done, total| seen.push((done, total)));
    let migration = migration.unwrap();
    assert!(
        !seen.is_empty() && seen.iter().all(|(done, total)| done <= total),
        "{seen:?}"
    );
    assert_eq!(state(&to, "moved"), MigrationState::Executed);
    assert!(content(&target) == expected);
    migration.commit().unwrap();
    target.write_all_at(b"later", 0).unwrap();
    target.close().unwrap();

    expected[..5].copy_from_slice(b"later");
    assert!(exported(&format!("{}/moved", to.name)) == expected);
    let before = exported(&format!("{}/moved@snap", to.name));
    assert!(before == pattern(1, SIZE));
    let target = Image::open(&to, "moved").unwrap();
    assert_eq!(target.info().unwrap().order.get(), 20);
    assert_eq!(rbd::list(&from).unwrap(), []);
    assert_eq!(rbd::trash_list(&from).unwrap(), []);
    assert!(rbd::migration_status(&to, "moved").is_err());
}

#[test]
fn an_image_may_stay_in_its_pool_under_its_name() {
    if !has("migration") {
        return;
    }
    let pool = Pool::new();
    let data = pattern(1, SIZE);
    filled(&pool, "image", &data);
    let options = ImageOptions::new().stripe(64 * KIB, 4);
    let migration = Migration::prepare(&pool, "image", &pool, "image", &options).unwrap();
    migration.execute().unwrap().commit().unwrap();
    let image = Image::open(&pool, "image").unwrap();
    assert_eq!(image.stripe_count().unwrap(), 4);
    assert!(content(&image) == data);
}

#[test]
fn an_abort_brings_the_source_back() {
    if !has("migration") {
        return;
    }
    for executed in [false, true] {
        let (from, to) = (Pool::new(), Pool::new());
        let mut expected = pattern(1, SIZE);
        filled(&from, "image", &expected);
        let migration = prepared(&from, &to);
        let target = Image::open(&to, "moved").unwrap();
        target.write_all_at(b"written to the target", 7).unwrap();
        target.close().unwrap();
        expected[7..28].copy_from_slice(b"written to the target");
        let mut steps = 0;
        if executed {
            let migration = migration.execute().unwrap();
            migration.abort_with_progress(|_, _| steps += 1).unwrap();
        } else {
            migration.abort_with_progress(|_, _| steps += 1).unwrap();
        }
        assert!(steps > 0);
        assert!(exported(&format!("{}/image", from.name)) == expected);
        assert_eq!(rbd::list(&to).unwrap(), []);
        assert_eq!(rbd::trash_list(&from).unwrap(), []);
        assert!(rbd::migration_status(&from, "image").is_err());
    }
}

#[test]
fn what_cannot_be_migrated_is_refused() {
    if !has("migration") {
        return;
    }
    let (from, to) = (Pool::new(), Pool::new());
    filled(&from, "image", b"content");
    let options = ImageOptions::new();
    let prepare = |source: &str, target: &str| {
        Migration::prepare(&from, source, &to, target, &options).map(drop)
    };
    fails(prepare("none", "moved"), ErrorKind::NotFound);
    for name in ["", "a\0b"] {
        fails(prepare("image", name), ErrorKind::InvalidArgument);
        fails(prepare(name, "moved"), ErrorKind::InvalidArgument);
    }
    rbd::create(&to, "taken", MIB).unwrap();
    let text = fails(prepare("image", "taken"), ErrorKind::AlreadyExists);
    assert!(text.contains(&format!("{}/image", from.name)), "{text}");
    {
        let script = "image = rbd.Image(io, 'image')\nprint('open', flush=True)\nsys.stdin.read()";
        let _python = Python::start(script, &[&from.name]);
        let text = fails(prepare("image", "moved"), ErrorKind::Busy);
        assert!(text.contains("is open"), "{text}");
    }
    let open = Image::open(&from, "image").unwrap();
    fails(prepare("image", "moved"), ErrorKind::Busy);
    open.close().unwrap();
    // It is as it was.
    assert_eq!(exported(&format!("{}/image", from.name)), b"content");
    assert_eq!(rbd::trash_list(&from).unwrap(), []);
    assert!(rbd::migration_status(&from, "image").is_err());
    fails(rbd::migration_status(&from, "none"), ErrorKind::NotFound);
    fails(Migration::resume(&from, "none"), ErrorKind::NotFound);

    rbd::group_create(&from, "group").unwrap();
    rbd::group_image_add(&from, "group", &from, "image").unwrap();
    rbd::group_snap_create(&from, "group", "snap").unwrap();
    fails(prepare("image", "moved"), ErrorKind::Busy);
}

#[test]
fn a_step_that_fails_gives_the_migration_back() {
    if !has("migration") {
        return;
    }
    let (from, to) = (Pool::new(), Pool::new());
    filled(&from, "image", &pattern(1, SIZE));
    let migration = prepared(&from, &to);
    let MigrationStage::Prepared(same) = Migration::resume(&from, "image").unwrap() else {
        panic!("it is prepared");
    };
    assert_eq!(same.target(), "moved");
    let executed = migration.execute().unwrap();
    let failed = same.execute().unwrap_err();
    assert_eq!(failed.error.kind(), ErrorKind::InvalidArgument);
    assert!(failed.to_string().contains(&format!("{}/moved", to.name)));

    {
        let script = "image = rbd.Image(io, 'moved')\nprint('open', flush=True)\nsys.stdin.read()";
        let _python = Python::start(script, &[&to.name]);
        let failed = failed.migration.abort().unwrap_err();
        assert_eq!(failed.error.kind(), ErrorKind::Busy);
        assert_eq!(
            failed.migration.status().unwrap().state,
            MigrationState::Executed
        );
    }
    executed.commit().unwrap();
    assert!(Migration::resume(&to, "moved").is_err());
}

#[test]
fn progress_that_panics_stops_nothing() {
    if !has("migration") {
        return;
    }
    let (from, to) = (Pool::new(), Pool::new());
    let data = pattern(1, SIZE);
    filled(&from, "image", &data);
    let migration = prepared(&from, &to);
    let run = AssertUnwindSafe(|| migration.execute_with_progress(|_, _| panics_quietly()));
    assert_eq!(
        catch_unwind(run).unwrap_err().downcast_ref(),
        Some(&ON_PURPOSE)
    );
    let MigrationStage::Executed(migration) = Migration::resume(&to, "moved").unwrap() else {
        panic!("it is executed");
    };
    let run = AssertUnwindSafe(|| migration.commit_with_progress(|_, _| panics_quietly()));
    assert_eq!(
        catch_unwind(run).unwrap_err().downcast_ref(),
        Some(&ON_PURPOSE)
    );
    assert!(Migration::resume(&to, "moved").is_err());
    assert_eq!(rbd::trash_list(&from).unwrap(), []);
    assert!(exported(&format!("{}/moved", to.name)) == data);
}

#[test]
fn an_execution_that_was_killed_is_resumed() {
    if !has("migration") {
        return;
    }
    let (from, to) = (Pool::new(), Pool::new());
    let mut expected = pattern(1, 16 << 20);
    let small = ImageOptions::new().order(Order::new(16).unwrap());
    small.create(&from, "image", 16 * MIB).unwrap();
    let source = Image::open(&from, "image").unwrap();
    source.write_all_at(&expected, 0).unwrap();
    source.close().unwrap();
    drop(prepared(&from, &to));
    let script = "
import os, rados, rbd, sys, time
conn = rados.Rados(conffile=os.environ['CEPH_CONF'])
conn.connect()
io = conn.open_ioctx(sys.argv[1])
print(conn.get_addrs(), flush=True)
def progress(done, total):
    if done >= 50:
        print('half', flush=True)
        time.sleep(600)
    return 0
rbd.RBD().migration_execute(io, 'moved', on_progress=progress)
";
    let mut command = cluster().command("/usr/bin/python3");
    command
        .args(["-c", script, &to.name])
        .stdout(Stdio::piped());
    let mut python = command.spawn().unwrap();
    let mut lines = std::io::BufReader::new(python.stdout.take().unwrap()).lines();
    let addrs = lines.next().unwrap().unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "half");
    python.kill().unwrap();
    python.wait().unwrap();
    // It had the exclusive lock, which is free at once when it is fenced.
    let addr = addrs.parse().unwrap();
    let minute = Duration::from_secs(60);
    conn()
        .blocklist_add(&addr, Some(minute), rados::Force::No)
        .unwrap();

    assert_eq!(state(&to, "moved"), MigrationState::Executing);
    let target = Image::open(&to, "moved").unwrap();
    assert!(content(&target) == expected);
    target.write_all_at(b"meanwhile", 15 << 20).unwrap();
    expected[15 << 20..][..9].copy_from_slice(b"meanwhile");
    let MigrationStage::Prepared(migration) = Migration::resume(&to, "moved").unwrap() else {
        panic!("it is to be executed");
    };
    if release() < 16 {
        let failed = migration.execute().unwrap_err();
        assert_eq!(failed.error.kind(), ErrorKind::InvalidArgument);
        target.close().unwrap();
        failed.migration.abort().unwrap();
        return;
    }
    migration.execute().unwrap().commit().unwrap();
    target.close().unwrap();
    assert!(exported(&format!("{}/moved", to.name)) == expected);
}
