//! Snapshots of images.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use jiff::Timestamp;
use rados::{Conn, ErrorKind, IoCtx};
use rbd::{SnapInfo, SnapNamespaceType};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::images::{ImageParts, PlaceQuery};
use super::{List, image_create};
use crate::app::AppState;
use crate::exclusive;
use crate::extract::{Json, Path, Query};
use crate::names::Name;
use crate::operations::{Accepted, Operation, OperationKind, Progress};
use crate::problem::{Problem, Problems, Result};

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, delete))
        .routes(routes!(protect, unprotect))
        .routes(routes!(roll_back))
}

/// A snapshot.
#[derive(Serialize, ToSchema)]
struct Snapshot {
    /// Its number, unique in the pool.
    id: u64,
    #[schema(example = "yesterday")]
    name: String,
    /// Bytes of the image's size when it was taken.
    size: u64,
    /// Whether it cannot be removed.
    protected: bool,
    /// When it was taken.
    #[schema(value_type = Option<String>, format = DateTime)]
    timestamp: Option<Timestamp>,
}

/// A snapshot to be taken.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewSnapshot {
    name: Name,
}

/// The snapshot in a path.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct SnapshotParts {
    /// The pool's name.
    pub pool: Name,
    /// The image's name.
    pub image: Name,
    /// The snapshot's name.
    pub snapshot: Name,
}

/// List an image's snapshots
///
/// Those that somebody made by name, the oldest first; not those of groups and of mirroring.
#[utoipa::path(get, path = "/pools/{pool}/images/{image}/snapshots", tag = "snapshots", params(ImageParts, PlaceQuery), responses((status = 200, body = List<Snapshot>), Problems))]
async fn list(
    State(app): State<AppState>,
    Path(path): Path<ImageParts>,
    Query(query): Query<PlaceQuery>,
) -> Result<Json<List<Snapshot>>> {
    let place = query.place(path.pool);
    let list = app.ceph.in_pool(&place, move |ioctx| {
        let image = rbd::Image::open_read_only(ioctx, &path.image)?;
        let snapshots = image.snap_list_with_types()?.into_iter();
        let of_users = snapshots.filter(|(_, made_by)| *made_by == SnapNamespaceType::User);
        let list = of_users
            .map(|(snapshot, _)| look_at(&image, snapshot))
            .collect::<Result<_>>()?;
        image.close()?;
        Ok(list)
    });
    Ok(Json(List::new("SnapshotList", list.await?)))
}

/// Take a snapshot
#[utoipa::path(post, path = "/pools/{pool}/images/{image}/snapshots", tag = "snapshots", params(ImageParts, PlaceQuery), request_body = NewSnapshot, responses((status = 201, body = Snapshot, headers(("Location" = String))), Problems))]
async fn create(
    State(app): State<AppState>,
    Path(path): Path<ImageParts>,
    Query(query): Query<PlaceQuery>,
    Json(new): Json<NewSnapshot>,
) -> Result<impl IntoResponse> {
    let location = location(&path, &new.name, query.namespace.as_ref());
    let place = query.place(path.pool);
    let snapshot = app.ceph.in_pool(&place, move |ioctx| {
        let image = rbd::Image::open(ioctx, &path.image)?;
        image.snap_create(&new.name)?;
        let snapshot = find(&image, &new.name)?;
        image.close()?;
        Ok(snapshot)
    });
    let snapshot = snapshot.await?;
    let headers = [(header::LOCATION, location)];
    Ok((StatusCode::CREATED, headers, Json(snapshot)))
}

/// Look at a snapshot
#[utoipa::path(get, path = "/pools/{pool}/images/{image}/snapshots/{snapshot}", tag = "snapshots", params(SnapshotParts, PlaceQuery), responses((status = 200, body = Snapshot), Problems))]
async fn get(
    State(app): State<AppState>,
    Path(path): Path<SnapshotParts>,
    Query(query): Query<PlaceQuery>,
) -> Result<Json<Snapshot>> {
    let place = query.place(path.pool);
    let snapshot = app.ceph.in_pool(&place, move |ioctx| {
        let image = rbd::Image::open_read_only(ioctx, &path.image)?;
        let snapshot = find(&image, &path.snapshot)?;
        image.close()?;
        Ok(snapshot)
    });
    Ok(Json(snapshot.await?))
}

/// Remove a snapshot
///
/// One that is protected cannot be removed. One with clones that did not need its protection is out of sight at
/// once, and kept until the last of them is gone or flattened.
#[utoipa::path(delete, path = "/pools/{pool}/images/{image}/snapshots/{snapshot}", tag = "snapshots", params(SnapshotParts, PlaceQuery), responses((status = 204), Problems))]
async fn delete(
    State(app): State<AppState>,
    Path(path): Path<SnapshotParts>,
    Query(query): Query<PlaceQuery>,
) -> Result<StatusCode> {
    change(&app, path, query, |image, snapshot| {
        Ok(image.snap_remove(snapshot)?)
    })
    .await
}

/// Protect a snapshot from removal
///
/// That it is protected already is no failure.
#[utoipa::path(put, path = "/pools/{pool}/images/{image}/snapshots/{snapshot}/protection", tag = "snapshots", params(SnapshotParts, PlaceQuery), responses((status = 204), Problems))]
async fn protect(
    State(app): State<AppState>,
    Path(path): Path<SnapshotParts>,
    Query(query): Query<PlaceQuery>,
) -> Result<StatusCode> {
    change(&app, path, query, |image, snapshot| {
        match image.snap_protect(snapshot) {
            Err(error)
                if error.kind() == ErrorKind::Busy && image.snap_is_protected(snapshot)? =>
            {
                Ok(())
            }
            answer => Ok(answer?),
        }
    })
    .await
}

/// Take a snapshot's protection away
///
/// That it is not protected is no failure.
#[utoipa::path(delete, path = "/pools/{pool}/images/{image}/snapshots/{snapshot}/protection", tag = "snapshots", params(SnapshotParts, PlaceQuery), responses((status = 204), Problems))]
async fn unprotect(
    State(app): State<AppState>,
    Path(path): Path<SnapshotParts>,
    Query(query): Query<PlaceQuery>,
) -> Result<StatusCode> {
    change(&app, path, query, |image, snapshot| {
        match image.snap_is_protected(snapshot)? {
            true => Ok(image.snap_unprotect(snapshot)?),
            false => Ok(()),
        }
    })
    .await
}

/// Make the image what it was when a snapshot was taken
///
/// What was written since is lost. Nobody should use the image meanwhile. When this is canceled, or the service
/// ends, a part of the image has been rolled back: doing it again does the rest. The time it takes grows with the
/// image's size; a clone of the snapshot is made at once.
#[utoipa::path(post, path = "/pools/{pool}/images/{image}/snapshots/{snapshot}/rollback", tag = "snapshots", params(SnapshotParts, PlaceQuery), responses((status = 202, body = Operation, headers(("Location" = String))), Problems))]
async fn roll_back(
    State(app): State<AppState>,
    Path(path): Path<SnapshotParts>,
    Query(query): Query<PlaceQuery>,
) -> Result<Accepted> {
    let place = query.place(path.pool);
    let (name, snapshot) = (path.image.to_string(), path.snapshot.to_string());
    let check = app.ceph.in_pool(&place, move |ioctx| {
        let image = rbd::Image::open_read_only(ioctx, &name)?;
        image.snap_id(&snapshot)?;
        Ok(image.close()?)
    });
    check.await?;
    let subject = format!("{place}/{}@{}", path.image, path.snapshot);
    let work = move |conn: &Conn, progress: &Progress| {
        let image = rbd::Image::open(&place.ioctx(conn)?, &path.image)?;
        let kept = exclusive::keep(&image)?;
        image
            .snap_rollback_with_progress(&path.snapshot, |done, total| progress.at(done, total))?;
        drop(kept);
        Ok(image.close()?)
    };
    let kind = OperationKind::Rollback;
    app.operations.start(&app.ceph, kind, subject, work).await
}

/// Opens the image, changes something about the snapshot, and answers that there is nothing to say.
async fn change(
    app: &AppState,
    path: SnapshotParts,
    query: PlaceQuery,
    change: impl FnOnce(&rbd::Image, &str) -> Result<()> + Send + 'static,
) -> Result<StatusCode> {
    let place = query.place(path.pool);
    let changed = app.ceph.in_pool(&place, move |ioctx: &IoCtx| {
        let image = rbd::Image::open(ioctx, &path.image)?;
        change(&image, &path.snapshot)?;
        Ok(image.close()?)
    });
    changed.await.map(|()| StatusCode::NO_CONTENT)
}

fn find(image: &rbd::Image, name: &str) -> Result<Snapshot> {
    let id = image.snap_id(name)?;
    let mut snapshots = image.snap_list()?.into_iter();
    let snapshot = snapshots.find(|snapshot| snapshot.id == id);
    let snapshot = snapshot.ok_or_else(|| Problem::not_found("it has just been removed"))?;
    look_at(image, snapshot)
}

fn look_at(image: &rbd::Image, snapshot: SnapInfo) -> Result<Snapshot> {
    let timestamp = image.snap_timestamp(snapshot.id)?;
    Ok(Snapshot {
        protected: image.snap_is_protected(&snapshot.name)?,
        timestamp: timestamp.and_then(|time| Timestamp::try_from(time).ok()),
        id: snapshot.id,
        name: snapshot.name,
        size: snapshot.size,
    })
}

/// Where a snapshot is in the API.
fn location(path: &ImageParts, snapshot: &Name, namespace: Option<&Name>) -> String {
    let image = image_create::location(&path.pool, &path.image, None);
    let snapshot = format!("{image}/snapshots/{}", snapshot.in_url());
    match namespace {
        Some(namespace) => format!("{snapshot}?namespace={}", namespace.in_url()),
        None => snapshot,
    }
}
