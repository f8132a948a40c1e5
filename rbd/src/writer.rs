//! Writing an image in bulk.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

#[cfg(feature = "write-zeroes")]
use ceph_core::aio::ready;
use futures_sink::Sink;
use rados::{Error, IoBuf, Result};

use crate::IoFlags;
use crate::image::Image;
use crate::stream::{Chunk, DEPTH};
use crate::writes::Writes;

/// Writes pieces of an image with many of them in flight.
///
/// Made by [`Image::writer`] from a reference, or by [`new`](Self::new) from whatever holds an image
/// (`Arc<Image>`, the image itself), so that it can be `'static`. [`write`](Self::write) puts one piece after
/// the other; as a [`Sink`] it takes [`Chunk`]s, wherever they go, so that an [`ImageStream`] can be forwarded
/// into it. Pieces must not overlap, since writes may overtake each other.
///
/// A write goes past librbd's cache, which would report errors later and not say of what: what
/// [`written`](Self::written) counts is on stable storage. After an error nothing more is written.
///
/// ```no_run
/// # async fn f(image: rbd::Image) -> rbd::Result<()> {
/// let mut writer = image.writer(0).depth(32);
/// for _ in 0..100 {
///     writer.write(vec![7; 4 << 20]).await?; // waits when 32 are in flight
/// }
/// writer.finish().await?;
/// # Ok(()) }
/// ```
///
/// Dropping it never blocks and takes nothing back: writes in flight go on, but their errors go unseen.
///
/// [`ImageStream`]: crate::ImageStream
#[derive(Debug)]
pub struct ImageWriter<I> {
    image: I,
    position: u64,
    depth: usize,
    flags: IoFlags,
    writes: Writes,
}

// The image is never pinned.
impl<I> Unpin for ImageWriter<I> {}

impl Image {
    /// A bulk writer that starts at `offset`.
    pub fn writer(&self, offset: u64) -> ImageWriter<&Self> {
        ImageWriter::new(self, offset)
    }
}

impl<I: AsRef<Image>> ImageWriter<I> {
    /// A bulk writer to `image` that starts at `offset`.
    pub fn new(image: I, offset: u64) -> Self {
        Self {
            image,
            position: offset,
            depth: DEPTH,
            flags: IoFlags::FUA,
            writes: Writes::new(),
        }
    }

    /// How many writes are in flight at once: 16, unless this says otherwise; at least 1.
    #[must_use]
    pub fn depth(mut self, writes: usize) -> Self {
        self.depth = writes.max(1);
        self
    }

    /// Advice on how the data will be used.
    #[must_use]
    pub fn flags(mut self, flags: IoFlags) -> Self {
        self.flags = flags | IoFlags::FUA;
        self
    }

    /// Where the next piece goes, in bytes.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Leaves out the next `bytes`.
    pub fn skip(&mut self, bytes: u64) {
        self.position = self.position.saturating_add(bytes);
    }

    /// All that was given to be written before this offset has been. After an error it is where the first
    /// write failed, and where one can go on. For pieces that are given in order.
    pub fn written(&self) -> u64 {
        let failed = self.writes.failed();
        failed.or(self.writes.oldest()).unwrap_or(self.position)
    }

    /// Writes `data` at the position, once fewer than the depth are in flight. It has been started, not done,
    /// when this returns.
    ///
    /// # Errors
    /// As [`Image::aio_write`], of this or an earlier piece, with its offset in the text; an earlier one that
    /// failed has this one refused with `Io`.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it has not started to write.
    pub async fn write(&mut self, data: impl IoBuf) -> Result<()> {
        poll_fn(|context| self.poll_room(context)).await?;
        self.start(data, self.position);
        Ok(())
    }

    /// Makes the next `bytes` read as zeros, as [`Image::write_zeroes`] does, once fewer than the depth are in
    /// flight. Otherwise as [`write`](Self::write).
    ///
    /// # Errors
    /// As [`write`](Self::write); `Unsupported` where the library lacks it. Needs the feature `write-zeroes`.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it has not started to write.
    #[cfg(feature = "write-zeroes")]
    #[doc(alias = "rbd_aio_write_zeroes")]
    pub async fn write_zeroes(&mut self, bytes: u64) -> Result<()> {
        poll_fn(|context| self.poll_room(context)).await?;
        let (image, offset) = (self.image.as_ref(), self.position);
        self.position = offset.saturating_add(bytes);
        // It would silently do what fits only.
        let len = usize::try_from(bytes).unwrap_or(usize::MAX);
        let write = match image.check_fits("rbd_aio_write_zeroes", offset, len) {
            Ok(()) => image.aio_write_zeroes(offset, bytes),
            Err(error) => ready(Err(error)),
        };
        self.writes.push(offset, write);
        Ok(())
    }

    /// Waits for all writes, and makes them durable.
    ///
    /// # Errors
    /// As [`write`](Self::write), and as [`Image::aio_flush`].
    ///
    /// # Cancel safety
    /// It can be called again.
    pub async fn flush(&mut self) -> Result<()> {
        poll_fn(|context| self.poll_written(context)).await
    }

    /// Waits for all writes, makes them durable, and gives back what holds the image.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub async fn finish(mut self) -> Result<I> {
        self.flush().await?;
        Ok(self.image)
    }

    fn start(&mut self, data: impl IoBuf, offset: u64) {
        self.position = offset.saturating_add(data.bytes().len() as u64);
        let image = self.image.as_ref();
        let write = image.write_and_drop(data, offset, self.flags);
        self.writes.push(offset, write);
    }

    fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<Result<()>> {
        self.check()?;
        self.writes.poll_fewer(self.depth, context)
    }

    fn poll_written(&mut self, context: &mut Context<'_>) -> Poll<Result<()>> {
        self.check()?;
        self.writes.poll_flush(self.image.as_ref(), context)
    }

    /// Refuses to go on after an error.
    fn check(&self) -> Result<()> {
        match self.writes.failed() {
            None => Ok(()),
            Some(offset) => {
                let hint = format!("an earlier write failed, at offset {offset}");
                Err(Error::refused("rbd_aio_write2", libc::EIO, hint))
            }
        }
    }
}

impl<I: AsRef<Image>> Sink<Chunk> for ImageWriter<I> {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_room(context)
    }

    fn start_send(mut self: Pin<&mut Self>, chunk: Chunk) -> Result<()> {
        self.check()?;
        self.start(chunk.data, chunk.offset);
        Ok(())
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_written(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_written(context)
    }
}
