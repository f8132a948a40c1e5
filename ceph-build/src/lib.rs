//! Build-time support for the crates on librados and librbd.
//!
//! A library is judged by its symbols, never by its version: librados calls itself 3.0.0 in every
//! release, point releases add functions, and vendors leave some out. Two things are read, what the
//! installed header declares and what the shared library exports, and one table (the workspace's
//! `api/`) says which functions to look for. From these come the bindings, the
//! `cfg(rados_has = "..")` and `cfg(rbd_has = "..")` switches and the metadata for dependents.
//!
//! A `-sys` crate's build script is one line (feature `probe`):
//!
//! ```no_run
//! # #[cfg(feature = "probe")]
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
//!
//! bindgen makes the declarations where the crate being built has its feature `bindgen` on, which turns
//! on this crate's. Elsewhere the file `bindings.rs` in that crate's folder is taken, which bindgen made
//! earlier, and neither libclang nor the header is needed: what the shared library exports then counts
//! as declared. With `DOCS_RS` in the environment that file is taken in any case, nothing is looked for
//! and nothing linked, so that documentation can be built on a machine without Ceph.
//!
//! `RADOS_STATIC=1` and `RBD_STATIC=1` ask for static linking: of the library and of all that it needs,
//! but for the C library. The lists come from pkg-config or from the shared libraries.

mod capability;
mod emit;
mod failure;
mod require;
mod table;

#[cfg(feature = "probe")]
mod archives;
#[cfg(feature = "bindgen")]
mod bindings;
#[cfg(feature = "probe")]
mod compiler;
#[cfg(feature = "probe")]
mod declarations;
#[cfg(feature = "probe")]
mod files;
#[cfg(feature = "probe")]
mod find;
#[cfg(feature = "probe")]
mod kept;
#[cfg(feature = "probe")]
mod message;
#[cfg(feature = "bindgen")]
mod prototypes;
#[cfg(feature = "probe")]
mod strict;
#[cfg(feature = "probe")]
mod symbols;
#[cfg(feature = "probe")]
mod sys;

pub use capability::{Entry, RELEASES, capabilities, capabilities_of};
pub use emit::forward;
pub use require::require;
#[cfg(feature = "probe")]
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
    #[cfg(feature = "probe")]
    fn so(&self) -> String {
        format!("lib{}.so", self.name)
    }

    /// The static library's.
    #[cfg(feature = "probe")]
    fn archive(&self) -> String {
        format!("lib{}.a", self.name)
    }
}
