//! Mirroring between two clusters, each with a daemon that copies from the other.

use std::thread;
use std::time::Duration;

use rados::{Conn, Force, IoCtx};
use rbd::{
    ErrorKind, Image, MirrorImageMode, MirrorMode, MirrorPeerDirection, MirrorSnapshotState,
    MirrorStatusState, Quiesce,
};
use testcluster::{Daemon, TestCluster, wait_until};

use crate::common::{fails, has, pattern};
use crate::examples::example_command;
use crate::rbd_common::*;

/// More than anything here takes on a busy machine.
const LONG: Duration = Duration::from_secs(100);

/// What the daemons do every half minute or so, they are to do every second.
const IMPATIENT: &[(&str, &str)] = &[
    ("rbd_mirror_pool_replayers_refresh_interval", "1"),
    ("rbd_mirror_image_state_check_interval", "1"),
    ("rbd_mirror_image_policy_update_throttle_interval", "0.2"),
    ("rbd_mirror_leader_heartbeat_interval", "1"),
    ("rbd_mirror_journal_poll_age", "0.5"),
    ("rbd_mirror_sync_point_update_age", "1"),
    ("rbd_mirror_delete_retry_interval", "1"),
];

/// A cluster and a connection to it.
struct Site {
    cluster: TestCluster,
    conn: Conn,
}

impl Site {
    fn boot() -> Self {
        let mut builder = TestCluster::builder();
        for pool in ["journal", "snapshot", "example"] {
            builder = builder.pool(pool);
        }
        for (key, value) in IMPATIENT {
            builder = builder.conf(*key, *value);
        }
        let cluster = builder.start().unwrap();
        let conn = Conn::builder()
            .config_file(cluster.conf_path())
            .mon_timeout(LONG)
            .osd_timeout(LONG);
        Self {
            conn: conn.connect().unwrap(),
            cluster,
        }
    }

    fn pool(&self, name: &str) -> IoCtx {
        self.conn.ioctx(name).unwrap()
    }

    fn conf(&self) -> &str {
        self.cluster.conf_path().to_str().unwrap()
    }
}

/// Asks until the answer is yes.
#[track_caller]
fn poll(what: &str, answer: impl FnMut() -> bool) {
    wait_until(what, LONG, answer).unwrap();
}

/// Whether the image is there with these bytes at its start.
fn has_bytes(pool: &IoCtx, name: &str, bytes: &[u8]) -> bool {
    let Ok(image) = Image::open_read_only(pool, name) else {
        return false;
    };
    let mut found = vec![0; bytes.len()];
    image.read_exact_at(&mut found, 0).is_ok() && found == bytes
}

/// What the site of `pool` says of the image: its state, and whether its daemon is alive.
fn state(pool: &IoCtx, name: &str) -> Option<(MirrorStatusState, bool)> {
    let image = Image::open_read_only(pool, name).ok()?;
    let status = image.mirror_global_status().ok()?;
    status.local().map(|site| (site.state, site.up))
}

#[test]
fn images_are_copied_fail_over_and_are_copied_anew() {
    if !has("mirror-snapshot") {
        return;
    }
    let [a, b] = thread::scope(|scope| {
        let sites = [(); 2].map(|()| scope.spawn(Site::boot));
        sites.map(|site| site.join().unwrap())
    });
    rbd::mirror_site_name_set(&a.conn, "site-a").unwrap();
    rbd::mirror_site_name_set(&b.conn, "site-b").unwrap();
    for pool in ["journal", "snapshot"] {
        let (here, there) = (a.pool(pool), b.pool(pool));
        for pool in [&here, &there] {
            rbd::mirror_mode_set(pool, MirrorMode::Image).unwrap();
        }
        let token = rbd::mirror_peer_bootstrap_create(&here).unwrap();
        let direction = MirrorPeerDirection::RxTx;
        rbd::mirror_peer_bootstrap_import(&there, direction, &token).unwrap();
        for (pool, name) in [(&here, "site-b"), (&there, "site-a")] {
            let peers = rbd::mirror_peer_site_list(pool).unwrap();
            assert_eq!(peers.len(), 1);
            assert_eq!(peers[0].site_name, name);
            assert_eq!(peers[0].direction, direction);
            let attributes = rbd::mirror_peer_site_get_attributes(pool, &peers[0].uuid);
            assert!(attributes.unwrap().get("key").is_some());
        }
    }
    for site in [&a, &b] {
        site.cluster.restart(Daemon::RbdMirror).unwrap();
    }
    thread::scope(|scope| {
        scope.spawn(|| by_journal(&a.pool("journal"), &b.pool("journal")));
        scope.spawn(|| by_snapshots(&a.pool("snapshot"), &b.pool("snapshot")));
        scope.spawn(|| the_example(&a, &b));
    });
}

/// An image goes from `here` to `there` by its journal, is primary there, and is on both sides.
fn by_journal(here: &IoCtx, there: &IoCtx) {
    let (first, second) = (pattern(1, 100_000), pattern(2, 100_000));
    let original = image(here, "disk", 8 * MIB);
    original.write_all_at(&first, 0).unwrap();
    original.mirror_enable(MirrorImageMode::Journal).unwrap();
    original.flush().unwrap();
    poll("the copy by the journal", || {
        has_bytes(there, "disk", &first)
    });
    original.write_all_at(&second, 0).unwrap();
    original.flush().unwrap();
    poll("the changes by the journal", || {
        has_bytes(there, "disk", &second)
    });
    // The daemons write statuses every 30 s, whatever the configuration says.
    poll("replay", || {
        state(there, "disk") == Some((MirrorStatusState::Replaying, true))
    });
    let copy = Image::open(there, "disk").unwrap();
    assert_eq!(copy.mirror_mode().unwrap(), MirrorImageMode::Journal);
    let (info, copied) = (original.mirror_info().unwrap(), copy.mirror_info().unwrap());
    assert_eq!(info.global_id, copied.global_id);
    assert!(info.primary && !copied.primary);
    fails(copy.write_all_at(b"no", 0), ErrorKind::ReadOnly);
    fails(copy.mirror_promote(Force::No), ErrorKind::Busy);
    poll("the details of the status", || {
        let status = copy.mirror_global_status().unwrap();
        let replay = status.local().and_then(|site| site.replay());
        replay.is_some_and(|replay| replay.entries_behind_primary == Some(0))
    });

    // Which daemon has it.
    let id = copy.id().unwrap();
    let instance = copy.mirror_instance_id().unwrap();
    let listed = rbd::mirror_image_instance_id_list(there).unwrap();
    let listed: Vec<_> = listed.map(|entry| entry.unwrap()).collect();
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (&listed[0].image_id, &listed[0].instance_id),
        (&id, &instance)
    );
    let statuses = rbd::mirror_image_global_status_list(there).unwrap();
    let status = statuses.map(|entry| entry.unwrap()).next().unwrap().status;
    assert_eq!(status.local().unwrap().summary(), "replaying");
    poll("the summary", || {
        let summary = rbd::mirror_image_status_summary(there).unwrap();
        summary.into_iter().eq([(MirrorStatusState::Replaying, 1)])
    });
    poll("what the other site says", || {
        let status = original.mirror_global_status().unwrap();
        let mut remote = status.remote();
        remote.any(|site| site.up && site.state == MirrorStatusState::Replaying)
    });

    // Orderly, there.
    original.mirror_demote().unwrap();
    poll("the promotion", || copy.mirror_promote(Force::No).is_ok());
    let third = pattern(3, 100_000);
    poll("the right to write", || {
        copy.write_all_at(&third, 0).is_ok()
    });
    copy.flush().unwrap();
    original.close().unwrap();
    poll("the changes on the way back", || {
        has_bytes(here, "disk", &third)
    });

    // By force, here: then both are primary, until one is made a copy of the other.
    let original = Image::open(here, "disk").unwrap();
    original.mirror_promote(Force::Yes).unwrap();
    let lost = pattern(4, 100_000);
    poll("the right to write", || {
        original.write_all_at(&lost, 0).is_ok()
    });
    original.flush().unwrap();
    assert!(original.mirror_info().unwrap().primary && copy.mirror_info().unwrap().primary);
    original.mirror_demote().unwrap();
    poll("the split brain", || {
        let status = original.mirror_global_status().unwrap();
        let local = status.local();
        local.is_some_and(|site| site.description.contains("split-brain"))
    });
    original.mirror_resync().unwrap();
    original.close().unwrap();
    poll("the new copy", || has_bytes(here, "disk", &third));
    copy.mirror_disable(Force::No).unwrap();
    poll("the copy to be removed", || {
        rbd::list(here).unwrap().is_empty()
    });
}

/// An image goes from `here` to `there` by snapshots, and is primary there.
fn by_snapshots(here: &IoCtx, there: &IoCtx) {
    let (first, second) = (pattern(5, 100_000), pattern(6, 100_000));
    let original = image(here, "disk", 8 * MIB);
    original.write_all_at(&first, 0).unwrap();
    original.mirror_enable(MirrorImageMode::Snapshot).unwrap();
    poll("the first copy", || has_bytes(there, "disk", &first));
    original.write_all_at(&second, 0).unwrap();
    let snapshot = original.mirror_create_snapshot(Quiesce::Ask).unwrap();
    poll("the second copy", || has_bytes(there, "disk", &second));
    let copy = Image::open(there, "disk").unwrap();
    assert_eq!(copy.mirror_mode().unwrap(), MirrorImageMode::Snapshot);
    let uuid = rbd::mirror_uuid_get(here).unwrap();
    poll("the copy's snapshot", || {
        let snaps = copy.snap_list().unwrap();
        snaps.iter().any(|snap| {
            copy.snap_mirror_namespace(snap.id).is_ok_and(|snap| {
                snap.state == MirrorSnapshotState::NonPrimary
                    && snap.primary_snap_id == Some(snapshot)
                    && snap.complete
                    && snap.primary_mirror_uuid == uuid
            })
        })
    });
    poll("the details of the status", || {
        let status = copy.mirror_global_status().unwrap();
        let replay = status.local().and_then(|site| site.replay());
        replay.is_some_and(|replay| {
            replay.replay_state.as_deref() == Some("idle")
                && replay.local_snapshot_timestamp.is_some()
                && replay.local_snapshot_timestamp == replay.remote_snapshot_timestamp
        })
    });
    fails(copy.write_all_at(b"no", 0), ErrorKind::ReadOnly);

    original.mirror_demote().unwrap();
    poll("the promotion", || copy.mirror_promote(Force::No).is_ok());
    let third = pattern(7, 100_000);
    copy.write_all_at(&third, 0).unwrap();
    copy.mirror_create_snapshot(Quiesce::Ask).unwrap();
    original.close().unwrap();
    poll("the copy on the way back", || {
        has_bytes(here, "disk", &third)
    });
    let primary = rbd::mirror_image_info_list(there, None).unwrap();
    assert!(
        primary
            .map(|entry| entry.unwrap())
            .all(|entry| entry.info.primary)
    );
}

/// The example sets up a third pool.
fn the_example(a: &Site, b: &Site) {
    let content = pattern(8, 50_000);
    image(&a.pool("example"), "disk", MIB)
        .write_all_at(&content, 0)
        .unwrap();
    let args = [
        "--from",
        a.conf(),
        "--to",
        b.conf(),
        "--pool",
        "example",
        "--seconds",
        "100",
    ];
    let mut example = example_command("mirror_setup");
    let output = example
        .args(args)
        .args(["--image", "disk"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{errors}");
    let last = text.lines().last().unwrap();
    assert_eq!(last, "disk is in both clusters: replaying");
    assert!(has_bytes(&b.pool("example"), "disk", &content));

    let mut example = example_command("mirror_setup");
    let output = example
        .args(args)
        .args(["--image", "none"])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(errors.contains("example/none: not found"), "{errors}");
}
