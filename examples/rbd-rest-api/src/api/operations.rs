//! Operations: what was begun by a request and goes on after its answer.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::List;
use crate::app::AppState;
use crate::extract::{Json, Path, Query};
use crate::operations::{Cancel, Id, Operation, OperationState};
use crate::problem::{Problem, Problems, Result};

/// The least time between two events.
const PACE: Duration = Duration::from_millis(200);
/// How often something is sent when nothing happens.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get, cancel))
}

/// What is answered for as long as the operation goes on.
pub fn streaming() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(events))
}

/// Which operations.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct PageQuery {
    /// At most so many.
    #[serde(default = "PageQuery::limit")]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: usize,
    /// What the page before said under `Continue`.
    #[serde(rename = "continue")]
    after: Option<String>,
}

impl PageQuery {
    fn limit() -> usize {
        100
    }
}

/// The operation in a path.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct OperationParts {
    /// The operation's id.
    id: String,
}

impl OperationParts {
    fn id(&self) -> Result<Id> {
        Id::parse(&self.id).ok_or_else(not_known)
    }
}

fn not_known() -> Problem {
    Problem::not_found("there is no such operation; one that has ended is forgotten after an hour")
}

/// List operations
///
/// Those of all pools, the newest first; ended ones for an hour at least, as far as they are among the newest 1000 of
/// their pool. A pool that does not answer within seconds is left out.
#[utoipa::path(get, path = "/operations", tag = "operations", params(PageQuery), responses((status = 200, body = List<Operation>), Problems))]
async fn list(
    State(app): State<AppState>,
    Query(query): Query<PageQuery>,
) -> Result<Json<List<Operation>>> {
    if !(1..=1000).contains(&query.limit) {
        return Err(Problem::invalid("limit: it must be in 1..=1000"));
    }
    let after = query.after.map(|after| {
        Id::parse(&after).ok_or_else(|| Problem::invalid("continue: no page has said this"))
    });
    let (after, limit) = (after.transpose()?, query.limit);
    let (list, more) = app.operations.list(&app.ceph, after, limit).await?;
    let next = list.last().map(|last| last.id.clone()).filter(|_| more);
    Ok(Json(List::page("OperationList", list, next)))
}

/// Look at an operation
///
/// One whose service has died is `failed` about fifteen seconds later, with a problem that says so.
#[utoipa::path(get, path = "/operations/{id}", tag = "operations", params(OperationParts), responses((status = 200, body = Operation), Problems))]
async fn get(
    State(app): State<AppState>,
    Path(path): Path<OperationParts>,
) -> Result<Json<Operation>> {
    let operation = app.operations.find(&app.ceph, &path.id()?).await?;
    operation.map(Json).ok_or_else(not_known)
}

/// Cancel an operation
///
/// It is told to stop, and is `canceled` when it has: what it did until then stays done. Some cannot stop any more, and
/// succeed. One that has ended is answered as it is.
#[utoipa::path(delete, path = "/operations/{id}", tag = "operations", operation_id = "cancel", params(OperationParts), responses((status = 202, description = "It is told to stop", body = Operation), (status = 200, description = "It has ended", body = Operation), Problems))]
async fn cancel(
    State(app): State<AppState>,
    Path(path): Path<OperationParts>,
) -> Result<(StatusCode, Json<Operation>)> {
    match app.operations.cancel(&app.ceph, &path.id()?).await? {
        Some(Cancel::Asked(operation)) => Ok((StatusCode::ACCEPTED, Json(operation))),
        Some(Cancel::Ended(operation)) => Ok((StatusCode::OK, Json(operation))),
        None => Err(not_known()),
    }
}

/// An event of the stream.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is in the document only")]
struct OperationEvent {
    /// It is always `operation`.
    #[schema(example = "operation")]
    event: String,
    /// What `Last-Event-ID` may name later.
    #[schema(example = "succeeded-1-1")]
    id: String,
    /// The operation.
    #[schema(content_media_type = "application/json")]
    data: String,
}

/// Watch an operation
///
/// Server-sent events, of the type `operation` with the operation in JSON as data: one at once, one for each change, but
/// at most five a second, and a last one when it has ended; the stream ends then. It also ends when the service does:
/// ask again. Who asks again with the last event's id in `Last-Event-ID`, as browsers do by themselves, is told by 204
/// that there is nothing more.
#[utoipa::path(get, path = "/operations/{id}/events", tag = "operations", params(OperationParts), responses((status = 200, body = OperationEvent, content_type = "text/event-stream"), (status = 204, description = "It has ended, and the last event is known"), Problems))]
async fn events(
    State(app): State<AppState>,
    Path(path): Path<OperationParts>,
    headers: HeaderMap,
) -> Result<Response> {
    let watched = app.operations.watch(&app.ceph, &path.id()?).await?;
    let operation = watched.ok_or_else(not_known)?;
    let known = headers.get("last-event-id");
    let is_known = |operation: &Operation| {
        operation.ended.is_some()
            && known.is_some_and(|known| known == event_id(operation).as_str())
    };
    if is_known(&operation.borrow()) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let events = stream_of(operation, app.ending.clone());
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    Ok(Sse::new(events).keep_alive(keep_alive).into_response())
}

/// The events, until the operation or the service ends.
fn stream_of(
    operation: watch::Receiver<Operation>,
    ending: watch::Receiver<bool>,
) -> impl Stream<Item = Result<Event, Infallible>> {
    enum At {
        Start,
        Middle,
        End,
    }
    let start = (At::Start, operation, ending);
    stream::unfold(start, async |(at, mut operation, mut ending)| {
        match at {
            At::Start => {}
            At::Middle => {
                let changed = async {
                    time::sleep(PACE).await;
                    operation.changed().await
                };
                tokio::select! {
                    changed = changed => changed.ok()?,
                    _ = ending.wait_for(|&ending| ending) => return None,
                }
            }
            At::End => return None,
        }
        let (event, at) = {
            let operation = operation.borrow_and_update();
            let event = Event::default().event("operation").id(event_id(&operation));
            let event = event.json_data(&*operation).ok()?;
            let ended = operation.ended.is_some();
            (event, if ended { At::End } else { At::Middle })
        };
        Some((Ok(event), (at, operation, ending)))
    })
}

/// What tells events of an operation apart, whichever process sends them.
fn event_id(operation: &Operation) -> String {
    let state = match operation.state {
        OperationState::Running => "running",
        OperationState::Succeeded => "succeeded",
        OperationState::Failed => "failed",
        OperationState::Canceled => "canceled",
    };
    format!("{state}-{}-{}", operation.done, operation.total)
}
