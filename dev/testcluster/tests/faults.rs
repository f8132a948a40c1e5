//! Daemons die, freeze and come back.

mod common;

use std::time::{Duration, Instant};

use common::{LONG, get, put, rados, try_rados};
use testcluster::{Daemon, Error, OsdState, TestCluster, wait_until};

#[test]
fn a_restarted_osd_has_its_data() {
    let cluster = TestCluster::builder().start().unwrap();
    let osd = Daemon::Osd(0);
    put(&cluster, "object", "kept");

    cluster.kill(osd).unwrap();
    assert!(matches!(cluster.kill(osd), Err(Error::NotRunning(_))));
    assert!(matches!(cluster.pause(osd), Err(Error::NotRunning(_))));
    let start = Instant::now();
    cluster.wait_osd_state(0, OsdState::Down, LONG).unwrap();
    assert!(start.elapsed() < Duration::from_secs(15), "noticed late");

    cluster.restart(osd).unwrap();
    assert_eq!(cluster.osd_state(0).unwrap(), OsdState::Up);
    assert_eq!(get(&cluster, "object"), "kept");
    // Killed and started, without the monitor noticing in between.
    cluster.restart(osd).unwrap();
    assert_eq!(get(&cluster, "object"), "kept");
}

#[test]
fn a_frozen_osd_answers_nothing_until_it_is_resumed() {
    let cluster = TestCluster::builder().start().unwrap();
    put(&cluster, "object", "before");

    cluster.pause(Daemon::Osd(0)).unwrap();
    let output = try_rados(&cluster, &["--rados-osd-op-timeout", "1", "rm", "object"]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("(110)"), "{text}"); // ETIMEDOUT
    cluster.wait_osd_state(0, OsdState::Down, LONG).unwrap();

    cluster.resume(Daemon::Osd(0)).unwrap();
    cluster.wait_osd_state(0, OsdState::Up, LONG).unwrap();
    put(&cluster, "object", "after");
    assert_eq!(get(&cluster, "object"), "after");

    // A frozen daemon can be killed, too.
    cluster.pause(Daemon::Osd(0)).unwrap();
    cluster.kill(Daemon::Osd(0)).unwrap();
}

#[test]
fn with_three_osds_one_may_die() {
    let cluster = TestCluster::builder().osds(3).start().unwrap();
    put(&cluster, "object", "kept");

    cluster.kill(Daemon::Osd(1)).unwrap();
    let start = Instant::now();
    cluster.wait_osd_state(1, OsdState::Down, LONG).unwrap();
    assert!(start.elapsed() < Duration::from_secs(10), "noticed late");
    assert_eq!(cluster.osd_state(0).unwrap(), OsdState::Up);
    assert_eq!(get(&cluster, "object"), "kept");
    put(&cluster, "other", "written meanwhile");

    cluster.restart(Daemon::Osd(1)).unwrap();
    wait_until("the third copy", LONG, || {
        let stat = cluster.ceph(&["pg", "stat"]).unwrap();
        stat.contains("8 pgs: 8 active+clean;")
    })
    .unwrap();
    let daemon = Daemon::Osd(3);
    assert!(matches!(cluster.pause(daemon), Err(Error::NoSuchDaemon(_))));
}

#[test]
fn the_monitor_and_the_manager_come_back() {
    let cluster = TestCluster::builder().start().unwrap();

    cluster.pause(Daemon::Mon).unwrap();
    let error = cluster
        .ceph(&["--connect-timeout", "1", "fsid"])
        .unwrap_err();
    assert!(matches!(error, Error::Command { .. }), "{error}");
    cluster.resume(Daemon::Mon).unwrap();
    assert_eq!(cluster.ceph(&["fsid"]).unwrap().trim(), cluster.fsid());

    cluster.kill(Daemon::Mon).unwrap();
    cluster.restart(Daemon::Mon).unwrap();
    assert_eq!(cluster.ceph(&["fsid"]).unwrap().trim(), cluster.fsid());

    cluster.kill(Daemon::Mgr).unwrap();
    cluster.restart(Daemon::Mgr).unwrap();
    cluster.ceph(&["pg", "stat"]).unwrap();
    rados(&cluster, &["df"]);
}
