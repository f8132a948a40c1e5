//! What a request that failed is answered: problem documents (RFC 9457).

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rados::ErrorKind;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// After how long a client may try again what failed for want of the cluster.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");

/// Why a request failed.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
pub struct Problem {
    /// Which kind of problem it is.
    #[serde(rename = "type")]
    #[schema(example = "urn:rbd-rest-api:problem:not-found")]
    type_uri: String,
    /// The kind, in words.
    #[schema(example = "not found")]
    title: String,
    /// The HTTP status.
    #[schema(example = 404)]
    status: u16,
    /// What failed and why.
    #[schema(example = "rbd_open rbd/disk1: not found (ENOENT 2)")]
    detail: String,
    /// The system's error number that Ceph answered, if it was Ceph.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 2)]
    errno: Option<i32>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "ENOENT")]
    errno_name: Option<Box<str>>,
    /// The function of Ceph's that answered it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "rbd_open")]
    operation: Option<Box<str>>,
    #[serde(skip)]
    kind: Option<ErrorKind>,
    /// It may come right by itself, though its status does not say so.
    #[serde(skip)]
    passing: bool,
}

/// What functions of requests answer.
pub type Result<T, E = Problem> = std::result::Result<T, E>;

impl Problem {
    /// A problem of the service's own; `name` tells it from others of that status.
    pub fn new(status: StatusCode, name: &str, detail: impl Into<String>) -> Self {
        Self {
            type_uri: format!("urn:rbd-rest-api:problem:{name}"),
            title: name.replace('-', " "),
            status: status.as_u16(),
            detail: detail.into(),
            errno: None,
            errno_name: None,
            operation: None,
            kind: None,
            passing: false,
        }
    }

    /// Something in the request is not as it must be.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-request", detail)
    }

    /// There is no such thing.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", detail)
    }

    /// It cannot be done as things are.
    pub fn conflict(name: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, name, detail)
    }

    /// Another request is about to do it.
    pub fn in_progress(detail: impl Into<String>) -> Self {
        Self {
            passing: true,
            ..Self::conflict("in-progress", detail)
        }
    }

    /// What is asked for is not begun any more.
    pub fn ending() -> Self {
        let detail = "the service is ending; another may do it";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "ending", detail)
    }

    /// A call has gone on for so long that it will not end.
    pub fn stuck(since: Duration) -> Self {
        let detail = format!("a call to the cluster has not ended for {since:.0?}");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "stuck", detail)
    }

    /// Somebody wanted it to stop, and it did before it had begun.
    pub fn canceled() -> Self {
        Self {
            kind: Some(ErrorKind::Canceled),
            ..Self::conflict("canceled", "it was canceled before it had begun")
        }
    }

    /// Whether what was to be done stopped since somebody wanted that.
    pub fn is_canceled(&self) -> bool {
        self.kind == Some(ErrorKind::Canceled)
    }

    /// Nobody goes on with an operation.
    pub fn service_ended() -> Self {
        let detail =
            "the service that ran it has ended, or is cut off; part of it may have been done";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "service-ended", detail)
    }

    /// There is no connection to the cluster.
    pub fn not_connected(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "not-connected", detail)
    }

    /// The cluster has not answered.
    pub fn no_answer(deadline: Duration) -> Self {
        let detail = format!(
            "the cluster has not answered within {deadline:?}; what was asked for may still be done"
        );
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "no-answer", detail)
    }

    /// The same, with more in its text.
    #[must_use]
    pub fn with(mut self, more: impl std::fmt::Display) -> Self {
        self.detail = format!("{}; {more}", self.detail);
        self
    }

    /// What failed and why.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The library's kind, if it was the library that failed.
    pub fn kind(&self) -> Option<ErrorKind> {
        self.kind
    }
}

/// The status for a kind of error, and a name for it.
fn status_of(kind: ErrorKind) -> (StatusCode, &'static str) {
    use StatusCode as S;
    match kind {
        ErrorKind::NotFound | ErrorKind::NoData => (S::NOT_FOUND, "not-found"),
        ErrorKind::AlreadyExists => (S::CONFLICT, "already-exists"),
        ErrorKind::Busy => (S::CONFLICT, "busy"),
        ErrorKind::NotEmpty => (S::CONFLICT, "not-empty"),
        ErrorKind::ReadOnly => (S::CONFLICT, "read-only"),
        ErrorKind::Canceled => (S::CONFLICT, "canceled"),
        ErrorKind::Mismatch => (S::CONFLICT, "mismatch"),
        // Somebody else moved, renamed or removed the image meanwhile.
        ErrorKind::Stale => (S::CONFLICT, "stale"),
        ErrorKind::PermissionDenied => (S::FORBIDDEN, "permission-denied"),
        ErrorKind::OutOfDomain => (S::UNPROCESSABLE_ENTITY, "out-of-domain"),
        ErrorKind::InvalidArgument => (S::UNPROCESSABLE_ENTITY, "invalid-argument"),
        ErrorKind::OutOfRange => (S::UNPROCESSABLE_ENTITY, "out-of-range"),
        ErrorKind::NameTooLong => (S::UNPROCESSABLE_ENTITY, "name-too-long"),
        ErrorKind::TooBig => (S::UNPROCESSABLE_ENTITY, "too-big"),
        ErrorKind::TimedOut => (S::SERVICE_UNAVAILABLE, "no-answer"),
        ErrorKind::TryAgain => (S::SERVICE_UNAVAILABLE, "try-again"),
        ErrorKind::NotConnected | ErrorKind::Blocklisted | ErrorKind::Network => {
            (S::SERVICE_UNAVAILABLE, "not-connected")
        }
        ErrorKind::NoSpace => (S::INSUFFICIENT_STORAGE, "no-space"),
        ErrorKind::QuotaExceeded => (S::INSUFFICIENT_STORAGE, "quota-exceeded"),
        ErrorKind::Unsupported => (S::NOT_IMPLEMENTED, "unsupported"),
        _ => (S::INTERNAL_SERVER_ERROR, "internal-error"),
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl From<rados::Error> for Problem {
    fn from(error: rados::Error) -> Self {
        let (status, name) = match error.errno().name() {
            // Of an image that is in a group.
            Some("EMLINK") => (StatusCode::CONFLICT, "busy"),
            _ => status_of(error.kind()),
        };
        Self {
            title: error.kind().to_string(),
            errno: Some(error.errno().raw()),
            errno_name: error.errno().name().map(Box::from),
            operation: Some(error.operation().into()),
            kind: Some(error.kind()),
            ..Self::new(status, name, error.to_string())
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        if status.is_server_error() {
            tracing::warn!(status = self.status, "{}", self.detail);
        }
        let unavailable = [
            StatusCode::SERVICE_UNAVAILABLE,
            StatusCode::TOO_MANY_REQUESTS,
        ];
        let again = self.passing || unavailable.contains(&status);
        let mut response = (status, axum::Json(self)).into_response();
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, kind);
        if again {
            headers.insert(header::RETRY_AFTER, RETRY_AFTER);
        }
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            headers.insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

/// The answers that any request may get, for the OpenAPI document.
pub struct Problems;

impl utoipa::IntoResponses for Problems {
    fn responses() -> std::collections::BTreeMap<
        String,
        utoipa::openapi::RefOr<utoipa::openapi::response::Response>,
    > {
        use utoipa::openapi::{ContentBuilder, Ref, ResponseBuilder};
        const TEXTS: [(u16, &str); 15] = [
            (400, "Not a request of HTTP, or its parts cannot be read"),
            (401, "No token, or one that is not known"),
            (
                403,
                "The token, or the service's Ceph user, is not allowed to",
            ),
            (404, "There is no such thing"),
            (405, "Not this method"),
            (408, "The request took too long to arrive"),
            (409, "It cannot be done as things are"),
            (413, "The body is too large"),
            (415, "The body is not JSON"),
            (422, "Something in the request is not as it must be"),
            (429, "Too many requests at once"),
            (500, "A fault of the service"),
            (501, "The cluster or its library cannot do this"),
            (503, "The cluster does not answer"),
            (507, "The cluster, the pool or the image is full"),
        ];
        let schema = Ref::from_schema_name("Problem");
        let content = ContentBuilder::new().schema(Some(schema)).build();
        TEXTS
            .into_iter()
            .map(|(status, text)| {
                let response = ResponseBuilder::new()
                    .description(text)
                    .content("application/problem+json", content.clone());
                (status.to_string(), response.build().into())
            })
            .collect()
    }
}

/// What axum's own extractors refuse.
pub fn rejected(status: StatusCode, text: impl Into<Cow<'static, str>>) -> Problem {
    let name = match status {
        StatusCode::PAYLOAD_TOO_LARGE => "body-too-large",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "unsupported-media-type",
        StatusCode::BAD_REQUEST => "bad-request",
        _ => "invalid-request",
    };
    Problem::new(status, name, text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_keeps_its_errno_and_gets_its_status() {
        let error = rados::Error::refused("rbd_create4", 33, "the order must be in 12..=25");
        let problem = Problem::from(error);
        assert_eq!(problem.status(), StatusCode::UNPROCESSABLE_ENTITY);
        let json = serde_json::to_value(&problem).unwrap();
        assert_eq!(json["type"], "urn:rbd-rest-api:problem:out-of-domain");
        assert_eq!(json["errno"], 33);
        assert_eq!(json["errno_name"], "EDOM");
        assert!(json["detail"].as_str().unwrap().contains("12..=25"));
    }

    #[test]
    fn only_what_may_come_right_is_to_be_tried_again() {
        let response = Problem::not_connected("x").into_response();
        assert!(response.headers().contains_key(header::RETRY_AFTER));
        let response = Problem::in_progress("x").into_response();
        assert!(response.headers().contains_key(header::RETRY_AFTER));
        let response = Problem::not_found("x").into_response();
        assert!(!response.headers().contains_key(header::RETRY_AFTER));
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "application/problem+json"
        );
    }
}
