//! What a request may take: a short body, so much time, so many at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use bytes::BytesMut;
use futures_util::StreamExt;
use tokio::time;

use crate::app::AppState;
use crate::body::{self, Companion};
use crate::problem::{Problem, Result};

/// The longest body of a request that is not an upload.
const BODY: usize = 256 << 10;

/// How much of a longer one is read, so that the client gets to read why it is refused.
const SURPLUS: usize = 8 << 20;

/// How much longer than the deadline for the cluster a request may take altogether.
const MARGIN: Duration = Duration::from_secs(5);

/// A number that may not grow beyond a limit.
#[derive(Clone, Default)]
pub struct Gauge(Arc<AtomicU64>);

/// One of those that the number counts.
pub struct Counted(Gauge);

impl Gauge {
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn enter(&self, limit: u32) -> Result<Counted> {
        let counted = self.count();
        match self.get() <= u64::from(limit) {
            true => Ok(counted),
            false => {
                let detail = format!("{limit} of these are being answered already; try again");
                let status = StatusCode::TOO_MANY_REQUESTS;
                Err(Problem::new(status, "too-many-requests", detail))
            }
        }
    }

    /// Counts one, until the value is dropped.
    pub fn count(&self) -> Counted {
        self.0.fetch_add(1, Ordering::Relaxed);
        Counted(self.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Companion for Counted {}

/// How many requests are being answered.
#[derive(Clone, Default)]
pub struct Limits {
    pub requests: Gauge,
    pub streams: Gauge,
}

/// Around requests that are answered at once.
pub async fn request(
    State(app): State<AppState>,
    request: Request,
    next: Next,
) -> Result<Response> {
    let settings = app.settings.load();
    let _counted = app.limits.requests.enter(settings.max_requests)?;
    let (parts, body) = request.into_parts();
    let length = parts.headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
    let body = whole(body, length, settings.client_timeout).await?;
    let limit = settings.deadline + MARGIN;
    drop(settings);
    let answer = next.run(Request::from_parts(parts, Body::from(body)));
    let late = |_| Problem::no_answer(limit);
    time::timeout(limit, answer).await.map_err(late)
}

/// Around uploads, downloads and whatever else takes the time it takes.
pub async fn stream(State(app): State<AppState>, request: Request, next: Next) -> Result<Response> {
    let limit = app.settings.load().max_streams;
    let counted = app.limits.streams.enter(limit)?;
    Ok(body::accompany(next.run(request).await, counted))
}

/// The whole body, if it is short and comes in time.
async fn whole(body: Body, length: Option<usize>, limit: Duration) -> Result<Bytes> {
    let too_large = || {
        let detail = format!("the body has more than {BODY} bytes");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", detail)
    };
    if length.is_some_and(|length| length > SURPLUS) {
        return Err(too_large());
    }
    let mut stream = body.into_data_stream();
    let read = async {
        let (mut whole, mut size) = (BytesMut::new(), 0_usize);
        while let Some(piece) = stream.next().await {
            let piece = piece.map_err(|error| {
                let detail = format!("the body did not arrive: {error}");
                Problem::new(StatusCode::BAD_REQUEST, "bad-request", detail)
            })?;
            size += piece.len();
            if size <= BODY {
                whole.extend_from_slice(&piece);
            } else if size > SURPLUS {
                break;
            }
        }
        match size <= BODY {
            true => Ok(whole.freeze()),
            false => Err(too_large()),
        }
    };
    time::timeout(limit, read).await.unwrap_or_else(|_| {
        let detail = format!("the body has not arrived within {limit:?}");
        Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "request-timeout",
            detail,
        ))
    })
}
