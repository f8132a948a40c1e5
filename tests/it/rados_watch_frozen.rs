//! Watches and notifications while an OSD or a watcher is frozen, and after their pool has gone.

use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use rados::{Conn, ErrorKind, IoCtx, WatchEvent, WatchOptions, block_on};
use rustix::process::{Pid, Signal, kill_process};
use testcluster::{Daemon, TestCluster};

use crate::common::*;

const PATIENCE: Duration = Duration::from_secs(60);
const OSD: Daemon = Daemon::Osd(0);

/// A cluster, and its pool with an object to watch.
fn cluster_with_object() -> (TestCluster, IoCtx) {
    // For longer than any OSD is frozen here: past that time Ceph 16 may never answer reads again.
    let lease = ("osd_pool_default_read_lease_ratio", "100");
    let cluster = TestCluster::builder().conf(lease.0, lease.1);
    let cluster = cluster.start().unwrap();
    let builder = Conn::builder().config_file(cluster.conf_path());
    let pool = builder.connect().unwrap().ioctx("rbd").unwrap();
    pool.write_full("object", b"").unwrap();
    (cluster, pool)
}

#[test]
fn a_watch_that_a_frozen_osd_let_run_out_is_lost_and_made_anew() {
    let (cluster, pool) = cluster_with_object();
    let options = WatchOptions::new().timeout(Duration::from_secs(1));
    let mut watch = pool.watch_with("object", &options).unwrap();
    // When it goes on, the OSD may hear of the client before it looks at the clock: then the watch lives on.
    let error = (0..20).find_map(|_| {
        cluster.pause(OSD).unwrap();
        let frozen = Instant::now();
        poll("the watch's time to run out", || {
            frozen.elapsed() > Duration::from_secs(3)
        });
        cluster.resume(OSD).unwrap();
        match watch.recv_timeout(Duration::from_secs(5)) {
            Ok(Some(WatchEvent::Lost(error))) => Some(error),
            Err(error) if error.kind() == ErrorKind::TimedOut => None,
            other => panic!("{other:?}"),
        }
    });
    assert_eq!(error.unwrap().kind(), ErrorKind::NotConnected);
    assert!(watch.recv().is_none());
    fails(watch.check(), ErrorKind::NotConnected);
    let mut again = pool.watch("object").unwrap();
    thread::scope(|scope| {
        let notifier = scope.spawn(|| pool.notify("object", b"payload", Some(PATIENCE)).unwrap());
        match again.recv_timeout(PATIENCE).unwrap() {
            Some(WatchEvent::Notification(notification)) => notification.ack(b"seen").unwrap(),
            other => panic!("{other:?}"),
        }
        let reply = notifier.join().unwrap();
        assert_eq!(reply.acks[0].watcher, again.watcher().unwrap());
    });
}

#[test]
fn what_is_dropped_while_an_osd_is_frozen_does_not_wait_and_leaves_no_watch() {
    if !has("aio-watch") {
        return;
    }
    let (cluster, pool) = cluster_with_object();
    let watches = [(); 3].map(|()| pool.watch("object").unwrap());
    cluster.pause(OSD).unwrap();
    let frozen = Instant::now();
    let [first, second, third] = watches;
    drop(first.aio_close());
    let closing = second.aio_close();
    drop(pool.aio_watch("object"));
    let watching = pool.aio_watch("object");
    drop(pool.aio_notify("object", b"", Some(Duration::from_secs(1))));
    assert!(!closing.is_complete() && !watching.is_complete());
    drop(watching);
    let took = frozen.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    // This one waits.
    let dropped = thread::spawn(move || drop(third));
    cluster.resume(OSD).unwrap();
    closing.wait().unwrap();
    dropped.join().unwrap();
    block_on(pool.drain());
    let listed = || {
        let mut command = cluster.command("rados");
        let args = ["-p", "rbd", "listwatchers", "object"];
        command.args(args).output().unwrap().stdout
    };
    poll("the watches to be gone", || listed().is_empty());
}

#[test]
fn a_frozen_watcher_is_among_those_who_did_not_answer_until_it_goes_on() {
    let pool = Pool::new();
    pool.write_full("object", b"").unwrap();
    let mut watcher = cluster()
        .command("rados")
        .args(["-p", &pool.name, "watch", "object"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let pid = Pid::from_child(&watcher);
    let notify = |timeout| {
        pool.notify("object", b"\0\0\0\0", Some(Duration::from_secs(timeout)))
            .unwrap()
    };
    poll("the other process to answer", || notify(60).acks.len() == 1);
    kill_process(pid, Signal::STOP).unwrap();
    poll("all its threads to stand still", || {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", watcher.id())).unwrap();
        tasks.map(Result::unwrap).all(|task| {
            let status = std::fs::read_to_string(task.path().join("status")).unwrap();
            status.contains("State:\tT")
        })
    });
    let started = Instant::now();
    let reply = notify(1);
    assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
    assert_eq!((reply.acks.len(), reply.timed_out.len()), (0, 1));
    kill_process(pid, Signal::CONT).unwrap();
    let after = notify(60);
    assert_eq!(after.acks[0].watcher, reply.timed_out[0]);
    watcher.kill().unwrap();
    watcher.wait().unwrap();
}

/// How releases answer who ends the watch of an object that is gone with its pool.
#[track_caller]
fn gone(ended: rados::Result<()>) {
    let kind = ended.unwrap_err().kind();
    assert!(
        matches!(kind, ErrorKind::NotFound | ErrorKind::NotConnected),
        "{kind:?}"
    );
}

#[test]
fn after_the_end_of_a_pool_no_watch_hangs() {
    let name = unique("it");
    conn().pool_create(&name).unwrap();
    let pool = conn().ioctx(&name).unwrap();
    pool.write_full("object", b"").unwrap();
    let [mut watch, dropped, closed] = [(); 3].map(|()| pool.watch("object").unwrap());
    conn().pool_delete(&name).unwrap();
    match watch.recv_timeout(Duration::from_secs(1)) {
        // As in 16.2.15; another release may tell, or know when asked.
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
            match watch.check() {
                Ok(age) => assert!(age >= Duration::from_secs(1), "{age:?}"),
                Err(error) => assert_eq!(error.kind(), ErrorKind::NotConnected, "{error}"),
            }
        }
        Ok(event) => assert!(matches!(event, Some(WatchEvent::Lost(_))), "{event:?}"),
    }
    fails(watch.rewatch(), ErrorKind::NotFound);
    fails(pool.notify("object", b"", None), ErrorKind::NotFound);
    if has("aio-watch") {
        let notify = pool.aio_notify("object", b"", None);
        fails(notify.wait(), ErrorKind::NotFound);
        fails(pool.aio_watch("object").wait(), ErrorKind::NotFound);
        gone(closed.aio_close().wait());
    }
    drop(dropped);
    gone(watch.close());
}
