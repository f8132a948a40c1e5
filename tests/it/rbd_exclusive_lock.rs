//! The exclusive lock: kept, handed over, broken, lost.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rados::{Conn, IoCtx};
use rbd::{ErrorKind, ExclusiveLock, Features, Image, ImageOptions, OpenOptions, Shrink};
use testcluster::TestCluster;

use crate::common::*;
use crate::rbd_common::*;

/// The same pool through a connection of its own: another client.
#[track_caller]
fn other(pool: &IoCtx) -> IoCtx {
    let conn = builder().connect().unwrap();
    conn.ioctx(&pool.pool_name().unwrap()).unwrap()
}

/// The address of the lock's only owner.
#[track_caller]
fn owner(image: &Image) -> String {
    let mut owners = image.lock_get_owners().unwrap();
    assert_eq!(owners.len(), 1);
    owners.remove(0)
}

#[test]
fn a_guard_keeps_the_lock_until_it_is_released() {
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    let second = Image::open(&other(&pool), "image").unwrap();
    assert_eq!(image.lock_get_owners().unwrap(), Vec::<String>::new());
    assert!(!image.is_exclusive_lock_owner().unwrap());

    let lock = image.lock_acquire().unwrap();
    assert!(image.is_exclusive_lock_owner().unwrap());
    assert!(!second.is_exclusive_lock_owner().unwrap());
    let held = rbd_json(&format!("lock ls {}/image", pool.name));
    let client = format!("client.{}", pool.conn().instance_id().unwrap());
    assert_eq!(held[0]["locker"], client.as_str());
    for image in [&image, &second] {
        let address = held[0]["address"].as_str().unwrap();
        assert!(address.ends_with(&owner(image)), "{address}");
    }
    // It is not handed over.
    let text = fails(second.lock_acquire(), ErrorKind::ReadOnly);
    assert!(text.contains("another holds the lock"), "{text}");
    fails(second.write_at(b"second", 0), ErrorKind::ReadOnly);
    image.write_all_at(b"first", 0).unwrap();
    assert_eq!(lock.image().size().unwrap(), MIB);

    lock.release().unwrap();
    assert!(!image.is_exclusive_lock_owner().unwrap());
    assert_eq!(second.lock_get_owners().unwrap(), Vec::<String>::new());
    // From now on this image only writes while it holds the lock.
    fails(image.write_at(b"x", 0), ErrorKind::ReadOnly);
    let lock = second.lock_acquire().unwrap();
    second.write_all_at(b"second", 5).unwrap();
    drop(lock);
    let lock = image.lock_acquire().unwrap();
    image.write_all_at(b"third", 11).unwrap();
    assert_eq!(bytes_at(&image, 0, 16), b"firstsecondthird");
    let again = image.lock_acquire().unwrap();
    again.release().unwrap();
    let text = fails(lock.release(), ErrorKind::InvalidArgument);
    assert!(text.contains("does not hold the lock"), "{text}");
}

#[test]
fn without_guards_the_lock_goes_to_who_writes() {
    let pool = Pool::new();
    let first = image(&pool, "image", MIB);
    let second = Image::open(&other(&pool), "image").unwrap();
    for round in 0..3 {
        for (n, (writer, reader)) in [(&first, &second), (&second, &first)]
            .into_iter()
            .enumerate()
        {
            let data = pattern(round * 2 + n as u64, 4096);
            writer
                .write_all_at(&data, round * 8192 + n as u64 * 4096)
                .unwrap();
            writer.flush().unwrap();
            assert!(writer.is_exclusive_lock_owner().unwrap());
            assert!(!reader.is_exclusive_lock_owner().unwrap());
            assert_eq!(owner(writer), owner(reader));
        }
    }
    drop(second);
    let written = bytes_at(&first, 0, 6 * 4096);
    let expected: Vec<_> = (0..6).flat_map(|seed| pattern(seed, 4096)).collect();
    assert!(written == expected);
}

#[test]
fn a_guard_that_is_dropped_in_a_callback_is_released_by_another_thread() {
    let pool = Pool::new();
    let image = Arc::new(image(&pool, "image", 64 * MIB));
    let shrunk = self::image(&pool, "shrunk", 64 * MIB);
    for _ in 0..3 {
        let mut lock = Some(ExclusiveLock::acquire(Arc::clone(&image)).unwrap());
        shrunk.resize(64 * MIB, Shrink::Deny).unwrap();
        shrunk
            .resize_with_progress(MIB, Shrink::Allow, |_, _| {
                if let Some(lock) = lock.take() {
                    // Here it cannot wait.
                    fails(lock.release(), ErrorKind::Deadlock);
                }
                ControlFlow::Continue(())
            })
            .unwrap();
        assert!(lock.is_none());
        poll("the lock to be released", || {
            image.lock_get_owners().unwrap().is_empty()
        });
    }
    // Closing may come in between.
    for round in 0..6 {
        let image = Image::open(&pool, "image").unwrap();
        shrunk.resize(64 * MIB, Shrink::Deny).unwrap();
        let mut lock = Some(image.lock_acquire().unwrap());
        shrunk
            .resize_with_progress(MIB, Shrink::Allow, |_, _| {
                drop(lock.take());
                ControlFlow::Continue(())
            })
            .unwrap();
        assert!(lock.is_none());
        drop(lock);
        match round % 3 {
            0 => image.close().unwrap(),
            1 => image.aio_close().wait().unwrap(),
            _ => drop(image),
        }
    }
    poll("the lock to be released", || {
        image.lock_get_owners().unwrap().is_empty()
    });
    let lock = image.lock_acquire().unwrap();
    drop(lock);
    let image = Arc::into_inner(image).unwrap();
    image.close().unwrap();
}

#[test]
fn what_cannot_be_locked() {
    let pool = Pool::new();
    let options = ImageOptions::new().features(Features::LAYERING);
    options.create(&pool, "plain", MIB).unwrap();
    let plain = Image::open(&pool, "plain").unwrap();
    let text = fails(plain.lock_acquire(), ErrorKind::InvalidArgument);
    assert!(text.contains("EXCLUSIVE_LOCK"), "{text}");
    assert!(!plain.is_exclusive_lock_owner().unwrap());
    fails(plain.lock_get_owners(), ErrorKind::InvalidArgument);
    fails(
        plain.lock_break("127.0.0.1:0/1"),
        ErrorKind::InvalidArgument,
    );

    let image = image(&pool, "image", MIB);
    image.snap_create("snap").unwrap();
    for reader in [
        OpenOptions::new().read_only(),
        OpenOptions::new().snapshot("snap"),
    ] {
        let reader = reader.open(&pool, "image").unwrap();
        fails(reader.lock_acquire(), ErrorKind::InvalidArgument);
        assert!(!reader.is_exclusive_lock_owner().unwrap());
        // Ceph 14 tells readers who has the lock.
        let kind = match release() {
            ..16 => ErrorKind::Busy,
            _ => ErrorKind::InvalidArgument,
        };
        fails(reader.lock_break("127.0.0.1:0/1"), kind);
    }
    match image.lock_acquire_transient() {
        Err(error) => {
            assert!(release() < 20);
            assert_eq!(error.kind(), ErrorKind::Unsupported);
        }
        Ok(lock) => {
            assert!(image.is_exclusive_lock_owner().unwrap());
            // Who asks waits for its end.
            let second = Image::open(&other(&pool), "image").unwrap();
            let writing = second.aio_write(b"second".to_vec(), 0);
            image.write_all_at(b"first!", 0).unwrap();
            assert!(!writing.is_complete());
            lock.release().unwrap();
            writing.wait().0.unwrap();
            assert_eq!(bytes_at(&second, 0, 6), b"second");
        }
    }
}

#[test]
fn breaking_the_lock_fences_its_holder_and_nobody_else() {
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    fails(image.lock_break("127.0.0.1:0/1"), ErrorKind::NotFound);
    fails(image.lock_break("a\0b"), ErrorKind::InvalidArgument);

    // Not ourselves, through whatever handle.
    let lock = image.lock_acquire().unwrap();
    let own = owner(&image);
    let twin = Image::open(&pool, "image").unwrap();
    for image in [&image, &twin] {
        let text = fails(image.lock_break(&own), ErrorKind::InvalidArgument);
        assert!(text.contains("own lock"), "{text}");
        fails(image.lock_break("127.0.0.1:0/1"), ErrorKind::Busy);
    }
    drop(twin);
    lock.release().unwrap();

    let fenced = Image::open(&other(&pool), "image").unwrap();
    let lock = fenced.lock_acquire().unwrap();
    fenced.write_all_at(b"before", 0).unwrap();
    fenced.flush().unwrap();
    let address = owner(&image);
    assert_ne!(address, own);
    fails(image.lock_break(&own), ErrorKind::Busy);
    image.lock_break(&address).unwrap();
    assert_eq!(image.lock_get_owners().unwrap(), Vec::<String>::new());
    let listed = String::from_utf8(run("ceph", &["osd", blocklist(), "ls"])).unwrap();
    assert!(listed.contains(&address), "{address} {listed}");

    // Ours is alive, the other's writes are not accepted.
    let ours = image.lock_acquire().unwrap();
    image.write_all_at(b"after", 4096).unwrap();
    fails(fenced.is_exclusive_lock_owner(), ErrorKind::Blocklisted);
    let late = fenced
        .write_all_at(b"late!!", 0)
        .and_then(|()| fenced.flush());
    fails(late, ErrorKind::Blocklisted);
    drop(lock);
    let _ = fenced.close();
    assert_eq!(bytes_at(&image, 0, 6), b"before");
    assert_eq!(bytes_at(&image, 4096, 5), b"after");
    ours.release().unwrap();
    image.close().unwrap();
    run("ceph", &["osd", blocklist(), "rm", &address]);
}

/// Holds the lock, with a write that has arrived, until it is ended.
const HOLDER: &str = "
image = rbd.Image(io, 'image')
image.lock_acquire(rbd.RBD_LOCK_MODE_EXCLUSIVE)
image.write(b'written', 0)
image.flush()
print('held', flush=True)
sys.stdin.read()
";

#[test]
fn the_lock_of_a_killed_client_can_be_broken_at_once() {
    let pool = Pool::new();
    rbd::create(&pool, "image", MIB).unwrap();
    let (holder, _) = Python::start(HOLDER, &[&pool.name]);
    let image = Image::open(&pool, "image").unwrap();
    fails(image.lock_acquire(), ErrorKind::ReadOnly);
    holder.kill();
    let address = owner(&image);
    image.lock_break(&address).unwrap();
    let lock = image.lock_acquire().unwrap();
    assert_eq!(bytes_at(&image, 0, 7), b"written");
    image.write_all_at(b"again", 7).unwrap();
    lock.release().unwrap();
    image.close().unwrap();
    assert_eq!(
        &exported(&format!("{}/image", pool.name))[..12],
        b"writtenagain"
    );
    run("ceph", &["osd", blocklist(), "rm", &address]);
}

#[test]
fn the_lock_of_a_killed_client_is_taken_over() {
    let cluster = TestCluster::builder()
        .conf("osd_client_watch_timeout", "3")
        .start()
        .unwrap();
    let conn = Conn::builder()
        .config_file(cluster.conf_path())
        .connect()
        .unwrap();
    let pool = conn.ioctx("rbd").unwrap();
    rbd::create(&pool, "image", MIB).unwrap();
    let (holder, _) = Python::start_on(&cluster, HOLDER, &["rbd"]);
    let image = Image::open(&pool, "image").unwrap();
    fails(image.lock_acquire(), ErrorKind::ReadOnly);
    holder.kill();
    let started = Instant::now();
    let lock = image.lock_acquire().unwrap();
    let took = started.elapsed();
    assert!(took < Duration::from_secs(60), "{took:?}");
    assert_eq!(bytes_at(&image, 0, 7), b"written");
    image.write_all_at(b"again", 7).unwrap();
    lock.release().unwrap();
    image.close().unwrap();
    let image = Image::open_read_only(&pool, "image").unwrap();
    assert_eq!(bytes_at(&image, 0, 12), b"writtenagain");
}
