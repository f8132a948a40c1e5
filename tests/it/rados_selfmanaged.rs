//! Self-managed snapshots.

use rados::{Conn, ErrorKind, IoCtx, SnapContext, SnapId, SnapView};

use crate::common::*;

fn content(ioctx: &IoCtx, object: &str) -> String {
    let mut buffer = vec![0; 64];
    let len = ioctx.read(object, &mut buffer, 0).unwrap();
    String::from_utf8(buffer[..len].to_vec()).unwrap()
}

fn content_at(view: &SnapView, object: &str) -> rados::Result<String> {
    let mut buffer = vec![0; 64];
    let len = view.read(object, &mut buffer, 0)?;
    Ok(String::from_utf8(buffer[..len].to_vec()).unwrap())
}

fn context<const N: usize>(newest_first: [SnapId; N]) -> SnapContext {
    let seq = newest_first.first().map_or(0, |newest| newest.get());
    SnapContext::new(seq, newest_first).unwrap()
}

/// The ids of an object's copies, as the command `rados` tells them.
fn clones(pool: &Pool, object: &str) -> Vec<u64> {
    let output = run(
        "rados",
        &["-p", &pool.name, "listsnaps", object, "--format", "json"],
    );
    let json: serde_json::Value = serde_json::from_slice(&output).unwrap();
    let clones = json["clones"].as_array().unwrap();
    clones
        .iter()
        .filter_map(|clone| clone["id"].as_u64())
        .collect()
}

#[test]
fn writes_preserve_the_snapshots_of_their_context() {
    let pool = Pool::new();
    pool.write_full("object", b"one").unwrap();
    let first = pool.selfmanaged_snap_create().unwrap();
    // Without a context nothing is preserved.
    pool.write_full("object", b"two").unwrap();
    assert!(clones(&pool, "object").is_empty());

    let writer = pool.with_snap_context(&context([first])).unwrap();
    assert_eq!(writer.snap_context().snaps(), [first]);
    writer.write_full("object", b"three").unwrap();
    writer.aio_write_full("object", b"four").wait().unwrap();
    let second = pool.aio_selfmanaged_snap_create().wait().unwrap();
    assert!(second > first);
    let writer = writer.with_snap_context(&context([second, first])).unwrap();
    writer.aio_append("object", b"five").wait().unwrap();
    writer.write_full("created", b"five").unwrap();
    assert_eq!(clones(&pool, "object"), [first.get(), second.get()]);

    let at = |id| pool.at_snapshot(id).unwrap();
    assert_eq!(content_at(&at(first), "object").unwrap(), "two");
    assert_eq!(content_at(&at(second), "object").unwrap(), "four");
    assert_eq!(content(&pool, "object"), "fourfive");
    fails(content_at(&at(second), "created"), ErrorKind::NotFound);
    let (read, _) = at(first).aio_read("created", vec![0; 8], 0).wait();
    fails(read, ErrorKind::NotFound);
}

#[test]
fn a_handle_keeps_its_context_and_namespace() {
    let pool = Pool::new();
    pool.write_full("object", b"old").unwrap();
    let tenant = pool.with_namespace("tenant").unwrap();
    tenant.write_full("object", b"old").unwrap();
    let snapshot = pool.selfmanaged_snap_create().unwrap();
    let context = context([snapshot]);
    let inner = pool.with_snap_context(&context).unwrap();
    let outer = tenant.with_snap_context(&context).unwrap();
    assert_eq!(outer.namespace(), "tenant");
    let other_way = inner.with_namespace("tenant").unwrap();
    assert_eq!(other_way.snap_context(), &context);
    other_way.write_full("object", b"new").unwrap();
    assert_eq!(content(&outer, "object"), "new");
    let then = outer.at_snapshot(snapshot).unwrap();
    assert_eq!(content_at(&then, "object").unwrap(), "old");
    // The handles that it came from are as they were.
    assert_eq!(pool.snap_context(), &SnapContext::default());
    pool.write_full("object", b"new").unwrap();
    assert!(clones(&pool, "object").is_empty());
}

#[test]
fn contexts_differ_between_handles_in_use_at_once() {
    let pool = Pool::new();
    let ids: Vec<_> = (0..4)
        .map(|_| pool.selfmanaged_snap_create().unwrap())
        .collect();
    for n in 0..ids.len() {
        pool.write_full(format!("object-{n}"), b"old").unwrap();
    }
    std::thread::scope(|scope| {
        for (n, &id) in ids.iter().enumerate() {
            let pool = &pool;
            scope.spawn(move || {
                let writer = pool.with_snap_context(&context([id])).unwrap();
                let object = format!("object-{n}");
                let writes: Vec<_> = (0..50)
                    .map(|_| writer.aio_write_full(&object, b"new"))
                    .collect();
                for write in writes {
                    write.wait().unwrap();
                }
            });
        }
    });
    for (n, &id) in ids.iter().enumerate() {
        assert_eq!(clones(&pool, &format!("object-{n}")), [id.get()]);
    }
}

#[test]
fn a_removed_snapshot_is_trimmed() {
    let pool = Pool::new();
    pool.write_full("object", b"one").unwrap();
    let ids = [(); 3].map(|()| pool.selfmanaged_snap_create().unwrap());
    let mut context = SnapContext::default();
    for (id, data) in ids.into_iter().zip([b"two", b"thr", b"fou"]) {
        context.add(id);
        let writer = pool.with_snap_context(&context).unwrap();
        writer.write_full("object", data).unwrap();
    }
    assert_eq!(clones(&pool, "object"), ids.map(SnapId::get));
    let removal = pool.aio_selfmanaged_snap_remove(ids[1]);
    pool.selfmanaged_snap_remove(ids[0]).unwrap();
    removal.wait().unwrap();
    // The other takes `osd_snap_trim_sleep_hdd` longer.
    poll("a copy to be trimmed", || clones(&pool, "object").len() < 3);
    for id in [ids[0], ids[1]] {
        let view = pool.at_snapshot(id).unwrap();
        fails(content_at(&view, "object"), ErrorKind::NotFound);
        // Again is no error.
        pool.selfmanaged_snap_remove(id).unwrap();
    }
    let kept = pool.at_snapshot(ids[2]).unwrap();
    assert_eq!(content_at(&kept, "object").unwrap(), "thr");
    let never = SnapId::new(ids[2].get() + 1000).unwrap();
    if release() >= 16 {
        fails(pool.selfmanaged_snap_remove(never), ErrorKind::NotFound);
        let removal = pool.aio_selfmanaged_snap_remove(never);
        fails(removal.wait(), ErrorKind::NotFound);
    }
}

#[test]
fn an_object_is_rolled_back() {
    let pool = Pool::new();
    pool.write_full("object", b"old").unwrap();
    let snapshot = pool.selfmanaged_snap_create().unwrap();
    let writer = pool.with_snap_context(&context([snapshot])).unwrap();
    writer.write_full("object", b"new").unwrap();
    writer.write_full("created", b"new").unwrap();

    // A handle that does not know the snapshot could lose others.
    let error = fails(
        pool.selfmanaged_snap_rollback("object", snapshot),
        ErrorKind::InvalidArgument,
    );
    assert!(error.contains("with_snap_context"), "{error}");
    assert_eq!(content(&pool, "object"), "new");

    for object in ["object", "created", "never"] {
        writer.selfmanaged_snap_rollback(object, snapshot).unwrap();
    }
    assert_eq!(content(&pool, "object"), "old");
    // It was not there.
    fails(pool.stat("created"), ErrorKind::NotFound);
    fails(pool.stat("never"), ErrorKind::NotFound);
    fails(
        writer.selfmanaged_snap_rollback("a\0b", snapshot),
        ErrorKind::InvalidArgument,
    );
}

#[test]
fn a_rollback_to_a_removed_snapshot_removes_the_object() {
    let pool = Pool::new();
    pool.write_full("object", b"old").unwrap();
    let snapshot = pool.selfmanaged_snap_create().unwrap();
    let writer = pool.with_snap_context(&context([snapshot])).unwrap();
    writer.write_full("object", b"new").unwrap();
    pool.selfmanaged_snap_remove(snapshot).unwrap();
    let gone = pool.at_snapshot(snapshot).unwrap();
    poll("the snapshot to be gone", || gone.stat("object").is_err());
    writer
        .selfmanaged_snap_rollback("object", snapshot)
        .unwrap();
    fails(pool.stat("object"), ErrorKind::NotFound);
}

#[test]
fn ids_are_made_at_once_and_all_differ() {
    let pool = Pool::new();
    let completions: Vec<_> = (0..20)
        .map(|_| pool.aio_selfmanaged_snap_create())
        .collect();
    let mut ids: Vec<_> = completions
        .into_iter()
        .map(|completion| completion.wait().unwrap())
        .collect();
    // Those that nobody waits for do no harm.
    for _ in 0..5 {
        drop(pool.aio_selfmanaged_snap_create());
        let _ = pool.aio_selfmanaged_snap_create().cancel();
    }
    rados::block_on(pool.drain());
    ids.push(pool.selfmanaged_snap_create().unwrap());
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 21);
    let removals: Vec<_> = ids
        .iter()
        .map(|&id| pool.aio_selfmanaged_snap_remove(id))
        .collect();
    for removal in removals {
        removal.wait().unwrap();
    }
}

#[test]
fn a_context_of_many_snapshots_is_taken() {
    let pool = Pool::new();
    pool.write_full("object", b"old").unwrap();
    let ids: Vec<_> = (1..=500).rev().filter_map(SnapId::new).collect();
    let many = SnapContext::new(500, ids).unwrap();
    let writer = pool.with_snap_context(&many).unwrap();
    writer.write_full("object", b"new").unwrap();
    assert_eq!(clones(&pool, "object"), [500]);
}

#[test]
fn snapshots_of_images_are_of_this_kind() {
    let pool = Pool::new();
    rbd::create(&pool, "image", 1 << 20).unwrap();
    let image = rbd::Image::open(&pool, "image").unwrap();
    image.snap_create("first").unwrap();
    let error = fails(pool.snap_create("whole"), ErrorKind::InvalidArgument);
    assert!(error.contains("RBD"), "{error}");
    let theirs = SnapId::new(image.snap_list().unwrap()[0].id).unwrap();
    assert!(pool.selfmanaged_snap_create().unwrap() > theirs);
    image.snap_remove("first").unwrap();
}

#[test]
fn a_user_who_may_not_is_told_so() {
    let pool = Pool::new();
    let user = unique("snap-reader");
    let caps = ["mon", "allow r", "osd", "allow r"];
    let keyring = run(
        "ceph",
        &[
            &["auth", "get-or-create", &format!("client.{user}")],
            &caps[..],
        ]
        .concat(),
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, keyring).unwrap();
    let conn: Conn = builder().id(&user).keyring(file.path()).connect().unwrap();
    let theirs = conn.ioctx(&pool.name).unwrap();
    fails(
        theirs.selfmanaged_snap_create(),
        ErrorKind::PermissionDenied,
    );
    fails(
        theirs.aio_selfmanaged_snap_create().wait(),
        ErrorKind::PermissionDenied,
    );
    fails(theirs.snap_create("first"), ErrorKind::PermissionDenied);
    run("ceph", &["auth", "del", &format!("client.{user}")]);
}
