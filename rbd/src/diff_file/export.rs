//! `rbd export-diff`.

use std::collections::VecDeque;
use std::io::Write;
use std::ops::ControlFlow;

use rados::{Completion, Error, Result};

use super::{DEPTH, DiffFormat, DiffHeader, DiffWriter, is_zero, piece_end, report};
use crate::image::Image;
use crate::{DiffExtent, DiffOptions, IoFlags, SnapInfo};

const OP: &str = "export_diff";

/// How to write what is different in an image to a file, as `rbd export-diff` does.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let conn = rados::Conn::builder().default_config_file().connect()?;
/// # let pool = conn.ioctx("rbd")?;
/// let tuesday = rbd::OpenOptions::new().snapshot("tuesday").open(&pool, "disk1")?;
/// let file = std::io::BufWriter::new(std::fs::File::create_new("monday-to-tuesday")?);
/// let file = rbd::ExportDiff::new().from_snap("monday").export(&tuesday, file)?;
/// file.into_inner()?.sync_all()?;
/// # Ok(()) }
/// ```
#[doc(alias = "export-diff")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportDiff {
    from: Option<String>,
    whole_object: bool,
    format: DiffFormat,
    depth: usize,
}

impl Default for ExportDiff {
    fn default() -> Self {
        Self {
            from: None,
            whole_object: false,
            format: DiffFormat::V1,
            depth: DEPTH,
        }
    }
}

impl ExportDiff {
    /// All data, to the byte, in the first format.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only what is different from how it was in this snapshot.
    #[must_use]
    pub fn from_snap(mut self, name: impl Into<String>) -> Self {
        self.from = Some(name.into());
        self
    }

    /// Whole objects: see [`DiffOptions::whole_object`]. Faster to find, and more to write.
    #[must_use]
    pub fn whole_object(mut self) -> Self {
        self.whole_object = true;
        self
    }

    /// In which format.
    #[must_use]
    pub fn format(mut self, format: DiffFormat) -> Self {
        self.format = format;
        self
    }

    /// How many reads, of 4 MiB at most, are in flight at once: 16, unless this says otherwise; at least 1.
    #[must_use]
    pub fn depth(mut self, reads: usize) -> Self {
        self.depth = reads.max(1);
        self
    }

    /// Writes the differences of `image`, which is open at the snapshot that they lead to, or at its head, to
    /// `output`, which comes back flushed. A clone's file has what it has from its parent, too. Blocks.
    ///
    /// When it fails, none of its reads is in flight any more, and what has been written is of no use: it
    /// lacks the last record, which every reader wants.
    ///
    /// # Errors
    /// `NotFound` when there is no such snapshot, before anything is written, or one of the two has been removed or
    /// renamed meanwhile, before the last record is; `InvalidArgument` when it is
    /// newer than what it is compared with; what reading the image answers, with the offset in it; what
    /// writing answers, with the offset in the file.
    pub fn export<W: Write>(&self, image: &Image, output: W) -> Result<W> {
        self.export_with_progress(image, output, |_, _| ControlFlow::Continue(()))
    }

    /// As [`export`](Self::export), reporting how far in the image it has come and its size, in bytes, to
    /// `progress`, which runs on this thread and can break to stop.
    ///
    /// # Errors
    /// As [`export`](Self::export); `Canceled` when `progress` broke.
    pub fn export_with_progress<W: Write>(
        &self,
        image: &Image,
        output: W,
        progress: impl FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<W> {
        let (header, snaps) = self.header(image)?;
        let mut run = Run {
            image,
            size: header.size,
            writer: DiffWriter::new(output, self.format, &header)?,
            in_flight: VecDeque::new(),
            progress,
        };
        let result = run.all(self);
        for piece in run.in_flight {
            drop(piece.read.map(Completion::wait));
        }
        result?;
        still_there(image, &snaps)?;
        run.writer.finish()
    }

    /// What the file says of itself, and the snapshots that it is about.
    fn header(&self, image: &Image) -> Result<(DiffHeader, Vec<SnapInfo>)> {
        let mut header = DiffHeader::new(image.size()?);
        header.from_snap = self.from.clone();
        if let Some(to) = image.snapshot_name() {
            header = header.to_snap(to);
            header.protected = image.snap_is_protected(to)?;
        }
        let names = [&header.from_snap, &header.to_snap];
        let mut snaps = image.snap_list()?;
        snaps.retain(|snap| names.contains(&&Some(snap.name.clone())));
        // In an image without any size C would not look for it.
        if let Some(from) = &self.from
            && !snaps.iter().any(|snap| snap.name == *from)
        {
            return Err(gone(image, from));
        }
        Ok((header, snaps))
    }
}

/// Checks that the snapshots are still there: of one that has been removed some reads as zeros, and a handle that is
/// open for reading only does not notice.
fn still_there(image: &Image, snaps: &[SnapInfo]) -> Result<()> {
    if snaps.is_empty() {
        return Ok(());
    }
    let now = image.reopened()?.snap_list()?;
    let same = |snap: &SnapInfo| now.iter().any(|s| (s.id, &s.name) == (snap.id, &snap.name));
    match snaps.iter().find(|snap| !same(snap)) {
        Some(snap) => Err(gone(image, &snap.name)),
        None => Ok(()),
    }
}

#[cold]
fn gone(image: &Image, snapshot: &str) -> Error {
    let hint = format!("the image has no snapshot {snapshot:?}");
    Error::refused(OP, libc::ENOENT, hint).on(image.subject())
}

struct Run<'a, W, P> {
    image: &'a Image,
    size: u64,
    writer: DiffWriter<W>,
    /// In the order of the file.
    in_flight: VecDeque<Piece>,
    progress: P,
}

struct Piece {
    extent: DiffExtent,
    /// Where it has data.
    read: Option<Completion<(Result<usize>, Vec<u8>)>>,
}

impl<W: Write, P: FnMut(u64, u64) -> ControlFlow<()>> Run<'_, W, P> {
    fn all(&mut self, how: &ExportDiff) -> Result<()> {
        let mut options = DiffOptions::new().include_parent();
        if how.whole_object {
            options = options.whole_object();
        }
        for extent in self.image.diff(how.from.as_deref(), .., options) {
            let extent = extent?;
            let end = extent.offset + extent.len;
            let mut offset = extent.offset;
            while offset < end {
                let next = match extent.exists {
                    true => piece_end(offset, end),
                    false => end,
                };
                if self.in_flight.len() >= how.depth {
                    self.write_first()?;
                }
                self.start(DiffExtent {
                    offset,
                    len: next - offset,
                    exists: extent.exists,
                });
                offset = next;
            }
        }
        while !self.in_flight.is_empty() {
            self.write_first()?;
        }
        report(OP, &mut self.progress, self.size, self.size)
    }

    fn start(&mut self, extent: DiffExtent) {
        let read = extent.exists.then(|| {
            let buffer = Vec::with_capacity(extent.len as usize); // at most a piece
            self.image
                .aio_read_with(buffer, extent.offset, IoFlags::NO_CACHE)
        });
        self.in_flight.push_back(Piece { extent, read });
    }

    fn write_first(&mut self) -> Result<()> {
        let Some(Piece { extent, read }) = self.in_flight.pop_front() else {
            return Ok(());
        };
        let DiffExtent { offset, len, .. } = extent;
        let data = match read.map(Completion::wait) {
            None => Vec::new(),
            Some((read, data)) => {
                let located = |error: Error| error.hint(format!("at offset {offset}"));
                if (read.map_err(located)? as u64) < len {
                    let hint = format!("the image has become smaller than {}", offset + len);
                    return Err(Error::refused(OP, libc::EIO, hint).on(self.image.subject()));
                }
                data
            }
        };
        if is_zero(&data) {
            self.writer.zeros(offset, len)?;
        } else {
            self.writer.data(offset, &data)?;
        }
        report(OP, &mut self.progress, offset + len, self.size)
    }
}

impl Image {
    /// Writes what is different from how it was in the snapshot `from`, or all data, to `output`, as
    /// `rbd export-diff` does. See [`ExportDiff`] for more.
    ///
    /// # Errors
    /// As [`ExportDiff::export`].
    pub fn export_diff<W: Write>(&self, from: Option<&str>, output: W) -> Result<W> {
        let mut how = ExportDiff::new();
        how.from = from.map(str::to_owned);
        how.export(self, output)
    }
}
