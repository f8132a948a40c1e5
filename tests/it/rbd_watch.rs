//! Watching images for changes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use rbd::{ErrorKind, Image, OpenOptions, Shrink, UpdateWatch};

use crate::common::*;
use crate::rbd_common::*;

const LONG: Duration = Duration::from_secs(60);

/// Waits until the image has this size, with what the watch tells.
#[track_caller]
fn wait_for_size(watch: &mut UpdateWatch, image: &Image, size: u64) {
    let end = Instant::now() + LONG;
    while image.size().unwrap() != size {
        assert!(Instant::now() < end, "the image's size does not change");
        // In Ceph 14 an update may not be told.
        let _ = watch.recv_timeout(Duration::from_secs(2));
    }
}

#[test]
fn changes_by_others_and_by_itself_are_told() {
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    let mut watch = image.update_watch().unwrap();
    let none = watch.recv_timeout(Duration::from_millis(1));
    assert!(fails(none, ErrorKind::TimedOut).contains("no update"));

    rbd_cmd(&format!(
        "resize --no-progress --size 2M {}/image",
        pool.name
    ));
    assert!(watch.recv_timeout(LONG).unwrap().unwrap() >= 1);
    assert_eq!(image.size().unwrap(), 2 * MIB);
    rbd_cmd(&format!("snap create {}/image@snap", pool.name));
    assert!(watch.recv_timeout(LONG).unwrap().unwrap() >= 1);
    assert!(image.snap_exists("snap").unwrap());
    image.snap_remove("snap").unwrap();
    assert!(watch.recv_timeout(LONG).unwrap().unwrap() >= 1);

    // Writes are no change of the image.
    while watch.recv_timeout(Duration::from_secs(1)).is_ok() {}
    image.write_all_at(b"x", 0).unwrap();
    fails(
        watch.recv_timeout(Duration::from_millis(300)),
        ErrorKind::TimedOut,
    );
    watch.close().unwrap();
}

#[test]
fn updates_are_counted_while_nobody_receives() {
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    let mut watch = image.update_watch().unwrap();
    let mut second = image.update_watch().unwrap();
    let other = Image::open(&pool, "image").unwrap();
    for size in 2..12 {
        other.resize(size * MIB, Shrink::Deny).unwrap();
    }
    wait_for_size(&mut watch, &image, 11 * MIB);
    let mut told = 0;
    while let Ok(Some(updates)) = second.recv_timeout(Duration::from_millis(500)) {
        told += updates;
    }
    assert!(told >= 1, "{told}");
}

#[test]
fn who_reads_only_is_not_told_and_so_refused() {
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    image.snap_create("snap").unwrap();
    let read_only = Image::open_read_only(&pool, "image").unwrap();
    let text = fails(read_only.update_watch(), ErrorKind::ReadOnly);
    assert!(text.contains("not told"), "{text}");
    let past = OpenOptions::new().snapshot("snap");
    let past = past.aio_open(&pool, "image").wait().unwrap();
    fails(past.update_watch(), ErrorKind::ReadOnly);
}

#[test]
fn closing_the_image_ends_its_watches() {
    let pool = Pool::new();
    for asynchronous in [false, true] {
        let name = format!("image-{asynchronous}");
        let image = image(&pool, &name, MIB);
        let mut watches = [image.update_watch().unwrap(), image.update_watch().unwrap()];
        let third = image.update_watch().unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| watches[0].recv());
            match asynchronous {
                true => image.aio_close().wait().unwrap(),
                false => image.close().unwrap(),
            }
            assert_eq!(waiting.join().unwrap(), None);
        });
        assert_eq!(watches[1].recv(), None);
        assert_eq!(watches[1].recv(), None);
        third.close().unwrap();
        drop(watches);
        rbd::remove(&pool, &name).unwrap();
    }
}

#[test]
fn a_watch_keeps_its_image_open() {
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    let mut watch = image.update_watch().unwrap();
    let other = Image::open(&pool, "image").unwrap();
    drop(image);
    other.resize(2 * MIB, Shrink::Deny).unwrap();
    assert!(watch.recv_timeout(LONG).unwrap().is_some());
    drop(other);
    fails(rbd::remove(&pool, "image"), ErrorKind::Busy);
    drop(watch);
    rbd::remove(&pool, "image").unwrap();
}

#[test]
fn tasks_and_streams_are_woken() {
    use futures_util::StreamExt;

    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    let mut watch = image.update_watch().unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for size in (2..).take_while(|_| !done.load(SeqCst)) {
                image.resize(size * MIB, Shrink::Deny).unwrap();
            }
        });
        assert!(rados::block_on(watch.next()).is_some());
        assert!(rados::block_on(StreamExt::next(&mut watch)).is_some());
        done.store(true, SeqCst);
    });
}

/// Lets go of a watch where Ceph calls.
struct DropsIt {
    watch: Mutex<Option<UpdateWatch>>,
    close: bool,
    dropped: mpsc::Sender<()>,
}

impl Wake for DropsIt {
    fn wake(self: Arc<Self>) {
        let watch = self.watch.lock().unwrap().take().unwrap();
        match self.close {
            true => drop(fails(watch.close(), ErrorKind::Deadlock)),
            false => drop(watch),
        }
        self.dropped.send(()).unwrap();
    }
}

#[test]
fn a_watch_is_dropped_in_its_own_callback() {
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    let other = Image::open(&pool, "image").unwrap();
    for n in 0..10 {
        let (dropped, is_dropped) = mpsc::channel();
        let drops = Arc::new(DropsIt {
            watch: Mutex::new(None),
            close: n % 2 == 0,
            dropped,
        });
        let waker = Waker::from(Arc::clone(&drops));
        {
            // Whoever wakes finds it.
            let mut there = drops.watch.lock().unwrap();
            let watch = there.insert(image.update_watch().unwrap());
            let mut next = std::pin::pin!(watch.next());
            let mut context = Context::from_waker(&waker);
            assert!(Future::poll(next.as_mut(), &mut context).is_pending());
        }
        other.resize((2 + n) * MIB, Shrink::Deny).unwrap();
        is_dropped.recv_timeout(LONG).unwrap();
    }
    image.close().unwrap();
    drop(other);
    poll("the image to be closed", || {
        rbd::remove(&pool, "image").is_ok()
    });
}

#[test]
fn watches_come_and_go_while_updates_do() {
    let pool = Pool::new();
    let image = image(&pool, "image", MIB);
    let (done, told) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let other = Image::open(&pool, "image").unwrap();
            // On a slow machine the first ones may all come between two watches.
            let (often, end) = (repeat(60).max(3) as u64, Instant::now() + LONG);
            let enough = |&n: &u64| n >= often && (told.load(SeqCst) > 0 || Instant::now() > end);
            for n in (0..).take_while(|n| !enough(n)) {
                other.resize((2 + n) * MIB, Shrink::Deny).unwrap();
            }
            done.store(true, SeqCst);
        });
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(SeqCst) {
                    let mut watch = image.update_watch().unwrap();
                    if let Ok(Some(updates)) = watch.recv_timeout(Duration::from_millis(3)) {
                        told.fetch_add(updates, SeqCst);
                    }
                }
            });
        }
    });
    assert!(told.load(SeqCst) > 0);
}

#[test]
fn images_are_closed_while_updates_come() {
    let pool = Pool::new();
    rbd::create(&pool, "image", MIB).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let other = Image::open(&pool, "image").unwrap();
            for n in 0..repeat(60).max(3) as u64 {
                other.resize((2 + n) * MIB, Shrink::Deny).unwrap();
            }
            done.store(true, SeqCst);
        });
        for asynchronous in [false, true] {
            let (pool, done) = (&pool, &done);
            scope.spawn(move || {
                while !done.load(SeqCst) {
                    let image = Image::open(pool, "image").unwrap();
                    let mut watch = image.update_watch().unwrap();
                    let dropped = image.update_watch().unwrap();
                    let _ = watch.recv_timeout(Duration::from_millis(3));
                    std::thread::scope(|scope| {
                        scope.spawn(|| drop(dropped));
                        match asynchronous {
                            true => image.aio_close().wait().unwrap(),
                            false => image.close().unwrap(),
                        }
                    });
                    while watch.recv().is_some() {}
                }
            });
        }
    });
}

#[cfg(feature = "watchers")]
#[test]
fn watchers_are_those_who_may_write() {
    if !has("watchers") {
        return;
    }
    let pool = Pool::new();
    rbd::create(&pool, "image", MIB).unwrap();
    let read_only = Image::open_read_only(&pool, "image").unwrap();
    assert_eq!(read_only.watchers().unwrap(), []);
    let ours = Image::open(&pool, "image").unwrap();
    let watchers = ours.watchers().unwrap();
    assert_eq!(watchers.len(), 1);
    assert_eq!(watchers[0].id as u64, conn().instance_id().unwrap());
    assert!(watchers[0].addr.contains(':'), "{watchers:?}");

    let script = "
image = rbd.Image(io, 'image')
print(json.dumps(list(image.watchers_list())), flush=True)
sys.stdin.read()
image.close()
";
    let (python, line) = Python::start(script, &[&pool.name]);
    let theirs: serde_json::Value = serde_json::from_str(&line).unwrap();
    let mut theirs: Vec<_> = theirs
        .as_array()
        .unwrap()
        .iter()
        .map(|watcher| {
            (
                watcher["addr"].as_str().unwrap().to_owned(),
                watcher["id"].as_i64().unwrap(),
                watcher["cookie"].as_u64().unwrap(),
            )
        })
        .collect();
    let mut both: Vec<_> = ours
        .watchers()
        .unwrap()
        .into_iter()
        .map(|watcher| (watcher.addr, watcher.id, watcher.cookie))
        .collect();
    theirs.sort();
    both.sort();
    assert_eq!((both.len(), &both), (2, &theirs));
    drop(python);
    poll("the other to go", || ours.watchers().unwrap().len() == 1);
}
