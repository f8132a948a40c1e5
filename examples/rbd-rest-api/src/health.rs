//! Whether the service is alive, and whether the cluster answers it.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::get;

use crate::app::AppState;
use crate::problem::{Problem, Result};

/// How long the cluster may take to answer.
const DEADLINE: Duration = Duration::from_secs(3);

/// How many times as long as Ceph's timeout a call may take.
const PATIENCE: u32 = 10;

pub fn router() -> Router<AppState> {
    Router::new()
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
}

/// Whether a new process would fare better: not when the cluster is away, but when a call of Ceph's never ends.
async fn alive(State(app): State<AppState>) -> Result<&'static str> {
    let oldest = app.ceph.stat().oldest;
    match oldest > app.settings.load().ceph_timeout * PATIENCE {
        true => Err(Problem::stuck(oldest)),
        false => Ok("ok\n"),
    }
}

async fn ready(State(app): State<AppState>) -> Result<&'static str> {
    if *app.ending.borrow() {
        return Err(Problem::ending());
    }
    let deadline = DEADLINE.min(app.settings.load().deadline);
    let ask = app
        .ceph
        .call_within(deadline, |conn| Ok(conn.wait_for_latest_osdmap()?));
    ask.await.map(|()| "ok\n")
}
