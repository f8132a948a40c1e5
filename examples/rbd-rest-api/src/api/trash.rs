//! The trash: images that can be had back until they are removed.

use std::time::SystemTime;

use axum::extract::State;
use jiff::Timestamp;
use rados::{ErrorKind, Force, IoCtx};
use rbd::{OpenOptions, TrashEntry, TrashPurge, TrashSource};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::List;
use super::images::{Image, PlaceQuery, unused};
use super::namespaces::must_exist;
use super::pools::PoolParts;
use crate::app::AppState;
use crate::extract::{Json, Path, Query};
use crate::names::Name;
use crate::operations::{Accepted, Operation, OperationKind};
use crate::problem::{Problem, Problems, Result};

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(remove))
        .routes(routes!(restore))
        .routes(routes!(purge))
}

/// An image in the trash.
#[derive(Serialize, ToSchema)]
struct TrashItem {
    /// The image's id, by which it is known here.
    id: String,
    /// The name that it had; others here may have had it too.
    name: String,
    /// What put it here.
    source: Source,
    /// When it was put here.
    #[schema(value_type = String, format = DateTime)]
    deleted_at: Timestamp,
    /// Until when it is not removed without force.
    #[schema(value_type = String, format = DateTime)]
    deferment_end: Timestamp,
}

/// What put an image in the trash.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Source {
    User,
    /// A user; the image is a clone's parent.
    UserParent,
    Mirroring,
    /// A migration, of which it is the source.
    Migration,
    /// A removal that goes on, or broke off.
    Removing,
    Unknown,
}

impl From<TrashEntry> for TrashItem {
    fn from(entry: TrashEntry) -> Self {
        Self {
            id: entry.id,
            name: entry.name,
            source: match entry.source {
                TrashSource::User => Source::User,
                TrashSource::UserParent => Source::UserParent,
                TrashSource::Mirroring => Source::Mirroring,
                TrashSource::Migration => Source::Migration,
                TrashSource::Removing => Source::Removing,
                _ => Source::Unknown,
            },
            deleted_at: timestamp(entry.deleted_at),
            deferment_end: timestamp(entry.deferment_end),
        }
    }
}

fn timestamp(time: SystemTime) -> Timestamp {
    // Ceph's times end long before these.
    time.try_into().unwrap_or(Timestamp::MAX)
}

/// The image in a path.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct TrashParts {
    /// The pool's name.
    pool: Name,
    /// The image's id.
    id: Name,
}

/// List the trash of a pool
#[utoipa::path(get, path = "/pools/{pool}/trash", tag = "trash", params(PoolParts, PlaceQuery), responses((status = 200, body = List<TrashItem>), Problems))]
async fn list(
    State(app): State<AppState>,
    Path(path): Path<PoolParts>,
    Query(place): Query<PlaceQuery>,
) -> Result<Json<List<TrashItem>>> {
    let list = |ioctx: &IoCtx| {
        let entries = rbd::trash_list(ioctx)?;
        if entries.is_empty() {
            must_exist(ioctx)?;
        }
        Ok(entries)
    };
    let mut entries = app.ceph.in_pool(&place.place(path.pool), list).await?;
    entries.sort_unstable_by(|a, b| (a.deleted_at, &a.id).cmp(&(b.deleted_at, &b.id)));
    let items = entries.into_iter().map(TrashItem::from).collect();
    Ok(Json(List::new("TrashList", items)))
}

/// How to take an image out of the trash.
#[derive(Deserialize, Default, ToSchema)]
#[serde(deny_unknown_fields)]
struct Restore {
    /// Its name from now on; by default the one that it had.
    name: Option<Name>,
}

/// Take an image out of the trash
#[utoipa::path(post, path = "/pools/{pool}/trash/{id}/restore", tag = "trash", params(TrashParts, PlaceQuery), request_body = Option<Restore>, responses((status = 200, body = Image), Problems))]
async fn restore(
    State(app): State<AppState>,
    Path(path): Path<TrashParts>,
    Query(place): Query<PlaceQuery>,
    body: Option<Json<Option<Restore>>>,
) -> Result<Json<Image>> {
    let how = body.and_then(|Json(how)| how).unwrap_or_default();
    let restore = move |ioctx: &IoCtx| {
        let entry = rbd::trash_get(ioctx, &path.id)?;
        let name = how.name.as_deref();
        rbd::trash_restore(ioctx, &path.id, name)?;
        Image::look_at(ioctx, name.unwrap_or(&entry.name), None)
    };
    let restored = app.ceph.in_pool(&place.place(path.pool), restore).await?;
    Ok(Json(restored))
}

/// How to remove an image from the trash.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct RemoveQuery {
    /// Even before its deferment has ended.
    #[serde(default)]
    force: bool,
}

/// Remove an image from the trash
#[utoipa::path(delete, path = "/pools/{pool}/trash/{id}", tag = "trash", params(TrashParts, PlaceQuery, RemoveQuery), responses((status = 202, body = Operation), Problems))]
async fn remove(
    State(app): State<AppState>,
    Path(path): Path<TrashParts>,
    Query(place): Query<PlaceQuery>,
    Query(query): Query<RemoveQuery>,
) -> Result<Accepted> {
    let place = place.place(path.pool);
    let id = path.id;
    let force = if query.force { Force::Yes } else { Force::No };
    let check = {
        let id = id.clone();
        move |ioctx: &IoCtx| removable(ioctx, &id, force)
    };
    let name = app.ceph.in_pool(&place, check).await?;
    let subject = format!("{place}/{name}");
    let kind = OperationKind::RemoveFromTrash;
    let remove = app
        .operations
        .start(&app.ceph, kind, subject, move |conn, progress| {
            let report = |done, total| progress.at(done, total);
            let ioctx = place.ioctx(conn)?;
            Ok(rbd::trash_remove_with_progress(&ioctx, &id, force, report)?)
        });
    remove.await
}

/// Refuses what is known beforehand; answers the name that the image had.
fn removable(ioctx: &IoCtx, id: &str, force: Force) -> Result<String> {
    let entry = rbd::trash_get(ioctx, id)?;
    if force == Force::No && entry.deferment_end > SystemTime::now() {
        let end = timestamp(entry.deferment_end);
        let detail = format!("its deferment ends at {end}; force=true does not wait for that");
        return Err(Problem::conflict("deferred", detail));
    }
    match OpenOptions::new().read_only().open_by_id(ioctx, id) {
        Ok(image) => unused(&image)?,
        // A removal broke off.
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    Ok(entry.name)
}

/// What to remove from the trash.
#[derive(Deserialize, Default, ToSchema)]
#[serde(deny_unknown_fields)]
struct Purge {
    /// The images whose deferment ends by this time, which may be to come; by default those whose deferment has
    /// ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    expired_before: Option<Timestamp>,
}

/// Empty the trash
///
/// Images with snapshots or which are open stay, and make the operation fail when the others are gone.
#[utoipa::path(post, path = "/pools/{pool}/trash/purge", tag = "trash", params(PoolParts, PlaceQuery), request_body = Option<Purge>, responses((status = 202, body = Operation), Problems))]
async fn purge(
    State(app): State<AppState>,
    Path(path): Path<PoolParts>,
    Query(place): Query<PlaceQuery>,
    body: Option<Json<Option<Purge>>>,
) -> Result<Accepted> {
    let which = body.and_then(|Json(which)| which).unwrap_or_default();
    let which = match which.expired_before {
        Some(time) => TrashPurge::ExpiredBefore(time.into()),
        None => TrashPurge::Expired,
    };
    let place = place.place(path.pool);
    app.ceph.in_pool(&place, must_exist).await?;
    let kind = OperationKind::PurgeTrash;
    let subject = place.to_string();
    let purge = app
        .operations
        .start(&app.ceph, kind, subject, move |conn, progress| {
            let report = |done, total| progress.at(done, total);
            Ok(rbd::trash_purge_with_progress(
                &place.ioctx(conn)?,
                which,
                report,
            )?)
        });
    purge.await
}
