//! `rbd import-diff`.

use std::collections::VecDeque;
use std::io::Read;
use std::ops::{ControlFlow, Range};

use rados::{Completion, Error, Result};

use super::{DEPTH, DiffHeader, DiffReader, is_zero, piece_end, report};
use crate::image::Image;
use crate::{DiffExtent, IoFlags, Shrink};

const OP: &str = "import_diff";

/// How many bytes are zeroed at once, at most.
#[cfg(feature = "write-zeroes")]
const ZEROED: u64 = 256 << 20;

/// How to apply a file of differences to an image, as `rbd import-diff` does.
///
/// ```no_run
/// # fn f(copy: rbd::Image) -> Result<(), Box<dyn std::error::Error>> {
/// let file = std::io::BufReader::new(std::fs::File::open("monday-to-tuesday")?);
/// rbd::ImportDiff::new().import(&copy, file)?;
/// # Ok(()) }
/// ```
#[doc(alias = "import-diff")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportDiff {
    shrink: Shrink,
    sparse_size: usize,
    depth: usize,
}

impl Default for ImportDiff {
    fn default() -> Self {
        Self {
            shrink: Shrink::Deny,
            sparse_size: 4096,
            depth: DEPTH,
        }
    }
}

impl ImportDiff {
    /// Refuses to make the image smaller.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the file may make the image smaller, which destroys what lies past the new end.
    #[must_use]
    pub fn shrink(mut self, shrink: Shrink) -> Self {
        self.shrink = shrink;
        self
    }

    /// Blocks of so many bytes that are zeros are not written but zeroed, which takes no space: 4096, unless
    /// this says otherwise; at least 512.
    #[must_use]
    pub fn sparse_size(mut self, bytes: usize) -> Self {
        self.sparse_size = bytes.max(512);
        self
    }

    /// How many writes, of 4 MiB at most, are in flight at once: 16, unless this says otherwise; at least 1.
    #[must_use]
    pub fn depth(mut self, writes: usize) -> Self {
        self.depth = writes.max(1);
        self
    }

    /// Applies the differences that `input` has to `image`, and takes the snapshot that they lead to. Answers
    /// what the file says of itself. Blocks.
    ///
    /// The image must be as it was in the snapshot that the file starts from: that this exists is checked,
    /// that nothing has been written since is not. When it fails while it writes, the image has some of the
    /// changes and no new snapshot; importing the same file once more completes it, and
    /// [`snap_rollback`](Image::snap_rollback) takes it back. None of its writes is in flight any more then.
    ///
    /// # Errors
    /// Before anything is changed: `NotFound` when the image does not have the snapshot that the file starts
    /// from, `AlreadyExists` when it has the one that it leads to, `InvalidArgument` when it would shrink and
    /// may not, `Io` when the file is none of this kind. Later: as of [`DiffReader`], and what resizing,
    /// writing and snapshots answer, with how far it has come.
    pub fn import<R: Read>(&self, image: &Image, input: R) -> Result<DiffHeader> {
        self.import_with_progress(image, input, |_, _| ControlFlow::Continue(()))
    }

    /// As [`import`](Self::import), reporting how far in the image it has come and its new size, in bytes, to
    /// `progress`, which runs on this thread and can break to stop.
    ///
    /// # Errors
    /// As [`import`](Self::import); `Canceled` when `progress` broke.
    pub fn import_with_progress<R: Read>(
        &self,
        image: &Image,
        input: R,
        progress: impl FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<DiffHeader> {
        let mut reader = DiffReader::new(input).map_err(|error| error.on(image.subject()))?;
        self.check(image, reader.header())?;
        let mut writes = Writes {
            image,
            depth: self.depth,
            in_flight: VecDeque::new(),
        };
        let result = self.apply(&mut writes, &mut reader, progress);
        for (_, write) in writes.in_flight {
            drop(write.wait());
        }
        match result {
            Ok(()) => Ok(reader.header().clone()),
            Err(error) => Err(error.on(image.subject()).hint(format!(
                "{} bytes of the diff had been read, and the image may have part of its changes",
                reader.position()
            ))),
        }
    }

    /// Refuses what could only be done in part.
    fn check(&self, image: &Image, header: &DiffHeader) -> Result<()> {
        let refused = |errno, hint| Err(Error::refused(OP, errno, hint).on(image.subject()));
        let snaps = image.snap_list()?;
        let has = |name: &String| snaps.iter().any(|snap| snap.name == *name);
        if let Some(from) = header.from_snap.as_ref().filter(|name| !has(name)) {
            let hint = format!("the diff starts from the snapshot {from:?}, which is not there");
            return refused(libc::ENOENT, hint);
        }
        if let Some(to) = header.to_snap.as_ref().filter(|name| has(name)) {
            let hint = format!("the diff leads to the snapshot {to:?}, which is there already");
            return refused(libc::EEXIST, hint);
        }
        let (now, then) = (image.size()?, header.size);
        if then < now && self.shrink == Shrink::Deny {
            let hint = format!(
                "the diff makes the image smaller, from {now} to {then} bytes: Shrink::Allow?"
            );
            return refused(libc::EINVAL, hint);
        }
        Ok(())
    }

    fn apply<R: Read>(
        &self,
        writes: &mut Writes<'_>,
        reader: &mut DiffReader<R>,
        mut progress: impl FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<()> {
        let image = writes.image;
        let size = reader.header().size;
        if image.size()? != size {
            image.resize(size, self.shrink)?;
        }
        let mut furthest = 0;
        while let Some(extent) = reader.next_extent()? {
            let end = extent.offset + extent.len;
            if extent.offset < furthest {
                // Writes may overtake each other, and it may overlap one.
                writes.finish()?;
            }
            furthest = furthest.max(end);
            match extent.exists {
                true => self.data(writes, reader, extent)?,
                false => writes.zeros(extent.offset, end)?,
            }
            report(OP, &mut progress, end, size)?;
        }
        writes.finish()?;
        image.flush()?;
        report(OP, &mut progress, size, size)?;
        let header = reader.header();
        if let Some(to) = &header.to_snap {
            image.snap_create(to)?;
            if header.protected {
                image.snap_protect(to)?;
            }
        }
        Ok(())
    }

    fn data<R: Read>(
        &self,
        writes: &mut Writes<'_>,
        reader: &mut DiffReader<R>,
        extent: DiffExtent,
    ) -> Result<()> {
        let end = extent.offset + extent.len;
        let mut offset = extent.offset;
        while offset < end {
            let next = piece_end(offset, end);
            let data = reader.read_data((next - offset) as usize)?;
            match runs(&data, self.sparse_size)[..] {
                [(_, true)] => writes.data(offset, data)?,
                ref runs => {
                    for (run, exists) in runs {
                        let start = offset + run.start as u64;
                        match exists {
                            true => writes.data(start, data[run.clone()].to_vec())?,
                            false => writes.zeros(start, offset + run.end as u64)?,
                        }
                    }
                }
            }
            offset = next;
        }
        Ok(())
    }
}

/// The parts of `data`, and whether they are more than blocks of zeros.
fn runs(data: &[u8], block: usize) -> Vec<(Range<usize>, bool)> {
    let mut runs = Vec::<(Range<usize>, bool)>::new();
    let mut start = 0;
    for block in data.chunks(block) {
        let (end, exists) = (start + block.len(), !is_zero(block));
        match runs.last_mut() {
            Some((last, same)) if *same == exists => last.end = end,
            _ => runs.push((start..end, exists)),
        }
        start = end;
    }
    runs
}

/// Writes in flight, oldest first, and where they are.
struct Writes<'a> {
    image: &'a Image,
    depth: usize,
    in_flight: VecDeque<(u64, Completion<Result<()>>)>,
}

impl Writes<'_> {
    fn data(&mut self, offset: u64, data: Vec<u8>) -> Result<()> {
        self.fewer_than(self.depth)?;
        let write = self.image.write_and_drop(data, offset, IoFlags::NO_CACHE);
        self.in_flight.push_back((offset, write));
        Ok(())
    }

    fn zeros(&mut self, mut offset: u64, end: u64) -> Result<()> {
        #[cfg(feature = "write-zeroes")]
        if crate::ffi::rbd_aio_write_zeroes.get().is_some() {
            while offset < end {
                let next = (offset / ZEROED + 1).saturating_mul(ZEROED).min(end);
                self.fewer_than(self.depth)?;
                let write = self.image.aio_write_zeroes(offset, next - offset);
                self.in_flight.push_back((offset, write));
                offset = next;
            }
            return Ok(());
        }
        // A discard would leave parts of objects as they are.
        while offset < end {
            let next = piece_end(offset, end);
            self.data(offset, vec![0; (next - offset) as usize])?;
            offset = next;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.fewer_than(1)
    }

    /// Waits until fewer than `limit` are in flight.
    fn fewer_than(&mut self, limit: usize) -> Result<()> {
        while self.in_flight.len() >= limit {
            let Some((offset, write)) = self.in_flight.pop_front() else {
                break;
            };
            write
                .wait()
                .map_err(|error| error.hint(format!("at offset {offset}")))?;
        }
        Ok(())
    }
}

impl Image {
    /// Applies the differences that `input` has, and takes the snapshot that they lead to, as
    /// `rbd import-diff` does. See [`ImportDiff`] for more.
    ///
    /// # Errors
    /// As [`ImportDiff::import`].
    pub fn import_diff<R: Read>(&self, input: R) -> Result<DiffHeader> {
        ImportDiff::new().import(self, input)
    }
}
