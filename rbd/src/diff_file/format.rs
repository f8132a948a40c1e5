//! What such a file has.

use std::io;

use ceph_core::Errno;
use rados::Error;

pub(super) const FROM_SNAP: u8 = b'f';
pub(super) const TO_SNAP: u8 = b't';
pub(super) const PROTECTED: u8 = b'p';
pub(super) const SIZE: u8 = b's';
pub(super) const DATA: u8 = b'w';
pub(super) const ZEROS: u8 = b'z';
pub(super) const END: u8 = b'e';

/// The longest snapshot name that the `rbd` command reads.
pub(super) const NAME_MAX: u32 = 4096;

/// Which format a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum DiffFormat {
    /// What `rbd export-diff` writes, and `import-diff` and `merge-diff` read.
    #[default]
    V1,
    /// What is inside of a file of `rbd export --export-format 2`: each record says how long it is.
    V2,
}

impl DiffFormat {
    /// What a file starts with.
    pub(super) const fn banner(self) -> &'static [u8; 12] {
        match self {
            Self::V1 => b"rbd diff v1\n",
            Self::V2 => b"rbd diff v2\n",
        }
    }
}

/// What the file says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct DiffHeader {
    /// The snapshot that the image must have had; without one, the file has all data.
    pub from_snap: Option<String>,
    /// The snapshot that the file leads to, if it is not the image's head.
    pub to_snap: Option<String>,
    /// The image's size in bytes after it.
    pub size: u64,
    /// Whether the snapshot that it leads to is protected. Only [`DiffFormat::V2`] tells.
    pub protected: bool,
}

impl DiffHeader {
    /// All data of an image of this size, as its head.
    pub fn new(size: u64) -> Self {
        Self {
            size,
            ..Self::default()
        }
    }

    /// Compared with this snapshot.
    #[must_use]
    pub fn from_snap(mut self, name: impl Into<String>) -> Self {
        self.from_snap = Some(name.into());
        self
    }

    /// Leading to this snapshot.
    #[must_use]
    pub fn to_snap(mut self, name: impl Into<String>) -> Self {
        self.to_snap = Some(name.into());
        self
    }
}

/// Why a file of differences cannot be used, and where.
///
/// It is the [`cause`](rados::Error::cause) of an [`Error`](rados::Error) of kind `Io`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[error("at byte {offset} of the diff: {problem}")]
#[non_exhaustive]
pub struct DiffFileError {
    /// Where it is in the file, in bytes: the start of a record, or the end of a file that is too short.
    pub offset: u64,
    /// What is wrong.
    pub problem: DiffProblem,
}

/// What is wrong with a file of differences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum DiffProblem {
    /// It does not start as one.
    #[error("it does not start with \"rbd diff v1\" or \"rbd diff v2\" and a new line")]
    Banner,
    /// It ends before its last record.
    #[error("it ends here, before it is complete")]
    Truncated,
    /// This record cannot be here, or is unknown.
    #[error("no record of type {:?} is expected here", char::from(*.0))]
    Record(u8),
    /// A snapshot's name is empty, longer than 4096 bytes, no UTF-8, or has a NUL byte.
    #[error("a snapshot name is empty, longer than 4096 bytes, no UTF-8, or has a NUL byte")]
    Name,
    /// A record of the second format has not this length.
    #[error("a record of this type has not {0} bytes")]
    Length(u64),
    /// An extent is empty, or not inside the image.
    #[error("{len} bytes at {offset} are no part of an image of {size} bytes")]
    Extent {
        /// Where it starts in the image, in bytes.
        offset: u64,
        /// How many bytes it has.
        len: u64,
        /// The image's size.
        size: u64,
    },
    /// An extent starts before the end of the one before it, which merging cannot do with.
    #[error("the extents are not in rising order")]
    Order,
    /// The image's size is not told.
    #[error("the image's size is missing")]
    NoSize,
}

/// The error for a file that is not as it should be.
#[cold]
pub(super) fn malformed(op: &'static str, offset: u64, problem: DiffProblem) -> Error {
    Error::new(op, Errno::new(libc::EBADMSG)).because(DiffFileError { offset, problem })
}

/// The error for a file that cannot be read or written at byte `offset`.
#[cold]
pub(super) fn failed(op: &'static str, offset: u64, error: io::Error) -> Error {
    let errno = error.raw_os_error().unwrap_or(libc::EIO);
    Error::refused(op, errno, format!("at byte {offset} of the diff")).because(error)
}
