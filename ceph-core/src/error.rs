//! The one error type.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::io;

use crate::{Errno, ErrorKind};

/// The result of a call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call failed.
///
/// [`kind`](Self::kind) is for programs to decide by, [`errno`](Self::errno) is the raw value, and
/// the text names the C function, what it was about and, where users are known to be misled, a
/// hint:
///
/// ```
/// use ceph_core::{Errno, Error, ErrorKind};
///
/// let error = Error::new("rbd_open", Errno::new(2)).on("rbd/disk1");
/// assert_eq!(error.kind(), ErrorKind::NotFound);
/// assert_eq!(error.errno().raw(), 2);
/// assert_eq!(error.to_string(), "rbd_open rbd/disk1: not found (ENOENT 2)");
/// ```
///
/// It is one pointer wide; nothing is allocated on success.
pub struct Error(Box<Repr>);

struct Repr {
    kind: ErrorKind,
    errno: Errno,
    op: &'static str,
    subject: Option<String>,
    hint: Option<Cow<'static, str>>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// The failure of the C function `op` with `errno`.
    #[cold]
    pub fn new(op: &'static str, errno: Errno) -> Self {
        Self(Box::new(Repr {
            kind: errno.kind(),
            errno,
            op,
            subject: None,
            hint: None,
            source: None,
        }))
    }

    /// An argument that is refused before it reaches the C function `op`, with `errno` as C would
    /// answer.
    #[cold]
    pub fn refused(op: &'static str, errno: i32, hint: impl Into<Cow<'static, str>>) -> Self {
        Self::new(op, Errno::new(errno)).hint(hint)
    }

    /// Adds what the operation was about, such as `pool/object`.
    #[must_use]
    pub fn on(mut self, subject: impl Into<String>) -> Self {
        self.0.subject = Some(subject.into());
        self
    }

    /// Adds an explanation for people; a further one is appended.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        let hint = hint.into();
        self.0.hint = Some(match self.0.hint.take() {
            Some(first) => Cow::Owned(format!("{first}; {hint}")),
            None => hint,
        });
        self
    }

    /// Adds the cause, which `source()` then answers; its text becomes part of this error's.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The raw errno. For an argument that was refused before the C call: the one that C answers.
    pub fn errno(&self) -> Errno {
        self.0.errno
    }

    /// The name of the C function, such as `"rbd_create4"`.
    pub fn operation(&self) -> &'static str {
        self.0.op
    }

    /// What the operation was about, such as `"rbd/disk1"`.
    pub fn subject(&self) -> Option<&str> {
        self.0.subject.as_deref()
    }

    /// The explanation, where there is one.
    pub fn explanation(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The cause, where it is a `T`.
    pub fn cause<T: StdError + 'static>(&self) -> Option<&T> {
        self.0
            .source
            .as_deref()
            .and_then(|source| source.downcast_ref())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Repr {
            kind,
            errno,
            op,
            subject,
            hint,
            source,
        } = &*self.0;
        f.write_str(op)?;
        if let Some(subject) = subject {
            write!(f, " {subject}")?;
        }
        match kind {
            // The system's own text says more than "error".
            ErrorKind::Other => write!(f, ": {}", io::Error::from_raw_os_error(errno.raw()))?,
            _ => write!(f, ": {kind}")?,
        }
        write!(f, " ({errno})")?;
        if let Some(hint) = hint {
            write!(f, ": {hint}")?;
        }
        if let Some(source) = source {
            write!(f, ": {source}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Repr {
            kind,
            errno,
            op,
            subject,
            hint,
            source,
        } = &*self.0;
        f.debug_struct("Error")
            .field("kind", kind)
            .field("errno", errno)
            .field("operation", op)
            .field("subject", subject)
            .field("hint", hint)
            .field("source", source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl From<Error> for io::Error {
    /// Keeps the whole error as the payload, under the `io::ErrorKind` that comes nearest.
    fn from(error: Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::NotFound => io::ErrorKind::NotFound,
            ErrorKind::AlreadyExists => io::ErrorKind::AlreadyExists,
            ErrorKind::PermissionDenied => io::ErrorKind::PermissionDenied,
            ErrorKind::TimedOut => io::ErrorKind::TimedOut,
            ErrorKind::InvalidArgument | ErrorKind::OutOfDomain => io::ErrorKind::InvalidInput,
            ErrorKind::Busy => io::ErrorKind::ResourceBusy,
            ErrorKind::NotEmpty => io::ErrorKind::DirectoryNotEmpty,
            ErrorKind::ReadOnly => io::ErrorKind::ReadOnlyFilesystem,
            ErrorKind::NoSpace => io::ErrorKind::StorageFull,
            ErrorKind::QuotaExceeded => io::ErrorKind::QuotaExceeded,
            ErrorKind::NotConnected => io::ErrorKind::NotConnected,
            ErrorKind::Unsupported => io::ErrorKind::Unsupported,
            ErrorKind::OutOfMemory => io::ErrorKind::OutOfMemory,
            ErrorKind::Stale => io::ErrorKind::StaleNetworkFileHandle,
            ErrorKind::Deadlock => io::ErrorKind::Deadlock,
            // Not Interrupted for EINTR, not WouldBlock for EAGAIN: std's loops retry on the one,
            // executors wait for readiness on the other, and neither helps here.
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_one_pointer_wide() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
        assert_eq!(size_of::<Result<()>>(), size_of::<usize>());
    }

    #[test]
    fn text_has_operation_subject_errno_and_hints() {
        let error = Error::refused("rbd_create4", libc::EDOM, "order must be 12..=25").on("rbd/x");
        let text = error.hint("order is a power of two").to_string();
        assert_eq!(
            text,
            "rbd_create4 rbd/x: argument out of its valid range (EDOM 33): \
             order must be 12..=25; order is a power of two"
        );
        let unknown = Error::new("rados_read", Errno::new(4242)).to_string();
        assert_eq!(
            unknown,
            "rados_read: Unknown error 4242 (os error 4242) (errno 4242)"
        );
    }

    #[test]
    fn becomes_an_io_error_that_keeps_it_whole() {
        let error = io::Error::from(Error::new("rbd_write", Errno::new(libc::EROFS)));
        assert_eq!(error.kind(), io::ErrorKind::ReadOnlyFilesystem);
        let inner = error.get_ref().and_then(|e| e.downcast_ref::<Error>());
        assert_eq!(inner.map(|e| e.errno().raw()), Some(libc::EROFS));
    }
}
