//! Makes `cfg(rados_has = "symbol")` and `cfg(rbd_has = "symbol")` visible to examples and tests.

fn main() {
    ceph_build::forward();
}
