//! What the `rados` and `rbd` crates share and that needs no Ceph library: the error type, the
//! conversion of return codes, growing buffers, C strings, guarded callbacks, asynchronous operations
//! and their buffers, the reaper and the fork check.
//!
//! Programs do not depend on this crate: `rados` and `rbd` re-export what is theirs to see
//! ([`Error`], [`ErrorKind`], [`Errno`], [`Result`]). The rest is for wrappers of C functions.

pub mod aio;
pub mod buf;
pub mod callback;
mod capability;
pub mod cstr;
mod errno;
mod error;
pub mod fork;
pub mod grow;
pub mod reaper;
mod ret;

pub use aio::Completion;
pub use buf::{IoBuf, IoBufMut};
pub use capability::{Capability, capabilities, found};
pub use errno::{Errno, ErrorKind};
pub use error::{Error, Result};
pub use ret::{Code, check, mismatch};
