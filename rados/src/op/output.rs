//! What the steps of an operation answer.

use std::ffi::c_int;
use std::fmt;
use std::sync::Arc;

use ceph_core::aio::Slot;
use ceph_core::{Errno, Error, ErrorKind, Result, check, mismatch};

use crate::{IoCtx, Name};

/// A step's result, which can be had from the operation's [`Results`] once that has succeeded.
pub struct Step<T> {
    op: u64,
    index: usize,
    output: Arc<dyn Decode<T>>,
}

/// Where the data of an object differs from what an operation expected: the cause of an error of kind
/// [`Mismatch`](ErrorKind::Mismatch).
///
/// ```no_run
/// # #[cfg(feature = "cmpext")]
/// # fn f(pool: &rados::IoCtx) {
/// let mut op = rados::WriteOp::new();
/// op.cmpext(b"old", 0);
/// op.write_full(b"new");
/// if let Err(error) = pool.operate("object", op)
///     && let Some(mismatch) = error.cause::<rados::Mismatch>()
/// {
///     println!("not written: byte {} is another", mismatch.offset);
/// }
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the data differs at byte {offset} of what it is compared with")]
#[non_exhaustive]
pub struct Mismatch {
    /// The first byte that differs, counted from where the comparison began.
    pub offset: u64,
}

/// What an operation that succeeded has answered, by step.
pub struct Results {
    outputs: Outputs,
    /// For errors, if there are steps that can have some.
    place: Option<(IoCtx, Name)>,
}

/// What C writes a step's outcome to.
pub(super) struct Output<S, T> {
    pub(super) name: &'static str,
    pub(super) code: Slot<c_int>,
    pub(super) slots: S,
    pub(super) decode: Decoder<S, T>,
}

/// Makes a step's result from what C has written, the C function's name, and the step's code.
pub(super) type Decoder<S, T> = fn(S, &'static str, c_int) -> Result<T>;

trait Coded: Send + Sync {
    fn name(&self) -> &'static str;
    fn code(&self) -> &Slot<c_int>;
}

trait Decode<T>: Coded {
    /// The result, if nobody else has the output any more, nor an operation that points to it.
    fn decode(self: Arc<Self>) -> Option<Result<T>>;
}

impl<S: Send + Sync, T> Coded for Output<S, T> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn code(&self) -> &Slot<c_int> {
        &self.code
    }
}

impl<S: Send + Sync, T> Decode<T> for Output<S, T> {
    fn decode(self: Arc<Self>) -> Option<Result<T>> {
        let output = Arc::into_inner(self)?;
        Some((output.decode)(
            output.slots,
            output.name,
            output.code.into_inner(),
        ))
    }
}

/// The outputs of an operation, which live as long as C can write to them.
pub(super) struct Outputs {
    /// The operation's number, by which its steps are told from another's.
    op: u64,
    kept: Vec<Kept>,
    /// Whether a step asserts a version.
    pub(super) versioned: bool,
}

struct Kept {
    /// The step's number, from 1 on.
    number: usize,
    /// Whether the operation goes on if it fails.
    may_fail: bool,
    output: Option<Arc<dyn Coded>>,
}

impl Outputs {
    pub(super) fn new(op: u64) -> Self {
        Self {
            op,
            kept: Vec::new(),
            versioned: false,
        }
    }

    /// Keeps the output of step `number`.
    pub(super) fn keep<S: Send + Sync + 'static, T: 'static>(
        &mut self,
        number: usize,
        output: Arc<Output<S, T>>,
    ) -> Step<T> {
        self.kept.push(Kept {
            number,
            may_fail: false,
            output: Some(output.clone()),
        });
        Step {
            op: self.op,
            index: self.kept.len() - 1,
            output,
        }
    }

    /// Notes that the operation goes on if step `number` fails.
    pub(super) fn may_fail(&mut self, number: usize) {
        if let Some(kept) = self.kept.last_mut().filter(|kept| kept.number == number) {
            kept.may_fail = true;
        }
    }

    /// Says which step it was, where C tells.
    #[cold]
    fn explain(&self, error: Error) -> Error {
        let errno = error.errno().raw();
        let differs = error.kind() == ErrorKind::Mismatch;
        let guilty = |kept: &&Kept| {
            let Some(output) = kept.output.as_ref().filter(|_| !kept.may_fail) else {
                return false;
            };
            // SAFETY: the operation is done, or was never started, so C does not write to it.
            let code = unsafe { *output.code().as_ptr() };
            match mismatch(code.into()) {
                Some(_) => differs,
                None => code == -errno,
            }
        };
        let error = match self.kept.iter().find(guilty) {
            Some(Kept { number, output, .. }) => {
                let name = output.as_ref().map_or("", |output| output.name());
                error.hint(format!("step {number}, {name}, failed"))
            }
            None => error,
        };
        match errno {
            libc::ERANGE if self.versioned => {
                error.hint("the object's version is greater than the one asserted")
            }
            libc::EOVERFLOW if self.versioned => {
                error.hint("the object's version is less than the one asserted")
            }
            _ => error,
        }
    }
}

/// What the code of an operation means.
pub(super) fn decode(op: &'static str, code: i64) -> Result<u64> {
    match mismatch(code) {
        Some(offset) => Err(Error::new(op, Errno::new(libc::EILSEQ)).because(Mismatch { offset })),
        None => check(op, code),
    }
}

impl Results {
    pub(super) fn new(ioctx: &IoCtx, object: &[u8], outputs: Outputs) -> Self {
        let tells = !outputs.kept.is_empty();
        Self {
            outputs,
            place: tells.then(|| (ioctx.clone(), object.to_vec().into())),
        }
    }

    /// These, if the operation has succeeded. It is done, or was never started.
    pub(super) fn when(self, result: Result<u64>) -> Result<Self> {
        match result {
            Ok(_) => Ok(self),
            Err(error) => Err(self.outputs.explain(error)),
        }
    }

    /// The result of a step.
    ///
    /// # Errors
    /// Why the step failed, though the operation succeeded: its flags have [`StepFlags::FAIL_OK`].
    ///
    /// [`StepFlags::FAIL_OK`]: crate::StepFlags::FAIL_OK
    ///
    /// # Panics
    /// When the step is not one of this operation.
    #[track_caller]
    pub fn take<T>(&mut self, step: Step<T>) -> Result<T> {
        assert_eq!(
            step.op, self.outputs.op,
            "the step belongs to another operation than the results"
        );
        let kept = &mut self.outputs.kept[step.index];
        kept.output = None;
        let result = step.output.decode();
        let result = result.expect("the operation is done, and its output is the step's alone");
        result.map_err(|error| {
            let error = error.hint(format!("step {} of the operation", kept.number));
            match &self.place {
                Some((ioctx, object)) => error.on(ioctx.subject(Some(object.as_bytes()))),
                None => error,
            }
        })
    }
}

impl<T> fmt::Debug for Step<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.output.name();
        f.debug_tuple("Step").field(&name).finish()
    }
}

impl fmt::Debug for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Results").finish_non_exhaustive()
    }
}
