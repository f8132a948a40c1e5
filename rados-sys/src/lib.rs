//! Raw declarations of librados, the client library of Ceph's object store.
//!
//! bindgen makes them from the installed `rados/librados.h` when the crate is built: all functions and
//! types that the header declares, those that only a vendor's has included. With the feature `bindgen`
//! off, declarations are taken that were made from one release's header (`bindings.rs` says which), and
//! neither libclang nor a header is needed. The safe crate on top is `rados`.
//!
//! * Handles, each a `void *` in C, are distinct types: a [`rados_ioctx_t`] cannot be passed for a
//!   [`rados_t`].
//! * Enums are open, since a newer library may return values that this crate does not know:
//!   [`rados_checksum_type_t`] is an integer and [`LIBRADOS_CHECKSUM_TYPE_CRC32C`] a constant of that type.
//! * Constants are the same in every release. They are written by hand, so all of them are here even if
//!   the installed header lacks some.
//!
//! # What the library has
//!
//! Libraries differ by release and by vendor. Functions that every supported one has are declared to be
//! linked. Each of the others is a static, of the function's name, that looks it up when the program
//! runs: `rados_aio_watch.get()` is an `Option` of a function pointer. They are declared whatever the
//! installed header has, if the Cargo feature of their capability is on; [`OPTIONAL`] lists them.
//!
//! `cfg(rados_has = "function")` is set for each function of
//! the project's table (`api/rados.tsv`) that the header declares and the library exports. A crate that
//! lists this one under `[dependencies]` gets the same switches from `ceph_build::forward()` in its
//! build script, or the names themselves from the variable `DEP_RADOS_HAS`, next to `DEP_RADOS_INCLUDE`,
//! `DEP_RADOS_LIB_DIR` and `DEP_RADOS_SO`.
//!
//! # Finding the library
//!
//! The build script takes the header and `librados.so` from the first of these that names a place, and
//! stops with a message that says where it looked if they are not there:
//!
//! 1. the environment: `RADOS_INCLUDE_DIR` (the folder that has `rados/librados.h`) and `RADOS_LIB_DIR`
//!    (the one that has `librados.so`), or `CEPH_DIR` (one that has both under `include` and `lib` or
//!    `lib64`). For cross builds each is also read with the target in front, which goes first:
//!    `AARCH64_UNKNOWN_LINUX_GNU_RADOS_LIB_DIR`;
//! 2. pkg-config;
//! 3. the C compiler's own search lists.
//!
//! Of Debian's packages it needs librados-dev and libclang-dev, of Fedora's librados-devel and
//! clang-devel. With `DOCS_RS` set it needs none, looks for nothing and links nothing; with
//! `RADOS_STATIC=1` it links `librados.a` and the archives of all that this needs. The folder only matters to the linker: a program finds the library as all programs do,
//! by `ldconfig`, `LD_LIBRARY_PATH` or a run path.
//!
//! # Example
//!
//! ```
//! let (mut major, mut minor, mut extra) = (0, 0, 0);
//! // SAFETY: the pointers are to integers that outlive the call, which only writes them.
//! unsafe { rados_sys::rados_version(&mut major, &mut minor, &mut extra) };
//! println!("librados {major}.{minor}.{extra}");
//! ```

#![allow(non_camel_case_types)] // names are those of the C headers

#[macro_use]
mod macros;
mod constants;
mod enums;
mod optional;

pub use bindings::*;
pub use constants::*;
pub use enums::*;
pub use optional::{Anchor, Optional, OptionalFunction};

/// Made by bindgen, now from the installed header or earlier, so neither documented nor linted.
#[allow(missing_docs, non_upper_case_globals, unused_imports, clippy::all)]
mod bindings {
    include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
    include!(concat!(env!("OUT_DIR"), "/optional.rs"));
}
