//! Watches that are lost, and watchers that die.

use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use rados::{Conn, Error, ErrorKind, IoCtx, Watch, WatchEvent, WatchOptions};
use testcluster::{Daemon, TestCluster};

use crate::common::*;

const PATIENCE: Duration = Duration::from_secs(60);
const OSD: Daemon = Daemon::Osd(0);

/// A handle on a connection of its own.
fn open(cluster: &TestCluster) -> IoCtx {
    let builder = Conn::builder().config_file(cluster.conf_path());
    builder.connect().unwrap().ioctx("rbd").unwrap()
}

/// What a watch is lost by; it is not notified before.
#[track_caller]
fn lost(watch: &mut Watch) -> Error {
    match watch.recv_timeout(PATIENCE).unwrap() {
        Some(WatchEvent::Lost(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// Notifies again and again, and watches anew when the watch is lost, until a notification is answered.
fn notifications_flow(watch: &mut Watch, notifier: &IoCtx) {
    let object = watch.object().to_owned();
    thread::scope(|scope| {
        let notifier = scope.spawn(|| {
            let end = Instant::now() + PATIENCE;
            while Instant::now() < end {
                let reply = notifier.notify(&object, b"payload", Some(Duration::from_secs(1)));
                if reply.unwrap().acks.iter().any(|ack| ack.payload == b"seen") {
                    return;
                }
            }
            panic!("nobody answers");
        });
        while !notifier.is_finished() {
            match watch.recv_timeout(Duration::from_millis(100)) {
                Ok(Some(WatchEvent::Notification(notification))) => {
                    assert_eq!(notification.payload(), b"payload");
                    notification.ack(b"seen").unwrap();
                }
                Ok(_) => watch.rewatch().unwrap(),
                Err(error) => assert_eq!(error.kind(), ErrorKind::TimedOut),
            }
        }
    });
}

#[test]
fn a_watch_outlives_an_osd_that_is_killed_and_restarted() {
    let cluster = TestCluster::builder().start().unwrap();
    let (pool, other) = (open(&cluster), open(&cluster));
    pool.write_full("object", b"").unwrap();
    let mut watch = pool.watch("object").unwrap();
    notifications_flow(&mut watch, &other);
    for _ in 0..2 {
        cluster.kill(OSD).unwrap();
        cluster.restart(OSD).unwrap();
        notifications_flow(&mut watch, &other);
    }
    watch.check().unwrap();
    watch.close().unwrap();
    assert_eq!(other.notify("object", b"", None).unwrap().acks, []);
}

#[test]
fn a_watch_whose_osd_hears_nothing_of_the_client_is_lost_and_made_anew() {
    let own = Pool::new();
    own.write_full("one", b"").unwrap();
    own.write_full("two", b"").unwrap();
    // Less than what the client lets pass between two signs of life.
    let short = WatchOptions::new().timeout(Duration::from_millis(500));
    let conn = builder().option("objecter_tick_interval", "5").connect();
    let pool = conn.unwrap().ioctx(&own.name).unwrap();
    let mut watches = vec![pool.watch_with("one", &short).unwrap()];
    if has("aio-watch") {
        watches.push(pool.aio_watch_with("two", &short).wait().unwrap());
    }
    for mut watch in watches {
        let error = lost(&mut watch);
        assert_eq!(error.kind(), ErrorKind::NotConnected, "{error}");
        assert!(error.to_string().contains("the watch is lost"), "{error}");
        assert!(watch.recv().is_none());
        fails(watch.check(), ErrorKind::NotConnected);
        watch.rewatch().unwrap();
        notifications_flow(&mut watch, &pool);
        // Lost again, which nobody asks for.
        poll("the watch to be lost", || watch.check().is_err());
        watch.close().unwrap();
    }
}

#[test]
fn a_lost_watch_is_made_anew_once_the_osd_is_back() {
    let cluster = TestCluster::builder().start().unwrap();
    let other = open(&cluster);
    other.write_full("object", b"").unwrap();
    let builder = Conn::builder()
        .config_file(cluster.conf_path())
        .option("objecter_tick_interval", "3")
        .osd_timeout(Duration::from_secs(2));
    let pool = builder.connect().unwrap().ioctx("rbd").unwrap();
    let short = WatchOptions::new().timeout(Duration::from_secs(1));
    let mut watch = pool.watch_with("object", &short).unwrap();
    lost(&mut watch);
    cluster.kill(OSD).unwrap();
    fails(watch.rewatch(), ErrorKind::TimedOut);
    watch.check().unwrap_err();
    assert!(watch.recv().is_none());
    cluster.restart(OSD).unwrap();
    poll("the object to be watched anew", || watch.rewatch().is_ok());
    notifications_flow(&mut watch, &other);
}

#[test]
fn a_watcher_that_was_killed_is_among_those_who_did_not_answer() {
    let pool = Pool::new();
    pool.write_full("object", b"").unwrap();
    let listed = || {
        let listed = run("rados", &["-p", &pool.name, "listwatchers", "object"]);
        String::from_utf8(listed).unwrap()
    };
    let mut command = cluster().command("rados");
    command.args(["-p", &pool.name, "watch", "object"]);
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    let mut watcher = command.spawn().unwrap();
    poll("the other process to watch", || !listed().is_empty());
    let watchers = listed();
    let timeout = Duration::from_secs(2);
    let reply = pool.notify("object", b"\0\0\0\0", Some(PATIENCE)).unwrap();
    assert_eq!((reply.acks.len(), reply.timed_out.len()), (1, 0));
    watcher.kill().unwrap();
    watcher.wait().unwrap();
    let started = Instant::now();
    let reply = pool.notify("object", b"\0\0\0\0", Some(timeout)).unwrap();
    let took = started.elapsed();
    assert!(took >= timeout && took < PATIENCE, "{took:?}");
    assert_eq!((reply.acks.len(), reply.timed_out.len()), (0, 1));
    let dead = format!("client.{} ", reply.timed_out[0].client);
    assert!(watchers.contains(&dead), "{dead} {watchers}");
    if has("aio-watch") {
        let same = pool.aio_notify("object", b"\0\0\0\0", Some(timeout)).wait();
        assert_eq!(same.unwrap(), reply);
    }
}

#[test]
fn a_blocklisted_watcher_is_told_so() {
    let cluster = TestCluster::builder().start().unwrap();
    let (pool, other) = (open(&cluster), open(&cluster));
    pool.write_full("object", b"").unwrap();
    let mut watch = pool.watch("object").unwrap();
    let output = cluster
        .command("rados")
        .args(["-p", "rbd", "listwatchers", "object"])
        .output()
        .unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    let word = listed.split_whitespace().next().unwrap();
    let address = word.strip_prefix("watcher=").unwrap();
    cluster.ceph(&["osd", blocklist(), "add", address]).unwrap();
    let error = lost(&mut watch);
    assert!(
        matches!(
            error.kind(),
            ErrorKind::Blocklisted | ErrorKind::NotConnected
        ),
        "{error}"
    );
    poll("the client to be fenced", || {
        pool.write_full("object", b"").is_err()
    });
    fails(watch.rewatch(), ErrorKind::Blocklisted);
    drop(watch);
    let mut watch = other.watch("object").unwrap();
    notifications_flow(&mut watch, &other);
}

#[test]
fn a_dead_osd_and_an_osd_timeout_make_a_notification_time_out_without_a_reply() {
    // Were the OSD marked down, librados would forget that watching has a limit.
    let cluster = TestCluster::builder();
    let cluster = cluster
        .conf("mon_osd_report_timeout", "600")
        .start()
        .unwrap();
    let pool = Conn::builder()
        .config_file(cluster.conf_path())
        .osd_timeout(Duration::from_secs(2))
        .connect()
        .unwrap()
        .ioctx("rbd")
        .unwrap();
    pool.write_full("object", b"").unwrap();
    let watch = pool.watch("object").unwrap();
    cluster.pause(OSD).unwrap();
    fails(pool.notify("object", b"", None), ErrorKind::TimedOut);
    fails(pool.watch("object"), ErrorKind::TimedOut);
    fails(watch.close(), ErrorKind::TimedOut);
    cluster.resume(OSD).unwrap();
}
