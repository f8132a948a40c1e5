//! The declarations that are kept for builds without libclang, compared with what bindgen makes.
#![cfg(feature = "bindgen")]

#[path = "common/kept.rs"]
mod kept;

#[test]
fn what_is_kept_is_what_bindgen_makes() {
    kept::Kept {
        file: concat!(env!("CARGO_MANIFEST_DIR"), "/bindings.rs"),
        header: "rados/librados.h",
        package: "librados-dev",
        include_dir: env!("INCLUDE_DIR"),
        made: include_str!(concat!(env!("OUT_DIR"), "/bindings.rs")),
    }
    .check();
}
