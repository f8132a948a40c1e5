//! What is counted, in Prometheus' format.

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use crate::app::AppState;

/// The counters.
#[derive(Default)]
pub struct Metrics {
    registry: Registry,
}

pub fn router() -> Router<AppState> {
    Router::new().route("/metrics", get(show))
}

async fn show(State(app): State<AppState>) -> Response {
    let mut text = String::new();
    encode(&mut text, &app.metrics.registry).expect("a String takes everything");
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}
