//! Snapshots of pools.

use std::thread;
use std::time::{Duration, SystemTime};

use rados::{ErrorKind, IoCtx, Name, SnapId, SnapView};

use crate::common::*;

fn content(ioctx: &IoCtx, object: &str) -> Option<Vec<u8>> {
    let mut buffer = vec![0; 64];
    match ioctx.read(object, &mut buffer, 0) {
        Ok(len) => Some(buffer[..len].to_vec()),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
            None
        }
    }
}

/// What every way of reading says of the object at the snapshot.
#[track_caller]
fn content_at(view: &SnapView, object: &str) -> Option<Vec<u8>> {
    let mut buffer = vec![0; 64];
    let read = view.read(object, &mut buffer, 0);
    let (aio_read, aio_buffer) = view.aio_read(object, Vec::with_capacity(64), 0).wait();
    let stat = view.stat(object);
    let aio_stat = view.aio_stat(object).wait();
    let Ok(len) = read else {
        fails(read, ErrorKind::NotFound);
        fails(aio_read, ErrorKind::NotFound);
        fails(stat, ErrorKind::NotFound);
        fails(aio_stat, ErrorKind::NotFound);
        return None;
    };
    buffer.truncate(len);
    assert_eq!(aio_read.unwrap(), len);
    assert_eq!(aio_buffer, buffer);
    assert_eq!(stat.unwrap().size, len as u64);
    assert_eq!(aio_stat.unwrap().size, len as u64);
    Some(buffer)
}

fn rados(pool: &Pool, args: &[&str]) -> String {
    let output = run("rados", &[&["-p", &pool.name], args].concat());
    String::from_utf8(output).unwrap()
}

/// What the command `rados` reads, with these options.
fn get(pool: &Pool, options: &[&str], object: &str) -> Vec<u8> {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    rados(pool, &[options, &["get", object, path]].concat());
    std::fs::read(path).unwrap()
}

#[test]
fn a_snapshot_keeps_what_was() {
    let pool = Pool::new();
    let other = pool.with_namespace("other").unwrap();
    pool.write_full("changed", b"old").unwrap();
    pool.aio_setxattr("changed", "colour", b"red")
        .wait()
        .unwrap();
    pool.write_full("removed", b"old").unwrap();
    pool.write_full("same", b"old").unwrap();
    other.write_full("changed", b"other").unwrap();
    let snapshot = pool.snap_create("first").unwrap();
    pool.write_full("changed", b"new!").unwrap();
    pool.aio_setxattr("changed", "colour", b"blue")
        .wait()
        .unwrap();
    pool.remove("removed").unwrap();
    pool.write_full("created", b"new").unwrap();
    other.append("changed", b"+").unwrap();

    let then = pool.at_snapshot(snapshot).unwrap();
    assert_eq!(then.snapshot(), snapshot);
    for object in ["changed", "removed", "same"] {
        assert_eq!(content_at(&then, object).unwrap(), b"old", "{object}");
    }
    assert_eq!(content_at(&then, "created"), None);
    let attributes = then.aio_getxattrs("changed").wait().unwrap();
    assert_eq!(attributes.into_values().collect::<Vec<_>>(), [b"red"]);
    let (len, colour) = then
        .aio_getxattr("changed", "colour", Vec::with_capacity(8))
        .wait();
    assert_eq!((len.unwrap(), &colour[..]), (3, &b"red"[..]));
    let other_then = other.at_snapshot(snapshot).unwrap();
    assert_eq!(other_then.namespace(), "other");
    assert_eq!(content_at(&other_then, "changed").unwrap(), b"other");

    assert_eq!(content(&pool, "changed").unwrap(), b"new!");
    assert_eq!(content(&pool, "removed"), None);
    // Another client sees the same.
    assert_eq!(get(&pool, &["-s", "first"], "changed"), b"old");
    assert_eq!(get(&pool, &[], "changed"), b"new!");
    let error = fails(then.stat("created"), ErrorKind::NotFound);
    let subject = format!("{}/created@{snapshot}", pool.name);
    assert!(error.contains(&subject), "{error}");
}

#[test]
fn a_listing_has_what_was_removed_while_a_snapshot_has_it() {
    let pool = Pool::new();
    pool.write_full("removed", b"old").unwrap();
    let snapshot = pool.snap_create("first").unwrap();
    pool.remove("removed").unwrap();
    pool.write_full("created", b"new").unwrap();
    let names = || -> Vec<_> {
        let mut names: Vec<_> = pool
            .list_objects()
            .unwrap()
            .map(|object| object.unwrap().name)
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(), ["created", "removed"]);
    // At the snapshot it is no other.
    let theirs = rados(&pool, &["-s", "first", "ls"]);
    assert!(
        theirs.contains("created\n") && theirs.contains("removed\n"),
        "{theirs}"
    );
    let then = pool.at_snapshot(snapshot).unwrap();
    let mut was = names();
    was.retain(|name| then.stat(name).is_ok());
    assert_eq!(was, ["removed"]);
    pool.snap_remove("first").unwrap();
    poll("the copy to be trimmed", || names() == ["created"]);
}

#[test]
fn snapshots_are_listed_with_names_and_times() {
    let pool = Pool::new();
    assert_eq!(pool.snap_list().unwrap(), []);
    let before = SystemTime::now() - Duration::from_secs(2);
    let long = "n".repeat(700);
    let names = ["first", &long, "größer\n"];
    let ids = names.map(|name| pool.snap_create(name).unwrap());
    assert!(ids.is_sorted());
    let listed = pool.snap_list().unwrap();
    assert_eq!(listed.len(), 3);
    for (snap, (id, name)) in listed.iter().zip(ids.into_iter().zip(names)) {
        assert_eq!(
            (snap.id, &snap.name),
            (id, &Name::from(name.as_bytes().to_vec()))
        );
        assert!(snap.created >= before, "{snap:?}");
        assert!(snap.created <= SystemTime::now() + Duration::from_secs(2));
        assert_eq!(pool.snap_lookup(name).unwrap(), id);
        assert_eq!(pool.snap_name(id).unwrap(), snap.name);
        assert_eq!(pool.snap_created(id).unwrap(), snap.created);
    }
    let lines = rados(&pool, &["lssnap"]);
    assert!(lines.contains(&format!("{}\tfirst\t", ids[0])), "{lines}");

    // Another client's, once this one has its map.
    rados(&pool, &["mksnap", "theirs"]);
    rados(&pool, &["rmsnap", "first"]);
    conn().wait_for_latest_osdmap().unwrap();
    let listed = pool.snap_list().unwrap();
    assert_eq!(listed.len(), 3);
    assert_eq!(listed[2].name, "theirs");
    fails(pool.snap_lookup("first"), ErrorKind::NotFound);
}

#[test]
fn more_snapshots_than_the_first_buffer_takes_are_listed() {
    let pool = &Pool::new();
    let name = |n| format!("snapshot-{n}");
    let mut expected: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..70)
            .map(|n| scope.spawn(move || (pool.snap_create(name(n)).unwrap(), name(n))))
            .collect();
        let joined = threads.into_iter().map(|thread| thread.join().unwrap());
        joined.collect()
    });
    expected.sort();
    let listed: Vec<_> = pool
        .snap_list()
        .unwrap()
        .into_iter()
        .map(|snap| (snap.id, snap.name.to_string()))
        .collect();
    assert_eq!(listed, expected);
}

#[test]
fn what_is_not_there_and_what_is_no_name_is_refused() {
    let pool = Pool::new();
    let id = pool.snap_create("first").unwrap();
    fails(pool.snap_create("first"), ErrorKind::AlreadyExists);
    fails(pool.snap_create(""), ErrorKind::InvalidArgument);
    fails(pool.snap_remove("none"), ErrorKind::NotFound);
    fails(pool.snap_lookup("none"), ErrorKind::NotFound);
    let error = fails(pool.snap_rollback("object", "none"), ErrorKind::NotFound);
    assert!(error.contains(&format!("{}/object", pool.name)), "{error}");
    for nul in [
        pool.snap_create("a\0b").map(drop),
        pool.snap_remove("a\0b"),
        pool.snap_lookup("a\0b").map(drop),
        pool.snap_rollback("object", "a\0b"),
        pool.snap_rollback("a\0b", "first"),
    ] {
        fails(nul, ErrorKind::InvalidArgument);
    }
    pool.snap_remove("first").unwrap();
    fails(pool.snap_name(id), ErrorKind::NotFound);
    fails(pool.snap_created(id), ErrorKind::NotFound);
    for no_id in [0, u64::MAX, u64::MAX - 1] {
        assert_eq!(SnapId::new(no_id), None);
    }
}

#[test]
fn an_object_is_rolled_back() {
    let pool = Pool::new();
    pool.write_full("changed", b"old").unwrap();
    pool.write_full("removed", b"old").unwrap();
    let snapshot = pool.snap_create("first").unwrap();
    pool.write_full("changed", b"new").unwrap();
    pool.remove("removed").unwrap();
    pool.write_full("created", b"new").unwrap();
    for object in ["changed", "removed", "created", "never"] {
        pool.snap_rollback(object, "first").unwrap();
    }
    assert_eq!(content(&pool, "changed").unwrap(), b"old");
    assert_eq!(content(&pool, "removed").unwrap(), b"old");
    // It was not there.
    assert_eq!(content(&pool, "created"), None);
    assert_eq!(content(&pool, "never"), None);
    assert_eq!(get(&pool, &[], "changed"), b"old");
    let then = pool.at_snapshot(snapshot).unwrap();
    assert_eq!(content_at(&then, "changed").unwrap(), b"old");
}

#[test]
fn a_removed_snapshot_is_not_read() {
    let pool = Pool::new();
    pool.write_full("object", b"old").unwrap();
    let snapshot = pool.snap_create("first").unwrap();
    pool.write_full("object", b"new").unwrap();
    let then = pool.at_snapshot(snapshot).unwrap();
    assert_eq!(content_at(&then, "object").unwrap(), b"old");
    pool.snap_remove("first").unwrap();
    poll("the snapshot to be gone", || {
        then.stat("object")
            .is_err_and(|error| error.kind() == ErrorKind::NotFound)
    });
    assert_eq!(content_at(&then, "object"), None);
    assert_eq!(content(&pool, "object").unwrap(), b"new");
    // The copy goes too.
    poll("the copy to be trimmed", || {
        !rados(&pool, &["listsnaps", "object"]).contains(&format!("\n{snapshot}\t"))
    });
}

#[test]
fn a_pool_has_one_kind_of_snapshots() {
    let whole = Pool::new();
    let id = whole.snap_create("first").unwrap();
    let error = fails(whole.selfmanaged_snap_create(), ErrorKind::InvalidArgument);
    assert!(error.contains("snapshots of the whole pool"), "{error}");
    let completion = whole.aio_selfmanaged_snap_create();
    let error = fails(completion.wait(), ErrorKind::InvalidArgument);
    assert!(error.contains("snapshots of the whole pool"), "{error}");
    fails(
        whole.selfmanaged_snap_remove(id),
        ErrorKind::InvalidArgument,
    );
    let completion = whole.aio_selfmanaged_snap_remove(id);
    fails(completion.wait(), ErrorKind::InvalidArgument);
    whole.snap_remove("first").unwrap();
    fails(whole.selfmanaged_snap_create(), ErrorKind::InvalidArgument);

    let managed = Pool::new();
    managed.selfmanaged_snap_create().unwrap();
    let error = fails(managed.snap_create("first"), ErrorKind::InvalidArgument);
    assert!(error.contains("self-managed"), "{error}");
    let output = try_run("rados", &["-p", &managed.name, "mksnap", "first"]);
    assert!(!output.status.success());
    assert_eq!(managed.snap_list().unwrap(), []);
}

#[test]
fn a_deleted_pool_has_no_snapshots() {
    let name = unique("it");
    conn().pool_create(&name).unwrap();
    let pool = conn().ioctx(&name).unwrap();
    let id = pool.snap_create("first").unwrap();
    conn().pool_delete(&name).unwrap();
    conn().wait_for_latest_osdmap().unwrap();
    let gone = match release() {
        ..16 => ErrorKind::InvalidArgument,
        _ => ErrorKind::NotFound,
    };
    fails(pool.snap_create("second"), gone);
    fails(pool.snap_remove("first"), gone);
    fails(pool.snap_lookup("first"), ErrorKind::NotFound);
    fails(pool.snap_list(), ErrorKind::NotFound);
    fails(pool.snap_name(id), ErrorKind::NotFound);
    fails(pool.snap_created(id), ErrorKind::NotFound);
    fails(pool.snap_rollback("object", "first"), ErrorKind::NotFound);
    fails(pool.selfmanaged_snap_create(), ErrorKind::NotFound);
    fails(
        pool.aio_selfmanaged_snap_create().wait(),
        ErrorKind::NotFound,
    );
    fails(pool.selfmanaged_snap_remove(id), ErrorKind::NotFound);
    fails(
        pool.aio_selfmanaged_snap_remove(id).wait(),
        ErrorKind::NotFound,
    );
}
