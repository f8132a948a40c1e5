//! Code that Ceph calls: guarded against panics, and known to run on a Ceph thread.

use std::any::Any;
use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, PoisonError};

use crate::{Code, Result, check};

thread_local! {
    static CALLED_BY_CEPH: Cell<bool> = const { Cell::new(false) };
}

/// Whether the calling code runs inside a callback of Ceph's.
///
/// Closing a handle there waits for the very thread that it runs on.
pub fn called_by_ceph() -> bool {
    CALLED_BY_CEPH.get()
}

/// Runs `f` as the body of a callback: marks the thread and keeps a panic from unwinding into C++.
///
/// # Errors
/// The panic's payload.
pub fn guard<R>(f: impl FnOnce() -> R) -> std::thread::Result<R> {
    let outer = CALLED_BY_CEPH.replace(true);
    let result = catch_unwind(AssertUnwindSafe(f));
    CALLED_BY_CEPH.set(outer);
    result
}

/// Drops what a callback's panic left, whose message has been printed. Nobody is there to hand it on to.
pub fn discard(result: std::thread::Result<()>) {
    if let Err(panic) = result
        && let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(panic)))
    {
        std::mem::forget(another); // enough
    }
}

/// A C progress callback: bytes or objects done, their total, our argument.
pub type ProgressFn = unsafe extern "C" fn(u64, u64, *mut c_void) -> c_int;

/// What a progress closure answers: go on, or ask the operation to stop.
pub type Progress<'a> = &'a mut (dyn FnMut(u64, u64) -> ControlFlow<()> + Send);

/// Calls the C function `op` through `call`, with a callback that reports to `progress`.
///
/// The callback runs on a thread of the library's, one at a time, while the caller blocks.
/// A closure that breaks makes the C function see `-ECANCELED`; once it has, it is not called again.
///
/// # Errors
/// The C function's; `Canceled` when it stopped because the closure broke.
///
/// # Panics
/// With the closure's panic, after the C function has returned.
pub fn with_progress<C: Code>(
    op: &'static str,
    progress: Progress<'_>,
    call: impl FnOnce(ProgressFn, *mut c_void) -> C,
) -> Result<u64> {
    let state = ProgressState(Mutex::new(ProgressInner {
        progress,
        stopped: false,
        panic: None,
    }));
    let code = call(trampoline::progress, (&raw const state).cast_mut().cast());
    let inner = state.0.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(panic) = inner.panic {
        resume_unwind(panic);
    }
    check(op, code)
}

struct ProgressState<'a>(Mutex<ProgressInner<'a>>);

struct ProgressInner<'a> {
    progress: Progress<'a>,
    stopped: bool,
    panic: Option<Box<dyn Any + Send>>,
}

impl ProgressState<'_> {
    fn report(&self, done: u64, total: u64) -> c_int {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !inner.stopped {
            let progress = &mut inner.progress;
            match guard(|| progress(done, total)) {
                Ok(ControlFlow::Continue(())) => return 0,
                Ok(ControlFlow::Break(())) => {}
                Err(panic) => inner.panic = Some(panic),
            }
            inner.stopped = true;
        }
        -libc::ECANCELED
    }
}

mod trampoline {
    use super::{ProgressState, c_int, c_void};

    pub(super) unsafe extern "C" fn progress(done: u64, total: u64, arg: *mut c_void) -> c_int {
        // SAFETY: `arg` is the `ProgressState` on the stack of `with_progress`, which does not
        // return before the C function that calls this has; it is shared, so only `&` is made.
        let state = unsafe { &*arg.cast::<ProgressState<'_>>() };
        state.report(done, total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    /// Stands for a C function that reports `steps` times from a thread of its own and stops at
    /// the first negative answer.
    fn library_call(steps: u64, callback: ProgressFn, arg: *mut c_void) -> i32 {
        let arg = arg as usize;
        std::thread::scope(|scope| {
            let worker = scope.spawn(move || {
                for step in 1..=steps {
                    // SAFETY: as `with_progress` promises, `arg` lives until this function returns.
                    let code = unsafe { callback(step, steps, arg as *mut c_void) };
                    if code < 0 {
                        return code;
                    }
                }
                0
            });
            worker.join().expect("the callback never unwinds")
        })
    }

    #[test]
    fn progress_is_reported_on_a_marked_thread() {
        let mut seen = Vec::new();
        let mut progress = |done, total| {
            seen.push((done, total, called_by_ceph()));
            ControlFlow::Continue(())
        };
        with_progress("f", &mut progress, |cb, arg| library_call(3, cb, arg)).unwrap();
        assert_eq!(seen, [(1, 3, true), (2, 3, true), (3, 3, true)]);
        assert!(!called_by_ceph());
    }

    #[test]
    fn break_stops_and_is_canceled() {
        let mut calls = 0;
        let mut progress = |_, _| {
            calls += 1;
            ControlFlow::Break(())
        };
        let error = with_progress("f", &mut progress, |cb, arg| library_call(3, cb, arg));
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Canceled);
        assert_eq!(calls, 1);
    }

    #[test]
    fn a_panic_surfaces_in_the_caller_and_the_closure_is_not_called_again() {
        let mut calls = 0;
        let mut progress = |_, _| {
            calls += 1;
            resume_unwind(Box::new("from the closure"))
        };
        let result = catch_unwind(AssertUnwindSafe(|| {
            with_progress("f", &mut progress, |cb, arg| {
                let first = library_call(2, cb, arg);
                assert_eq!(first, -libc::ECANCELED);
                library_call(2, cb, arg)
            })
        }));
        assert_eq!(
            result.unwrap_err().downcast_ref(),
            Some(&"from the closure")
        );
        assert_eq!(calls, 1);
    }

    #[test]
    fn guard_restores_the_mark_when_nested_and_after_a_panic() {
        guard(|| {
            guard(|| resume_unwind(Box::new("inner"))).unwrap_err();
            assert!(called_by_ceph());
        })
        .unwrap();
        assert!(!called_by_ceph());
    }
}
