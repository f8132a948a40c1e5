//! Positions in the listing of a pool.

use std::cmp::Ordering;
use std::ffi::c_int;
use std::fmt;
use std::sync::Arc;

use ceph_core::Result;

use crate::{IoCtx, ffi};

/// A position in the order in which a pool's objects are listed, which is that of their names' hashes.
///
/// Positions compare, and clones are cheap. Made by [`IoCtx::cursor_begin`], [`IoCtx::cursor_end`] and
/// [`ObjectSlice`](crate::ObjectSlice). Needs the feature `object-cursor`.
#[derive(Clone)]
pub struct ObjectCursor {
    // Never changed once it is here.
    position: Arc<Position>,
}

type Raw = ffi::rados_object_list_cursor;

/// Owns a C cursor.
pub(crate) struct Position {
    raw: Raw,
    compare: unsafe extern "C" fn(ffi::rados_ioctx_t, Raw, Raw) -> c_int,
    is_end: unsafe extern "C" fn(ffi::rados_ioctx_t, Raw) -> c_int,
    free: unsafe extern "C" fn(ffi::rados_ioctx_t, Raw),
    ioctx: IoCtx,
}

// SAFETY: a cursor is an object in memory with no tie to a thread.
unsafe impl Send for Position {}
// SAFETY: through `&Position` it is only read.
unsafe impl Sync for Position {}

impl Position {
    /// A position at the begin, for C to change.
    pub(crate) fn begin(ioctx: &IoCtx) -> Result<Self> {
        let begin = ffi::optional(&ffi::rados_object_list_begin)?;
        Self::new(ioctx, "rados_object_list_begin", |raw| {
            // SAFETY: the handle is open.
            unsafe { begin(raw) }
        })
    }

    fn new(
        ioctx: &IoCtx,
        op: &'static str,
        make: impl FnOnce(ffi::rados_ioctx_t) -> Raw,
    ) -> Result<Self> {
        Ok(Self {
            compare: ffi::optional(&ffi::rados_object_list_cursor_cmp)?,
            is_end: ffi::optional(&ffi::rados_object_list_is_end)?,
            free: ffi::optional(&ffi::rados_object_list_cursor_free)?,
            raw: make(ioctx.raw(op)?),
            ioctx: ioctx.clone(),
        })
    }

    /// Where C finds the cursor that it changes.
    pub(crate) fn as_mut(&mut self) -> *mut Raw {
        &raw mut self.raw
    }
}

impl Drop for Position {
    fn drop(&mut self) {
        if let Ok(ioctx) = self.ioctx.raw("rados_object_list_cursor_free") {
            // SAFETY: C made it, and nobody uses it after this. It only frees memory.
            unsafe { (self.free)(ioctx, self.raw) }
        }
    }
}

impl IoCtx {
    /// Where the listing of the pool begins. Does not block.
    ///
    /// # Errors
    /// `Unsupported` where the library lacks it. Needs the feature `object-cursor`.
    #[doc(alias = "rados_object_list_begin")]
    pub fn cursor_begin(&self) -> Result<ObjectCursor> {
        Position::begin(self).map(ObjectCursor::from)
    }

    /// Where the listing of the pool ends: after all objects. Does not block.
    ///
    /// # Errors
    /// `Unsupported` where the library lacks it. Needs the feature `object-cursor`.
    #[doc(alias = "rados_object_list_end")]
    pub fn cursor_end(&self) -> Result<ObjectCursor> {
        let end = ffi::optional(&ffi::rados_object_list_end)?;
        Position::new(self, "rados_object_list_end", |raw| {
            // SAFETY: the handle is open.
            unsafe { end(raw) }
        })
        .map(ObjectCursor::from)
    }
}

impl ObjectCursor {
    /// Whether no object can follow.
    #[doc(alias = "rados_object_list_is_end")]
    pub fn is_end(&self) -> bool {
        let Position {
            raw, is_end, ioctx, ..
        } = &*self.position;
        // SAFETY: the cursor is C's, and nobody changes it; C looks at nothing else.
        let answer = unsafe { is_end(ioctx.as_raw(), *raw) };
        answer != 0
    }

    /// The C cursor, which C must not change; valid as long as `self`.
    pub(crate) fn as_raw(&self) -> Raw {
        self.position.raw
    }

    /// The handle that it was made with.
    pub(crate) fn ioctx(&self) -> &IoCtx {
        &self.position.ioctx
    }
}

impl From<Position> for ObjectCursor {
    fn from(position: Position) -> Self {
        Self {
            position: Arc::new(position),
        }
    }
}

impl Ord for ObjectCursor {
    #[doc(alias = "rados_object_list_cursor_cmp")]
    fn cmp(&self, other: &Self) -> Ordering {
        let Position { compare, ioctx, .. } = &*self.position;
        // SAFETY: both cursors are C's, and nobody changes them; C looks at nothing else.
        let order = unsafe { compare(ioctx.as_raw(), self.as_raw(), other.as_raw()) };
        order.cmp(&0)
    }
}

impl PartialOrd for ObjectCursor {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ObjectCursor {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for ObjectCursor {}

impl fmt::Debug for ObjectCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectCursor")
            .field("is_end", &self.is_end())
            .finish_non_exhaustive()
    }
}
