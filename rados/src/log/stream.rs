//! The cluster's log as a stream.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::{LogEvent, LogStream};

impl Stream for LogStream {
    type Item = LogEvent;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<LogEvent>> {
        self.get_mut().poll_recv(context).map(Some)
    }
}
