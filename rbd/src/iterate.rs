//! Reading a range piece by piece.

use std::ops::{ControlFlow, RangeBounds};

use rados::Result;

use crate::each::Each;
use crate::ffi;
use crate::image::Image;
use crate::range::explicit;

impl Image {
    /// Reads a range, cut at the image's end, and gives it to `each` piece by piece with where it starts. A
    /// piece is at most an object, or one stripe over all objects, which librbd holds in memory. Blocks.
    ///
    /// One piece is read after the other, which is slow; `stream` reads ahead. `each` runs on this
    /// thread; methods of the image called in it fail with `Deadlock`. It breaks to stop, and what it breaks
    /// with is the result.
    ///
    /// ```no_run
    /// # fn f(image: &rbd::Image) -> rbd::Result<()> {
    /// use std::ops::ControlFlow;
    ///
    /// let found = image.read_iterate(.., |offset, bytes| {
    ///     match bytes.iter().position(|&byte| byte != 0) {
    ///         Some(at) => ControlFlow::Break(offset + at as u64),
    ///         None => ControlFlow::Continue(()),
    ///     }
    /// })?;
    /// println!("the first byte that is not 0: {:?}", found.break_value());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`read_at`](Self::read_at).
    ///
    /// # Panics
    /// When `each` does, after the library has stopped.
    #[doc(alias = "rbd_read_iterate")]
    #[doc(alias = "rbd_read_iterate2")]
    pub fn read_iterate<B: Send>(
        &self,
        range: impl RangeBounds<u64>,
        mut each: impl FnMut(u64, &[u8]) -> ControlFlow<B> + Send,
    ) -> Result<ControlFlow<B>> {
        const OP: &str = "rbd_read_iterate2";
        let range = explicit(range);
        let end = range.end.min(self.size()?);
        if range.start >= end {
            return Ok(ControlFlow::Continue(())); // C refuses it
        }
        let mut broken = None;
        let mut each = |done, bytes: &[u8]| {
            let answer = each(range.start + done, bytes);
            let go_on = answer.is_continue();
            broken = answer.break_value();
            go_on
        };
        let state = State::new(&mut each);
        let argument = (&raw const state).cast_mut().cast();
        let code = self.call(OP, |raw| {
            let len = end - range.start;
            // SAFETY: as `call` promises; the state is this function's, and the callback is not called after
            // the function has returned.
            unsafe {
                ffi::rbd_read_iterate2(raw, range.start, len, Some(trampoline::piece), argument)
            }
        });
        state.finish();
        match broken {
            Some(value) => Ok(ControlFlow::Break(value)),
            None => code.map(|_| ControlFlow::Continue(())),
        }
    }
}

/// The closure is told how many bytes went before.
type State<'a> = Each<&'a mut (dyn FnMut(u64, &[u8]) -> bool + Send)>;

mod trampoline {
    use std::ffi::{c_char, c_int, c_void};

    use super::State;

    pub(super) unsafe extern "C" fn piece(
        done: u64,
        len: usize,
        bytes: *const c_char,
        argument: *mut c_void,
    ) -> c_int {
        // SAFETY: `argument` is the `State` on the stack of `read_iterate`, which does not return before the
        // C function that calls this has; it is shared, so only `&` is made.
        let state = unsafe { &*argument.cast::<State<'_>>() };
        if bytes.is_null() {
            return state.report(|each| each(done, &vec![0; len])); // C may say so that there is a hole
        }
        #[expect(clippy::disallowed_methods, reason = "it is not NULL")]
        // SAFETY: C keeps so many bytes until this returns.
        let bytes = unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), len) };
        state.report(|each| each(done, bytes))
    }
}
