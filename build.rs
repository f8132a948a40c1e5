//! Makes `cfg(rados_has = "symbol")` and `cfg(rbd_has = "symbol")` visible to examples and tests, and to
//! tests where the libraries were found.

use std::env;

fn main() {
    ceph_build::forward();
    for name in ["DEP_RADOS_SO", "DEP_RBD_INCLUDE", "DEP_RBD_SO"] {
        let value = env::var(name).expect("the -sys crates set it");
        println!("cargo::rustc-env={name}={value}");
    }
}
