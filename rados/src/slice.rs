//! Parts of a pool's listing, for scanning it in parallel.

use std::ffi::c_char;
use std::iter::FusedIterator;
use std::ops::Range;
use std::{fmt, ptr, vec};

use ceph_core::{Error, Result, check};

use crate::buffer::copy_bytes;
use crate::cursor::Position;
use crate::ioctx::ALL_NAMESPACES;
use crate::{IoCtx, Name, ObjectCursor, ObjectEntry, ffi};

/// How many objects are fetched at once: as many as an OSD gives (`osd_max_pgls`).
const PAGE: usize = 1024;

/// The objects between two positions of a pool's listing, one by one; made by [`IoCtx::scan_slices`] and
/// [`IoCtx::scan`].
///
/// `next` blocks whenever it needs another page of up to 1024 objects. After an error it ends; a scan from
/// its [`cursor`](Self::cursor) goes on from there. Objects that are created or removed meanwhile may or may
/// not be listed; all others are listed once. Needs the feature `object-cursor`.
pub struct ObjectSlice {
    ioctx: IoCtx,
    page: vec::IntoIter<ObjectEntry>,
    /// Where the page began.
    here: ObjectCursor,
    /// Where the next begins.
    next: ObjectCursor,
    end: ObjectCursor,
    failed: bool,
}

impl IoCtx {
    /// Divides the listing of this handle's namespace into `n` slices of about as many objects each, together
    /// complete and without overlap, for threads, processes or machines that share the work. Does not block.
    ///
    /// Where the slices begin and end depends on `n` alone, not on the objects, the placement groups or the
    /// moment: who takes the third of eight has the same everywhere.
    ///
    /// ```no_run
    /// # fn main() -> rados::Result<()> {
    /// # let conn = rados::Conn::builder().default_config_file().connect()?;
    /// let slices = conn.ioctx("data")?.scan_slices(4)?;
    /// let counts = std::thread::scope(|scope| {
    ///     let threads: Vec<_> = slices
    ///         .into_iter()
    ///         .map(|slice| scope.spawn(|| slice.filter(|object| object.is_ok()).count()))
    ///         .collect();
    ///     let count = |thread: std::thread::ScopedJoinHandle<'_, usize>| thread.join().unwrap();
    ///     threads.into_iter().map(count).sum::<usize>()
    /// });
    /// println!("{counts} objects");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `InvalidArgument` for no slices, or more than 4294967295; `Unsupported` where the library lacks it. The
    /// slices' items fail as reads do, and with `NotFound` when the pool has been deleted. Needs the feature
    /// `object-cursor`.
    #[doc(alias = "rados_object_list_slice")]
    #[doc(alias = "rados_object_list")]
    pub fn scan_slices(&self, n: usize) -> Result<Vec<ObjectSlice>> {
        const OP: &str = "rados_object_list_slice";
        if u32::try_from(n).map_or(true, |n| n == 0) {
            let hint = format!("{n} slices; there must be 1 to {}", u32::MAX);
            return Err(Error::refused(OP, libc::EINVAL, hint).on(self.subject(None)));
        }
        let slice = ffi::optional(&ffi::rados_object_list_slice)?;
        let (begin, end) = (self.cursor_begin()?, self.cursor_end()?);
        let part = |i| {
            let (mut from, mut to) = (Position::begin(self)?, Position::begin(self)?);
            let raw = self.raw(OP)?;
            let (begin, end) = (begin.as_raw(), end.as_raw());
            // SAFETY: the handle is open; the four cursors live until the call returns, and the two that C
            // changes are this function's.
            unsafe { slice(raw, begin, end, i, n, from.as_mut(), to.as_mut()) };
            Ok(ObjectSlice::new(self.clone(), from.into()..to.into()))
        };
        (0..n).map(part).collect()
    }

    /// As [`scan_slices`](Self::scan_slices), of the objects in all namespaces.
    ///
    /// # Errors
    /// As there.
    #[doc(alias = "rados_object_list_slice")]
    pub fn scan_slices_all_namespaces(&self, n: usize) -> Result<Vec<ObjectSlice>> {
        self.in_all_namespaces()?.scan_slices(n)
    }

    /// Lists the objects in this handle's namespace from one position on up to another. Does not block.
    ///
    /// ```no_run
    /// # fn main() -> rados::Result<()> {
    /// # let conn = rados::Conn::builder().default_config_file().connect()?;
    /// let pool = conn.ioctx("data")?;
    /// let mut scan = pool.scan(pool.cursor_begin()?..pool.cursor_end()?)?;
    /// let page: Vec<_> = scan.by_ref().take(1000).collect::<rados::Result<_>>()?;
    /// // Later, elsewhere:
    /// let rest = pool.scan(scan.cursor()..scan.end())?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `InvalidArgument` when a position is one of another pool, or the first comes after the second. The
    /// slice's items fail as those of [`scan_slices`](Self::scan_slices) do. Needs the feature
    /// `object-cursor`.
    #[doc(alias = "rados_object_list")]
    pub fn scan(&self, range: Range<ObjectCursor>) -> Result<ObjectSlice> {
        let pool = self.pool_id()?;
        let refused = |hint: &'static str| {
            let error = Error::refused("rados_object_list", libc::EINVAL, hint);
            Err(error.on(self.subject(None)))
        };
        for cursor in [&range.start, &range.end] {
            if cursor.ioctx().pool_id()? != pool {
                return refused("the position is one of another pool");
            }
        }
        if range.start > range.end {
            return refused("the first position comes after the second");
        }
        Ok(ObjectSlice::new(self.clone(), range))
    }

    /// As [`scan`](Self::scan), of the objects in all namespaces.
    ///
    /// # Errors
    /// As there.
    #[doc(alias = "rados_object_list")]
    pub fn scan_all_namespaces(&self, range: Range<ObjectCursor>) -> Result<ObjectSlice> {
        self.in_all_namespaces()?.scan(range)
    }

    fn in_all_namespaces(&self) -> Result<Self> {
        Self::open_by_id(self.conn(), self.pool_id()?, ALL_NAMESPACES)
    }
}

impl ObjectSlice {
    fn new(ioctx: IoCtx, range: Range<ObjectCursor>) -> Self {
        Self {
            ioctx,
            page: Vec::new().into_iter(),
            here: range.start.clone(),
            next: range.start,
            end: range.end,
            failed: false,
        }
    }

    /// A position that all objects which `next` has still to give come after. Up to 1023 that it has given
    /// may do so too: a scan from here repeats at most a page, and omits nothing.
    ///
    /// It lives as long as the process. What is to outlive that is better cut into many slices, of which the
    /// finished ones are noted.
    pub fn cursor(&self) -> ObjectCursor {
        if self.page.len() == 0 {
            self.next.clone()
        } else {
            self.here.clone()
        }
    }

    /// Where the slice ends.
    pub fn end(&self) -> ObjectCursor {
        self.end.clone()
    }

    /// Fetches pages until one has objects, or the slice has ended.
    fn fetch(&mut self) -> Result<()> {
        const OP: &str = "rados_object_list";
        let list = ffi::optional(&ffi::rados_object_list)?;
        while self.page.len() == 0 && self.next < self.end {
            let mut items = Items::new()?;
            let mut after = Position::begin(&self.ioctx)?;
            let raw = self.ioctx.raw_blocking(OP)?;
            // SAFETY: the handle is open; the cursors and the items live until the call returns, and C
            // changes only those that are this function's. There is no filter.
            let code = unsafe {
                list(
                    raw,
                    self.next.as_raw(),
                    self.end.as_raw(),
                    items.list.len(),
                    ptr::null(),
                    0,
                    items.list.as_mut_ptr(),
                    after.as_mut(),
                )
            };
            let len = check(OP, code).map_err(|error| error.on(self.ioctx.subject(None)))?;
            self.page = items.entries(len as usize).into_iter(); // an int
            self.here = std::mem::replace(&mut self.next, after.into());
        }
        Ok(())
    }
}

/// What C lists into.
struct Items {
    list: Vec<ffi::rados_object_list_item>,
    free: unsafe extern "C" fn(usize, *mut ffi::rados_object_list_item),
}

impl Items {
    const NONE: ffi::rados_object_list_item = ffi::rados_object_list_item {
        oid_length: 0,
        oid: ptr::null_mut(),
        nspace_length: 0,
        nspace: ptr::null_mut(),
        locator_length: 0,
        locator: ptr::null_mut(),
    };

    fn new() -> Result<Self> {
        Ok(Self {
            free: ffi::optional(&ffi::rados_object_list_free)?,
            list: vec![Self::NONE; PAGE],
        })
    }

    /// Copies the first `len`, which C has filled.
    fn entries(&self, len: usize) -> Vec<ObjectEntry> {
        let copy = |data: *mut c_char, len| {
            // SAFETY: C set it to `len` bytes, or left it NULL; it lives until `self` goes.
            Name::from(unsafe { copy_bytes(data, len) })
        };
        let entries = self.list.iter().take(len).map(|item| ObjectEntry {
            name: copy(item.oid, item.oid_length),
            namespace: copy(item.nspace, item.nspace_length),
            locator: (item.locator_length > 0).then(|| copy(item.locator, item.locator_length)),
        });
        entries.collect()
    }
}

impl Drop for Items {
    fn drop(&mut self) {
        // SAFETY: the strings are C's or NULL, and nobody uses them after this.
        unsafe { (self.free)(self.list.len(), self.list.as_mut_ptr()) }
    }
}

impl Iterator for ObjectSlice {
    type Item = Result<ObjectEntry>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.len() == 0
            && !self.failed
            && let Err(error) = self.fetch()
        {
            self.failed = true;
            return Some(Err(error));
        }
        self.page.next().map(Ok)
    }
}

impl FusedIterator for ObjectSlice {}

impl fmt::Debug for ObjectSlice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectSlice")
            .field("ioctx", &self.ioctx)
            .finish_non_exhaustive()
    }
}
