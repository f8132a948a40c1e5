//! Checks that librados has what this crate is linked to.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    ceph_build::require(&ceph_build::RADOS, "src/ffi.rs");
}
