//! Raw declarations of librbd, the client library of Ceph's block devices.
//!
//! bindgen makes them from the installed `rbd/librbd.h` when the crate is built: all functions and
//! types that the header declares, those that only a vendor's has included. With the feature `bindgen`
//! off, declarations are taken that were made from one release's header (`bindings.rs` says which), and
//! neither libclang nor a header is needed. The safe crate on top is `rbd`.
//!
//! * Handles, each a `void *` in C, are distinct types: an [`rbd_completion_t`] cannot be passed for an
//!   [`rbd_image_t`]. Those of librados are those of `rados_sys`.
//! * Enums are open, since a newer library may return values that this crate does not know:
//!   [`rbd_lock_mode_t`] is an integer and [`RBD_LOCK_MODE_EXCLUSIVE`] a constant of that type.
//! * Constants are the same in every release. They are written by hand, so all of them are here even if
//!   the installed header lacks some.
//!
//! # What the library has
//!
//! Libraries differ by release and by vendor. Functions that every supported one has are declared to be
//! linked. Each of the others is a static, of the function's name, that looks it up when the program
//! runs: `rbd_clone4.get()` is an `Option` of a function pointer. They are declared whatever the
//! installed header has, if the Cargo feature of their capability is on; [`OPTIONAL`] lists them.
//!
//! `cfg(rbd_has = "function")` is set for each function of
//! the project's table (`api/rbd.tsv`) that the header declares and the library exports. A crate that
//! lists this one under `[dependencies]` gets the same switches from `ceph_build::forward()` in its
//! build script, or the names themselves from the variable `DEP_RBD_HAS`, next to `DEP_RBD_INCLUDE`,
//! `DEP_RBD_LIB_DIR` and `DEP_RBD_SO`.
//!
//! # Finding the library
//!
//! As `rados_sys` does, with `RBD_INCLUDE_DIR` (the folder that has `rbd/librbd.h`), `RBD_LIB_DIR` (the
//! one that has `librbd.so`) or `CEPH_DIR`, and with `RBD_STATIC=1` where `RADOS_STATIC=1` is set. Without
//! the first three it is first looked for where librados was
//! found.

#![allow(non_camel_case_types)] // names are those of the C headers

mod constants;
mod enums;

pub use bindings::*;
pub use constants::*;
pub use enums::*;
pub use rados_sys::{Optional, OptionalFunction};

/// Made by bindgen, now from the installed header or earlier, so neither documented nor linted.
#[allow(missing_docs, non_upper_case_globals, unused_imports, clippy::all)]
mod bindings {
    include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
    include!(concat!(env!("OUT_DIR"), "/optional.rs"));
}
