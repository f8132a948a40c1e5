//! A closure that C calls for each of something, until the call of C's has returned.

use std::any::Any;
use std::ffi::c_int;
use std::panic::resume_unwind;
use std::sync::{Mutex, PoisonError};

use ceph_core::callback::guard;

/// What the callback works on. C calls it on the caller's thread, but this does not rely on it.
pub(crate) struct Each<F>(Mutex<Inner<F>>);

struct Inner<F> {
    /// Answers whether to go on.
    each: F,
    stopped: bool,
    panic: Option<Box<dyn Any + Send>>,
}

impl<F> Each<F> {
    pub(crate) fn new(each: F) -> Self {
        Self(Mutex::new(Inner {
            each,
            stopped: false,
            panic: None,
        }))
    }

    /// Calls the closure, unless it has stopped or panicked. The answer is for C.
    pub(crate) fn report(&self, call: impl FnOnce(&mut F) -> bool) -> c_int {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // C may go on to call after it has been told to stop.
        if !inner.stopped {
            let each = &mut inner.each;
            match guard(|| call(each)) {
                Ok(true) => return 0,
                Ok(false) => {}
                Err(panic) => inner.panic = Some(panic),
            }
            inner.stopped = true;
        }
        -libc::ECANCELED
    }

    /// Goes on with the closure's panic, if there was one.
    pub(crate) fn finish(self) {
        let inner = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(panic) = inner.panic {
            resume_unwind(panic);
        }
    }
}
