//! Around every request: its number, the log, what is counted, and the headers of every answer.

use std::time::{Instant, SystemTime};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use tracing::{Instrument, Span};

use crate::app::AppState;
use crate::auth::Caller;
use crate::body::{self, Companion};
use crate::limits::Counted;
use crate::listener::Peer;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What the page and the documentation need, and nothing from elsewhere.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
);

/// The outermost of all.
pub async fn observe(State(app): State<AppState>, mut request: Request, next: Next) -> Response {
    let start = Instant::now();
    let id = id_of(request.headers());
    let path = request.extensions().get::<MatchedPath>();
    let path = path.map_or("-", MatchedPath::as_str).to_owned();
    let method = name_of(request.method());
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
    let span = tracing::info_span!("request", id = id.to_str().unwrap_or_default());
    request.headers_mut().insert(REQUEST_ID, id.clone());
    let in_flight = app.metrics.in_flight.count();

    let mut response = next.run(request).instrument(span.clone()).await;

    let status = response.status();
    let latency = start.elapsed();
    app.metrics
        .answered(method, &path, status, latency.as_secs_f64());
    let api = path.starts_with("/api/");
    dress(response.headers_mut(), id, api);
    if *app.ending.borrow() {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    let caller = response.extensions_mut().remove::<Caller>();
    let entry = Entry {
        span,
        method,
        path,
        status,
        caller,
        client: peer.map(|ip| ip.to_string()),
        start,
        bytes: 0,
        complete: false,
        _in_flight: in_flight,
    };
    body::accompany(response, entry)
}

/// The client's number for the request if it can be logged as it is, else one of ours.
fn id_of(headers: &HeaderMap) -> HeaderValue {
    let sane = |id: &&HeaderValue| {
        let plain = |c: &u8| c.is_ascii_alphanumeric() || b"-_.".contains(c);
        (1..=64).contains(&id.len()) && id.as_bytes().iter().all(plain)
    };
    let given = headers.get(REQUEST_ID).filter(sane).cloned();
    given.unwrap_or_else(|| new_id().try_into().expect("it has only digits and letters"))
}

/// The method, or one name for all that HTTP does not have.
fn name_of(method: &Method) -> &'static str {
    const KNOWN: [Method; 9] = [
        Method::CONNECT,
        Method::DELETE,
        Method::GET,
        Method::HEAD,
        Method::OPTIONS,
        Method::PATCH,
        Method::POST,
        Method::PUT,
        Method::TRACE,
    ];
    const NAMES: [&str; 9] = [
        "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE",
    ];
    let known = KNOWN.iter().position(|known| known == method);
    known.map_or("other", |n| NAMES[n])
}

fn dress(headers: &mut HeaderMap, id: HeaderValue, api: bool) {
    headers.insert(REQUEST_ID, id);
    let fixed = HeaderValue::from_static;
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, fixed("nosniff"));
    headers.insert(header::REFERRER_POLICY, fixed("no-referrer"));
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(CONTENT_SECURITY_POLICY);
    if api {
        headers.insert(header::CACHE_CONTROL, fixed("no-store"));
    }
}

/// A line of the log, written when the body has been sent or given up. It never has the query, or a header.
struct Entry {
    span: Span,
    method: &'static str,
    path: String,
    status: StatusCode,
    caller: Option<Caller>,
    client: Option<String>,
    start: Instant,
    bytes: usize,
    complete: bool,
    _in_flight: Counted,
}

impl Companion for Entry {
    fn sent(&mut self, bytes: usize) {
        self.bytes += bytes;
    }

    fn complete(&mut self) {
        self.complete = true;
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        tracing::info!(
            parent: &self.span,
            method = self.method,
            path = self.path,
            status = self.status.as_u16(),
            ms = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX),
            bytes = self.bytes,
            complete = self.complete,
            caller = self.caller.as_ref().map(|caller| &*caller.name),
            client = self.client,
            "answered"
        );
    }
}

/// Unique among all processes: when, and at random.
fn new_id() -> String {
    use std::hash::{BuildHasher, RandomState};
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    let random = RandomState::new().hash_one(now.as_nanos());
    format!("{:011x}{random:016x}", now.as_millis())
}
