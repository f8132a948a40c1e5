//! Reading a file of differences.

use std::io::{self, Read};

use rados::{Error, Result};

use super::PIECE;
use super::format::*;
use crate::DiffExtent;

const OP: &str = "read_diff";

/// Reads a file of differences, in either [`DiffFormat`].
///
/// It reads in small pieces: give it a [`BufReader`](io::BufReader) of a file. It does not read past the file's
/// last record, and takes memory only for what is asked for and is there, whatever the file says.
///
/// ```
/// # fn main() -> rbd::Result<()> {
/// # let header = rbd::DiffHeader::new(1 << 20);
/// # let file = rbd::DiffWriter::new(Vec::new(), rbd::DiffFormat::V1, &header)?.finish()?;
/// # let file = &file[..];
/// let mut diff = rbd::DiffReader::new(file)?;
/// println!("{:?}", diff.header());
/// while let Some(extent) = diff.next_extent()? {
///     println!("{extent:?}"); // and diff.read_data(..) where it has data
/// }
/// # Ok(()) }
/// ```
///
/// # Errors
/// Of all methods: `Io` with a [`DiffFileError`] as [`cause`](Error::cause) when the file is not as it should
/// be, or ends too early; else what reading answers, with the [`io::Error`] as cause. All calls after an error
/// fail.
#[derive(Debug)]
pub struct DiffReader<R> {
    input: Input<R>,
    format: DiffFormat,
    header: DiffHeader,
    /// A record whose start has been read: its type and where that stands.
    record: Option<(u8, u64)>,
    /// How much of the last extent's data has not been read.
    data: u64,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Open,
    Ended,
    Failed,
}

impl<R: Read> DiffReader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// As said above.
    pub fn new(input: R) -> Result<Self> {
        let mut input = Input { input, position: 0 };
        let banner = input.array::<12>()?;
        let format = [DiffFormat::V1, DiffFormat::V2]
            .into_iter()
            .find(|format| *format.banner() == banner)
            .ok_or_else(|| malformed(OP, 0, DiffProblem::Banner))?;
        let mut header = DiffHeader::default();
        let mut size = None;
        let mut seen = Vec::new();
        let record = loop {
            let (tag, at) = input.tag()?;
            if matches!(tag, DATA | ZEROS | END) {
                break (tag, at);
            }
            if seen.contains(&tag) {
                return Err(malformed(OP, at, DiffProblem::Record(tag)));
            }
            let len = input.record_len(format)?;
            match tag {
                FROM_SNAP => header.from_snap = Some(input.name(at, len)?),
                TO_SNAP => header.to_snap = Some(input.name(at, len)?),
                SIZE => {
                    is_len(len, 8, at)?;
                    size = Some(input.number()?);
                }
                PROTECTED if len.is_some() => {
                    // Ceph 16 says 8, but writes and reads one byte as well.
                    if len != Some(8) {
                        is_len(len, 1, at)?;
                    }
                    header.protected = input.array::<1>()? != [0];
                }
                _ => {
                    input.skip_unknown(tag, at, len)?;
                    continue;
                }
            }
            seen.push(tag);
        };
        header.size = size.ok_or_else(|| malformed(OP, record.1, DiffProblem::NoSize))?;
        Ok(Self {
            input,
            format,
            header,
            record: Some(record),
            data: 0,
            state: State::Open,
        })
    }

    /// What the file says of itself.
    pub fn header(&self) -> &DiffHeader {
        &self.header
    }

    /// Which format it has.
    pub fn format(&self) -> DiffFormat {
        self.format
    }

    /// How many bytes of the file have been read.
    pub fn position(&self) -> u64 {
        self.input.position
    }

    /// The next extent, or `None` after the last record. Data of the one before that has not been read is
    /// skipped.
    ///
    /// # Errors
    /// As said above.
    pub fn next_extent(&mut self) -> Result<Option<DiffExtent>> {
        self.guarded(Self::advance)
    }

    /// The next of the extent's data: `len` bytes, less if there is less, and nothing where it has no data.
    ///
    /// # Errors
    /// As said above.
    pub fn read_data(&mut self, len: usize) -> Result<Vec<u8>> {
        self.guarded(|reader| {
            let len = reader.data.min(len as u64);
            let data = reader.input.bytes(len as usize)?; // no more than was asked for
            reader.data -= len;
            Ok(data)
        })
    }

    /// Skips `len` bytes of the extent's data.
    pub(super) fn skip_data(&mut self, len: u64) -> Result<()> {
        self.guarded(|reader| {
            let len = reader.data.min(len);
            reader.input.skip(len)?;
            reader.data -= len;
            Ok(())
        })
    }

    /// What holds the rest: what comes after the last record, if that has been read.
    pub fn into_inner(self) -> R {
        self.input.input
    }

    /// Does not go on after an error.
    fn guarded<T>(&mut self, step: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.state == State::Failed {
            let hint = format!("an earlier read failed, at byte {}", self.position());
            return Err(Error::refused(OP, libc::EIO, hint));
        }
        let result = step(self);
        if result.is_err() {
            self.state = State::Failed;
        }
        result
    }

    fn advance(&mut self) -> Result<Option<DiffExtent>> {
        if self.state == State::Ended {
            return Ok(None);
        }
        let unread = std::mem::take(&mut self.data);
        self.input.skip(unread)?;
        loop {
            let (tag, at) = match self.record.take() {
                Some(record) => record,
                None => self.input.tag()?,
            };
            if tag == END {
                self.state = State::Ended;
                return Ok(None);
            }
            let record_len = self.input.record_len(self.format)?;
            if !matches!(tag, DATA | ZEROS) {
                self.input.skip_unknown(tag, at, record_len)?;
                continue;
            }
            let (offset, len) = (self.input.number()?, self.input.number()?);
            let size = self.header.size;
            if len == 0 || offset.checked_add(len).is_none_or(|end| end > size) {
                let problem = DiffProblem::Extent { offset, len, size };
                return Err(malformed(OP, at, problem));
            }
            let exists = tag == DATA;
            self.data = if exists { len } else { 0 };
            is_len(record_len, 16_u64.saturating_add(self.data), at)?;
            return Ok(Some(DiffExtent {
                offset,
                len,
                exists,
            }));
        }
    }
}

/// Checks the length of a record that is to have `right` bytes, and started at `at`.
fn is_len(len: Option<u64>, right: u64, at: u64) -> Result<()> {
    match len {
        Some(len) if len != right => Err(malformed(OP, at, DiffProblem::Length(len))),
        _ => Ok(()),
    }
}

/// The file, and how much of it has been read.
#[derive(Debug)]
struct Input<R> {
    input: R,
    position: u64,
}

impl<R: Read> Input<R> {
    /// `len` bytes. Memory for more than a piece is taken as they come, since the file may lie.
    fn bytes(&mut self, len: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(len.min(PIECE as usize));
        let part = self.input.by_ref().take(len as u64);
        let read = { part }.read_to_end(&mut bytes);
        self.position += bytes.len() as u64;
        read.map_err(|error| failed(OP, self.position, error))?;
        match bytes.len() == len {
            true => Ok(bytes),
            false => Err(malformed(OP, self.position, DiffProblem::Truncated)),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        let mut filled = 0;
        while filled < N {
            match self.input.read(&mut bytes[filled..]) {
                Ok(0) => return Err(malformed(OP, self.position, DiffProblem::Truncated)),
                Ok(read) => {
                    filled += read;
                    self.position += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(OP, self.position, error)),
            }
        }
        Ok(bytes)
    }

    fn number(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// A record's type, and where it stands.
    fn tag(&mut self) -> Result<(u8, u64)> {
        let at = self.position;
        let [tag] = self.array()?;
        Ok((tag, at))
    }

    /// How long the record is, if the format tells.
    fn record_len(&mut self, format: DiffFormat) -> Result<Option<u64>> {
        match format {
            DiffFormat::V1 => Ok(None),
            DiffFormat::V2 => self.number().map(Some),
        }
    }

    fn name(&mut self, at: u64, record_len: Option<u64>) -> Result<String> {
        let len = u32::from_le_bytes(self.array()?);
        is_len(record_len, 4 + u64::from(len), at)?;
        if !(1..=NAME_MAX).contains(&len) {
            return Err(malformed(OP, at, DiffProblem::Name));
        }
        let name = String::from_utf8(self.bytes(len as usize)?).ok();
        name.filter(|name| !name.contains('\0'))
            .ok_or_else(|| malformed(OP, at, DiffProblem::Name))
    }

    /// Skips a record that is not known, or has no business where it is.
    fn skip_unknown(&mut self, tag: u8, at: u64, len: Option<u64>) -> Result<()> {
        match len {
            Some(len) if !matches!(tag, FROM_SNAP | TO_SNAP | SIZE | PROTECTED) => self.skip(len),
            _ => Err(malformed(OP, at, DiffProblem::Record(tag))),
        }
    }

    fn skip(&mut self, len: u64) -> Result<()> {
        let skipped = io::copy(&mut self.input.by_ref().take(len), &mut io::sink())
            .map_err(|error| failed(OP, self.position, error))?;
        self.position += skipped;
        match skipped == len {
            true => Ok(()),
            false => Err(malformed(OP, self.position, DiffProblem::Truncated)),
        }
    }
}
