//! Whether the service is alive, and whether the cluster answers it.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;

use crate::app::AppState;
use crate::problem::{Problem, Result};

/// How long the cluster may take to answer.
const DEADLINE: Duration = Duration::from_secs(3);

pub fn router() -> Router<AppState> {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
}

async fn ready(State(app): State<AppState>) -> Result<&'static str> {
    if *app.ending.borrow() {
        let (status, name) = (StatusCode::SERVICE_UNAVAILABLE, "ending");
        return Err(Problem::new(status, name, "the service is about to end"));
    }
    let deadline = DEADLINE.min(app.settings.load().deadline);
    let ask = app
        .ceph
        .call_within(deadline, |conn| Ok(conn.wait_for_latest_osdmap()?));
    ask.await.map(|()| "ok\n")
}
