//! Build-time support for the crates on librados and librbd.
//!
//! A library is judged by its symbols, never by its version: librados calls itself 3.0.0 in every
//! release, point releases add functions, and vendors leave some out. Two things are read, what the
//! installed header declares and what the shared library exports, and one table (the workspace's
//! `api/`) says which functions to look for. From these come the bindings, the
//! `cfg(rados_has = "..")` and `cfg(rbd_has = "..")` switches and the metadata for dependents.
//!
//! A `-sys` crate's build script is one line (feature `bindgen`):
//!
//! ```no_run
//! # #[cfg(feature = "bindgen")]
//! ceph_build::sys(&ceph_build::RADOS);
//! ```
//!
//! and so is that of a crate which depends on one and wants the same switches:
//!
//! ```no_run
//! ceph_build::forward();
//! ```
//!
//! Base functions are linked. Those that a supported library may lack never are: the `-sys` crates have
//! a static for each, which looks the function up when the program runs.

mod capability;
mod emit;
mod failure;
mod require;
mod table;

#[cfg(feature = "bindgen")]
mod bindings;
#[cfg(feature = "bindgen")]
mod compiler;
#[cfg(feature = "bindgen")]
mod declarations;
#[cfg(feature = "bindgen")]
mod find;
#[cfg(feature = "bindgen")]
mod message;
#[cfg(feature = "bindgen")]
mod strict;
#[cfg(feature = "bindgen")]
mod symbols;
#[cfg(feature = "bindgen")]
mod sys;

pub use capability::{Entry, RELEASES, capabilities, capabilities_of};
pub use emit::forward;
pub use require::require;
#[cfg(feature = "bindgen")]
pub use sys::sys;
pub use table::{Capability, Kind, Row, table};

/// One of the two C libraries.
#[derive(Debug)]
pub struct Library {
    /// Its name, as in `-lrados`, `cfg(rados_has = "..")` and the functions' prefix `rados_`.
    pub name: &'static str,
    /// Its header, as it is included.
    pub header: &'static str,
    /// Its rows of the table, unparsed.
    table: &'static str,
}

/// librados, Ceph's object store.
pub const RADOS: Library = Library {
    name: "rados",
    header: "rados/librados.h",
    table: include_str!("../../api/rados.tsv"),
};

/// librbd, Ceph's block devices.
pub const RBD: Library = Library {
    name: "rbd",
    header: "rbd/librbd.h",
    table: include_str!("../../api/rbd.tsv"),
};

impl Library {
    /// The shared library's file name, as the linker looks for it.
    #[cfg(feature = "bindgen")]
    fn so(&self) -> String {
        format!("lib{}.so", self.name)
    }
}
