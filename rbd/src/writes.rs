//! Writes in flight.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rados::{Completion, Result};

use crate::image::Image;

/// Writes that have been started and not yet been looked at, in the order in which they were started.
#[derive(Debug)]
pub(crate) struct Writes {
    in_flight: VecDeque<Write>,
    /// The first write that failed.
    failed: Option<u64>,
    flush: Option<Completion<Result<()>>>,
}

#[derive(Debug)]
struct Write {
    offset: u64,
    completion: Completion<Result<()>>,
}

impl Writes {
    pub(crate) fn new() -> Self {
        Self {
            in_flight: VecDeque::new(),
            failed: None,
            flush: None,
        }
    }

    /// The offset of the first write that failed.
    pub(crate) fn failed(&self) -> Option<u64> {
        self.failed
    }

    /// The offset of the oldest write in flight.
    pub(crate) fn oldest(&self) -> Option<u64> {
        self.in_flight.front().map(|write| write.offset)
    }

    /// Adds a write that has been started.
    pub(crate) fn push(&mut self, offset: u64, completion: Completion<Result<()>>) {
        self.flush = None; // it would not be about this one
        self.in_flight.push_back(Write { offset, completion });
    }

    /// Waits until fewer than `limit` are in flight; says what a write failed with, each once.
    pub(crate) fn poll_fewer(
        &mut self,
        limit: usize,
        context: &mut Context<'_>,
    ) -> Poll<Result<()>> {
        while let Some(first) = self.in_flight.front_mut() {
            let Poll::Ready(written) = Pin::new(&mut first.completion).poll(context) else {
                if self.in_flight.len() < limit {
                    break;
                }
                return Poll::Pending;
            };
            let offset = first.offset;
            self.in_flight.pop_front();
            if let Err(error) = written {
                self.failed.get_or_insert(offset);
                return Poll::Ready(Err(error.hint(format!("at offset {offset}"))));
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Waits for all, and makes them durable.
    pub(crate) fn poll_flush(
        &mut self,
        image: &Image,
        context: &mut Context<'_>,
    ) -> Poll<Result<()>> {
        ready!(self.poll_fewer(1, context))?;
        let flush = self.flush.get_or_insert_with(|| image.aio_flush());
        let flushed = ready!(Pin::new(flush).poll(context));
        self.flush = None;
        Poll::Ready(flushed)
    }
}
