//! Clones of snapshots, and making them images of their own.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use rados::{Conn, ErrorKind, IoCtx};
use rbd::{Features, ImageOptions};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::List;
use super::image_create::{features, location};
use super::images::{Image, ImageParts, PlaceQuery, open_to_look};
use super::snapshots::SnapshotParts;
use crate::app::AppState;
use crate::extract::{Json, Path, Query};
use crate::flatten;
use crate::names::Name;
use crate::operations::{Accepted, Operation, OperationKind, Progress};
use crate::problem::{Problem, Problems, Result};

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(clone))
        .routes(routes!(children))
        .routes(routes!(flatten_image))
}

/// A clone to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewClone {
    name: Name,
    /// Its pool; that of the snapshot otherwise.
    pool: Option<Name>,
    /// Its namespace; without it, that of the snapshot in the same pool, the default one in another.
    namespace: Option<Name>,
    /// Its features; those of the snapshot's image otherwise.
    #[schema(example = json!(["layering", "exclusive-lock"]))]
    features: Option<Vec<String>>,
}

/// A clone of one of the image's snapshots.
#[derive(Serialize, ToSchema)]
struct Child {
    pool: String,
    /// Empty for the default one.
    namespace: String,
    image: String,
    id: String,
    /// Whether it is in the trash.
    trash: bool,
}

/// The snapshot whose clones are asked for.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ChildrenQuery {
    /// Only clones of this snapshot.
    snapshot: Option<Name>,
}

/// C answers that an image has not the feature layering as if nobody could make clones.
fn without_layering(error: rados::Error) -> Problem {
    match error.kind() {
        ErrorKind::Unsupported => Problem::conflict("no-layering", error.to_string()),
        _ => error.into(),
    }
}

/// Make a clone of a snapshot
///
/// It is there at once, and reads from the snapshot what has not been written to it. A snapshot that is not
/// protected is cloned in format 2, which needs Ceph 13 in all that use the clone: older clients, and kernels
/// older than 5.0, need the snapshot protected first.
#[utoipa::path(post, path = "/pools/{pool}/images/{image}/snapshots/{snapshot}/clones", tag = "clones", params(SnapshotParts, PlaceQuery), request_body = NewClone, responses((status = 201, body = Image, headers(("Location" = String))), Problems))]
async fn clone(
    State(app): State<AppState>,
    Path(path): Path<SnapshotParts>,
    Query(query): Query<PlaceQuery>,
    Json(new): Json<NewClone>,
) -> Result<impl IntoResponse> {
    let pool = new.pool.unwrap_or_else(|| path.pool.clone());
    let same_pool = pool == path.pool;
    let namespace = new
        .namespace
        .or_else(|| query.namespace.clone().filter(|_| same_pool));
    let location = location(&pool, &new.name, namespace.as_ref());
    let features = new.features.map(|names| features(&names)).transpose()?;
    if features.is_some_and(|features| !features.contains(Features::LAYERING)) {
        return Err(Problem::invalid("a clone has the feature layering"));
    }
    let parent = query.place(path.pool);
    let place = PlaceQuery { namespace }.place(pool);
    let image = app.ceph.call(move |conn| {
        let (from, to) = (parent.ioctx(conn)?, place.ioctx(conn)?);
        let mut options = ImageOptions::new();
        if let Some(features) = features {
            options = options.features(features);
        }
        if parent.namespace != place.namespace || !is_protected(&from, &path.image, &path.snapshot)?
        {
            options = options.clone_format(2);
        }
        rbd::clone(&from, &path.image, &path.snapshot, &to, &new.name, &options)
            .map_err(without_layering)?;
        Image::look_at(&to, &new.name, None)
    });
    let image = image.await?;
    let headers = [(header::LOCATION, location)];
    Ok((StatusCode::CREATED, headers, Json(image)))
}

fn is_protected(ioctx: &IoCtx, image: &str, snapshot: &str) -> Result<bool> {
    let image = rbd::Image::open_read_only(ioctx, image)?;
    let protected = image.snap_is_protected(snapshot)?;
    image.close()?;
    Ok(protected)
}

/// List the clones of an image's snapshots
///
/// Those in all pools that the service's Ceph user can look into, and those in the trash.
#[utoipa::path(get, path = "/pools/{pool}/images/{image}/children", tag = "clones", params(ImageParts, PlaceQuery, ChildrenQuery), responses((status = 200, body = List<Child>), Problems))]
async fn children(
    State(app): State<AppState>,
    Path(path): Path<ImageParts>,
    Query(place): Query<PlaceQuery>,
    Query(query): Query<ChildrenQuery>,
) -> Result<Json<List<Child>>> {
    let place = place.place(path.pool);
    let children = app.ceph.in_pool(&place, move |ioctx| {
        let image = open_to_look(ioctx, &path.image, query.snapshot.as_deref())?;
        let mut children = image.list_children()?;
        image.close()?;
        children.sort();
        Ok(children)
    });
    let children = children.await?.into_iter().map(|child| Child {
        pool: child.pool,
        namespace: child.pool_namespace,
        image: child.image,
        id: child.id,
        trash: child.trash,
    });
    Ok(Json(List::new("ChildList", children.collect())))
}

/// Make a clone independent of its parent
///
/// Copies what it still reads from there. The image can be used meanwhile, and its content stays the same
/// throughout. Canceled, it still is a clone; doing it again goes on.
///
/// Where it ended in the middle otherwise, because the service died or with another error, Ceph before 18.2.5 and
/// 19.2.1 would lose data in the next flatten, by what the image's object map then says. The image's metadata tells
/// of such a flatten (`rbd_rest_api.flatten`), and the next one by this service does without the object map and
/// makes it anew afterwards. Whoever flattens such an image by other means must first disable its features
/// fast-diff and object-map.
#[utoipa::path(post, path = "/pools/{pool}/images/{image}/flatten", tag = "clones", operation_id = "flatten", params(ImageParts, PlaceQuery), responses((status = 202, body = Operation, headers(("Location" = String))), Problems))]
async fn flatten_image(
    State(app): State<AppState>,
    Path(path): Path<ImageParts>,
    Query(query): Query<PlaceQuery>,
) -> Result<Accepted> {
    let place = query.place(path.pool);
    let name = path.image.to_string();
    let check = app.ceph.in_pool(&place, move |ioctx| {
        let image = rbd::Image::open_read_only(ioctx, &name)?;
        let something = image.parent()?.is_some() || flatten::is_unfinished(&image)?;
        image.close()?;
        Ok(something)
    });
    if !check.await? {
        let detail = format!("{place}/{} is no clone, or has been flattened", path.image);
        return Err(Problem::conflict("no-parent", detail));
    }
    let subject = format!("{place}/{}", path.image);
    let work = move |conn: &Conn, progress: &Progress| {
        let image = rbd::Image::open(&place.ioctx(conn)?, &path.image)?;
        flatten::flatten(&image, progress)?;
        Ok(image.close()?)
    };
    let kind = OperationKind::Flatten;
    app.operations.start(&app.ceph, kind, subject, work).await
}
