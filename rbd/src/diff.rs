//! Where an image has data, and where it changed.

use std::ffi::{CStr, CString, c_int, c_void};
use std::ops::{ControlFlow, Range, RangeBounds};
use std::ptr;

use ceph_core::cstr::check_name;
use rados::{Error, Result};

use crate::SnapInfo;
use crate::each::Each;
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
    /// Extents come on the calling thread, in rising order, but for those of objects that are striped together
    /// in Ceph 14; neighbours may come as one or as several. Answers what `each` broke off with. Blocks; `each`
    /// must not block on Ceph, and methods that would fail with `Deadlock`.
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
    #[doc(alias = "rbd_diff_iterate")]
    #[doc(alias = "rbd_diff_iterate2")]
    pub fn diff_iterate<B: Send>(
        &self,
        from: Option<&str>,
        range: impl RangeBounds<u64>,
        options: DiffOptions,
        each: impl FnMut(DiffExtent) -> ControlFlow<B> + Send,
    ) -> Result<ControlFlow<B>> {
        let from = from.map(|name| Snapshot::named("rbd_diff_iterate2", name));
        let from = from.transpose().map_err(|error| error.on(self.subject()))?;
        let from = from.unwrap_or(Snapshot::Name(None));
        self.iterate(from, explicit(range), options, each)
    }

    /// As [`diff_iterate`](Self::diff_iterate), with the snapshot's id, which stays the same when it is renamed,
    /// and which snapshots of groups and in the trash have too. Where the library lacks `rbd_diff_iterate3`
    /// (before Ceph 18), the snapshot's name is looked up, so that another one may have it if somebody renames
    /// meanwhile, and only snapshots that users have made are found.
    ///
    /// # Errors
    /// As [`diff_iterate`](Self::diff_iterate).
    #[doc(alias = "rbd_diff_iterate3")]
    pub fn diff_iterate_by_id<B: Send>(
        &self,
        from: Option<u64>,
        range: impl RangeBounds<u64>,
        options: DiffOptions,
        each: impl FnMut(DiffExtent) -> ControlFlow<B> + Send,
    ) -> Result<ControlFlow<B>> {
        self.iterate(self.snapshot_by_id(from)?, explicit(range), options, each)
    }

    /// A snapshot as the library can take it.
    fn snapshot_by_id(&self, id: Option<u64>) -> Result<Snapshot> {
        const OP: &str = "rbd_diff_iterate3";
        let Some(id) = id else {
            return Ok(Snapshot::Name(None));
        };
        let unknown = || {
            let hint = format!("there is no snapshot with the id {id}");
            Error::refused(OP, libc::ENOENT, hint).on(self.subject())
        };
        #[cfg(feature = "diff3")]
        if ffi::rbd_diff_iterate3.get().is_some() {
            // To C 0 is the beginning.
            return (id != 0).then_some(Snapshot::Id(id)).ok_or_else(unknown);
        }
        let snapshot = self.snap_list()?.into_iter().find(|snap| snap.id == id);
        let name = snapshot.ok_or_else(unknown)?.name;
        Snapshot::named(OP, &name)
    }

    fn iterate<B: Send>(
        &self,
        from: Snapshot,
        range: Range<u64>,
        options: DiffOptions,
        mut each: impl FnMut(DiffExtent) -> ControlFlow<B> + Send,
    ) -> Result<ControlFlow<B>> {
        let end = range.end.min(self.size()?);
        if range.start >= end {
            // C refuses it, or aborts if the image has no size at all.
            return Ok(ControlFlow::Continue(()));
        }
        let object = match options.whole_object && self.whole_objects_are_right(&from)? {
            true => Some(self.stat()?.obj_size),
            false => None,
        };
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
        let state = State::new(&mut each);
        let argument = (&raw const state).cast_mut().cast();
        let code = match &from {
            Snapshot::Name(name) => self.call("rbd_diff_iterate2", |raw| {
                let name = name.as_deref().map_or(ptr::null(), CStr::as_ptr);
                // SAFETY: as `call` promises; the name and the state are this function's, and the callback is
                // not called after the function has returned.
                unsafe {
                    ffi::rbd_diff_iterate2(
                        raw,
                        name,
                        start,
                        end - start,
                        options.include_parent.into(),
                        object.is_some().into(),
                        Some(trampoline::extent),
                        argument,
                    )
                }
            }),
            #[cfg(feature = "diff3")]
            &Snapshot::Id(id) => {
                let iterate = ffi::optional(&ffi::rbd_diff_iterate3)?;
                let mut flags = 0;
                if options.include_parent {
                    flags |= ffi::RBD_DIFF_ITERATE_FLAG_INCLUDE_PARENT;
                }
                if object.is_some() {
                    flags |= ffi::RBD_DIFF_ITERATE_FLAG_WHOLE_OBJECT;
                }
                let callback = Some(trampoline::extent as _);
                self.call("rbd_diff_iterate3", |raw| {
                    // SAFETY: as `call` promises; the state is this function's, and the callback is not called
                    // after the function has returned.
                    unsafe { iterate(raw, id, start, end - start, flags, callback, argument) }
                })
            }
        };
        state.finish();
        match broken {
            Some(value) => Ok(ControlFlow::Break(value)),
            None => code.map(|_| ControlFlow::Continue(())),
        }
    }

    /// Whether what Ceph says of whole objects is right: see [`DiffOptions::whole_object`].
    fn whole_objects_are_right(&self, from: &Snapshot) -> Result<bool> {
        if self.stripe_count()? != 1 {
            return Ok(false);
        }
        let snapshots = self.snap_list()?;
        let mut found = snapshots.iter().filter(|snapshot| from.is(snapshot));
        let Some(from) = found.next() else {
            return Ok(true);
        };
        let shown = self.snapshot_name();
        let shown = shown.and_then(|name| snapshots.iter().find(|s| s.name == name));
        let end = shown.map_or(u64::MAX, |snapshot| snapshot.id);
        let least = from.size.min(self.size()?);
        let mut between = snapshots.iter().filter(|s| from.id < s.id && s.id < end);
        Ok(between.all(|snapshot| snapshot.size >= least))
    }
}

/// The snapshot that is compared with, as C takes it.
enum Snapshot {
    /// Without a name it is the time before there was any data.
    Name(Option<CString>),
    #[cfg(feature = "diff3")]
    Id(u64),
}

impl Snapshot {
    fn named(op: &'static str, name: &str) -> Result<Self> {
        check_name(op, "snapshot name", name.as_bytes())?;
        Ok(Self::Name(CString::new(name).ok()))
    }

    fn is(&self, snapshot: &SnapInfo) -> bool {
        match self {
            Self::Name(name) => name
                .as_ref()
                .is_some_and(|name| name.as_bytes() == snapshot.name.as_bytes()),
            #[cfg(feature = "diff3")]
            &Self::Id(id) => id == snapshot.id,
        }
    }
}

type State<'a> = Each<&'a mut (dyn FnMut(DiffExtent) -> bool + Send)>;

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
        let extent = DiffExtent {
            offset,
            len: len as u64,
            exists: exists != 0,
        };
        state.report(|each| each(extent))
    }
}
