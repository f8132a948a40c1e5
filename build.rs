//! Makes `cfg(rados_has = "symbol")` and `cfg(rbd_has = "symbol")` visible to examples and tests, and to
//! tests where librbd was found.

use std::env;

fn main() {
    ceph_build::forward();
    for name in ["DEP_RBD_INCLUDE", "DEP_RBD_SO"] {
        let value = env::var(name).expect("rbd-sys sets it");
        println!("cargo::rustc-env={name}={value}");
    }
}
