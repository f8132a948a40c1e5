//! Omap listings as streams.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec;

use ceph_core::{Completion, Result};
use futures_core::Stream;

use crate::Results;
use crate::omap::{Asked, OmapItem, OmapList, Pager};

/// An object's omap as a [`Stream`]; made by [`OmapList::into_stream`].
///
/// The next page is asked for while the one before is being taken, so that at most two are in memory. The first
/// item that fails is the last.
///
/// # Cancel safety
/// Nothing is lost when a future that waits for the next item is dropped. Dropping the stream never blocks: the
/// page that is under way is thrown away when it comes.
pub struct OmapStream<T> {
    pager: Pager,
    page: vec::IntoIter<T>,
    next: Option<(Completion<Result<Results>>, Asked<T>)>,
}

impl<T: OmapItem> OmapList<T> {
    /// The same items for asynchronous code, which must not block: what is left of them.
    ///
    /// ```no_run
    /// use futures_util::StreamExt;
    ///
    /// # async fn f(pool: rados::IoCtx) -> rados::Result<()> {
    /// let mut entries = pool.omap_entries("index").prefix("user:").into_stream();
    /// while let Some(entry) = entries.next().await {
    ///     let (key, value) = entry?;
    ///     println!("{key}: {} bytes", value.len());
    /// }
    /// # Ok(()) }
    /// ```
    pub fn into_stream(self) -> OmapStream<T> {
        let (pager, page) = self.into_parts();
        let next = pager.more.then(|| fetch(&pager));
        OmapStream { pager, page, next }
    }
}

fn fetch<T: OmapItem>(pager: &Pager) -> (Completion<Result<Results>>, Asked<T>) {
    let (op, asked) = pager.ask();
    (pager.ioctx.aio_operate_read(&pager.object, op), asked)
}

impl<T: OmapItem> Stream for OmapStream<T> {
    type Item = Result<T>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        let this = self.get_mut();
        loop {
            if let Some(item) = this.page.next() {
                return Poll::Ready(Some(Ok(item)));
            }
            let Some((mut completion, asked)) = this.next.take() else {
                return Poll::Ready(None);
            };
            let Poll::Ready(results) = Pin::new(&mut completion).poll(context) else {
                this.next = Some((completion, asked));
                return Poll::Pending;
            };
            match results.and_then(|results| this.pager.accept(asked, results)) {
                Ok(page) => {
                    this.page = page.into_iter();
                    this.next = this.pager.more.then(|| fetch(&this.pager));
                }
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
    }
}

// Nothing points into it.
impl<T> Unpin for OmapStream<T> {}

impl<T> fmt::Debug for OmapStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OmapStream").finish_non_exhaustive()
    }
}
