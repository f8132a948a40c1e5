//! Prints what the running librados and librbd can do, and what they lack.
//!
//! The same program answers for any library: `LD_LIBRARY_PATH=/vendor/lib64 capabilities`.

use ceph_client::{rados, rbd};

fn main() {
    for (library, capabilities) in [
        ("librados", rados::capabilities()),
        ("librbd", rbd::capabilities()),
    ] {
        let available = capabilities.iter().filter(|c| c.is_available()).count();
        println!(
            "{library}: {available} of {} capabilities",
            capabilities.len()
        );
        for capability in capabilities {
            if capability.is_available() {
                println!("  {:20} yes", capability.name);
            } else {
                println!(
                    "  {:20} no: {}",
                    capability.name,
                    capability.missing.join(", ")
                );
            }
        }
    }
}
