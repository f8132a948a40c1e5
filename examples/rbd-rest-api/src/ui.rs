//! The web page: a few files that are part of the program.

use axum::Router;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sha2::{Digest, Sha256};

use crate::app::AppState;
use crate::hex;

/// Path, type and content.
const FILES: [(&str, &str, &str); 4] = [
    (
        "/",
        "text/html; charset=utf-8",
        include_str!("../assets/index.html"),
    ),
    (
        "/app.js",
        "text/javascript; charset=utf-8",
        include_str!("../assets/app.js"),
    ),
    (
        "/favicon.svg",
        "image/svg+xml",
        include_str!("../assets/favicon.svg"),
    ),
    (
        "/style.css",
        "text/css; charset=utf-8",
        include_str!("../assets/style.css"),
    ),
];

/// The page needs nothing but itself and the API.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub fn router() -> Router<AppState> {
    FILES
        .into_iter()
        .fold(Router::new(), |router, (path, kind, content)| {
            let tag = HeaderValue::try_from(tag_of(content)).expect("a tag is ASCII");
            let answer = async move |headers: HeaderMap| answer(&headers, &tag, kind, content);
            router.route(path, get(answer))
        })
}

/// The file, unless the client has it.
fn answer(
    asked: &HeaderMap,
    tag: &HeaderValue,
    kind: &'static str,
    body: &'static str,
) -> Response {
    const COMMON: [(HeaderName, &str); 2] = [
        // It is to ask each time, which costs little: a new program has new files.
        (CACHE_CONTROL, "no-cache"),
        (CONTENT_SECURITY_POLICY, POLICY),
    ];
    let tagged = [(ETAG, tag.clone())];
    let known = asked.get(IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let same = |known: &str| known.trim().trim_start_matches("W/") == tag;
    match known.is_some_and(|tags| tags.trim() == "*" || tags.split(',').any(same)) {
        true => (StatusCode::NOT_MODIFIED, COMMON, tagged).into_response(),
        false => (COMMON, tagged, [(CONTENT_TYPE, kind)], body).into_response(),
    }
}

fn tag_of(content: &str) -> String {
    format!("\"{}\"", hex::encode(&Sha256::digest(content)[..12]))
}
