//! What is written by hand, and what bindgen made, compared with the installed header by a C compiler.

mod common;

use std::ffi::CString;

use common::{Header, expressions, sizes};
use rados_sys::*;

const HEADER: Header = Header {
    dir: env!("INCLUDE_DIR"),
    name: "rados/librados.h",
};

#[test]
fn constants_have_the_values_of_the_header() {
    assert!(HEADER.compare("constants", &expressions(&[CONSTANTS, ENUMS])) > 30);
}

#[test]
fn strings_have_the_values_of_the_header() {
    assert_eq!(HEADER.compare_strings("strings", STRINGS), STRINGS.len());
}

#[test]
fn types_are_laid_out_as_in_c() {
    let mut layouts = layouts! {
        "struct rados_pool_stat_t" as rados_pool_stat_t { num_bytes, num_wr_kb, compressed_bytes_alloc }
        "struct rados_cluster_stat_t" as rados_cluster_stat_t { kb, num_objects }
        "rados_object_list_item" as rados_object_list_item { oid_length, locator }
        "struct obj_watch_t" as obj_watch_t { addr, timeout_seconds }
        "struct notify_ack_t" as notify_ack_t { notifier_id, payload_len }
    };
    layouts.extend(sizes(ENUM_SIZES));
    assert!(HEADER.compare("layout", &layouts) > 10);
}

#[test]
fn types_for_older_headers_are_as_this_one_has_them() {
    HEADER.compare_compat(include_str!("../compat.h"));
}

#[test]
fn functions_that_may_be_missing_are_looked_up() {
    for function in OPTIONAL {
        let name = CString::new(function.name()).unwrap();
        // SAFETY: the name is a C string, which is only read during the call.
        let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
        assert_eq!(function.is_present(), !address.is_null(), "{name:?}");
    }
}

#[test]
fn the_library_answers() {
    let (mut major, mut minor, mut extra) = (-1, -1, -1);
    // SAFETY: the three pointers are to integers that outlive the call, which only writes them.
    unsafe { rados_version(&mut major, &mut minor, &mut extra) };
    assert!(
        major > 0 && minor >= 0 && extra >= 0,
        "{major}.{minor}.{extra}"
    );
}

#[test]
fn the_library_has_what_the_build_found() {
    let names: Vec<_> = env!("HAS").split(',').collect();
    assert!(names.contains(&"rados_version"));
    for name in names {
        let name = CString::new(name).unwrap();
        // SAFETY: the name is a C string, which is only read during the call.
        let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
        assert!(!address.is_null(), "{name:?}");
    }
}
