//! Parts of an image as a stream of chunks.

use std::collections::VecDeque;
use std::ops::{Range, RangeBounds};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use rados::Result;

use crate::IoFlags;
use crate::image::Image;
use crate::range::explicit;
use crate::reads::Reads;

/// How many bytes a chunk has, and where it ends: with objects of 4 MiB or less it holds whole objects.
pub(crate) const CHUNK: u64 = 4 << 20;
/// How many chunks are in flight: 64 MiB, which the client's own limit of 100 MiB lets through.
pub(crate) const DEPTH: usize = 16;

/// A piece of an image and where it is.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Chunk {
    /// Where it starts, in bytes.
    pub offset: u64,
    /// Its bytes.
    pub data: Vec<u8>,
}

/// An image's content as a [`Stream`] of [`Chunk`]s in order, which are read ahead.
///
/// Made by [`Image::stream`] from a reference, or by [`new`](Self::new) from whatever holds an image
/// (`Arc<Image>`, the image itself), so that it can be `'static`. Reads start when it is first polled. It
/// goes as far as the image does when it gets there; after an error it ends.
///
/// ```no_run
/// use futures_util::StreamExt;
///
/// # async fn f(image: rbd::Image) -> rbd::Result<()> {
/// let mut chunks = image.stream(..).depth(32);
/// while let Some(chunk) = chunks.next().await {
///     let chunk = chunk?;
///     println!("{} bytes at {}", chunk.data.len(), chunk.offset);
/// }
/// # Ok(()) }
/// ```
///
/// # Cancel safety
/// Nothing is lost when a future that waits for the next chunk is dropped. Dropping the stream never blocks:
/// reads in flight go on without it.
#[derive(Debug)]
pub struct ImageStream<I> {
    image: I,
    reads: Reads,
}

// The image is never pinned.
impl<I> Unpin for ImageStream<I> {}

impl Image {
    /// The image's content in `range`, as a stream that reads ahead.
    pub fn stream(&self, range: impl RangeBounds<u64>) -> ImageStream<&Self> {
        ImageStream::new(self, range)
    }
}

impl<I: AsRef<Image>> ImageStream<I> {
    /// The content of `image` in `range`.
    pub fn new(image: I, range: impl RangeBounds<u64>) -> Self {
        Self::with_ranges(image, [explicit(range)])
    }

    /// The content of `image` in several ranges, one after the other.
    pub fn with_ranges(image: I, ranges: impl IntoIterator<Item = Range<u64>>) -> Self {
        let ranges = VecDeque::from_iter(ranges);
        Self {
            image,
            reads: Reads::new(ranges, CHUNK, DEPTH),
        }
    }

    /// How many chunks are in flight at once: 16, unless this says otherwise; at least 1.
    #[must_use]
    pub fn depth(mut self, chunks: usize) -> Self {
        self.reads.depth = chunks.max(1);
        self
    }

    /// How many bytes a chunk has: 4 MiB, unless this says otherwise; at least 1. Chunks end at multiples of
    /// it, so the first one of a range may be smaller.
    #[must_use]
    pub fn chunk_size(mut self, bytes: u32) -> Self {
        self.reads.chunk = bytes.max(1).into();
        self
    }

    /// Advice on how the data will be used.
    #[must_use]
    pub fn flags(mut self, flags: IoFlags) -> Self {
        self.reads.flags = flags;
        self
    }

    /// The end of the last chunk that was given out; after an error, the offset that could not be read.
    pub fn position(&self) -> u64 {
        self.reads.position()
    }
}

impl<I: AsRef<Image>> Stream for ImageStream<I> {
    type Item = Result<Chunk>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Chunk>>> {
        let Self { image, reads } = &mut *self;
        reads.poll_next(image.as_ref(), context)
    }
}

impl std::fmt::Debug for Chunk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chunk")
            .field("offset", &self.offset)
            .field("len", &self.data.len())
            .finish()
    }
}
