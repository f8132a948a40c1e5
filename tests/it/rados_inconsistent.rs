//! Placement groups whose copies differ, on a cluster of its own.

use std::time::Duration;

use rados::ErrorKind;
use testcluster::TestCluster;

use crate::common::*;

#[test]
fn scrubbing_finds_what_cannot_be_read() {
    if !has("cluster-info") {
        return;
    }
    let healthy = Pool::new();
    let id = healthy.pool_id().unwrap();
    assert_eq!(conn().inconsistent_pgs(id).unwrap(), []);
    let text = fails(conn().inconsistent_pgs(1 << 40), ErrorKind::NotFound);
    assert!(text.contains("pool id"), "{text}");

    // There must be a copy to compare with.
    let cluster = TestCluster::builder()
        .osds(2)
        .conf("bluestore_debug_inject_read_err", "true")
        .start()
        .unwrap();
    let conn = rados::Conn::builder()
        .config_file(cluster.conf_path())
        .connect()
        .unwrap();
    let pool = conn.ioctx("rbd").unwrap();
    let id = pool.pool_id().unwrap();
    pool.write_full("o", b"data").unwrap();
    assert_eq!(conn.inconsistent_pgs(id).unwrap(), []);
    let socket = cluster.dir().join("osd.0.asok");
    let inject = ["--admin-daemon", socket.to_str().unwrap()];
    let inject = [&inject[..], &["injectdataerr", "rbd", "o"]].concat();
    cluster.ceph(&inject).unwrap();
    let map = cluster.ceph(&["osd", "map", "rbd", "o", "--format", "json"]);
    let map: serde_json::Value = serde_json::from_str(&map.unwrap()).unwrap();
    let group = map["pgid"].as_str().unwrap();
    cluster.ceph(&["pg", "deep-scrub", group]).unwrap();
    poll("the scrub to find it", || {
        !conn.inconsistent_pgs(id).unwrap().is_empty()
    });
    let found = conn.inconsistent_pgs(id).unwrap();
    assert_eq!(found, [group.parse().unwrap()]);
    assert_eq!(found[0].to_string(), group);
    assert_eq!(found[0].pool, id);
    // What has a time limit asks another way.
    let limited = rados::Conn::builder().config_file(cluster.conf_path());
    let limited = limited.mon_timeout(Duration::from_secs(60)).connect();
    assert_eq!(limited.unwrap().inconsistent_pgs(id).unwrap(), found);
}
