//! Finds librbd and makes its declarations.

fn main() {
    ceph_build::sys(&ceph_build::RBD);
}
