//! Reads in flight, whose results come in order.

use std::collections::VecDeque;
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rados::{Completion, Result};

use crate::IoFlags;
use crate::image::Image;
use crate::stream::Chunk;

/// Reads ahead in parts of an image.
#[derive(Debug)]
pub(crate) struct Reads {
    pub(crate) depth: usize,
    /// Reads end at multiples of it.
    pub(crate) chunk: u64,
    pub(crate) flags: IoFlags,
    /// What is still to be asked for.
    ranges: VecDeque<Range<u64>>,
    in_flight: VecDeque<Read>,
    position: u64,
}

#[derive(Debug)]
struct Read {
    offset: u64,
    len: usize,
    completion: Completion<(Result<usize>, Vec<u8>)>,
}

impl Reads {
    pub(crate) fn new(ranges: VecDeque<Range<u64>>, chunk: u64, depth: usize) -> Self {
        Self {
            depth,
            chunk,
            flags: IoFlags::empty(),
            position: ranges.front().map_or(0, |range| range.start),
            ranges,
            in_flight: VecDeque::new(),
        }
    }

    /// The end of what has been read, or where it failed.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The next chunk. After an error it ends.
    pub(crate) fn poll_next(
        &mut self,
        image: &Image,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Chunk>>> {
        loop {
            let filled = self.fill(image);
            let Some(first) = self.in_flight.front_mut() else {
                self.ranges.clear();
                return Poll::Ready(filled.err().map(Err));
            };
            let (read, mut data) = ready!(Pin::new(&mut first.completion).poll(context));
            let (offset, len) = (first.offset, first.len);
            self.in_flight.pop_front();
            self.position = offset;
            if let Err(error) = read {
                self.ranges.clear();
                self.in_flight.clear();
                let error = error.hint(format!("at offset {offset}"));
                return Poll::Ready(Some(Err(error)));
            }
            // While the caller looks at this one. Should it fail, it does so again.
            drop(self.fill(image));
            data.truncate(len);
            // Empty where the image has shrunk.
            if !data.is_empty() {
                self.position += data.len() as u64;
                return Poll::Ready(Some(Ok(Chunk { offset, data })));
            }
        }
    }

    /// Starts as many reads as may be in flight.
    fn fill(&mut self, image: &Image) -> Result<()> {
        while self.in_flight.len() < self.depth {
            let Some(range) = self.ranges.front_mut() else {
                return Ok(());
            };
            let end = range.end.min(image.checked_size()?);
            let offset = range.start;
            if offset >= end {
                self.ranges.pop_front();
                continue;
            }
            range.start = (offset / self.chunk + 1)
                .saturating_mul(self.chunk)
                .min(end);
            let len = (range.start - offset) as usize; // at most a chunk
            self.in_flight.push_back(Read {
                offset,
                len,
                completion: image.aio_read_with(Vec::with_capacity(len), offset, self.flags),
            });
        }
        Ok(())
    }
}
