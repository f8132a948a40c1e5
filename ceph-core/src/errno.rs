//! Every errno by name, and the kind that each means here.

use std::fmt;

macro_rules! errnos {
    ($($(#[$doc:meta])* $kind:ident $text:literal = $($name:ident)|*;)*) => {
        /// What went wrong, independent of the operation.
        ///
        /// Every kind stands for one errno or a few of the same meaning; [`Errno`] keeps which.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
        #[non_exhaustive]
        pub enum ErrorKind {
            $($(#[$doc])* #[error($text)] $kind,)*
        }

        impl Errno {
            /// Every errno that has a name.
            const NAMED: &'static [(i32, &'static str, ErrorKind)] = &[
                $($((libc::$name, stringify!($name), ErrorKind::$kind),)*)*
            ];
        }
    };
}

errnos! {
    /// The pool, object, image, snapshot, key or file does not exist (ENOENT).
    NotFound "not found" = ENOENT;
    /// The object has no such attribute (ENODATA).
    NoData "no such attribute" = ENODATA;
    /// It exists already (EEXIST).
    AlreadyExists "exists already" = EEXIST;
    /// The user's capabilities do not allow it (EACCES, EPERM).
    PermissionDenied "permission denied" = EACCES | EPERM;
    /// No answer in time (ETIMEDOUT). A write may still have been applied, or be applied later.
    TimedOut "timed out" = ETIMEDOUT | ETIME;
    /// An argument is invalid (EINVAL).
    InvalidArgument "invalid argument" = EINVAL;
    /// A numeric argument is outside the valid range (EDOM).
    OutOfDomain "argument out of its valid range" = EDOM;
    /// A result does not fit, or a version assertion failed (ERANGE, EOVERFLOW).
    OutOfRange "out of range" = ERANGE | EOVERFLOW;
    /// Something else uses it (EBUSY).
    Busy "busy" = EBUSY | ETXTBSY;
    /// It still contains something (ENOTEMPTY): snapshots of an image, images of a group.
    NotEmpty "not empty" = ENOTEMPTY;
    /// Opened read-only, a snapshot, or not the lock's owner (EROFS).
    ReadOnly "read-only" = EROFS;
    /// This client is on the cluster's blocklist: only a new connection can go on (ESHUTDOWN).
    Blocklisted "this client is blocklisted" = ESHUTDOWN;
    /// The cluster, pool or image has no room (ENOSPC).
    NoSpace "no space left" = ENOSPC;
    /// The pool's quota is used up (EDQUOT).
    QuotaExceeded "quota exceeded" = EDQUOT;
    /// Stopped by a cancel, by a progress closure, or a comparison of an operation failed (ECANCELED).
    Canceled "canceled" = ECANCELED;
    /// A compare-and-write found other data (EILSEQ).
    Mismatch "data does not match" = EILSEQ;
    /// The connection or watch is gone (ENOTCONN).
    NotConnected "not connected" = ENOTCONN;
    /// Connected already (EISCONN).
    AlreadyConnected "connected already" = EISCONN;
    /// The library, the cluster or the image cannot do this (EOPNOTSUPP, ENOSYS, ENOTTY).
    Unsupported "not supported" = EOPNOTSUPP | ENOSYS | ENOTTY | EPROTONOSUPPORT | EAFNOSUPPORT
        | EPFNOSUPPORT | ESOCKTNOSUPPORT;
    /// The argument is too large for the C interface or the cluster (E2BIG, EMSGSIZE, EFBIG).
    TooBig "too big" = E2BIG | EMSGSIZE | EFBIG;
    /// The name is too long (ENAMETOOLONG).
    NameTooLong "name too long" = ENAMETOOLONG;
    /// The data could not be read or decoded (EIO, EBADMSG).
    Io "input/output error" = EIO | EBADMSG | EREMOTEIO | EUCLEAN;
    /// Out of memory (ENOMEM).
    OutOfMemory "out of memory" = ENOMEM | ENOBUFS;
    /// Not now; may work when tried again (EAGAIN, EINPROGRESS, EALREADY, EINTR, ERESTART).
    TryAgain "try again" = EAGAIN | EINPROGRESS | EALREADY | EINTR | ERESTART;
    /// The handle or what it refers to is no longer valid (ESTALE, EBADF).
    Stale "stale handle" = ESTALE | EBADF;
    /// It would deadlock (EDEADLK).
    Deadlock "would deadlock" = EDEADLK;
    /// The network or the peer failed (ECONNREFUSED, ECONNRESET, EHOSTUNREACH, ...).
    Network "network failure" = ECONNREFUSED | ECONNRESET | ECONNABORTED | EHOSTUNREACH
        | EHOSTDOWN | ENETUNREACH | ENETDOWN | ENETRESET | EPIPE | EADDRINUSE | EADDRNOTAVAIL
        | ENONET | ENOLINK | ECOMM | EPROTO;
    /// Any other errno; [`Errno`] tells which.
    Other "error" = ESRCH | ENXIO | ENOEXEC | ECHILD | EFAULT | ENOTBLK | EXDEV | ENODEV | ENOTDIR
        | EISDIR | ENFILE | EMFILE | ESPIPE | EMLINK | ENOLCK | ELOOP | ENOMSG | EIDRM | ECHRNG
        | EL2NSYNC | EL3HLT | EL3RST | ELNRNG | EUNATCH | ENOCSI | EL2HLT | EBADE | EBADR | EXFULL
        | ENOANO | EBADRQC | EBADSLT | EBFONT | ENOSTR | ENOSR | ENOPKG | EREMOTE | EADV | ESRMNT
        | EMULTIHOP | EDOTDOT | ENOTUNIQ | EBADFD | EREMCHG | ELIBACC | ELIBBAD | ELIBSCN | ELIBMAX
        | ELIBEXEC | ESTRPIPE | EUSERS | ENOTSOCK | EDESTADDRREQ | EPROTOTYPE | ENOPROTOOPT
        | ETOOMANYREFS | ENOTNAM | ENAVAIL | EISNAM | ENOMEDIUM | EMEDIUMTYPE | ENOKEY | EKEYEXPIRED
        | EKEYREVOKED | EKEYREJECTED | EOWNERDEAD | ENOTRECOVERABLE | ERFKILL | EHWPOISON;
}

/// A C error number, positive, as the C library gave it.
///
/// Values without a name survive unchanged.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(i32);

impl Errno {
    /// The errno with this positive number.
    pub const fn new(errno: i32) -> Self {
        Self(errno)
    }

    /// The number, positive.
    pub const fn raw(self) -> i32 {
        self.0
    }

    /// The constant's name, such as `"EDOM"`.
    pub fn name(self) -> Option<&'static str> {
        self.named().map(|&(_, name, _)| name)
    }

    /// What this errno means here.
    pub fn kind(self) -> ErrorKind {
        self.named().map_or(ErrorKind::Other, |&(_, _, kind)| kind)
    }

    fn named(self) -> Option<&'static (i32, &'static str, ErrorKind)> {
        Self::NAMED.iter().find(|&&(errno, ..)| errno == self.0)
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} {}", self.0),
            None => write!(f, "errno {}", self.0),
        }
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_errno_stands_twice() {
        let mut seen = std::collections::HashMap::new();
        for (errno, name, _) in Errno::NAMED {
            assert_eq!(seen.insert(errno, name), None, "{name} has two kinds");
        }
    }

    #[test]
    fn every_errno_of_the_system_has_a_name() {
        for errno in 1..=133 {
            let text = std::io::Error::from_raw_os_error(errno).to_string();
            let known = !text.starts_with("Unknown error");
            assert_eq!(Errno::new(errno).name().is_some(), known, "{errno}: {text}");
        }
    }

    #[test]
    fn unknown_codes_survive() {
        let errno = Errno::new(4242);
        assert_eq!(
            (errno.raw(), errno.name(), errno.kind()),
            (4242, None, ErrorKind::Other)
        );
        assert_eq!(errno.to_string(), "errno 4242");
    }

    #[test]
    fn edom_is_out_of_domain() {
        assert_eq!(Errno::new(33).kind(), ErrorKind::OutOfDomain);
        assert_eq!(Errno::new(33).to_string(), "EDOM 33");
    }
}
