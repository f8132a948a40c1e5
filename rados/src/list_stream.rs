//! Object listings as streams.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::vec;

use ceph_core::aio::blocking;
use ceph_core::{Completion, Result};
use futures_core::Stream;

use crate::{ObjectEntry, ObjectIter};

/// How many objects are fetched at once.
const BATCH: usize = 1024;

/// The objects of a pool as a [`Stream`]; made by [`ObjectIter::into_stream`].
///
/// librados lists in a blocking form only, so threads of [`blocking`](crate::blocking) do it, a batch of up to
/// 1024 objects ahead. After an error it ends.
///
/// # Cancel safety
/// Nothing is lost when a future that waits for the next object is dropped. Dropping the stream never blocks:
/// the batch that is under way goes on without it.
#[derive(Debug)]
pub struct ObjectStream {
    batch: vec::IntoIter<Result<ObjectEntry>>,
    /// The next batch, unless there is none.
    next: Option<Completion<Batch>>,
}

type Batch = (ObjectIter, Vec<Result<ObjectEntry>>);

impl ObjectIter {
    /// The same objects for asynchronous code, which must not block.
    ///
    /// ```no_run
    /// use futures_util::StreamExt;
    ///
    /// # async fn f(pool: rados::IoCtx) -> rados::Result<()> {
    /// let mut objects = pool.list_objects()?.into_stream();
    /// while let Some(object) = objects.next().await {
    ///     println!("{}", object?.name);
    /// }
    /// # Ok(()) }
    /// ```
    pub fn into_stream(self) -> ObjectStream {
        ObjectStream {
            batch: Vec::new().into_iter(),
            next: Some(fetch(self)),
        }
    }
}

fn fetch(mut objects: ObjectIter) -> Completion<Batch> {
    blocking(move || {
        let batch = objects.by_ref().take(BATCH).collect();
        (objects, batch)
    })
}

impl Stream for ObjectStream {
    type Item = Result<ObjectEntry>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<ObjectEntry>>> {
        loop {
            if let Some(object) = self.batch.next() {
                return Poll::Ready(Some(object));
            }
            let Some(next) = &mut self.next else {
                return Poll::Ready(None);
            };
            let (objects, batch) = ready!(Pin::new(next).poll(context));
            // A batch that is not full is the last: the iterator has ended.
            let more = batch.len() == BATCH;
            self.next = more.then(|| fetch(objects));
            self.batch = batch.into_iter();
        }
    }
}
