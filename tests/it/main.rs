//! Integration tests on a real cluster: the one that `CEPH_TEST_CONF` names, or one booted for
//! this run.

mod common;
mod rados_conn;
mod rados_object;
mod rados_pool;
