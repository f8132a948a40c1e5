//! How librados' completions become ours.

use std::ffi::{c_char, c_int, c_void};
use std::ptr;

use ceph_core::aio::{Library, Slot, Tracker, submit};
use ceph_core::cstr::{CName, check_name};
use ceph_core::{Completion, Error, Result, check};

use crate::{IoCtx, ffi};

/// What an operation in flight keeps alive.
pub(crate) struct Aio(pub(crate) IoCtx);

// SAFETY: librados calls the trampoline once for each completion that an operation was started with; it
// has its own reference on a completion while it uses that.
unsafe impl Library for Aio {
    fn tracker(&self) -> Option<&Tracker> {
        Some(self.0.tracker())
    }

    fn create(&self, argument: *mut c_void) -> Result<*mut c_void> {
        new_completion(argument, Some(trampoline::complete))
    }

    unsafe fn release(completion: *mut c_void) {
        // SAFETY: as the caller promises.
        unsafe { ffi::rados_aio_release(ffi::rados_completion_t(completion)) }
    }

    unsafe fn cancel(&self, completion: *mut c_void) -> Result<()> {
        const OP: &str = "rados_aio_cancel";
        let raw = self.0.raw(OP)?;
        // SAFETY: the handle is open, and the completion has not been released.
        let code = unsafe { ffi::rados_aio_cancel(raw, ffi::rados_completion_t(completion)) };
        match code {
            code if code == -libc::ENOENT => Ok(()), // done meanwhile
            code => check(OP, code).map(drop),
        }
    }

    const VERSION: Option<unsafe fn(*mut c_void) -> Option<u64>> = Some(version);
}

/// Makes a completion that will call `callback` with itself and `argument`.
pub(crate) fn new_completion(
    argument: *mut c_void,
    callback: ffi::rados_callback_t,
) -> Result<*mut c_void> {
    let mut completion = ffi::rados_completion_t(ptr::null_mut());
    // SAFETY: `completion` is this function's; the argument is only handed on.
    let code =
        unsafe { ffi::rados_aio_create_completion(argument, callback, None, &raw mut completion) };
    check("rados_aio_create_completion", code).map(|_| completion.0)
}

/// # Safety
/// The completion has not been released.
unsafe fn version(completion: *mut c_void) -> Option<u64> {
    // SAFETY: as the caller promises.
    let version = unsafe { ffi::rados_aio_get_version(ffi::rados_completion_t(completion)) };
    (version != 0).then_some(version) // no object has 0
}

mod trampoline {
    use super::{c_void, ffi};

    pub(super) unsafe extern "C" fn complete(
        completion: ffi::rados_completion_t,
        argument: *mut c_void,
    ) {
        // SAFETY: librados keeps the completion while it calls this.
        let code = unsafe { ffi::rados_aio_get_return_value(completion) };
        // SAFETY: `argument` is what `create` was given, and librados calls this once.
        unsafe { ceph_core::aio::complete(argument, code.into()) }
    }
}

/// An object's name in an operation's node, for errors, and for C if it is short: a long one is cut.
struct Shown {
    len: u8,
    bytes: [u8; Self::MOST + 1],
    cut: bool,
}

impl Shown {
    const MOST: usize = 45;
    const CUT: &[u8] = b"...";

    const EMPTY: Self = Self {
        len: 0,
        bytes: [0; Self::MOST + 1],
        cut: false,
    };

    /// Takes the name into an empty one. Where it is to stay: moving what was just written is slow.
    #[inline]
    fn set(&mut self, name: &[u8]) {
        let len = name.len().min(Self::MOST);
        for (to, &from) in self.bytes[..len].iter_mut().zip(name) {
            *to = from;
        }
        self.len = len as u8; // at most MOST
        self.cut = name.len() > len;
        if self.cut {
            self.bytes[len - Self::CUT.len()..len].copy_from_slice(Self::CUT);
        }
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len.into()]
    }

    /// The whole name and a NUL, valid as long as `self` stays where it is; `None` if it has been cut.
    fn as_ptr(&self) -> Option<*const c_char> {
        (!self.cut).then(|| self.bytes.as_ptr().cast())
    }
}

impl IoCtx {
    /// Starts the operation `op` on an object.
    ///
    /// `start` calls C with an open handle, a name that lives until it returns, the completion, and the
    /// payload, which lives until the operation is done; it answers C's code, or one in place of C's if that
    /// was not called. `decode` says what the code of a finished operation means, and `finish` makes the
    /// result.
    pub(crate) fn object_aio<P: Send + 'static, T>(
        &self,
        op: &'static str,
        object: &[u8],
        payload: P,
        start: impl FnOnce(Target, &P) -> Result<Started>,
        decode: impl FnOnce(&'static str, i64) -> Result<u64> + Send + 'static,
        finish: impl FnOnce(P, Result<u64>) -> T + Send + 'static,
    ) -> Completion<T> {
        submit(
            Aio(self.clone()),
            (payload, Slot::new(Shown::EMPTY)),
            |aio, (payload, shown), completion| {
                // SAFETY: the operation has not started, so nobody else uses it.
                let shown = unsafe { &mut *shown.as_ptr() };
                shown.set(object);
                let raw = aio.0.raw(op)?;
                check_name(op, "object name", object)?;
                let long;
                let name = match shown.as_ptr() {
                    Some(short) => short,
                    None => {
                        long = CName::new(op, "object name", object)?;
                        long.as_ptr()
                    }
                };
                let target = Target {
                    ioctx: raw,
                    name,
                    completion: ffi::rados_completion_t(completion),
                };
                match start(target, payload)? {
                    Started::Called(code) if code < 0 => Ok(Some(code.into())),
                    Started::Called(_) => Ok(None),
                    Started::Done => Ok(Some(0)),
                }
            },
            move |aio, (payload, shown), outcome| {
                let located =
                    |error: Error| error.on(aio.0.subject(Some(shown.into_inner().bytes())));
                let result = outcome.and_then(|code| decode(op, code).map_err(located));
                finish(payload, result)
            },
        )
    }
}

/// What an operation on an object gives to C.
pub(crate) struct Target {
    pub(crate) ioctx: ffi::rados_ioctx_t,
    pub(crate) name: *const c_char,
    pub(crate) completion: ffi::rados_completion_t,
}

/// How an operation began.
pub(crate) enum Started {
    /// C was called and answered this.
    Called(c_int),
    /// There was nothing to do.
    Done,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_cut() {
        let shown = |name: &[u8]| {
            let mut shown = Shown::EMPTY;
            shown.set(name);
            shown
        };
        assert_eq!(shown(b"").bytes(), b"");
        let whole = shown(&[b'x'; Shown::MOST]);
        assert_eq!(whole.bytes(), [b'x'; Shown::MOST]);
        // SAFETY: it ends with a NUL, and `whole` stays where it is.
        let name = unsafe { std::ffi::CStr::from_ptr(whole.as_ptr().unwrap()) };
        assert_eq!(name.to_bytes(), whole.bytes());
        let cut = shown(&[b'x'; Shown::MOST + 1]);
        assert_eq!(cut.bytes(), [&[b'x'; Shown::MOST - 3][..], b"..."].concat());
        assert!(cut.as_ptr().is_none());
    }
}
