//! What is written by hand, and what bindgen made, compared with the installed header by a C compiler.

#[path = "../../rados-sys/tests/common/mod.rs"]
mod common;

use std::ffi::CString;

use common::{Header, expressions, sizes};
use rbd_sys::*;

const HEADER: Header = Header {
    dir: env!("INCLUDE_DIR"),
    name: "rbd/librbd.h",
};

#[test]
fn constants_have_the_values_of_the_header() {
    assert!(HEADER.compare("constants", &expressions(&[CONSTANTS, ENUMS])) > 30);
}

#[test]
fn strings_have_the_values_of_the_header() {
    assert!(HEADER.compare_strings("strings", STRINGS) > 5);
}

#[test]
fn types_are_laid_out_as_in_c() {
    let mut layouts = layouts! {
        "rbd_image_info_t" as rbd_image_info_t { size, order, block_name_prefix, parent_pool, parent_name }
        "rbd_snap_info_t" as rbd_snap_info_t { id, size, name }
        "rbd_trash_image_info_t" as rbd_trash_image_info_t { id, source, deletion_time, deferment_end_time }
        "rbd_mirror_image_info_t" as rbd_mirror_image_info_t { global_id, state, primary }
    };
    layouts.extend(sizes(ENUM_SIZES));
    assert!(HEADER.compare("layout", &layouts) > 20);
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
    unsafe { rbd_version(&mut major, &mut minor, &mut extra) };
    assert!(
        major > 0 && minor >= 0 && extra >= 0,
        "{major}.{minor}.{extra}"
    );
}

#[test]
fn the_library_has_what_the_build_found() {
    let names: Vec<_> = env!("HAS").split(',').collect();
    assert!(names.contains(&"rbd_version"));
    for name in names {
        let name = CString::new(name).unwrap();
        // SAFETY: the name is a C string, which is only read during the call.
        let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
        assert!(!address.is_null(), "{name:?}");
    }
}

#[test]
fn librados_types_are_librados_own() {
    fn takes(
        _: unsafe extern "C" fn(
            rados_sys::rados_ioctx_t,
            *const std::ffi::c_char,
        ) -> std::ffi::c_int,
    ) {
    }
    takes(rbd_remove);
}
