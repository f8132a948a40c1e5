//! Images as `std::io` streams.

use std::io::{self, Read, Seek, SeekFrom, Write};

use crate::image::Image;

/// A position in an image, for `std::io`: [`Read`], [`Write`] and [`Seek`].
///
/// Made by [`Image::cursor`] from a reference, or by [`new`](Self::new) from whatever holds an image
/// (`Arc<Image>`, the image itself). Reading at the end answers `Ok(0)`; writing there fails with
/// [`StorageFull`](io::ErrorKind::StorageFull), since an image does not grow by being written.
///
/// ```no_run
/// use std::io::{Read, Seek, SeekFrom, Write};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let conn = rados::Conn::builder().default_config_file().connect()?;
/// # let image = rbd::Image::open(&conn.ioctx("rbd")?, "disk1")?;
/// let mut cursor = image.cursor();
/// cursor.write_all(b"hello")?;
/// cursor.flush()?;
/// cursor.seek(SeekFrom::Start(1))?;
/// let mut buffer = [0; 4];
/// cursor.read_exact(&mut buffer)?;
/// assert_eq!(&buffer, b"ello");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct ImageCursor<I> {
    image: I,
    position: u64,
}

impl Image {
    /// A cursor at the image's start. Any number can be used at once.
    pub fn cursor(&self) -> ImageCursor<&Self> {
        ImageCursor::new(self)
    }
}

impl<I: AsRef<Image>> ImageCursor<I> {
    /// A cursor at the start of `image`.
    pub fn new(image: I) -> Self {
        Self { image, position: 0 }
    }

    /// Gives back what was put in.
    pub fn into_inner(self) -> I {
        self.image
    }

    /// The position in bytes, which may lie past the image's end.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Moves to `position` in bytes from the start.
    pub fn set_position(&mut self, position: u64) {
        self.position = position;
    }
}

impl<I: AsRef<Image>> Read for ImageCursor<I> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.image.as_ref().read_at(buffer, self.position)?;
        self.position += read as u64;
        Ok(read)
    }
}

impl<I: AsRef<Image>> Write for ImageCursor<I> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let written = self.image.as_ref().write_at(data, self.position)?;
        self.position += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(self.image.as_ref().flush()?)
    }
}

impl<I: AsRef<Image>> Seek for ImageCursor<I> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = seek_target(self.image.as_ref(), self.position, to)?;
        Ok(self.position)
    }
}

/// Where a seek leads to.
pub(crate) fn seek_target(image: &Image, position: u64, to: SeekFrom) -> io::Result<u64> {
    let target = match to {
        SeekFrom::Start(position) => Some(position),
        SeekFrom::Current(delta) => position.checked_add_signed(delta),
        SeekFrom::End(delta) => image.size()?.checked_add_signed(delta),
    };
    target.ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            "seek to before the image's start",
        )
    })
}
