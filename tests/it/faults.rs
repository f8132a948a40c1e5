//! What happens when daemons die or freeze. Each test has a cluster of its own.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rados::{Conn, ConnectFailure, ErrorKind};
use rbd::Image;
use testcluster::{Daemon, TestCluster};

use crate::common::*;

const BLOCK: usize = 64 << 10;
const OSD: Daemon = Daemon::Osd(0);

fn connect(cluster: &TestCluster) -> Conn {
    Conn::builder()
        .config_file(cluster.conf_path())
        .connect()
        .unwrap()
}

#[test]
fn acknowledged_bytes_survive_an_osd_that_is_killed_and_restarted() {
    let cluster = TestCluster::builder().start().unwrap();
    let pool = connect(&cluster).ioctx("rbd").unwrap();
    rbd::create(&pool, "image", 64 << 20).unwrap();
    let image = Image::open(&pool, "image").unwrap();
    let (acknowledged, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let wait_for = |blocks: u64| {
        let enough = || acknowledged.load(Ordering::SeqCst) >= blocks;
        testcluster::wait_until("writes to go on", Duration::from_secs(60), enough).unwrap();
    };
    thread::scope(|scope| {
        let writer = scope.spawn(|| -> rbd::Result<()> {
            for block in 0..(64 << 20) / BLOCK as u64 {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                image.write_all_at(&pattern(block, BLOCK), block * BLOCK as u64)?;
                image.flush()?;
                pool.write_full(format!("object-{block}"), &pattern(block, 512))?;
                acknowledged.store(block + 1, Ordering::SeqCst);
            }
            Ok(())
        });
        wait_for(10);
        cluster.kill(OSD).unwrap();
        cluster.restart(OSD).unwrap();
        wait_for(acknowledged.load(Ordering::SeqCst) + 10);
        stop.store(true, Ordering::SeqCst);
        // Without a timeout the library waits for the osd and goes on: no error at all.
        writer.join().unwrap().unwrap();
    });
    image.close().unwrap();
    // Another client sees every acknowledged byte.
    let pool = connect(&cluster).ioctx("rbd").unwrap();
    let image = Image::open_read_only(&pool, "image").unwrap();
    for block in 0..acknowledged.load(Ordering::SeqCst) {
        let mut buffer = vec![0; BLOCK];
        image
            .read_exact_at(&mut buffer, block * BLOCK as u64)
            .unwrap();
        assert!(buffer == pattern(block, BLOCK), "block {block}");
        let read = pool
            .read(format!("object-{block}"), &mut buffer, 0)
            .unwrap();
        assert!(buffer[..read] == pattern(block, 512), "object {block}");
    }
}

#[test]
fn a_frozen_osd_and_an_osd_timeout_make_operations_time_out() {
    let cluster = TestCluster::builder().start().unwrap();
    let builder = Conn::builder().config_file(cluster.conf_path());
    let pool = builder
        .osd_timeout(Duration::from_secs(2))
        .connect()
        .unwrap()
        .ioctx("rbd")
        .unwrap();
    pool.write_full("o", b"before").unwrap();
    rbd::create(&pool, "image", 1 << 20).unwrap();
    let image = Image::open_read_only(&pool, "image").unwrap();
    cluster.pause(OSD).unwrap();
    let started = Instant::now();
    fails(
        pool.write_full("o", b"unknown outcome"),
        ErrorKind::TimedOut,
    );
    fails(pool.read("o", &mut [0; 8], 0), ErrorKind::TimedOut);
    fails(pool.stat("o"), ErrorKind::TimedOut);
    fails(image.read_at(&mut [0; 512], 0), ErrorKind::TimedOut);
    fails(rbd::list(&pool), ErrorKind::TimedOut);
    assert!(
        started.elapsed() < Duration::from_secs(60),
        "{:?}",
        started.elapsed()
    );
    cluster.resume(OSD).unwrap();
    // It may have been counted as down, and the first operations take longer than the timeout then.
    let mut buffer = [0; 8];
    poll("operations to succeed again", || {
        let written = pool.write_full("o", b"after");
        let read = written.and_then(|()| pool.read("o", &mut buffer, 0));
        let image = read.and_then(|read| Ok((read, image.read_at(&mut [0; 512], 0)?)));
        image.is_ok_and(|lengths| lengths == (5, 512))
    });
    assert_eq!(&buffer[..5], b"after");
}

#[test]
fn a_dead_monitor_and_a_mon_timeout_make_commands_time_out() {
    let cluster = TestCluster::builder().start().unwrap();
    let builder = Conn::builder()
        .config_file(cluster.conf_path())
        .mon_timeout(Duration::from_secs(2))
        .mount_timeout(Duration::from_secs(2));
    let conn = builder.connect().unwrap();
    let pool = conn.ioctx("rbd").unwrap();
    cluster.kill(Daemon::Mon).unwrap();
    let command = serde_json::json!({"prefix": "fsid"});
    let text = fails(conn.mon_command(&command, b""), ErrorKind::TimedOut);
    assert!(text.contains("fsid"), "{text}");
    fails(conn.cluster_stat(), ErrorKind::TimedOut);
    let error = builder.connect().unwrap_err();
    assert!(
        matches!(error.cause(), Some(ConnectFailure::Unreachable { .. })),
        "{error}"
    );
    // What needs no monitor works on.
    pool.write_full("o", b"data").unwrap();
    cluster.restart(Daemon::Mon).unwrap();
    poll("commands to succeed again", || {
        conn.mon_command(&command, b"").is_ok()
    });
    builder.connect().unwrap();
}

#[test]
fn a_blocklisted_client_is_told_so() {
    let cluster = TestCluster::builder().start().unwrap();
    let pool = connect(&cluster).ioctx("rbd").unwrap();
    rbd::create(&pool, "image", 1 << 20).unwrap();
    let image = Image::open(&pool, "image").unwrap();
    image.write_all_at(b"before", 0).unwrap();
    let status: serde_json::Value = serde_json::from_slice(
        &cluster
            .command("rbd")
            .args(["status", "image", "--format", "json"])
            .output()
            .unwrap()
            .stdout,
    )
    .unwrap();
    let address = status["watchers"][0]["address"].as_str().unwrap();
    cluster.ceph(&["osd", blocklist(), "add", address]).unwrap();
    // The osd learns of it with the next osdmap.
    poll("the client to be fenced", || {
        pool.write_full("o", b"data").is_err()
    });
    fails(pool.write_full("o", b"data"), ErrorKind::Blocklisted);
    fails(image.write_all_at(b"after", 0), ErrorKind::Blocklisted);
    drop(image);
    // Only a new connection goes on.
    let pool = connect(&cluster).ioctx("rbd").unwrap();
    let image = Image::open(&pool, "image").unwrap();
    let mut buffer = [0; 6];
    image.read_exact_at(&mut buffer, 0).unwrap();
    assert_eq!(&buffer, b"before");
    image.write_all_at(b"after", 0).unwrap();
}

#[test]
fn writes_to_a_pool_over_its_quota_wait() {
    let cluster = TestCluster::builder().pool("small").start().unwrap();
    let pool = connect(&cluster).ioctx("small").unwrap();
    cluster
        .ceph(&["osd", "pool", "set-quota", "small", "max_objects", "1"])
        .unwrap();
    (0..3).for_each(|i| pool.write_full(format!("o{i}"), b"data").unwrap());
    let full = || {
        cluster
            .ceph(&["health", "detail"])
            .unwrap()
            .contains("POOL_FULL")
    };
    poll("the pool to be full", full);
    // Without a timeout it would wait for ever.
    let builder = Conn::builder().config_file(cluster.conf_path());
    let conn = builder
        .osd_timeout(Duration::from_secs(2))
        .connect()
        .unwrap();
    let pool = conn.ioctx("small").unwrap();
    fails(pool.write_full("more", b"data"), ErrorKind::TimedOut);
    // The old object is there to read, and the waiting write was given up.
    assert_eq!(pool.read("o0", &mut [0; 8], 0).unwrap(), 4);
}
