//! Where an image differs, as an iterator.

use std::ops::{ControlFlow, Range, RangeBounds};
use std::vec;

use rados::Result;

use crate::diff::{DiffExtent, DiffOptions};
use crate::image::Image;
use crate::range::explicit;

/// How many extents are asked for at once: 1.5 MiB of them.
const PAGE: usize = 1 << 16;

/// What is different in an image, in rising order; made by [`Image::diff`] and [`Image::diff_by_id`].
///
/// It asks for 65,536 extents at a time, so its memory does not grow with the image, and between them anything
/// may be done with the image. Of an image that is written to meanwhile it tells what each page was when it was
/// asked for; open it at a snapshot for one moment's. Blocks. After an error it ends.
#[derive(Debug)]
pub struct DiffExtents<'a> {
    image: &'a Image,
    from: Since,
    options: DiffOptions,
    /// What is still to be asked for.
    rest: Range<u64>,
    page: vec::IntoIter<DiffExtent>,
    len: usize,
}

/// The snapshot that is compared with.
#[derive(Debug, Clone)]
enum Since {
    Name(Option<String>),
    Id(Option<u64>),
}

impl Image {
    /// What is different in `range` from how it was in the snapshot `from`, as
    /// [`diff_iterate`](Self::diff_iterate), which works with a closure.
    ///
    /// ```no_run
    /// # fn f(image: rbd::Image) -> rbd::Result<()> {
    /// for extent in image.diff(Some("monday"), .., rbd::DiffOptions::new()) {
    ///     let extent = extent?;
    ///     let mut data = vec![0; extent.len as usize];
    ///     if extent.exists {
    ///         image.read_exact_at(&mut data, extent.offset)?;
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Its elements: as of [`diff_iterate`](Self::diff_iterate).
    #[doc(alias = "rbd_diff_iterate2")]
    pub fn diff(
        &self,
        from: Option<&str>,
        range: impl RangeBounds<u64>,
        options: DiffOptions,
    ) -> DiffExtents<'_> {
        let from = Since::Name(from.map(str::to_owned));
        DiffExtents::new(self, from, explicit(range), options)
    }

    /// As [`diff`](Self::diff), with the snapshot's id, as
    /// [`diff_iterate_by_id`](Self::diff_iterate_by_id) takes it.
    ///
    /// # Errors
    /// Its elements: as of [`diff_iterate`](Self::diff_iterate).
    #[doc(alias = "rbd_diff_iterate3")]
    pub fn diff_by_id(
        &self,
        from: Option<u64>,
        range: impl RangeBounds<u64>,
        options: DiffOptions,
    ) -> DiffExtents<'_> {
        DiffExtents::new(self, Since::Id(from), explicit(range), options)
    }
}

impl<'a> DiffExtents<'a> {
    fn new(image: &'a Image, from: Since, rest: Range<u64>, options: DiffOptions) -> Self {
        Self {
            image,
            from,
            options,
            rest,
            page: Vec::new().into_iter(),
            len: PAGE,
        }
    }

    /// Asks for this many extents at a time, or what one set of objects has if that is more, instead of 65,536.
    #[must_use]
    pub fn page(mut self, extents: usize) -> Self {
        self.len = extents.max(1);
        self
    }

    /// Gets the next page.
    fn fill(&mut self) -> Result<()> {
        let image = self.image;
        // Within a set of objects that are striped together, Ceph 14 answers object by object: there a page
        // must not end.
        let set = image.stat()?.obj_size.saturating_mul(image.stripe_count()?);
        let mut page = Vec::new();
        let each = |extent: DiffExtent| {
            let of_last =
                |last: &DiffExtent| extent.offset / set <= (last.offset + last.len - 1) / set;
            if page.len() >= self.len && !page.last().is_some_and(of_last) {
                return ControlFlow::Break(extent.offset);
            }
            page.push(extent);
            ControlFlow::Continue(())
        };
        let range = self.rest.clone();
        let flow = match &self.from {
            Since::Name(name) => image.diff_iterate(name.as_deref(), range, self.options, each),
            Since::Id(id) => image.diff_iterate_by_id(*id, range, self.options, each),
        };
        self.rest.start = match flow? {
            ControlFlow::Break(next) => (next - next % set).max(self.rest.start),
            ControlFlow::Continue(()) => self.rest.end,
        };
        page.sort_by_key(|extent| extent.offset);
        self.page = page.into_iter();
        Ok(())
    }
}

impl Iterator for DiffExtents<'_> {
    type Item = Result<DiffExtent>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(extent) = self.page.next() {
                return Some(Ok(extent));
            }
            if self.rest.is_empty() {
                return None;
            }
            if let Err(error) = self.fill() {
                self.rest.start = self.rest.end;
                return Some(Err(error));
            }
        }
    }
}

impl std::iter::FusedIterator for DiffExtents<'_> {}
