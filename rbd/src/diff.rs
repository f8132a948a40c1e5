//! Where an image has data, and where it changed.

use std::any::Any;
use std::ffi::{c_int, c_void};
use std::ops::{ControlFlow, RangeBounds};
use std::panic::resume_unwind;
use std::ptr;
use std::sync::{Mutex, PoisonError};

use ceph_core::callback::guard;
use ceph_core::cstr::CName;
use rados::Result;

use crate::ffi;
use crate::image::Image;
use crate::range::explicit;

/// A part of an image that differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct DiffExtent {
    /// Where it starts, in bytes.
    pub offset: u64,
    /// How many bytes it has.
    pub len: u64,
    /// Whether there is data. If not, it has been discarded, and reads as zeros.
    pub exists: bool,
}

/// How to look for differences.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiffOptions {
    include_parent: bool,
    whole_object: bool,
}

impl DiffOptions {
    /// To the byte, and without what a clone has from its parent.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts what a clone still has from its parent as data of the clone.
    #[must_use]
    pub fn include_parent(mut self) -> Self {
        self.include_parent = true;
        self
    }

    /// Answers in whole objects, as far as they lie in the range. With the feature `FAST_DIFF` no object has to
    /// be looked at then. Where what Ceph says of whole objects is wrong, the answer is to the byte all the same:
    /// for striped images (14.2), and when a snapshot between the two that are compared is smaller than both (up
    /// to 20.2 at least), for then Ceph forgets what has been cut off.
    #[must_use]
    pub fn whole_object(mut self) -> Self {
        self.whole_object = true;
        self
    }
}

impl Image {
    /// Calls `each` for what is different in `range` from how it was in the snapshot `from`; without one, for
    /// all data that there is. What is compared is the image's head, or the snapshot that it is opened at.
    /// Extents come in rising order, on the calling thread; neighbours may come as one or as several. Answers
    /// what `each` broke off with. Blocks; `each` must not block on Ceph, and methods that would fail with
    /// `Deadlock`.
    ///
    /// ```no_run
    /// use std::ops::ControlFlow;
    ///
    /// # fn f(image: rbd::Image) -> rbd::Result<()> {
    /// let mut used = 0;
    /// let _ = image.diff_iterate(None, .., rbd::DiffOptions::new(), |extent| {
    ///     used += extent.len;
    ///     ControlFlow::<()>::Continue(())
    /// })?;
    /// println!("{used} bytes of data");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `NotFound` when there is no such snapshot; `InvalidArgument` when it is newer than what it is compared
    /// with, or its name has a NUL byte.
    #[doc(alias = "rbd_diff_iterate2")]
    pub fn diff_iterate<B: Send>(
        &self,
        from: Option<&str>,
        range: impl RangeBounds<u64>,
        options: DiffOptions,
        mut each: impl FnMut(DiffExtent) -> ControlFlow<B> + Send,
    ) -> Result<ControlFlow<B>> {
        const OP: &str = "rbd_diff_iterate2";
        let range = explicit(range);
        let end = range.end.min(self.size()?);
        if range.start >= end {
            // C refuses it, or aborts if the image has no size at all.
            return Ok(ControlFlow::Continue(()));
        }
        let object = match options.whole_object && self.whole_objects_are_right(from)? {
            true => Some(self.stat()?.obj_size),
            false => None,
        };
        let from = from
            .map(|name| CName::new(OP, "snapshot name", name))
            .transpose()
            .map_err(|error| error.on(self.subject()))?;
        let from = from.as_ref().map_or(ptr::null(), CName::as_ptr);
        // Ceph 14 answers wrongly when a range does not start with an object.
        let start = range.start - range.start % object.unwrap_or(1);
        let mut broken = None;
        let mut each = |mut extent: DiffExtent| {
            let extent_end = extent.offset + extent.len;
            extent.offset = extent.offset.max(range.start);
            if extent_end <= extent.offset {
                return true;
            }
            extent.len = extent_end - extent.offset;
            let answer = each(extent);
            let go_on = answer.is_continue();
            broken = answer.break_value();
            go_on
        };
        let state = State(Mutex::new(Inner {
            each: &mut each,
            stopped: false,
            panic: None,
        }));
        let argument = (&raw const state).cast_mut().cast();
        let code = self.call(OP, |raw| {
            // SAFETY: as `call` promises; the name and the state are this function's, and the callback is not
            // called after the function has returned.
            unsafe {
                ffi::rbd_diff_iterate2(
                    raw,
                    from,
                    start,
                    end - start,
                    options.include_parent.into(),
                    object.is_some().into(),
                    Some(trampoline::extent),
                    argument,
                )
            }
        });
        let inner = state.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(panic) = inner.panic {
            resume_unwind(panic);
        }
        match broken {
            Some(value) => Ok(ControlFlow::Break(value)),
            None => code.map(|_| ControlFlow::Continue(())),
        }
    }

    /// Whether what Ceph says of whole objects is right: see [`DiffOptions::whole_object`].
    fn whole_objects_are_right(&self, from: Option<&str>) -> Result<bool> {
        if self.stripe_count()? != 1 {
            return Ok(false);
        }
        let snapshots = self.snap_list()?;
        let named = |name| snapshots.iter().find(|snapshot| snapshot.name == name);
        let Some(from) = from.and_then(named) else {
            return Ok(true);
        };
        let end = self.snapshot_name().and_then(named);
        let end = end.map_or(u64::MAX, |snapshot| snapshot.id);
        let least = from.size.min(self.size()?);
        let mut between = snapshots.iter().filter(|s| from.id < s.id && s.id < end);
        Ok(between.all(|snapshot| snapshot.size >= least))
    }
}

/// What the callback works on. C is said to call it on the caller's thread, but this does not rely on it.
struct State<'a>(Mutex<Inner<'a>>);

struct Inner<'a> {
    /// Answers whether to go on.
    each: &'a mut (dyn FnMut(DiffExtent) -> bool + Send),
    stopped: bool,
    panic: Option<Box<dyn Any + Send>>,
}

impl State<'_> {
    fn report(&self, extent: DiffExtent) -> c_int {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // C may go on to call after it has been told to stop.
        if !inner.stopped {
            let each = &mut inner.each;
            match guard(|| each(extent)) {
                Ok(true) => return 0,
                Ok(false) => {}
                Err(panic) => inner.panic = Some(panic),
            }
            inner.stopped = true;
        }
        -libc::ECANCELED
    }
}

mod trampoline {
    use super::{DiffExtent, State, c_int, c_void};

    pub(super) unsafe extern "C" fn extent(
        offset: u64,
        len: usize,
        exists: c_int,
        argument: *mut c_void,
    ) -> c_int {
        // SAFETY: `argument` is the `State` on the stack of `diff_iterate`, which does not return before the
        // C function that calls this has; it is shared, so only `&` is made.
        let state = unsafe { &*argument.cast::<State<'_>>() };
        state.report(DiffExtent {
            offset,
            len: len as u64,
            exists: exists != 0,
        })
    }
}
