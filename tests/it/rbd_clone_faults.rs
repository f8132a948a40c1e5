//! An OSD dies while data is copied. Each test has a cluster of its own.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use rados::{Conn, ErrorKind, IoCtx};
use rbd::{Features, Image, ImageOptions, Order};
use testcluster::{Daemon, TestCluster};

use crate::common::*;
use crate::rbd_common::content;

const OSD: Daemon = Daemon::Osd(0);
const SIZE: usize = 16 << 20;

fn cluster_with_image(cluster: &TestCluster) -> (IoCtx, Image) {
    let conn = Conn::builder().config_file(cluster.conf_path());
    let pool = conn.connect().unwrap().ioctx("rbd").unwrap();
    let options = ImageOptions::new().order(Order::new(14).unwrap());
    options.create(&pool, "parent", SIZE as u64).unwrap();
    let image = Image::open(&pool, "parent").unwrap();
    image.write_all_at(&pattern(1, SIZE), 0).unwrap();
    image.snap_create("snap").unwrap();
    (pool, image)
}

/// Kills and restarts the OSD as soon as `work`, on another thread, has reported that a part is done.
fn interrupt(cluster: &TestCluster, work: impl FnOnce(&AtomicU64) -> rbd::Result<()> + Send) {
    let done = AtomicU64::new(0);
    thread::scope(|scope| {
        let worker = scope.spawn(|| work(&done));
        let some = || done.load(Ordering::SeqCst) >= 100 || worker.is_finished();
        testcluster::wait_until("a part to be done", Duration::from_secs(60), some).unwrap();
        cluster.kill(OSD).unwrap();
        let went_on = !worker.is_finished();
        cluster.restart(OSD).unwrap();
        let finished = || worker.is_finished();
        testcluster::wait_until("the rest to be done", Duration::from_secs(120), finished).unwrap();
        assert!(went_on, "it was over before the OSD was killed");
        // Without a timeout the library waits for the OSD and goes on: no error at all.
        worker.join().unwrap().unwrap();
    });
}

/// What reports progress to `done`, and is slow enough for an OSD to be killed meanwhile.
fn slowly(done: &AtomicU64) -> impl FnMut(u64, u64) -> ControlFlow<()> + Send + '_ {
    move |now, _| {
        done.store(now, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(2));
        ControlFlow::Continue(())
    }
}

#[test]
fn flattening_survives_an_osd_that_is_killed_and_restarted() {
    let cluster = TestCluster::builder().start().unwrap();
    let (pool, parent) = cluster_with_image(&cluster);
    let format_2 = ImageOptions::new().clone_format(2);
    rbd::clone(&pool, "parent", "snap", &pool, "child", &format_2).unwrap();
    let child = Image::open(&pool, "child").unwrap();
    interrupt(&cluster, |done| child.flatten_with_progress(slowly(done)));
    child.close().unwrap();
    parent.snap_remove("snap").unwrap();
    parent.close().unwrap();
    rbd::remove(&pool, "parent").unwrap();
    let child = Image::open(&pool, "child").unwrap();
    assert!(content(&child) == pattern(1, SIZE));
    assert!(child.flatten().is_err(), "it is no clone any more");
}

#[test]
fn with_an_osd_timeout_a_flatten_fails_and_goes_on_later() {
    let cluster = TestCluster::builder().start().unwrap();
    let (pool, _parent) = cluster_with_image(&cluster);
    let format_2 = ImageOptions::new().clone_format(2);
    rbd::clone(&pool, "parent", "snap", &pool, "child", &format_2).unwrap();
    let impatient = Conn::builder()
        .config_file(cluster.conf_path())
        .osd_timeout(Duration::from_secs(2));
    let impatient = impatient.connect().unwrap().ioctx("rbd").unwrap();
    let child = Image::open(&impatient, "child").unwrap();
    let mut killed = false;
    let flattened = child.flatten_with_progress(|done, _| {
        if done >= 100 && !killed {
            killed = true;
            cluster.kill(OSD).unwrap();
        }
        ControlFlow::Continue(())
    });
    let text = fails(flattened, ErrorKind::TimedOut);
    assert!(text.contains("FAST_DIFF and OBJECT_MAP"), "{text}");
    cluster.restart(OSD).unwrap();
    drop((child, impatient)); // which waits as long as the OSD is away
    let child = Image::open(&pool, "child").unwrap();
    assert!(content(&child) == pattern(1, SIZE));
    // The handle that was dropped may have left its watch, which everything that notifies waits for.
    poll("the old watch to be gone", || {
        let mut status = cluster.command("rbd");
        let status = status
            .args(["status", "child", "--format", "json"])
            .output();
        let status: serde_json::Value = serde_json::from_slice(&status.unwrap().stdout).unwrap();
        status["watchers"].as_array().unwrap().len() == 1
    });
    // The object map has objects which were not written, and flattening would leave them out (before Ceph 18.2.5).
    let maps = Features::FAST_DIFF | Features::OBJECT_MAP;
    child.disable_features(maps).unwrap();
    child.flatten().unwrap();
    child.enable_features(maps).unwrap();
    child.rebuild_object_map().unwrap();
    assert!(content(&child) == pattern(1, SIZE));
}

#[test]
fn copies_survive_an_osd_that_is_killed_and_restarted() {
    let cluster = TestCluster::builder().start().unwrap();
    let (pool, image) = cluster_with_image(&cluster);
    image.write_all_at(b"after the snapshot", 0).unwrap();
    let options = ImageOptions::new();
    interrupt(&cluster, |done| {
        image.copy_with_progress(&pool, "copy", &options, slowly(done))
    });
    assert!(content(&Image::open(&pool, "copy").unwrap()) == content(&image));
    if !has("deep-copy") {
        return;
    }
    interrupt(&cluster, |done| {
        image.deep_copy_with_progress(&pool, "deep", &options, slowly(done))
    });
    assert!(content(&Image::open(&pool, "deep").unwrap()) == content(&image));
    let snap = rbd::OpenOptions::new().snapshot("snap").open(&pool, "deep");
    assert!(content(&snap.unwrap()) == pattern(1, SIZE));
}

#[test]
fn clones_and_deep_copies_stay_in_their_cluster_and_copies_need_not() {
    let cluster = TestCluster::builder().start().unwrap();
    let (elsewhere, image) = cluster_with_image(&cluster);
    let pool = Pool::new();
    let options = ImageOptions::new();
    let cloned = rbd::clone(&elsewhere, "parent", "snap", &pool, "copy", &options);
    assert_eq!(cloned.unwrap_err().errno().raw(), 18);
    if has("deep-copy") {
        let copied = image.deep_copy(&pool, "copy", &options);
        assert_eq!(copied.unwrap_err().errno().raw(), 18);
    }
    assert_eq!(rbd::list(&pool).unwrap(), []);
    image.copy(&pool, "copy", &options).unwrap();
    assert!(content(&Image::open(&pool, "copy").unwrap()) == pattern(1, SIZE));
}
