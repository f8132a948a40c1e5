//! Listing the mirrored images of a pool, page by page.

use std::ffi::c_char;
use std::fmt;
use std::iter::FusedIterator;
use std::num::NonZeroUsize;
use std::vec;

use ceph_core::cstr::CName;
use rados::{IoCtx, Result};

/// Something about each mirrored image of a pool, in the order of the images' ids.
///
/// `next` blocks whenever it needs another page. After an error it ends. Images for which mirroring is enabled or
/// disabled meanwhile may or may not be listed.
pub struct MirrorList<T> {
    op: &'static str,
    ioctx: IoCtx,
    page_size: usize,
    page: vec::IntoIter<T>,
    /// The id of the last image that was listed; empty at the beginning.
    last: String,
    done: bool,
    fetch: Box<Fetch<T>>,
    id: fn(&T) -> &str,
}

/// Asks C for at most so many entries after the one with this id.
pub(super) type Fetch<T> = dyn FnMut(&IoCtx, *const c_char, usize) -> Result<Vec<T>> + Send;

impl<T> MirrorList<T> {
    /// `fetch` is called with an open pool and an id that lives until it returns.
    pub(super) fn new(
        op: &'static str,
        ioctx: &IoCtx,
        id: fn(&T) -> &str,
        fetch: impl FnMut(&IoCtx, *const c_char, usize) -> Result<Vec<T>> + Send + 'static,
    ) -> Self {
        Self {
            op,
            ioctx: ioctx.clone(),
            page_size: 256,
            page: Vec::new().into_iter(),
            last: String::new(),
            done: false,
            fetch: Box::new(fetch),
            id,
        }
    }

    /// How many images to ask for at once: at most 1024, and 256 unless said otherwise.
    #[must_use]
    pub fn page_size(mut self, images: NonZeroUsize) -> Self {
        self.page_size = images.get().min(1024);
        self
    }

    /// Fetches a page, which is empty at the end only: C leaves some images out of one.
    fn turn(&mut self) -> Result<()> {
        let last = CName::new(self.op, "image's id", &self.last)?;
        self.ioctx.conn().check_blocking(self.op)?;
        let page = (self.fetch)(&self.ioctx, last.as_ptr(), self.page_size)?;
        match page.last() {
            Some(entry) => (self.id)(entry).clone_into(&mut self.last),
            None => {
                self.done = true;
                self.ioctx.pool_name()?; // to C a deleted pool is an empty one
            }
        }
        self.page = page.into_iter();
        Ok(())
    }
}

impl<T> Iterator for MirrorList<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.len() == 0
            && !self.done
            && let Err(error) = self.turn()
        {
            self.done = true;
            return Some(Err(error));
        }
        self.page.next().map(Ok)
    }
}

impl<T> FusedIterator for MirrorList<T> {}

impl<T> fmt::Debug for MirrorList<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MirrorList")
            .field("ioctx", &self.ioctx)
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}
