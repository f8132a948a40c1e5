//! Small bodies are read before anything is answered.
//!
//! Where a request is refused for its token, path or header, its body may still be on its way; hyper then ends the
//! connection, and a client that is still writing, or writes its next request, gets an error in place of the answer.

use std::time::Duration;

use axum::body::{self, Body};
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use tokio::time;

use crate::problem::{Problem, Result};

/// The largest that are.
const SMALL: usize = 16 << 10;

/// How long they may take to arrive.
const WITHIN: Duration = Duration::from_secs(10);

/// Reads the body, if it says that it is small.
pub async fn read(request: Request, next: Next) -> Result<Response> {
    let len = request.headers().get(header::CONTENT_LENGTH);
    let len = len.and_then(|len| len.to_str().ok()?.parse().ok());
    if !len.is_some_and(|len: usize| (1..=SMALL).contains(&len)) {
        return Ok(next.run(request).await);
    }
    let (parts, body) = request.into_parts();
    let read = time::timeout(WITHIN, body::to_bytes(body, SMALL)).await;
    let read = read.map_err(|_| {
        let detail = format!("the body has not arrived within {WITHIN:?}");
        Problem::new(StatusCode::REQUEST_TIMEOUT, "body-too-slow", detail)
    })?;
    let bytes = read.map_err(|error| {
        let detail = format!("the body cannot be read: {error}");
        Problem::new(StatusCode::BAD_REQUEST, "bad-request", detail)
    })?;
    let request = Request::from_parts(parts, Body::from(bytes));
    Ok(next.run(request).await)
}
