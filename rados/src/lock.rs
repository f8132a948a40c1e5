//! Advisory locks on objects.

use std::fmt;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use ceph_core::aio::blocking;
use ceph_core::cstr::CName;
use ceph_core::{Completion, Error, ErrorKind, Result, check, reaper};

use crate::aio::Target;
use crate::{IoCtx, Name, ffi};

/// The longest that a lock's duration may be: an OSD adds it to its time, in 32 bits of seconds.
const DURATION_MAX: Duration = Duration::from_secs(1 << 30);

/// What lock to take, and for how long.
#[derive(Debug, Clone)]
pub struct LockRequest {
    name: Name,
    duration: Option<Duration>,
    cookie: Option<Name>,
    tag: Name,
    description: Name,
    renew: bool,
}

impl LockRequest {
    /// The lock called `name`, which ends by itself after `duration`, or only when it is unlocked or broken:
    /// `None`. Such a lock outlives a holder that crashes.
    ///
    /// The duration counts from when an OSD grants the lock, in steps of a microsecond, and is at most 2^30
    /// seconds (34 years).
    pub fn new(name: impl AsRef<[u8]>, duration: impl Into<Option<Duration>>) -> Self {
        Self {
            name: name.as_ref().to_vec().into(),
            duration: duration.into(),
            cookie: None,
            tag: Name::default(),
            description: Name::default(),
            renew: false,
        }
    }

    /// Tells this holder from others of the same connection. By default every lock has a cookie of its own.
    ///
    /// Two [`Lock`]s of one connection with the same cookie, which only [`renew`](Self::renew) makes possible,
    /// are one and the same lock: dropping the one releases the other's.
    #[must_use]
    pub fn cookie(mut self, cookie: impl AsRef<[u8]>) -> Self {
        self.cookie = Some(cookie.as_ref().to_vec().into());
        self
    }

    /// The tag of a shared lock, which all its holders have in common; empty by default. An exclusive lock
    /// has none.
    #[must_use]
    pub fn tag(mut self, tag: impl AsRef<[u8]>) -> Self {
        self.tag = tag.as_ref().to_vec().into();
        self
    }

    /// A text for people, which `rados lock info` shows.
    #[must_use]
    pub fn description(mut self, description: impl AsRef<[u8]>) -> Self {
        self.description = description.as_ref().to_vec().into();
        self
    }

    /// Accepts that this connection holds the lock already with this [`cookie`](Self::cookie): its duration,
    /// description, and whether it is exclusive, are then replaced.
    #[must_use]
    pub fn renew(mut self) -> Self {
        self.renew = true;
        self
    }
}

/// A lock that this connection took; made by [`IoCtx::lock_exclusive`] and [`IoCtx::lock_shared`].
///
/// Dropping it releases the lock without waiting for that and without telling of a failure: a program that is
/// about to end calls [`unlock`](Self::unlock), or the lock may stay behind. In a callback of Ceph's another
/// thread does it. In a forked child, to which the connection does not belong, nothing is released.
///
/// It keeps its [`IoCtx`], and does not notice when its duration ends or when somebody breaks it:
/// [`renew`](Self::renew) tells.
#[must_use = "dropping it releases the lock"]
pub struct Lock {
    held: Arc<Held>,
    release: bool,
}

/// What a lock is to C.
struct Held {
    ioctx: IoCtx,
    exclusive: bool,
    object: Name,
    name: Name,
    cookie: Name,
    tag: Name,
    description: Name,
}

/// Advisory locks on objects: they keep nobody from reading and writing, only from taking the lock.
///
/// An object may have many locks, each with a name. Who holds one is known by the connection (its
/// [`instance_id`](crate::Conn::instance_id)) and a cookie. A lock of another connection ends by its duration,
/// not when that connection does.
///
/// ```no_run
/// # fn main() -> rados::Result<()> {
/// # let conn = rados::Conn::builder().default_config_file().connect()?;
/// use rados::{ErrorKind, LockRequest};
/// use std::time::Duration;
///
/// let pool = conn.ioctx("rbd")?;
/// let request = LockRequest::new("writer", Duration::from_secs(30)).description("nightly job");
/// match pool.lock_exclusive("journal", request) {
///     Ok(lock) => {
///         pool.append("journal", b"mine alone\n")?;
///         lock.unlock()?;
///     }
///     Err(error) if error.kind() == ErrorKind::Busy => {
///         println!("held: {:?}", pool.list_lockers("journal", "writer")?);
///     }
///     Err(error) => return Err(error),
/// }
/// # Ok(()) }
/// ```
///
/// # Expiry is not a fence
/// A holder that is slower than its duration still writes when another has the lock. Where that does harm, take
/// locks without a duration, and get rid of a dead holder by
/// [`fence_and_break_lock`](Self::fence_and_break_lock).
impl IoCtx {
    /// Takes a lock that nobody else may hold at the same time, creating the object if need be. Blocks for the
    /// answer, but not until the lock is free.
    ///
    /// # Errors
    /// `Busy` (EBUSY) when another holds the lock, or this connection with another cookie; `AlreadyExists`
    /// (EEXIST) when this connection holds it with the same cookie; `InvalidArgument` for an empty name, a
    /// tag, or a NUL byte; `OutOfDomain` for a duration of zero or of more than 2^30 seconds. After `TimedOut`
    /// the lock may have been taken; one without a cookie of the caller's is released again, if that can be.
    #[doc(alias = "rados_lock_exclusive")]
    pub fn lock_exclusive(&self, object: impl AsRef<[u8]>, request: LockRequest) -> Result<Lock> {
        if !request.tag.as_bytes().is_empty() {
            let hint = "only shared locks have a tag";
            let error = Error::refused("rados_lock_exclusive", libc::EINVAL, hint);
            return Err(error.on(self.subject(Some(object.as_ref()))));
        }
        Lock::take(self, object.as_ref(), request, true)
    }

    /// Takes a lock that all may hold at the same time who take it shared and with the same tag, creating the
    /// object if need be. Blocks for the answer, but not until the lock is free.
    ///
    /// # Errors
    /// As [`lock_exclusive`](Self::lock_exclusive); `Busy` also when it is held with another tag.
    #[doc(alias = "rados_lock_shared")]
    pub fn lock_shared(&self, object: impl AsRef<[u8]>, request: LockRequest) -> Result<Lock> {
        Lock::take(self, object.as_ref(), request, false)
    }

    /// [`lock_exclusive`](Self::lock_exclusive) by [`blocking`](crate::blocking): C has no asynchronous form.
    ///
    /// # Cancel safety
    /// When the completion is dropped, the lock is taken all the same, and released again.
    pub fn aio_lock_exclusive(
        &self,
        object: impl AsRef<[u8]>,
        request: LockRequest,
    ) -> Completion<Result<Lock>> {
        let (ioctx, object) = (self.clone(), object.as_ref().to_vec());
        blocking(move || ioctx.lock_exclusive(object, request))
    }

    /// [`lock_shared`](Self::lock_shared) by [`blocking`](crate::blocking): C has no asynchronous form.
    ///
    /// # Cancel safety
    /// When the completion is dropped, the lock is taken all the same, and released again.
    pub fn aio_lock_shared(
        &self,
        object: impl AsRef<[u8]>,
        request: LockRequest,
    ) -> Completion<Result<Lock>> {
        let (ioctx, object) = (self.clone(), object.as_ref().to_vec());
        blocking(move || ioctx.lock_shared(object, request))
    }

    /// Releases a lock of this connection's by its cookie, for whoever has no [`Lock`] of it. Blocks.
    ///
    /// # Errors
    /// `NotFound` when this connection does not hold the lock with this cookie.
    #[doc(alias = "rados_unlock")]
    pub fn unlock(
        &self,
        object: impl AsRef<[u8]>,
        name: impl AsRef<[u8]>,
        cookie: impl AsRef<[u8]>,
    ) -> Result<()> {
        const OP: &str = "rados_unlock";
        let object = object.as_ref();
        let raw = self.raw_blocking(OP)?;
        let target = CName::new(OP, "object name", object)?;
        let lock = CName::new(OP, "lock's name", name.as_ref())?;
        let cookie = CName::new(OP, "cookie", cookie)?;
        // SAFETY: `raw` is open, and the strings live until the call returns.
        let code =
            unsafe { ffi::rados_unlock(raw, target.as_ptr(), lock.as_ptr(), cookie.as_ptr()) };
        check(OP, code)
            .map(drop)
            .map_err(|error| error.on(self.lock_subject(object, name.as_ref())))
    }

    /// The object and the lock on it, for errors.
    #[cold]
    pub(crate) fn lock_subject(&self, object: &[u8], lock: &[u8]) -> String {
        let lock = Name::from(lock.to_vec());
        format!("{} lock {lock}", self.subject(Some(object)))
    }
}

impl Lock {
    fn take(ioctx: &IoCtx, object: &[u8], request: LockRequest, exclusive: bool) -> Result<Self> {
        let own_cookie = request.cookie.is_none();
        let mut lock = Self {
            held: Arc::new(Held {
                ioctx: ioctx.clone(),
                exclusive,
                object: object.to_vec().into(),
                name: request.name,
                cookie: request.cookie.unwrap_or_else(unique_cookie),
                tag: request.tag,
                description: request.description,
            }),
            release: false,
        };
        let flags = match request.renew {
            true => ffi::LIBRADOS_LOCK_FLAG_RENEW,
            false => 0,
        };
        let taken = lock.held.take(request.duration, flags);
        lock.release = match &taken {
            Ok(()) => true,
            // Perhaps taken, but surely not another's: only this one has its cookie.
            Err(error) => own_cookie && error.kind() == ErrorKind::TimedOut,
        };
        taken.map(|()| lock)
    }

    /// The handle that the lock was taken with.
    pub fn ioctx(&self) -> &IoCtx {
        &self.held.ioctx
    }

    /// The object that is locked.
    pub fn object(&self) -> &Name {
        &self.held.object
    }

    /// The lock's name.
    pub fn name(&self) -> &Name {
        &self.held.name
    }

    /// The cookie, which with the connection tells this holder from others.
    pub fn cookie(&self) -> &Name {
        &self.held.cookie
    }

    /// Releases the lock. Blocks. If that fails it is tried once more, as by a drop.
    ///
    /// # Errors
    /// `NotFound` when the lock had ended by its duration or had been broken: what was done under it may have
    /// been done beside another holder. `Blocklisted` when this client has been fenced off.
    #[doc(alias = "rados_unlock")]
    pub fn unlock(mut self) -> Result<()> {
        let Held {
            ioctx,
            object,
            name,
            cookie,
            ..
        } = &*self.held;
        let unlocked = ioctx.unlock(object, name, cookie);
        self.release = match &unlocked {
            Ok(()) => false,
            Err(error) => error.kind() != ErrorKind::NotFound,
        };
        unlocked
    }

    /// Starts to release the lock.
    ///
    /// # Errors
    /// As [`unlock`](Self::unlock), but nothing is tried again.
    ///
    /// # Cancel safety
    /// Dropping the completion detaches it: the lock is released all the same.
    #[doc(alias = "rados_aio_unlock")]
    pub fn aio_unlock(mut self) -> Completion<Result<()>> {
        self.release = false;
        self.held.aio_unlock()
    }

    /// Has the lock end `duration` from now, or not by itself: `None`. Blocks.
    ///
    /// # Errors
    /// `NotFound` when the lock is no longer held, since it had ended by its duration or had been broken; it
    /// is not taken again. `Busy` when, besides, somebody holds it with another tag. `OutOfDomain` for a
    /// duration of zero or of more than 2^30 seconds. After `TimedOut` it may have been renewed or not.
    #[doc(alias = "LIBRADOS_LOCK_FLAG_MUST_RENEW")]
    pub fn renew(&self, duration: impl Into<Option<Duration>>) -> Result<()> {
        self.held
            .take(duration.into(), ffi::LIBRADOS_LOCK_FLAG_MUST_RENEW)
    }

    /// [`renew`](Self::renew) by [`blocking`](crate::blocking): C has no asynchronous form.
    ///
    /// # Cancel safety
    /// When the completion is dropped, the lock is renewed all the same.
    pub fn aio_renew(&self, duration: impl Into<Option<Duration>>) -> Completion<Result<()>> {
        let (held, duration) = (self.held.clone(), duration.into());
        blocking(move || held.take(duration, ffi::LIBRADOS_LOCK_FLAG_MUST_RENEW))
    }
}

impl Held {
    fn take(&self, duration: Option<Duration>, flags: u8) -> Result<()> {
        let op = match self.exclusive {
            true => "rados_lock_exclusive",
            false => "rados_lock_shared",
        };
        let raw = self.ioctx.raw_blocking(op)?;
        let object = CName::new(op, "object name", &self.object)?;
        let name = CName::new(op, "lock's name", &self.name)?;
        let cookie = CName::new(op, "cookie", &self.cookie)?;
        let tag = CName::new(op, "tag", &self.tag)?;
        let description = CName::new(op, "description", &self.description)?;
        let located = |error: Error| {
            error.on(self
                .ioctx
                .lock_subject(self.object.as_ref(), self.name.as_ref()))
        };
        let mut duration = duration
            .map(|duration| timeval(op, duration))
            .transpose()
            .map_err(located)?;
        let duration = duration.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
        let code = if self.exclusive {
            // SAFETY: `raw` is open; the strings and the duration, which may be NULL, live until the call
            // returns.
            unsafe {
                ffi::rados_lock_exclusive(
                    raw,
                    object.as_ptr(),
                    name.as_ptr(),
                    cookie.as_ptr(),
                    description.as_ptr(),
                    duration,
                    flags,
                )
            }
        } else {
            // SAFETY: as above.
            unsafe {
                ffi::rados_lock_shared(
                    raw,
                    object.as_ptr(),
                    name.as_ptr(),
                    cookie.as_ptr(),
                    tag.as_ptr(),
                    description.as_ptr(),
                    duration,
                    flags,
                )
            }
        };
        check(op, code).map(drop).map_err(located)
    }

    fn aio_unlock(&self) -> Completion<Result<()>> {
        const OP: &str = "rados_aio_unlock";
        self.ioctx.simple_aio(OP, self.object.as_ref(), |target| {
            let lock = CName::new(OP, "lock's name", &self.name)?;
            let cookie = CName::new(OP, "cookie", &self.cookie)?;
            let Target {
                ioctx,
                name,
                completion,
            } = target;
            // SAFETY: as `object_aio` says; the lock's name and the cookie are copied.
            Ok(unsafe {
                ffi::rados_aio_unlock(ioctx, name, lock.as_ptr(), cookie.as_ptr(), completion)
            })
        })
    }
}

/// A cookie that no other lock of this process has, which is enough: connections differ by themselves.
fn unique_cookie() -> Name {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Relaxed);
    format!("rust-{number}").into_bytes().into()
}

/// C's duration, rounded up: 0 would be for ever.
pub(crate) fn timeval(op: &'static str, duration: Duration) -> Result<libc::timeval> {
    if duration.is_zero() || duration > DURATION_MAX {
        let hint = "the duration must be more than 0 and at most 2^30 seconds";
        return Err(Error::refused(op, libc::EDOM, hint));
    }
    let micros = duration.as_nanos().div_ceil(1000);
    Ok(libc::timeval {
        // Both fit: there are at most 2^30 seconds.
        tv_sec: (micros / 1_000_000) as libc::time_t,
        tv_usec: (micros % 1_000_000) as libc::suseconds_t,
    })
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock")
            .field("object", self.object())
            .field("name", self.name())
            .field("cookie", self.cookie())
            .field("exclusive", &self.held.exclusive)
            .finish_non_exhaustive()
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.release {
            let held = self.held.clone();
            // Starting an operation may wait for others to end, which a thread of Ceph's must not.
            reaper::close_with(move || drop(held.aio_unlock()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_never_rounded_to_none() {
        let c = |duration| timeval("f", duration).map(|c| (c.tv_sec, c.tv_usec));
        assert_eq!(c(Duration::from_nanos(1)).unwrap(), (0, 1));
        assert_eq!(c(Duration::from_nanos(1_999_999_001)).unwrap(), (2, 0));
        assert_eq!(c(Duration::from_millis(1500)).unwrap(), (1, 500_000));
        assert_eq!(c(DURATION_MAX).unwrap(), (1 << 30, 0));
        for wrong in [Duration::ZERO, DURATION_MAX + Duration::from_nanos(1)] {
            assert_eq!(c(wrong).unwrap_err().kind(), ErrorKind::OutOfDomain);
        }
    }
}
