//! Snapshots that go while they are read, sizes that change while others write.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rbd::{ErrorKind, Features, Image, ImageOptions, OpenOptions, Shrink};
use testcluster::wait_until;

use crate::common::*;
use crate::rbd_common::*;

#[test]
fn a_snapshot_is_removed_while_it_is_read() {
    let pool = Pool::new();
    let image = image(&pool, "image", 8 * MIB);
    let old = pattern(1, 8 * MIB as usize);
    image.write_all_at(&old, 0).unwrap();
    image.snap_create("snap").unwrap();
    image
        .write_all_at(&pattern(2, 8 * MIB as usize), 0)
        .unwrap();
    image.flush().unwrap();

    // One that is told, and one that is not.
    let mut told = Image::open(&pool, "image").unwrap();
    told.snap_set(Some("snap")).unwrap();
    let options = OpenOptions::new().snapshot("snap");
    let untold = options.open(&pool, "image").unwrap();
    let (removed, reads, old) = (AtomicBool::new(false), AtomicUsize::new(0), &old);
    std::thread::scope(|scope| {
        let (removed, reads) = (&removed, &reads);
        scope.spawn(move || {
            let end = Instant::now() + Duration::from_secs(60);
            for offset in (0..8 * MIB).step_by(64 << 10).cycle() {
                let mut bytes = vec![0; 64 << 10];
                let over = removed.load(SeqCst);
                match told.read_exact_at(&mut bytes, offset) {
                    Ok(()) => {
                        let there = &old[offset as usize..][..bytes.len()];
                        // Objects go once the snapshot has been removed; until then all is there.
                        let lost = all_zero(&bytes) && removed.load(SeqCst);
                        assert!(bytes == there || lost, "{offset}");
                    }
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
                        break;
                    }
                }
                assert!(!over || Instant::now() < end, "it goes on to read");
            }
            // It can be turned to what is there.
            told.snap_set(None).unwrap();
            told.close().unwrap();
        });
        scope.spawn(move || {
            let mut offset = 0;
            let mut bytes = vec![0; 64 << 10];
            while !removed.load(SeqCst) {
                untold.read_exact_at(&mut bytes, offset).unwrap();
                reads.fetch_add(1, SeqCst);
                let there = &old[offset as usize..][..bytes.len()];
                assert!(bytes == there || removed.load(SeqCst) || all_zero(&bytes));
                offset = (offset + (64 << 10)) % (8 * MIB);
            }
            // Never other data than the snapshot's, but what is gone reads as zeros.
            untold.read_exact_at(&mut bytes, 0).unwrap();
            assert!(bytes == old[..bytes.len()] || all_zero(&bytes));
            untold.close().unwrap();
        });
        wait_until("reads", Duration::from_secs(60), || reads.load(SeqCst) > 20).unwrap();
        removed.store(true, SeqCst);
        image.snap_remove("snap").unwrap();
    });
    fails(options.open(&pool, "image"), ErrorKind::NotFound);
}

/// Where the writes go: across the end of the smaller image's second object.
const AT: u64 = 8 * MIB - 2048;

/// Resizes an image between 16 MiB and `least` while another handle, which keeps the exclusive lock, writes to it, and
/// looks at what is there. Where the lock goes back and forth, 16.2.15 may let the resizing wait for ever.
fn resize_under_writes(pool: &Pool, least: u64) {
    let image = Image::open(pool, "image").unwrap();
    let (locked, is_locked) = mpsc::channel();
    let (done, end) = (
        AtomicBool::new(false),
        Instant::now() + Duration::from_secs(300),
    );
    let data = std::thread::scope(|scope| {
        let done = &done;
        let writer = scope.spawn(move || {
            let client = builder().connect().unwrap();
            let other = Image::open(&client.ioctx(&pool.name).unwrap(), "image").unwrap();
            let lock = other.lock_acquire().unwrap();
            locked.send(()).unwrap();
            let write = |data: &[u8]| match other.write_all_at(data, AT) {
                Ok(()) => true,
                // More is not written where it does not fit.
                Err(error) if error.kind() == ErrorKind::NoSpace => false,
                Err(error) => panic!("{error}"),
            };
            let mut data = vec![];
            for n in 0.. {
                if done.load(SeqCst) {
                    break;
                }
                assert!(Instant::now() < end, "the resizing does not end");
                data = pattern(n, 4096);
                write(&data);
            }
            // In the end it fits, which the handle may learn a moment later.
            wait_until("the last write", Duration::from_secs(60), || write(&data)).unwrap();
            lock.release().unwrap();
            other.close().unwrap();
            data
        });
        is_locked.recv().unwrap();
        for n in 0..repeat(10).max(2) as u64 {
            let size = if least < 16 * MIB {
                least
            } else {
                (17 + n) * MIB
            };
            image.resize(size, Shrink::Allow).unwrap();
            image.resize(size.max(16 * MIB), Shrink::Deny).unwrap();
        }
        done.store(true, SeqCst);
        writer.join().unwrap()
    });
    image.invalidate_cache().unwrap();
    let all = content(&image);
    let at = AT as usize;
    assert!(all[at..at + 4096] == data);
    assert!(all_zero(&all[..at]) && all_zero(&all[at + 4096..]));
    assert!(exported(&format!("{}/image", pool.name)) == all);
}

/// An image without an object map, with which 14.2.21, and 16.2.15 when it shrinks, may abort a process of the two.
fn image_without_map(pool: &Pool) {
    let options = ImageOptions::new().features(Features::LAYERING | Features::EXCLUSIVE_LOCK);
    options.create(pool, "image", 16 * MIB).unwrap();
}

#[test]
fn an_image_grows_while_another_handle_writes() {
    let pool = Pool::new();
    if release() < 16 {
        image_without_map(&pool);
    } else {
        rbd::create(&pool, "image", 16 * MIB).unwrap();
    }
    resize_under_writes(&pool, 16 * MIB);
}

#[test]
fn an_image_shrinks_while_another_handle_writes() {
    let pool = Pool::new();
    image_without_map(&pool);
    resize_under_writes(&pool, MIB);
}
