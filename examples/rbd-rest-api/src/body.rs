//! A body that somebody accompanies until it has been sent, or given up.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, HttpBody};
use axum::response::Response;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

/// What goes with a body, and is dropped with it.
pub trait Companion: Send + Unpin + 'static {
    /// So many more bytes go out.
    fn sent(&mut self, _bytes: usize) {}
    /// That was all.
    fn complete(&mut self) {}
}

struct Accompanied<C> {
    body: Body,
    companion: C,
}

/// The answer, with somebody to accompany its body.
pub fn accompany(response: Response, mut companion: impl Companion) -> Response {
    response.map(|body| {
        if body.is_end_stream() {
            companion.complete();
        }
        Body::new(Accompanied { body, companion })
    })
}

impl<C: Companion> HttpBody for Accompanied<C> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                self.companion.sent(bytes);
                if self.body.is_end_stream() {
                    self.companion.complete();
                }
            }
            Some(Err(_)) => {}
            None => self.companion.complete(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
