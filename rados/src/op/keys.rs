//! Lists of keys and values on their way to C.

use std::ffi::{CString, c_char};

use ceph_core::Result;
use ceph_core::cstr::check_name;

/// Where byte strings start, and their lengths; each string is asked for once.
pub(super) struct ByteStrings<'a> {
    strings: Vec<&'a [u8]>,
    starts: Vec<*const c_char>,
    lens: Vec<usize>,
}

impl<'a> ByteStrings<'a> {
    pub(super) fn new(strings: &'a [impl AsRef<[u8]>]) -> Self {
        let strings: Vec<_> = strings.iter().map(AsRef::as_ref).collect();
        Self {
            starts: strings.iter().map(|bytes| bytes.as_ptr().cast()).collect(),
            lens: strings.iter().map(|bytes| bytes.len()).collect(),
            strings,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.lens
            .iter()
            .fold(0, |sum, &len| sum.saturating_add(len))
    }

    pub(super) fn count(&self) -> usize {
        self.strings.len()
    }

    pub(super) fn starts(&self) -> *const *const c_char {
        self.starts.as_ptr()
    }

    pub(super) fn lens(&self) -> *const usize {
        self.lens.as_ptr()
    }
}

/// Copies with a NUL at their ends, for libraries that take keys without lengths.
pub(super) struct CStrings {
    _strings: Vec<CString>,
    starts: Vec<*const c_char>,
}

impl CStrings {
    /// # Errors
    /// `InvalidArgument` for a key with a NUL byte.
    pub(super) fn new(op: &'static str, keys: &ByteStrings<'_>) -> Result<Self> {
        let copy = |&key: &&[u8]| {
            check_name(op, "omap key", key)?;
            Ok(CString::new(key).unwrap_or_default()) // it was checked
        };
        let strings: Vec<_> = keys.strings.iter().map(copy).collect::<Result<_>>()?;
        Ok(Self {
            starts: strings.iter().map(|string| string.as_ptr()).collect(),
            _strings: strings,
        })
    }

    pub(super) fn starts(&self) -> *const *const c_char {
        self.starts.as_ptr()
    }
}
