//! A librados and a librbd that need no cluster and store nothing: every operation succeeds, at the time
//! and on the thread that one chooses. For what a cluster cannot do on demand, and for measuring what a
//! program costs above the C library.
//!
//! A program loads them in place of Ceph's when [`DIR`] is its `LD_LIBRARY_PATH`; the tests of this package
//! do without that. The environment variable `NULLCEPH`, or the option `nullceph` of a connection, says when
//! operations complete:
//!
//! | value | |
//! |---|---|
//! | `inline` | before the function returns that starts them, in the calling thread (the default); of the data only the ends are touched |
//! | `thread` | at once, in a thread of the connection's |
//! | `later:N` | there, N microseconds later |
//! | `refuse` | never: the function that starts them answers `-EINVAL` |
//!
//! Reads give bytes of [`BYTE`]. Completions are allocated, locked and counted as librados does. Closing a
//! handle on the connection's thread aborts the program, where Ceph's libraries would hang; so does a function
//! that is not there, with its name.

/// The folder of `librados.so.2` and `librbd.so.1`.
pub const DIR: &str = concat!(env!("OUT_DIR"), "/lib");

/// What reads give.
pub const BYTE: u8 = 0xab;

/// The size of each object, and of each image.
pub const SIZE: u64 = 1 << 30;
