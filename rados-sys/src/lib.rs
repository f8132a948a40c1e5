//! Raw declarations of librados.

#![allow(non_camel_case_types)] // names are those of the C headers

#[macro_use]
mod macros;
mod constants;
mod enums;

pub use bindings::*;
pub use constants::*;
pub use enums::*;

/// Made by bindgen from the installed header, so neither documented nor linted.
#[allow(missing_docs, non_camel_case_types, unused_imports, clippy::all)]
mod bindings {
    include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
}
