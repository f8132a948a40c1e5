//! Writing a file of differences.

use std::io::Write;

use rados::{Error, Result};

use super::format::*;

const OP: &str = "write_diff";

/// Writes a file of differences, for [`DiffReader`](crate::DiffReader) or `rbd import-diff`.
///
/// It writes in small pieces: give it a [`BufWriter`](std::io::BufWriter) of a file.
///
/// # Errors
/// Of all methods: what writing answers, with the [`io::Error`](std::io::Error) as
/// [`cause`](Error::cause).
#[derive(Debug)]
pub struct DiffWriter<W> {
    output: W,
    position: u64,
    format: DiffFormat,
    size: u64,
}

impl<W: Write> DiffWriter<W> {
    /// Writes the header.
    ///
    /// # Errors
    /// As said above; `InvalidArgument` when a snapshot's name is empty, longer than 4096 bytes, or has a NUL
    /// byte.
    pub fn new(output: W, format: DiffFormat, header: &DiffHeader) -> Result<Self> {
        let mut writer = Self {
            output,
            position: 0,
            format,
            size: header.size,
        };
        let mut bytes = format.banner().to_vec();
        let names = [(FROM_SNAP, &header.from_snap), (TO_SNAP, &header.to_snap)];
        for (tag, name) in names {
            if let Some(name) = name {
                let len = u32::try_from(name.len()).unwrap_or(u32::MAX);
                if !(1..=NAME_MAX).contains(&len) || name.contains('\0') {
                    let hint = format!("{name:?} is no name of a snapshot");
                    return Err(Error::refused(OP, libc::EINVAL, hint));
                }
                writer.start(&mut bytes, tag, 4 + u64::from(len));
                bytes.extend(len.to_le_bytes());
                bytes.extend(name.as_bytes());
            }
        }
        if format == DiffFormat::V2 && header.to_snap.is_some() {
            writer.start(&mut bytes, PROTECTED, 1);
            bytes.push(header.protected.into());
        }
        writer.start(&mut bytes, SIZE, 8);
        bytes.extend(header.size.to_le_bytes());
        writer.put(&bytes)?;
        Ok(writer)
    }

    /// How many bytes of the file have been written.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Writes that the image has `data` at `offset`.
    ///
    /// # Errors
    /// As said above; `InvalidArgument` when that is nothing, or not inside the image.
    pub fn data(&mut self, offset: u64, data: &[u8]) -> Result<()> {
        self.start_data(offset, data.len() as u64)?;
        self.put(data)
    }

    /// Writes that `len` bytes of the image from `offset` on are zeros.
    ///
    /// # Errors
    /// As of [`data`](Self::data).
    pub fn zeros(&mut self, offset: u64, len: u64) -> Result<()> {
        self.extent(ZEROS, offset, len, 0)
    }

    /// Writes the last record, and flushes.
    ///
    /// # Errors
    /// As said above.
    pub fn finish(mut self) -> Result<W> {
        self.put(&[END])?;
        let flushed = self.output.flush();
        flushed.map_err(|error| failed(OP, self.position, error))?;
        Ok(self.output)
    }

    /// Starts an extent whose data is put after it.
    pub(super) fn start_data(&mut self, offset: u64, len: u64) -> Result<()> {
        self.extent(DATA, offset, len, len)
    }

    fn extent(&mut self, tag: u8, offset: u64, len: u64, data: u64) -> Result<()> {
        let size = self.size;
        if len == 0 || offset.checked_add(len).is_none_or(|end| end > size) {
            let hint = format!("{len} bytes at {offset} are no part of an image of {size} bytes");
            return Err(Error::refused(OP, libc::EINVAL, hint));
        }
        let mut bytes = Vec::with_capacity(25);
        self.start(&mut bytes, tag, 16_u64.saturating_add(data));
        bytes.extend(offset.to_le_bytes());
        bytes.extend(len.to_le_bytes());
        self.put(&bytes)
    }

    /// Starts a record.
    fn start(&self, bytes: &mut Vec<u8>, tag: u8, len: u64) {
        bytes.push(tag);
        if self.format == DiffFormat::V2 {
            bytes.extend(len.to_le_bytes());
        }
    }

    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.output.write_all(bytes);
        written.map_err(|error| failed(OP, self.position, error))?;
        self.position += bytes.len() as u64;
        Ok(())
    }
}
