//! Images as asynchronous readers and writers.

use std::collections::VecDeque;
use std::io::{self, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncSeek, AsyncWrite};

use crate::IoFlags;
use crate::cursor::seek_target;
use crate::image::Image;
use crate::reads::Reads;
use crate::writes::Writes;

/// What is read ahead: small enough for those who seek much.
const CHUNK: u64 = 256 << 10;
/// How much is in flight.
const DEPTH: usize = 4;
/// The most that one write carries.
const MOST: usize = 4 << 20;

/// A position in an image, for asynchronous code: [`AsyncRead`], [`AsyncWrite`] and [`AsyncSeek`] of the
/// `futures` crates, and those of tokio with the feature `tokio`.
///
/// Made by [`Image::async_cursor`] from a reference, or by [`new`](Self::new) from whatever holds an image
/// (`Arc<Image>`, the image itself), so that it can be `'static`. Reading at the end answers 0; writing there
/// fails with [`StorageFull`](io::ErrorKind::StorageFull), since an image does not grow by being written.
/// One task at a time can use it.
///
/// It reads ahead, 4 times 256 KiB unless [`read_ahead`](Self::read_ahead) says otherwise, and does not see
/// what others write to what it has read ahead; its own writes it sees.
///
/// Data to write is copied, and at once under way, up to 4 MiB in each of up to 4 operations; a small piece is
/// an operation of its own, which a `BufWriter` around this avoids. Errors come with a later write or flush.
/// `flush` and `close` wait for all of it and make it durable.
///
/// ```no_run
/// use futures_util::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
///
/// # async fn f(image: rbd::Image) -> Result<(), Box<dyn std::error::Error>> {
/// let mut cursor = image.async_cursor();
/// cursor.write_all(b"hello").await?;
/// cursor.flush().await?;
/// cursor.seek(std::io::SeekFrom::Start(1)).await?;
/// let mut buffer = [0; 4];
/// cursor.read_exact(&mut buffer).await?;
/// assert_eq!(&buffer, b"ello");
/// # Ok(()) }
/// ```
///
/// # Cancel safety
/// Futures that read or write can be dropped: what they have not answered has not been read or written.
/// Dropping the cursor never blocks and takes nothing back: writes in flight go on, but without a flush their
/// errors go unseen.
#[derive(Debug)]
pub struct AsyncCursor<I> {
    image: I,
    position: u64,
    chunk: u64,
    depth: usize,
    reads: Option<Reads>,
    /// What has been read ahead, and how much of it has been given out.
    data: Vec<u8>,
    given: usize,
    writes: Writes,
    /// Where the last write ends.
    written: u64,
}

// The image is never pinned.
impl<I> Unpin for AsyncCursor<I> {}

impl Image {
    /// An asynchronous cursor at the image's start. Any number can be used at once.
    pub fn async_cursor(&self) -> AsyncCursor<&Self> {
        AsyncCursor::new(self)
    }
}

impl<I: AsRef<Image>> AsyncCursor<I> {
    /// A cursor at the start of `image`.
    pub fn new(image: I) -> Self {
        Self {
            image,
            position: 0,
            chunk: CHUNK,
            depth: DEPTH,
            reads: None,
            data: Vec::new(),
            given: 0,
            writes: Writes::new(),
            written: 0,
        }
    }

    /// Reads ahead `depth` times `bytes`, each at least 1.
    #[must_use]
    pub fn read_ahead(mut self, depth: usize, bytes: u32) -> Self {
        self.forget_reads();
        self.depth = depth.max(1);
        self.chunk = bytes.max(1).into();
        self
    }

    /// The position in bytes, which may lie past the image's end.
    pub fn position(&self) -> u64 {
        self.position
    }

    fn forget_reads(&mut self) {
        self.reads = None;
        self.data = Vec::new();
        self.given = 0;
    }

    pub(crate) fn read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        // It is to be read back.
        ready!(self.writes.poll_fewer(1, context))?;
        while self.given == self.data.len() {
            let ahead = || {
                let range = self.position..u64::MAX;
                Reads::new(VecDeque::from([range]), self.chunk, self.depth)
            };
            let reads = self.reads.get_or_insert_with(ahead);
            match ready!(reads.poll_next(self.image.as_ref(), context)) {
                Some(Ok(chunk)) if chunk.offset == self.position => {
                    self.data = chunk.data;
                    self.given = 0;
                }
                // The image has shrunk and grown again.
                Some(Ok(_)) => self.reads = None,
                Some(Err(error)) => {
                    self.reads = None;
                    return Poll::Ready(Err(error.into()));
                }
                None => {
                    self.reads = None;
                    return Poll::Ready(Ok(0));
                }
            }
        }
        let rest = &self.data[self.given..];
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        self.given += len;
        self.position += len as u64;
        Poll::Ready(Ok(len))
    }

    pub(crate) fn write(
        &mut self,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        // One that may overlap others waits for them.
        let follows = self.position == self.written;
        let limit = if follows { self.depth } else { 1 };
        ready!(self.writes.poll_fewer(limit, context))?;
        if data.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.forget_reads();
        let image = self.image.as_ref();
        let room = image.checked_size()?.saturating_sub(self.position);
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        // What is left; at the end a byte, which does not fit.
        let len = data.len().min(MOST).min(room).max(1);
        image
            .check_fits("rbd_aio_write2", self.position, len)
            .map_err(|error| error.on(image.subject()))?;
        let data = data[..len].to_vec();
        let write = image.write_and_drop(data, self.position, IoFlags::empty());
        self.writes.push(self.position, write);
        self.position += len as u64;
        self.written = self.position;
        Poll::Ready(Ok(len))
    }

    pub(crate) fn flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.writes.poll_flush(self.image.as_ref(), context);
        flushed.map_err(io::Error::from)
    }

    pub(crate) fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = seek_target(self.image.as_ref(), self.position, to)?;
        if target != self.position {
            self.forget_reads();
            self.position = target;
        }
        Ok(target)
    }
}

impl<I: AsRef<Image>> AsyncRead for AsyncCursor<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.read(context, buffer)
    }
}

impl<I: AsRef<Image>> AsyncWrite for AsyncCursor<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write(context, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.flush(context)
    }
}

impl<I: AsRef<Image>> AsyncSeek for AsyncCursor<I> {
    fn poll_seek(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        to: SeekFrom,
    ) -> Poll<io::Result<u64>> {
        Poll::Ready(self.seek(to))
    }
}
