//! Connections.

use crate::common::*;

#[test]
fn fsid_is_what_ceph_says() {
    let fsid = run("ceph", &["fsid"]);
    assert_eq!(conn().fsid().unwrap(), String::from_utf8(fsid).unwrap().trim());
}
