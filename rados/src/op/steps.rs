//! An operation while it is built.

use std::ffi::c_int;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ceph_core::aio::Slot;
use ceph_core::{Error, Result};

use super::output::{Decoder, Output, Outputs, Step};
use super::{OperationFlags, StepFlags};
use crate::object::WRITE_MAX;

/// The most steps: they are counted in 16 bits on their way to the OSD.
const STEPS_MAX: usize = u16::MAX as usize;

/// A C operation.
pub(super) trait Raw: Copy {
    /// NULL when there is no memory.
    fn create() -> Self;

    fn is_null(self) -> bool;

    /// Adds flags to the last step.
    ///
    /// # Safety
    /// The operation has a step.
    unsafe fn set_flags(self, flags: c_int);

    /// # Safety
    /// `create` made it, and nobody uses it after this.
    unsafe fn release(self);
}

/// The owner of a C operation.
pub(super) struct Handle<R: Raw>(R);

// SAFETY: an operation that is being built is memory with no tie to a thread.
unsafe impl<R: Raw> Send for Handle<R> {}
// SAFETY: it is changed through `&mut Steps` only.
unsafe impl<R: Raw> Sync for Handle<R> {}

impl<R: Raw> Handle<R> {
    pub(super) fn raw(&self) -> R {
        self.0
    }
}

impl<R: Raw> Drop for Handle<R> {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: it is this value's alone; what an operation in flight needs, C has taken out of it.
            unsafe { self.0.release() }
        }
    }
}

/// The steps of an operation, of which the first that is refused makes it fail.
pub(super) struct Steps<R: Raw> {
    // Released before the outputs that it points to.
    pub(super) handle: Handle<R>,
    pub(super) outputs: Outputs,
    pub(super) refused: Option<Error>,
    pub(super) count: usize,
    pub(super) flags: OperationFlags,
    bytes: usize,
    /// Whether the last step had nothing to do, and so is none.
    nothing: bool,
}

impl<R: Raw> Steps<R> {
    pub(super) fn new(op: &'static str) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let handle = Handle(R::create());
        let refused = handle.0.is_null();
        Self {
            refused: refused.then(|| Error::refused(op, libc::ENOMEM, "for an operation")),
            handle,
            outputs: Outputs::new(NEXT.fetch_add(1, Ordering::Relaxed)),
            count: 0,
            flags: OperationFlags::empty(),
            bytes: 0,
            nothing: false,
        }
    }

    /// Notes a step that has nothing to do.
    pub(super) fn add_nothing(&mut self) {
        self.nothing = true;
    }

    /// Adds a step that carries `bytes` bytes: `add` calls the C function `op` with the operation, which is
    /// open and nobody else's.
    pub(super) fn add(
        &mut self,
        op: &'static str,
        bytes: usize,
        add: impl FnOnce(R) -> Result<()>,
    ) {
        if self.refused.is_some() {
            return;
        }
        self.bytes = self.bytes.saturating_add(bytes);
        let added = if self.bytes > WRITE_MAX {
            let hint = format!("one operation carries at most {WRITE_MAX} bytes");
            Err(Error::refused(op, libc::E2BIG, hint))
        } else if self.count == STEPS_MAX {
            let hint = format!("one operation has at most {STEPS_MAX} steps");
            Err(Error::refused(op, libc::E2BIG, hint))
        } else {
            add(self.handle.0)
        };
        match added {
            Ok(()) => {
                self.count += 1;
                self.nothing = false;
            }
            Err(error) => self.refused = Some(error),
        }
    }

    /// As [`add`](Self::add), with a result: `add` also gets what C is to write to, until the operation is
    /// done or has been released.
    pub(super) fn add_with<S: Send + Sync + 'static, T: 'static>(
        &mut self,
        op: &'static str,
        bytes: usize,
        slots: S,
        add: impl FnOnce(R, &S, *mut c_int) -> Result<()>,
        decode: Decoder<S, T>,
    ) -> Step<T> {
        let output = Arc::new(Output {
            name: op,
            code: Slot::new(0),
            slots,
            decode,
        });
        self.add(op, bytes, |raw| {
            add(raw, &output.slots, output.code.as_ptr())
        });
        self.outputs.keep(self.count, output)
    }

    /// Adds flags to the last step.
    pub(super) fn set_step_flags(&mut self, op: &'static str, flags: StepFlags) {
        if self.refused.is_some() || self.nothing {
            return;
        }
        if self.count == 0 {
            let hint = "the operation has no step yet that the flags could be for";
            self.refused = Some(Error::refused(op, libc::EINVAL, hint));
            return;
        }
        // SAFETY: there is a step.
        unsafe { self.handle.0.set_flags(flags.bits()) };
        if flags.contains(StepFlags::FAIL_OK) {
            self.outputs.may_fail(self.count);
        }
    }
}

impl<R: Raw> fmt::Debug for Steps<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Steps")
            .field("count", &self.count)
            .field("flags", &self.flags)
            .field("refused", &self.refused)
            .finish_non_exhaustive()
    }
}
