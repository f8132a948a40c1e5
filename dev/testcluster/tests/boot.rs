//! Clusters boot and answer, or say why not.

mod common;

use std::thread;
use std::time::Duration;

use common::{daemons_of, get, program, put};
use testcluster::{Error, TestCluster};

#[test]
fn answers() {
    let cluster = TestCluster::builder()
        .pool("backup")
        .conf("mon_max_pool_pg_num", "77")
        .start()
        .unwrap();

    put(&cluster, "greeting", "hello");
    assert_eq!(get(&cluster, "greeting"), "hello");

    let pools = cluster.ceph(&["osd", "pool", "ls"]).unwrap();
    assert_eq!(
        pools.split_whitespace().collect::<Vec<_>>(),
        ["rbd", "backup"]
    );
    let applications = ["osd", "pool", "application", "get", "rbd"];
    assert!(cluster.ceph(&applications).unwrap().contains("\"rbd\""));
    let health = cluster.ceph(&["health"]).unwrap();
    assert!(health.starts_with("HEALTH_OK"), "{health}");
    assert_eq!(cluster.ceph(&["fsid"]).unwrap().trim(), cluster.fsid());
    let key = cluster
        .ceph(&["auth", "print-key", "client.admin"])
        .unwrap();
    assert_eq!(key.trim(), cluster.admin_key());
    let setting = ["config", "show", "mon.a", "mon_max_pool_pg_num"];
    assert_eq!(cluster.ceph(&setting).unwrap().trim(), "77");
    assert!(!format!("{cluster:?}").contains(cluster.admin_key()));

    let rbd = |args: &[&str]| cluster.command("rbd").args(args).status().unwrap();
    assert!(rbd(&["create", "--size", "1G", "disk"]).success());
    assert!(rbd(&["info", "disk"]).success());
    assert!(rbd(&["info", "no-such-disk"]).code() == Some(2));
}

/// The monitor's address and a key are enough, without the configuration file.
#[test]
fn answers_without_configuration_file() {
    let cluster = TestCluster::builder().start().unwrap();
    let output = cluster
        .command("ceph")
        .env("CEPH_CONF", "/dev/null")
        .args([
            "--mon-host",
            cluster.mon_host(),
            "--key",
            cluster.admin_key(),
            "fsid",
        ])
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim(),
        cluster.fsid()
    );
}

#[test]
fn several_at_once() {
    let boot = |name: &'static str| {
        thread::spawn(move || {
            let cluster = TestCluster::builder().osds(2).start().unwrap();
            put(&cluster, "who", name);
            cluster
        })
    };
    let clusters = ["one", "two"]
        .map(boot)
        .map(|thread| thread.join().unwrap());
    let [one, two] = &clusters;
    assert_ne!(one.fsid(), two.fsid());
    assert_ne!(one.mon_host(), two.mon_host());
    assert_ne!(one.dir(), two.dir());
    assert_eq!(get(one, "who"), "one");
    assert_eq!(get(two, "who"), "two");
    assert_eq!(one.osd_count(), 2);
    assert!(one.ceph(&["osd", "stat"]).unwrap().contains("2 up"));
}

#[test]
fn a_passed_deadline_names_the_step_and_shows_logs() {
    let error = TestCluster::builder()
        .conf("mon_osd_auto_mark_new_in", "false") // no place for any data
        .deadline(Duration::from_secs(15))
        .start()
        .unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::Step { .. }), "{text}");
    assert!(text.starts_with("rbd pool init rbd: "), "{text}");
    assert!(text.contains("within the deadline"), "{text}");
    assert!(text.contains("--- osd.0.log ---\n20"), "{text}");
}

#[test]
fn a_dead_daemon_ends_the_boot_early() {
    let error = TestCluster::builder()
        .conf("mon_data_avail_crit", "100")
        .start()
        .unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("mon.a: ended with exit status"), "{text}");
    assert!(text.contains("available storage space"), "{text}");
}

#[test]
fn a_failed_boot_leaves_nothing() {
    let base = tempfile::tempdir().unwrap();
    let status = program()
        .args(["run", "--conf", "bluestore_min_alloc_size=12345", "true"])
        .env("TMPDIR", base.path())
        .output()
        .unwrap();
    assert_eq!(status.status.code(), Some(1));
    let text = String::from_utf8_lossy(&status.stderr);
    assert!(text.contains("ceph-osd"), "{text}");
    assert!(base.path().read_dir().unwrap().next().is_none());
    assert_eq!(daemons_of(base.path()), [""; 0]);
}

#[test]
fn missing_programs_are_named() {
    let output = program()
        .args(["run", "true"])
        .env("PATH", "")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("ceph-mon"), "{text}");
    assert!(
        text.contains("apt-get install ceph-mon ceph-osd ceph-mgr ceph-common"),
        "{text}"
    );
}
