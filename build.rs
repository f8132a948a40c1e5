//! Makes `cfg(rados_has = "symbol")` and `cfg(rbd_has = "symbol")` visible to examples and tests, and to
//! tests where the libraries were found.

use std::env;

fn main() {
    ceph_build::forward();
    for name in ["DEP_RADOS_SO", "DEP_RBD_INCLUDE", "DEP_RBD_SO"] {
        // Documentation is built without libraries.
        let value = env::var(name).unwrap_or_default();
        println!("cargo::rustc-env={name}={value}");
    }
}
