//! `rbd merge-diff`.

use std::io::{Read, Write};

use rados::{Error, Result};

use super::format::{DiffProblem, malformed};
use super::{DiffFormat, DiffHeader, DiffReader, DiffWriter, PIECE};
use crate::DiffExtent;

const OP: &str = "merge_diff";

/// Makes one file of two that follow each other, as `rbd merge-diff` does: importing it does what importing
/// `first` and then `second` would do. `output`, of the first format, comes back flushed. Memory is constant.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::fs::File;
/// use std::io::{BufReader, BufWriter};
///
/// let open = |name| File::open(name).map(BufReader::new);
/// let merged = BufWriter::new(File::create_new("monday-to-wednesday")?);
/// let merged = rbd::merge_diff(open("monday-to-tuesday")?, open("tuesday-to-wednesday")?, merged)?;
/// merged.into_inner()?.sync_all()?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// `InvalidArgument` when `second` does not start from the snapshot that `first` leads to; as of
/// [`DiffReader`], also when extents are not in rising order, and of [`DiffWriter`].
#[doc(alias = "merge-diff")]
pub fn merge_diff<W: Write>(first: impl Read, second: impl Read, output: W) -> Result<W> {
    let mut first = Side::new(first, "in the first diff")?;
    let mut second = Side::new(second, "in the second diff")?;
    let (one, two) = (first.reader.header(), second.reader.header());
    if one.to_snap.is_none() || one.to_snap != two.from_snap {
        let hint = format!(
            "the first diff leads to the snapshot {:?}, the second starts from {:?}",
            one.to_snap, two.from_snap
        );
        return Err(Error::refused(OP, libc::EINVAL, hint));
    }
    let header = DiffHeader {
        from_snap: one.from_snap.clone(),
        ..two.clone()
    };
    let (grown_from, size) = (one.size, two.size);
    let mut writer = DiffWriter::new(output, DiffFormat::V1, &header)?;
    loop {
        first.advance(grown_from, size)?;
        second.advance(size, size)?;
        let next = second.extent.map_or(u64::MAX, |two| two.offset);
        if let Some(one) = first.extent.filter(|one| one.offset < next) {
            // As far as the second has nothing to say.
            first.copy(&mut writer, one.len.min(next - one.offset))?;
        } else if let Some(two) = second.extent {
            let end = two.offset + two.len;
            while let Some(hidden) = first.extent.filter(|one| one.offset < end) {
                first.skip(hidden.len.min(end - hidden.offset))?;
                first.advance(grown_from, size)?;
            }
            second.copy(&mut writer, two.len)?;
        } else {
            return writer.finish();
        }
    }
}

/// One of the two.
struct Side<R> {
    reader: DiffReader<R>,
    /// For errors.
    which: &'static str,
    /// What is left of the extent that is at hand.
    extent: Option<DiffExtent>,
    /// The end of the one before.
    end: u64,
    ended: bool,
}

impl<R: Read> Side<R> {
    fn new(input: R, which: &'static str) -> Result<Self> {
        let reader = DiffReader::new(input);
        Ok(Self {
            reader: reader.map_err(|error| error.hint(which))?,
            which,
            extent: None,
            end: 0,
            ended: false,
        })
    }

    /// Goes on to the next extent, if the last has been used up. The last of all is what the image grows by
    /// after it, from `grown_from` to `size`; what lies past that is left out.
    fn advance(&mut self, grown_from: u64, size: u64) -> Result<()> {
        while self.extent.is_none() && !self.ended {
            let at = self.reader.position();
            let next = self.reader.next_extent();
            let extent = match next.map_err(|error| error.hint(self.which))? {
                Some(extent) => extent,
                None => {
                    self.ended = true;
                    DiffExtent {
                        offset: grown_from,
                        len: size.saturating_sub(grown_from),
                        exists: false,
                    }
                }
            };
            if extent.offset < self.end {
                return Err(malformed(OP, at, DiffProblem::Order).hint(self.which));
            }
            self.end = extent.offset + extent.len;
            let len = self.end.min(size).saturating_sub(extent.offset);
            self.extent = (len > 0).then_some(DiffExtent { len, ..extent });
        }
        Ok(())
    }

    /// Writes the next `len` bytes of the extent as a record.
    fn copy<W: Write>(&mut self, writer: &mut DiffWriter<W>, len: u64) -> Result<()> {
        let Some(extent) = self.extent else {
            return Ok(());
        };
        if extent.exists {
            writer.start_data(extent.offset, len)?;
            let mut left = len;
            while left > 0 {
                let data = self.reader.read_data(left.min(PIECE) as usize);
                let data = data.map_err(|error| error.hint(self.which))?;
                writer.put(&data)?;
                left -= data.len() as u64;
            }
        } else {
            writer.zeros(extent.offset, len)?;
        }
        self.used(len);
        Ok(())
    }

    /// Leaves out the next `len` bytes of the extent.
    fn skip(&mut self, len: u64) -> Result<()> {
        let skipped = self.reader.skip_data(len);
        skipped.map_err(|error| error.hint(self.which))?;
        self.used(len);
        Ok(())
    }

    fn used(&mut self, len: u64) {
        self.extent = self.extent.and_then(|extent| {
            let rest = DiffExtent {
                offset: extent.offset + len,
                len: extent.len - len,
                ..extent
            };
            (rest.len > 0).then_some(rest)
        });
    }
}
